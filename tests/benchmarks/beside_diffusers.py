"""Times this program beside diffusers: same model folder, request, threads and machine, in alternating order.

Run as: beside_diffusers.py FASTVIDEO_BINARY MODEL_FOLDER [--rounds N] [--threads N] [request options]
Import and start of Python are not counted; loading the weights is, on both sides. Prints a table of medians.
"""

import argparse
import re
import statistics
import subprocess
import tempfile
import time

import diffusers
import torch
import transformers
from diffusers import WanPipeline

STAGES = ("text encoder", "denoise", "decode", "prompt to file")
UNITS = {"ms": 1e-3, "s": 1.0}


def seconds(text):
    """ "1 min 08 s", "1.68 s" or "64.80 ms" as seconds. """
    minutes = re.match(r"(\d+) min (\S+) s", text)
    if minutes:
        return 60 * float(minutes.group(1)) + float(minutes.group(2))
    value, unit = re.match(r"(\S+) (ms|s)", text).groups()
    return float(value) * UNITS[unit]


def ours(arguments, out):
    command = [arguments.binary, "generate", "--model-path", arguments.model, "--prompt", arguments.prompt, "--seed",
               "1", "--height", arguments.height, "--width", arguments.width, "--num-frames", arguments.num_frames,
               "--num-inference-steps", arguments.steps, "--guidance-scale", arguments.guidance, "--threads",
               arguments.threads, "--device", "cpu", "--no-progress", "--output-path", out, *arguments.extra]
    start = time.perf_counter()
    printed = subprocess.run([str(c) for c in command], check=True, capture_output=True, text=True).stdout
    whole = time.perf_counter() - start
    stage = {name: seconds(re.search(rf"^ +{name} +(\S.*)$", printed, re.M).group(1))
             for name in ("encode text", "denoise", "decode")}
    return stage["encode text"], stage["denoise"], stage["decode"], whole


def theirs(arguments, out):
    start = time.perf_counter()
    pipeline = WanPipeline.from_pretrained(arguments.model, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    spent = dict.fromkeys(("encode", "decode"), 0.0)

    def timed(name, function):
        def run(*args, **kwargs):
            begin = time.perf_counter()
            result = function(*args, **kwargs)
            spent[name] += time.perf_counter() - begin
            return result
        return run

    pipeline.encode_prompt = timed("encode", pipeline.encode_prompt)
    pipeline.vae.decode = timed("decode", pipeline.vae.decode)
    begin = time.perf_counter()
    video = pipeline(arguments.prompt, height=arguments.height, width=arguments.width, num_frames=arguments.num_frames,
                     num_inference_steps=arguments.steps, guidance_scale=arguments.guidance,
                     generator=torch.Generator().manual_seed(1), output_type="np").frames[0]
    denoise = time.perf_counter() - begin - spent["encode"] - spent["decode"]
    encode = ["ffmpeg", "-loglevel", "error", "-y", "-f", "rawvideo", "-pixel_format", "rgb24", "-video_size",
              f"{arguments.width}x{arguments.height}", "-framerate", "16", "-i", "-", "-pix_fmt", "yuv420p", out]
    subprocess.run(encode, check=True, input=(video * 255).round().astype("uint8").tobytes())
    return spent["encode"], denoise, spent["decode"], time.perf_counter() - start


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("binary")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--prompt", default="a red circle moves right on a blue background")
    parser.add_argument("--height", type=int, default=96)
    parser.add_argument("--width", type=int, default=160)
    parser.add_argument("--num-frames", type=int, default=17)
    parser.add_argument("--steps", type=int, default=30)
    parser.add_argument("--guidance", type=float, default=3.0)
    parser.add_argument("--extra", nargs=argparse.REMAINDER, default=[], help="last: further options of fastvideo generate")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()

    with tempfile.TemporaryDirectory() as folder:
        ours(arguments, f"{folder}/ours.mp4")  # both once untimed: files in the page cache, kernels chosen
        theirs(arguments, f"{folder}/theirs.mp4")
        rounds = []
        for _ in range(arguments.rounds):
            rounds.append((ours(arguments, f"{folder}/ours.mp4"), theirs(arguments, f"{folder}/theirs.mp4")))
    print(f"{'':16}{'fastvideo':>12}{'diffusers':>12}{'ratio':>8}   ratios of the rounds")
    for i, stage in enumerate(STAGES):
        mine, other = [r[0][i] for r in rounds], [r[1][i] for r in rounds]
        ratios = sorted(b / a for a, b in zip(mine, other))
        print(f"{stage:16}{statistics.median(mine):10.3f} s{statistics.median(other):10.3f} s"
              f"{statistics.median(ratios):8.2f}   {ratios[0]:.2f} to {ratios[-1]:.2f}")


if __name__ == "__main__":
    main()
