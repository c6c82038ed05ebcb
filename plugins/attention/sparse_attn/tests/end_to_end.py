"""SPARSE_ATTN on the embedded model: visiting everything gives the dense video, visiting less another video; options
without effect are refused.

Run as: end_to_end.py FASTVIDEO_BINARY MODEL
"""

import math
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy

REQUEST = ["--prompt", "a red circle moves right", "--seed", "5", "--num-inference-steps", "4", "--num-frames", "9",
           "--device", "cpu"]


class Program:
    def __init__(self, binary, model, folder):
        self.binary, self.model, self.folder = binary, model, folder

    def call(self, command, *flags):
        environment = {name: value for name, value in os.environ.items() if not name.startswith("FASTVIDEO_")}
        return subprocess.run([self.binary, command, "--model-path", self.model, *REQUEST, *flags], capture_output=True,
                              text=True, env={**environment, "OMP_NUM_THREADS": "2"})

    def frames(self, backend, **options):
        """The video's luma and chroma, and the messages."""
        path = self.folder / "video.y4m"
        done = self.call("generate", "--attention-backend", backend, *settings(options), "--output-path", str(path))
        assert done.returncode == 0, f"{options}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        _, _, rest = path.read_bytes().partition(b"\n")
        return numpy.frombuffer(b"".join(rest.split(b"FRAME\n")), numpy.uint8).astype(int), done.stdout + done.stderr

    def refusal(self, part, **options):
        """`explain` and `generate` refuse, before a component is loaded, and leave an existing file alone."""
        output = self.folder / "before.y4m"
        output.write_bytes(b"what was here before")
        for command, more in (("explain", []), ("generate", ["--output-path", str(output)])):
            done = self.call(command, "--attention-backend", "SPARSE_ATTN", *settings(options), *more)
            assert done.returncode == 2 and part in done.stderr, f"{command}: exit code {done.returncode}\n{done.stdout}{done.stderr}"
        assert output.read_bytes() == b"what was here before"


def settings(options):
    return [x for name, value in options.items() for x in ("--set", f"attention.SPARSE_ATTN.{name}={value}")]


def psnr(a, b):
    return 10 * math.log10(255**2 / max(numpy.mean((a - b) ** 2.0), 1e-9))


def main():
    binary, model = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        program = Program(binary, model, pathlib.Path(folder))
        dense, _ = program.frames("FLASH_ATTN")
        for options in (dict(share=1), dict(mass=1), dict(share=0.2, dense_steps=4), dict(share=0.2, dense_layers="0-7"),
                        dict(select="threshold", threshold=1e-9, block=16)):
            frames, _ = program.frames("SPARSE_ATTN", **options)
            # Roundings of float32 in another order reach a pixel now and then.
            assert numpy.abs(frames - dense).max() <= 2, f"{options}: off by {numpy.abs(frames - dense).max()}"
        values = {}
        for name, options in (("share 0.5", dict(share=0.5, block=16)), ("share 0.2", dict(share=0.2, block=16)),
                              ("mass 0.9", dict(mass=0.9, block=16)), ("threshold 0.5", dict(select="threshold", threshold=0.5, block=4))):
            frames, said = program.frames("SPARSE_ATTN", **options)
            assert "SPARSE_ATTN/cpu" in said, said
            values[name] = psnr(frames, dense)
            assert values[name] < 80, f"{name} changes nothing: {values[name]:.1f} dB"
        print(", ".join(f"{name} {value:.1f} dB" for name, value in values.items()))
        assert values["share 0.5"] > values["share 0.2"], "to see more is to be nearer"
        shown = program.call("explain", "--attention-backend", "SPARSE_ATTN", *settings(dict(share=0.2, block=16)))
        assert "share 0.2 of blocks of 16 keys, tokens in boxes of 2x2x4" in shown.stdout, shown.stdout
        program.refusal("both say how many key blocks are visited", share=0.2, mass=0.9)
        program.refusal("dense_steps = 9, and this run has 4 steps", dense_steps=9)
        program.refusal("dense_layers names layer 8, and the model has 8", dense_layers="8")
        program.refusal("threshold says nothing with select = \"routed\"", threshold=0.01)
        program.refusal("block = 18", block=18)


if __name__ == "__main__":
    main()
