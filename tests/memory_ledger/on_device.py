"""What the host says a run on CUDA will hold beside LibTorch's allocator, on models of real size with random weights.

Run as: on_device.py DRIVER LIBRARY MODEL... [--set PATH=TEXT]...
DRIVER: memory_ledger_driver. LIBRARY: lib/fastvideo of the build. MODEL: folders of make_random_wan.py. A table on
standard output; ends with 1 where a stage holds more than was said, or where more than 10 % too much was said.
"""

import argparse
import pathlib
import subprocess
import sys

SIZES = ["480x832x81", "320x512x33"]
SETTINGS = {
    "FLASH_ATTN": {"attention.backend": "FLASH_ATTN"},
    "SAGE_ATTN": {"attention.backend": "SAGE_ATTN"},
    "SLIDING_TILE_ATTN": {"attention.backend": "SLIDING_TILE_ATTN"},
    "TORCH_SDPA": {"attention.backend": "TORCH_SDPA"},
    "TeaCache": {"cache.strategy": "teacache", "cache.teacache.threshold": "0.2"},
    "TaylorSeer": {"cache.strategy": "taylorseer"},
    "offload none": {"request.offload": "none"},
    "float32": {"request.dtype": "float32", "attention.backend": "TORCH_SDPA"},
}
MIB = 1 << 20


def run(driver, library, model, size, wanted, more):
    height, width, frames = size.split("x")
    settings = {"request.model_path": model, "request.prompt": "a red circle moves right", "run.device": "cuda",
                "request.negative_prompt": "grey", "request.height": height, "request.width": width,
                "request.num_frames": frames, "request.num_inference_steps": "6", "request.guidance_scale": "5.0",
                "request.seed": "1", **wanted, **more}
    command = [driver, library, *(f"{path}={text}" for path, text in settings.items())]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode != 0:
        return None, result.stderr.strip()
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    return [(name, int(a), int(b)) for name, a, b in rows], ""


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("driver")
    parser.add_argument("library")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--set", action="append", default=[], metavar="PATH=TEXT")
    parser.add_argument("--size", action="append", metavar="HxWxF")
    parser.add_argument("--only", action="append", help="names of settings")
    args = parser.parse_args()
    more = dict(one.split("=", 1) for one in args.set)
    bad = 0
    for model in args.models:
        for size in args.size or SIZES:
            for name, wanted in SETTINGS.items():
                if args.only and name not in args.only:
                    continue
                rows, error = run(args.driver, args.library, model, size, wanted, more)
                head = f"{pathlib.Path(model).name} {size} {name}"
                if rows is None:
                    bad += 1
                    print(f"{head}: {error}", flush=True)
                    continue
                for stage, said, held in rows[:-1]:
                    ratio = said / max(held, 1)
                    wrong = not 1 <= ratio <= 1.1
                    bad += wrong
                    print(f"{head}: {stage:12} said {said / MIB:9.1f} MiB, held {held / MIB:9.1f}, {ratio:6.3f}"
                          + (" !" if wrong else ""), flush=True)
                _, reserved, beside = rows[-1]
                print(f"{head}: reserved {reserved / MIB:.1f} MiB, {beside / MIB:.1f} beside it", flush=True)
    sys.exit(bad != 0)


if __name__ == "__main__":
    main()
