"""How often the denoising loop waits for the GPU.

`counter`: the library that counts does count. `loop`: runs that differ in their number of steps alone. What both wait
for lies outside the loop; so the loop waits for nothing without caching and with strategies that plan ahead. With the
others it waits for no stream and no device, and for at most one event a decision: none if what it needs is there already.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
STEPS = (12, 24)
BRANCHES = 2
STATIC = {
    "no caching": [],
    "teacache": ["--enable-teacache", "--teacache-threshold", "0.1"],
    "magcache": ["--cache-strategy", "magcache"],
    "taylorseer": ["--cache-strategy", "taylorseer"],
    "guidance_gate": ["--cache-strategy", "guidance_gate"],
}
DYNAMIC = {
    "first_block": ["--cache-strategy", "first_block"],
    "easycache": ["--cache-strategy", "easycache", "--easycache-kept-first-steps", "3"],
}


def counts_of(command, library, folder):
    """What a command waited for, by kind."""
    file = pathlib.Path(folder) / "waits"
    environment = {**os.environ, "LD_PRELOAD": str(library), "FASTVIDEO_WAITS_FILE": str(file)}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment, timeout=300)
    if done.returncode != 0:
        sys.exit(f"{command}\nexit code {done.returncode}\n{done.stderr}")
    return {kind: int(count) for kind, count in (line.split() for line in file.read_text().splitlines())}


def check_counter(library, folder):
    calls = "import ctypes; c = ctypes.CDLL(None)\n"
    calls += "for _ in range(3): c.cudaStreamSynchronize(None)\nfor _ in range(2): c.cudaEventSynchronize(None)\n"
    calls += "c.cudaDeviceSynchronize()\nfor _ in range(4): c.cudaMemcpy(None, None, 0, 0)\n"
    counted = counts_of([sys.executable, "-c", calls], library, folder)
    assert counted == {"stream": 3, "event": 2, "device": 1, "copy": 4}, counted


def check_loop(program, library, folder):
    failed = []
    for name, flags in {**STATIC, **DYNAMIC}.items():
        short, long = (counts_of([program, "generate", "--model-path", SOURCE / "models" / "shapes", "--device", "cuda",
                                  "--prompt", "a red circle moves right", "--seed", "1", "--no-progress",
                                  "--guidance-scale", "3", "--num-inference-steps", steps,
                                  "--output-path", pathlib.Path(folder) / "video.y4m", *flags], library, folder)
                       for steps in STEPS)
        more = {kind: long[kind] - short[kind] for kind in short}
        # The last steps' numbers are waited for once, after the loop, unless they are there.
        allowed = 1 + (BRANCHES * STEPS[1] if name in DYNAMIC else 0)
        passed = more["stream"] == more["device"] == more["copy"] == 0 and long["event"] <= allowed
        if not passed:
            failed.append(name)
        print(f"{'ok  ' if passed else 'FAIL'} {name}: {STEPS[1] - STEPS[0]} steps more wait for {more} more; "
              f"{short} with {STEPS[0]} steps", flush=True)
    if failed:
        sys.exit(f"the loop waits: {failed}")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["counter", "loop"])
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--program", type=pathlib.Path)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fastvideo_waits_") as folder:
        if arguments.what == "counter":
            check_counter(arguments.library.resolve(), folder)
            return
        if not os.path.exists("/dev/nvidiactl"):
            print("skipped: no NVIDIA GPU here")
            sys.exit(SKIPPED)
        check_loop(arguments.program.resolve(), arguments.library.resolve(), folder)


if __name__ == "__main__":
    main()
