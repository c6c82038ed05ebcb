"""Runs every command of a page: each block marked ```sh, in the order of the page, in one folder, as a reader would.

With --short the embedded model makes 5 frames in the place of 17, which shows the same in a third of the time. The folder holds `models` and what else the page takes from the repository; the program is the one that was built.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def blocks(page):
    """(line, text) of each block of commands."""
    text = page.read_text()
    found = [(text.count("\n", 0, match.start()) + 2, match.group(1))
             for match in re.finditer(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)]
    assert found, f"{page} has no block of commands"
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("page", type=pathlib.Path)
    parser.add_argument("--build", type=pathlib.Path, required=True, help="the build folder, which the page calls build/release")
    parser.add_argument("--short", action="store_true", help="videos of 5 frames")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fastvideo_page_") as name:
        folder = pathlib.Path(name)
        for part in ("models", "sdk", "config"):
            (folder / part).symlink_to(SOURCE / part)
        (folder / "build").mkdir()
        (folder / "build" / "release").symlink_to(arguments.build.resolve())
        environment = {"PATH": os.environ["PATH"], "HOME": name, "OMP_NUM_THREADS": "2"}
        page = blocks(arguments.page)
        script = "set -euo pipefail\n"
        for line, text in page:
            if arguments.short:
                text = text.replace("--model-path models/shapes", "--model-path models/shapes --num-frames 5")
            script += f"echo '--- {arguments.page.name}:{line}' >&2\n{text}"
        done = subprocess.run(["bash", "-c", script], cwd=folder, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            print(done.stdout[-4000:], done.stderr[-4000:], sep="\n")
            where = re.findall(r"^--- (.*)$", done.stderr, re.MULTILINE)[-1]
            sys.exit(f"{where}: exit code {done.returncode}")
        made = sorted(entry.name for entry in folder.iterdir() if not entry.is_symlink() and entry.name != "build")
        assert shutil.which("ffmpeg") is None or made, "the page makes nothing"
        print(f"{len(page)} blocks of {arguments.page.name} run; they made", ", ".join(made))


if __name__ == "__main__":
    main()
