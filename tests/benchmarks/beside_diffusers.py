"""Times this program beside diffusers: same model folder, prompts, threads and machine, in alternating order.

Run as: beside_diffusers.py FASTVIDEO_BINARY MODEL_FOLDER [--rounds N] [--threads N] [request options]
Each round is a new process on both sides, which makes one video of each prompt, one after the other, with all models
kept loaded. The first prompt is reported apart from the later ones, on both sides: it is the one for which a process
touches its code and weights for the first time. Files are in the page cache. Import and start of Python are not
counted; start and loading of fastvideo are. Prints medians of the rounds, and the least and largest ratio of a round.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys
import tempfile
import time

PROMPTS = ("a red circle moves right on a blue background", "a yellow square moves left on a green background",
           "a green triangle moves right on a cyan background")
# In seconds; the text encoder's are of one text, since ours does not read a negative prompt a second time.
STAGES = ("load", "text encoder, a text", "denoise", "decode", "prompt to file")


def arguments_of_request(arguments):
    return ["--height", arguments.height, "--width", arguments.width, "--num-frames", arguments.num_frames,
            "--num-inference-steps", arguments.steps, "--guidance-scale", arguments.guidance]


def ours(arguments, folder):
    """Seconds of each stage, for each prompt."""
    (folder / "prompts.txt").write_text("\n".join(arguments.prompts))
    command = [arguments.binary, "generate", "--model-path", arguments.model, "--prompt-file", folder / "prompts.txt",
               "--seed", "1", *arguments_of_request(arguments), "--threads", arguments.threads, "--device", "cpu",
               "--dtype", "float32", "--offload", "none", "--no-progress", "--output-path", folder / "ours.mp4",
               "--perf-json", folder / "perf.json", *arguments.extra]
    begin = time.perf_counter()
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    whole = time.perf_counter() - begin
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    videos = json.loads((folder / "perf.json").read_text())["videos"]
    rows = []
    for number, video in enumerate(videos):
        stages = {stage["name"]: stage for stage in video["stages"]}
        text = stages["encode text"]
        row = {"text encoder, a text": text["seconds"] / text["steps"], "denoise": stages["denoise"]["seconds"],
               "decode": stages["decode"]["seconds"], "prompt to file": video["seconds"]}
        if number == 0:
            row["load"] = sum(stage["seconds"] for name, stage in stages.items() if name.startswith("load"))
            row["prompt to file"] = whole - sum(later["seconds"] for later in videos[1:])  # with the program's start
        rows.append(row)
    return rows


def diffusers_in_this_process(arguments):
    """The same, of diffusers. Everything is imported before the clock starts."""
    import diffusers
    import torch
    import transformers
    from diffusers import WanPipeline
    torch.set_num_threads(arguments.threads)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    rows = []
    start = begin = time.perf_counter()
    pipeline = WanPipeline.from_pretrained(arguments.model, torch_dtype=torch.float32)
    load = time.perf_counter() - begin
    pipeline.set_progress_bar_config(disable=True)
    spent = {}

    def timed(name, function):
        def run(*args, **kwargs):
            entered = time.perf_counter()
            result = function(*args, **kwargs)
            spent[name] += time.perf_counter() - entered
            return result
        return run

    pipeline.encode_prompt = timed("encode", pipeline.encode_prompt)
    pipeline.vae.decode = timed("decode", pipeline.vae.decode)
    texts = 2 if arguments.guidance > 1 else 1
    for prompt in arguments.prompts:
        spent.update(encode=0.0, decode=0.0)
        begin = time.perf_counter()
        video = pipeline(prompt, height=arguments.height, width=arguments.width, num_frames=arguments.num_frames,
                         num_inference_steps=arguments.steps, guidance_scale=arguments.guidance,
                         generator=torch.Generator().manual_seed(1), output_type="np").frames[0]
        denoise = time.perf_counter() - begin - spent["encode"] - spent["decode"]
        encode = ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size",
                  f"{arguments.width}x{arguments.height}", "-framerate", "16", "-i", "-", "-pix_fmt", "yuv420p",
                  str(arguments.theirs / "theirs.mp4")]
        subprocess.run(encode, check=True, input=(video * 255).round().astype("uint8").tobytes())
        rows.append({"text encoder, a text": spent["encode"] / texts, "denoise": denoise, "decode": spent["decode"],
                     "prompt to file": time.perf_counter() - start})
        start = time.perf_counter()
    rows[0]["load"] = load
    return rows


def theirs(arguments, folder):
    command = [sys.executable, __file__, *sys.argv[1:], "--theirs", folder]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def print_table(title, rounds):
    """rounds: (ours, theirs) of each round, a row or the rows that count as one."""
    print(f"{title:24}{'fastvideo':>12}{'diffusers':>12}{'ratio':>8}   ratios of the rounds")
    for stage in STAGES:
        pairs = [tuple(statistics.median(row[stage] for row in rows) for rows in pair) for pair in rounds
                 if stage in pair[0][0]]
        if not pairs:
            continue
        mine, other = zip(*pairs)
        ratios = sorted(b / a for a, b in pairs)
        print(f"  {stage:22}{1e3 * statistics.median(mine):9.1f} ms{1e3 * statistics.median(other):9.1f} ms"
              f"{statistics.median(ratios):8.2f}   {ratios[0]:.2f} to {ratios[-1]:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt-file", type=pathlib.Path,
                        help="a prompt a line, two or more; default: three that are written here")
    parser.add_argument("--height", type=int, default=96)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--num-frames", type=int, default=17)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--theirs", type=pathlib.Path, help=argparse.SUPPRESS)
    parser.add_argument("--extra", action="append", default=[], help="an option of fastvideo generate: --extra=--dtype=bfloat16")
    arguments = parser.parse_args()
    lines = PROMPTS if arguments.prompt_file is None else arguments.prompt_file.read_text().splitlines()
    arguments.prompts = [line for line in lines if line.strip() and not line.startswith("#")]
    if len(arguments.prompts) < 2:
        parser.error("--prompt-file: two prompts at least, or there is no later one")
    if arguments.theirs is not None:
        print(json.dumps(diffusers_in_this_process(arguments)))
        return
    with tempfile.TemporaryDirectory(prefix="fastvideo_beside_") as name:
        folder = pathlib.Path(name)
        ours(arguments, folder)  # both once untimed: files in the page cache
        theirs(arguments, folder)
        rounds = [(ours(arguments, folder), theirs(arguments, folder)) for _ in range(arguments.rounds)]
    print_table("first prompt", [(mine[:1], other[:1]) for mine, other in rounds])
    print_table("later prompts", [(mine[1:], other[1:]) for mine, other in rounds])


if __name__ == "__main__":
    main()
