"""`fastvideo plugins`: how long it takes, and that it maps neither LibTorch nor CUDA.

Run as: start.py FASTVIDEO_BINARY [--most MILLISECONDS] [--rounds N]
Prints the median of the rounds, the page cache warm. Exit code 1 if a library that it must not need is opened, or if
the median is above --most (without it the time is only printed).
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import time


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fastvideo")
    parser.add_argument("--most", type=float)
    parser.add_argument("--rounds", type=int, default=20)
    arguments = parser.parse_args()
    command = [arguments.fastvideo, "plugins"]

    # The dynamic linker names every file that it opens.
    done = subprocess.run(command, env={**os.environ, "LD_DEBUG": "files"}, capture_output=True, text=True, check=True)
    opened = set(re.findall(r"file=(\S+)", done.stderr))
    assert any("libstdc++" in name for name in opened), "LD_DEBUG says nothing"
    unwanted = [name for name in opened if re.search(r"torch|c10|cuda|nvidia|cublas|cudnn", name)]

    seconds = []
    for _ in range(arguments.rounds + 1):
        begin = time.perf_counter()
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        seconds.append(time.perf_counter() - begin)
    median = 1e3 * statistics.median(seconds[1:])
    print(f"fastvideo plugins: median {median:.1f} ms of {arguments.rounds} ({1e3 * min(seconds[1:]):.1f} to "
          f"{1e3 * max(seconds[1:]):.1f}), {len(opened)} libraries")
    if unwanted:
        sys.exit("it opens " + ", ".join(unwanted))
    if arguments.most is not None and median > arguments.most:
        sys.exit(f"above {arguments.most} ms")


if __name__ == "__main__":
    main()
