"""Weights to ready with a cold page cache, beside `cat` of the same files.

Run as: load.py FASTVIDEO_BINARY MODEL_FOLDER [--rounds N] [--device D] [request options]
Ready: from opening the transformer's files to the end of the first forward pass, less a warm pass (the second step).
The files are dropped from the page cache before each round (posix_fadvise), ours and cat in alternating order. The
model: make_random_wan.py, or a published folder.
"""

import argparse
import json
import os
import pathlib
import statistics
import subprocess
import tempfile
import time


def drop(files):
    for file in files:
        descriptor = os.open(file, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


def cat(files):
    drop(files)
    begin = time.perf_counter()
    subprocess.run(["cat", *files], stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - begin


def ours(arguments, files, folder):
    drop(files)
    perf = pathlib.Path(folder) / "perf.json"
    command = [arguments.fastvideo, "generate", "--model-path", arguments.model, "--prompt", "a red circle", "--seed", "1",
               "--device", arguments.device, "--height", arguments.height, "--width", arguments.width, "--num-frames",
               arguments.num_frames, "--num-inference-steps", "2", "--guidance-scale", "1", "--no-progress",
               "--output-path", f"{folder}/video.y4m", "--perf-json", perf, *arguments.extra]
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(done.stderr)
    stages = {stage["name"]: stage for stage in json.loads(perf.read_text())["videos"][0]["stages"]}
    first, second = stages["denoise"]["step_seconds"]
    return stages["load transformer"]["seconds"] + first - second


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fastvideo", type=pathlib.Path)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--height", type=int, default=32)
    parser.add_argument("--width", type=int, default=32)
    parser.add_argument("--num-frames", type=int, default=1)
    arguments, arguments.extra = parser.parse_known_args()
    files = sorted((arguments.model / "transformer").glob("*.safetensors"))
    if not files:
        raise SystemExit(f"{arguments.model}/transformer has no weights")
    size = sum(file.stat().st_size for file in files)
    times = {"fastvideo": [], "cat": []}
    with tempfile.TemporaryDirectory(prefix="fastvideo_load_") as folder:
        ours(arguments, files, folder)  # not counted: the program and LibTorch themselves come from disk
        for _ in range(arguments.rounds):
            times["fastvideo"].append(ours(arguments, files, folder))
            times["cat"].append(cat(files))
    print(f"{size / 1e9:.2f} GB in {len(files)} files, {arguments.rounds} rounds")
    for name, seconds in times.items():
        middle = statistics.median(seconds)
        print(f"{name:<10} {middle:7.2f} s ({min(seconds):.2f} to {max(seconds):.2f})  {size / middle / 1e9:6.2f} GB/s")


if __name__ == "__main__":
    main()
