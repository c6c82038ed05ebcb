"""SLIDING_TILE_ATTN on the embedded model: full windows are the dense video, small ones are not, strategy files are followed.

Run as: end_to_end.py FASTVIDEO_BINARY MODEL. The variables alone choose backend and file, as in FastVideo.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import numpy

STEPS, LAYERS, HEADS, GRID = 3, 8, 4, (5, 6, 10)
TILE = "1x2x2"
FULL = [5, 3, 5]
REQUEST = ["--prompt", "a red circle moves right", "--seed", "5", "--num-inference-steps", str(STEPS), "--device", "cpu"]


class Program:
    def __init__(self, binary, model, folder):
        self.binary, self.model, self.folder = binary, model, folder

    def call(self, command, *flags, **variables):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FASTVIDEO_")}
        return subprocess.run([self.binary, command, "--model-path", self.model, *REQUEST, *flags], capture_output=True,
                              text=True, env={**environment, "OMP_NUM_THREADS": "2", **variables})

    def frames(self, name, *flags, **variables):
        """The video's bytes as y4m holds them: luma and chroma of every frame."""
        path = self.folder / f"{name}.y4m"
        done = self.call("generate", "--output-path", str(path), *flags, **variables)
        assert done.returncode == 0, f"{name}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        header, _, rest = path.read_bytes().partition(b"\n")
        assert header.startswith(b"YUV4MPEG2"), header
        return numpy.frombuffer(b"".join(rest.split(b"FRAME\n")), numpy.uint8).astype(int), done.stdout + done.stderr

    def refusal(self, part, *flags, **variables):
        """`explain` and `generate` refuse, before a component is loaded, and leave an existing file alone."""
        shown = self.call("explain", *flags, **variables)
        assert shown.returncode == 2 and part in shown.stderr, f"explain: exit code {shown.returncode}\n{shown.stdout}{shown.stderr}"
        output = self.folder / "before.y4m"
        output.write_bytes(b"what was here before")
        done = self.call("generate", "--output-path", str(output), *flags, **variables)
        assert done.returncode == 2, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
        assert part in done.stderr, f"'{part}' is missing:\n{done.stderr}"
        assert output.read_bytes() == b"what was here before"


def option(name, value):
    return ["--set", f"attention.SLIDING_TILE_ATTN.{name}={value}"]


def strategy(path, window, steps=STEPS, layers=LAYERS, heads=HEADS, **more):
    entries = {f"{s}_{l}_{h}": window(s, l, h) for s in range(steps) for l in range(layers) for h in range(heads)}
    path.write_text(json.dumps({"tile": [1, 2, 2], **more, **entries}))
    return str(path)


def main():
    binary, model = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        program = Program(binary, model, folder)
        sliding = dict(FASTVIDEO_ATTENTION_BACKEND="SLIDING_TILE_ATTN")
        dense, _ = program.frames("dense", "--attention-backend", "dit.self=FLASH_ATTN/cpu")

        def difference(name, *flags, **variables):
            ours, said = program.frames(name, *flags, **variables)
            off = numpy.abs(ours - dense)
            print(f"{name}: {(off == 0).mean():.5f} of the values are equal, the largest difference is {off.max()}")
            return off, said

        # Sums in another order, over three steps and the decoder: values flip by a level where they lie at a half.
        def expect_dense(name, *flags, **variables):
            off, said = difference(name, *flags, **variables)
            assert off.max() <= 1 and (off == 0).mean() > 0.999, name
            return said

        said = expect_dense("the variable alone", **sliding)  # the grid of 5x6x10 has two tiles
        assert "SLIDING_TILE_ATTN/cpu" in said, said
        expect_dense("full windows", *option("tile", TILE), *option("window", "9x9x9"), **sliding)
        off, _ = difference("windows of 3x3x3", *option("tile", TILE), *option("window", "3x3x3"), **sliding)
        assert off.mean() > 0.5, "small windows change nothing: they are not in force"
        expect_dense("all steps dense", *option("tile", TILE), *option("dense_steps", STEPS), **sliding)

        full = strategy(folder / "full.json", lambda s, l, h: FULL)
        expect_dense("a strategy of full windows", FASTVIDEO_ATTENTION_CONFIG=full, **sliding)
        sparse, _ = program.frames("sparse", *option("tile", TILE), *option("window", "3x1x5"), **sliding)
        same = strategy(folder / "same.json", lambda s, l, h: [3, 1, 5], tile_grid=FULL)
        ours, _ = program.frames("same windows", FASTVIDEO_ATTENTION_CONFIG=same, **sliding)
        assert (ours == sparse).all(), "one window in the option and in every entry are two videos"
        few = strategy(folder / "few.json", lambda s, l, h: FULL, steps=2)
        expect_dense("rescaled steps", *option("steps", "rescale"), FASTVIDEO_ATTENTION_CONFIG=few, **sliding)

        goal = option("calibrate_density", 0.6)
        windows = folder / "windows.json"
        done = program.call("calibrate", "SLIDING_TILE_ATTN", "--output", str(windows), *option("tile", TILE), *goal)
        assert done.returncode == 0, done.stdout + done.stderr
        measured, said = difference("calibrated windows", FASTVIDEO_ATTENTION_CONFIG=str(windows), **sliding)
        assert measured.mean() < off.mean(), "windows that were measured are farther off than sparser ones of one shape"
        shown = program.call("explain", FASTVIDEO_ATTENTION_CONFIG=str(windows), **sliding)
        density = float(re.search(r"mean density ([\d.]+)", shown.stdout)[1])
        assert 0.5 < density <= 0.6, shown.stdout
        done = program.call("calibrate", "SLIDING_TILE_ATTN", "--output", str(windows))
        assert done.returncode == 2 and "density of 0.500000 cannot be met" in done.stderr, done.stdout + done.stderr

        shown = program.call("explain", *option("tile", TILE), **sliding)
        assert f"tile {TILE} (5x3x5 of them), window 3x3x3, density 0.36" in shown.stdout, shown.stdout

        program.refusal("'0' is less than 1", *option("window", "3x0x3"), **sliding)
        program.refusal("few.json has 2 steps (its last entry is 1_7_3), and this run has 3: entry 2_0_0 is missing",
                        FASTVIDEO_ATTENTION_CONFIG=few, **sliding)
        many = strategy(folder / "many.json", lambda s, l, h: FULL, steps=4)
        program.refusal("many.json has 4 steps (its last entry is 3_7_3), and this run has 3; ask for as many steps",
                        FASTVIDEO_ATTENTION_CONFIG=many, **sliding)
        program.refusal(f"dense_steps = {STEPS + 1}, and this run has {STEPS} steps", *option("dense_steps", STEPS + 1), **sliding)
        wrong = strategy(folder / "wrong.json", lambda s, l, h: FULL, layers=7)
        program.refusal("has 7 layers (its last entry is of layer 6), and the model has 8",
                        FASTVIDEO_ATTENTION_CONFIG=wrong, **sliding)
        wrong = strategy(folder / "wrong.json", lambda s, l, h: FULL, heads=5)
        program.refusal("has 5 heads", FASTVIDEO_ATTENTION_CONFIG=wrong, **sliding)
        wrong = strategy(folder / "wrong.json", lambda s, l, h: [3, 3, 3])
        program.refusal("windows for a grid of 3x3x3 tiles", FASTVIDEO_ATTENTION_CONFIG=wrong, **sliding)
        wrong = strategy(folder / "wrong.json", lambda s, l, h: [3, 0 if (s, l, h) == (1, 2, 3) else 1, 3])
        program.refusal("'1_2_3' has the size 0", FASTVIDEO_ATTENTION_CONFIG=wrong, **sliding)
        program.refusal("cannot be read", FASTVIDEO_ATTENTION_CONFIG=str(folder / "none.json"), **sliding)


if __name__ == "__main__":
    main()
