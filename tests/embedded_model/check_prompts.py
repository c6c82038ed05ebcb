"""Generates clips of held-out prompts with the program and scores them with the checker.

    check_prompts.py build/release/bin/fastvideo --prompts 12

prints a line a prompt and the hit rate of one object and of two. A prompt is right when background, number of objects, and colour, shape and
motion of every object are. The exit code is 1 if a rate is below its bar, 2 if the program fails.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models" / "train"))

import checker
import vocabulary


def spread(prompts, count):
    """Indices of `count` of the prompts, evenly spread: half of one object, half of two."""
    half = len(prompts) // 2
    first = -(-count // 2)
    pick = [i * half // first for i in range(first)]
    second = count - first
    return pick + [half + i * half // second for i in range(second)]


def fresh_prompts(seed, known):
    """100 held-out prompts of one object and 100 of two, drawn with a seed, without those known."""
    drawn = vocabulary.held_out_prompts(per_count=150, seed=seed)
    halves = drawn[:150], drawn[150:]
    return [prompt for half in halves for prompt in [p for p in half if p not in known][:100]]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", help="the fastvideo program")
    parser.add_argument("--model", type=pathlib.Path, default=ROOT / "models" / "shapes")
    parser.add_argument("--prompts", type=int, default=12, help="how many of the 200 held-out prompts")
    parser.add_argument("--seed", type=int, default=0, help="seed of the first of the 200 prompts; each next one has the next seed")
    parser.add_argument("--prompt-seed", type=int, help="draw 200 other held-out prompts with this seed, none of those in the file")
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--keep", type=pathlib.Path, help="folder to keep the frames in")
    parser.add_argument("--one", type=float, default=0.0, help="least hit rate of one object")
    parser.add_argument("--two", type=float, default=0.0, help="least hit rate of two objects")
    parser.add_argument("--extra", nargs=argparse.REMAINDER, default=[], help="last: more arguments for the program")
    options = parser.parse_args()
    all_prompts = (pathlib.Path(__file__).parent / "held_out_prompts.txt").read_text().splitlines()
    if options.prompt_seed is not None:
        all_prompts = fresh_prompts(options.prompt_seed, set(all_prompts))
    if not 2 <= options.prompts <= len(all_prompts):
        parser.error(f"--prompts must be from 2 to {len(all_prompts)}")
    hits = {1: [], 2: []}
    with tempfile.TemporaryDirectory() as scratch:
        for i in spread(all_prompts, options.prompts):
            prompt = all_prompts[i]
            folder = (options.keep or pathlib.Path(scratch)) / f"{i:03}"
            folder.parent.mkdir(parents=True, exist_ok=True)
            command = [options.program, "generate", "--model-path", str(options.model), "--prompt", prompt]
            command += ["--height", str(vocabulary.HEIGHT), "--width", str(vocabulary.WIDTH), "--num-frames", str(vocabulary.FRAMES)]
            command += ["--num-inference-steps", str(options.steps), "--guidance-scale", str(options.guidance)]
            command += ["--seed", str(options.seed + i), "--output-path", f"{folder}/", *options.extra]
            started = time.monotonic()
            done = subprocess.run(command, capture_output=True, text=True)
            if done.returncode != 0:
                print(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}", file=sys.stderr)
                sys.exit(2)
            seconds = time.monotonic() - started
            frames = checker.load(folder)
            if frames.shape != (vocabulary.FRAMES, vocabulary.HEIGHT, vocabulary.WIDTH, 3):
                print(f"{prompt}: the program wrote frames of shape {frames.shape}", file=sys.stderr)
                sys.exit(2)
            scene, reading = vocabulary.parse(prompt), checker.read(frames)
            result = checker.compare(scene, reading)
            hits[len(scene.objects)].append(result["all"])
            seen = "" if result["all"] else " | saw " + checker.describe(reading)
            print(f"{'right' if result['all'] else 'WRONG'} {seconds:5.1f} s  {prompt}{seen}", flush=True)
    passed = True
    for count, bar in ((1, options.one), (2, options.two)):
        rate = sum(hits[count]) / len(hits[count])
        passed &= rate >= bar
        print(f"{count} object{'s' * (count > 1)}: {sum(hits[count])} of {len(hits[count])} right ({100 * rate:.0f} %, bar {100 * bar:.0f} %)")
    sys.exit(0 if passed else 1)


if __name__ == "__main__":
    main()
