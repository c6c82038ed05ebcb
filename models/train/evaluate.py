"""Scores the model on the held-out prompts: generates with diffusers' WanPipeline, reads the frames with the checker.

Writes scores.csv (a row a prompt), summary.json and a picture of some clips.
"""

import argparse
import json
import multiprocessing
import os
import pathlib
import time

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy
import torch

import checker
import vocabulary

WHAT = ("background", "count", "colour", "shape", "motion", "size", "all")


def judge(task: tuple) -> tuple:
    prompt, frames = task
    reading = checker.read(frames)
    return checker.compare(vocabulary.parse(prompt), reading), checker.describe(reading)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True)
    parser.add_argument("--out", type=pathlib.Path, required=True)
    parser.add_argument("--every", type=int, default=1, help="only every n-th prompt")
    parser.add_argument("--limit", type=int, default=10**9, help="at most so many prompts")
    parser.add_argument("--batch", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, nargs="*", default=[3.0])
    parser.add_argument("--prompt", nargs="*", help="these prompts instead")
    parser.add_argument("--keep", action="store_true", help="keep the frames as .npz")
    parser.add_argument("--kind", choices=("held-out", "demo"), default="held-out", help="demo: the README's prompt with 50 seeds")
    options = parser.parse_args()
    prompts = options.prompt or vocabulary.held_out_prompts()[:: options.every][: options.limit]
    if options.kind == "demo":
        prompts = [vocabulary.DEMO_PROMPT] * 50
    options.out.mkdir(parents=True, exist_ok=True)

    with multiprocessing.get_context("spawn").Pool(min(12, os.cpu_count() or 1)) as pool:
        from diffusers import WanPipeline

        device = "cuda" if torch.cuda.is_available() else "cpu"
        pipeline = WanPipeline.from_pretrained(options.model, torch_dtype=torch.float32).to(device)
        pipeline.set_progress_bar_config(disable=True)
        for guidance in options.guidance:
            started = time.monotonic()
            waiting, sheet = [], []
            for start in range(0, len(prompts), options.batch):
                some = prompts[start : start + options.batch]
                generators = [torch.Generator().manual_seed(options.seed + start + i) for i in range(len(some))]
                video = pipeline(
                    some,
                    negative_prompt=[""] * len(some),
                    height=vocabulary.HEIGHT,
                    width=vocabulary.WIDTH,
                    num_frames=vocabulary.FRAMES,
                    num_inference_steps=options.steps,
                    guidance_scale=guidance,
                    generator=generators,
                    output_type="np",
                ).frames
                frames = numpy.rint(numpy.asarray(video) * 255).astype(numpy.uint8)
                if options.keep:
                    numpy.savez_compressed(options.out / f"frames_g{guidance:g}_{start:03}.npz", prompts=some, frames=frames)
                waiting.append(pool.map_async(judge, list(zip(some, frames))))
                sheet += list(frames[:: max(1, len(prompts) // 16)])
            results = [result for part in waiting for result in part.get()]
            report(options.out, guidance, prompts, results, sheet, time.monotonic() - started)


def report(out: pathlib.Path, guidance: float, prompts: list, results: list, sheet: list, seconds: float) -> None:
    import csv

    name = f"g{guidance:g}"
    with open(out / f"scores_{name}.csv", "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["prompt", "objects", *WHAT, "seen"])
        for prompt, (scores, seen) in zip(prompts, results):
            writer.writerow([prompt, len(vocabulary.parse(prompt).objects), *(int(scores[what]) for what in WHAT), seen])
    summary = {"guidance": guidance, "seconds": round(seconds, 1)}
    for count in (1, 2):
        part = [scores for prompt, (scores, _) in zip(prompts, results) if len(vocabulary.parse(prompt).objects) == count]
        if part:
            summary[f"{count} object{'s' * (count > 1)}"] = {
                "prompts": len(part),
                **{what: round(sum(scores[what] for scores in part) / len(part), 3) for what in WHAT},
            }
    (out / f"summary_{name}.json").write_text(json.dumps(summary, indent=1) + "\n")
    print(out.name, json.dumps(summary), flush=True)

    from PIL import Image

    rows = [numpy.concatenate(list(frames[::4]), 1) for frames in sheet[:16]]
    Image.fromarray(numpy.concatenate(rows, 0)).save(out / f"clips_{name}.png")


if __name__ == "__main__":
    main()
