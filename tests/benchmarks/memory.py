"""Memory of the program beside what its weights take: peaks after loading and while decoding, and what stages leave.

Run as: memory.py FASTVIDEO_BINARY [--gb GB] [--only load|decode]
Makes Wan models with random weights of the published shapes, cut down in layers, in a temporary folder; runs them on
the CPU, reads the kernel's record of the largest resident size, and prints a table. Exit code 1 if a bar is missed:
after loading at most 150 MB + 1.05 x the weights in the run's type (+ the largest tensor where they are converted);
a finished component is released; decoding 49 frames peaks at most 5 % above 9. Bars do not depend on the machine.
"""

import argparse
import pathlib
import re
import subprocess
import sys
import tempfile
import threading
import time

import torch

import make_random_wan as maker

TOKENIZER = pathlib.Path(__file__).resolve().parents[2] / "models/shapes/tokenizer"
BASE = 150e6  # the program, LibTorch, and everything small
SIZES = {torch.float32: 4, torch.bfloat16: 2}
BLOCK = sum(torch.Size(shape).numel() for name, shape, _, _ in
            maker.transformer({**maker.TRANSFORMERS["1.3b"], "num_layers": 1}) if name.startswith("blocks."))


class Run:
    """A run of the program: for each stage the largest resident size, and the size when it ended."""

    def __init__(self, fastvideo, model, *flags):
        command = [fastvideo, "generate", "--model-path", model, "--prompt", "a red circle", "--seed", 1, "--device", "cpu",
                   "--guidance-scale", 1, "--num-inference-steps", 1, "--max-sequence-length", 16, "--offload", "all",
                   "--output-path", model.parent / "video.y4m", *flags]
        self.most, self.after = {}, {}
        self.process = subprocess.Popen([str(word) for word in command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL,
                                        text=True)
        self.memory = open(f"/proc/{self.process.pid}/status")
        self.peak = 0
        self.lock = threading.Lock()
        watch = threading.Thread(target=self.look, daemon=True)
        watch.start()
        said = ""
        for line in self.process.stderr:
            said += line
            stage = re.match(r"(load text encoder|encode text|load transformer|denoise|load VAE|decode): .* s\b", line)
            if stage and ("left" not in line):
                with self.lock:
                    self.after[stage.group(1)], peak = self.resident()
                    self.most[stage.group(1)] = max(self.peak, peak)
                    self.forget_peak()
        if self.process.wait() != 0:
            raise SystemExit(said)

    def resident(self):
        """Resident bytes now, and the most since forget_peak, which the kernel remembers; zeros once it has ended."""
        try:
            self.memory.seek(0)
            kib = dict(re.findall(r"(VmRSS|VmHWM):\s+(\d+) kB", self.memory.read()))
            return int(kib["VmRSS"]) * 1024, int(kib["VmHWM"]) * 1024
        except (ProcessLookupError, KeyError):
            return 0, 0

    def forget_peak(self):
        try:
            pathlib.Path(f"/proc/{self.process.pid}/clear_refs").write_text("5")
        except (ProcessLookupError, FileNotFoundError):
            pass
        self.peak = 0

    def look(self):
        while self.process.poll() is None:  # the last look before the end counts
            with self.lock:
                self.peak = max(self.peak, self.resident()[1])
            time.sleep(0.002)


class Table:
    def __init__(self):
        self.failed = False

    def row(self, what, bytes_, bar):
        missed = bytes_ > bar
        self.failed |= missed
        print(f"{what:<78} {bytes_ / 1e6:8.0f} MB, at most {bar / 1e6:.0f} MB{'   MISSED' if missed else ''}", flush=True)


def weights(folder, element):
    """Bytes of a component's tensors in a type, and of the largest."""
    import safetensors
    sizes = []
    for file in folder.glob("*.safetensors"):
        with safetensors.safe_open(file, "pt") as tensors:
            sizes += [torch.Size(tensors.get_slice(name).get_shape()).numel() for name in tensors.keys()]
    return sum(sizes) * element, max(sizes) * element


def check_load(fastvideo, folder, gb, table):
    """The denoising stage of a video of one frame: loading, and a first step that touches every weight."""
    for stored, run in ((torch.float32, torch.float32), (torch.bfloat16, torch.bfloat16), (torch.float32, torch.bfloat16),
                        (torch.bfloat16, torch.float32)):
        name = f"{str(stored).removeprefix('torch.')}_{str(run).removeprefix('torch.')}"
        model = folder / name
        layers = max(1, round(gb * 1e9 / SIZES[run] / BLOCK))
        maker.make(model, TOKENIZER, transformer_changes={"num_layers": layers}, vae_base=8, dtype=stored)
        held, _ = weights(model / "transformer", SIZES[run])
        _, largest = weights(model / "transformer", SIZES[stored])
        done = Run(fastvideo, model, "--height", 32, "--width", 32, "--num-frames", 1, "--dtype",
                   str(run).removeprefix("torch."), "--vae-dtype", "float32")
        bar = BASE + 1.05 * held + (largest if stored != run else 0)
        title = f"stored as {name.replace('_', ', held as ')}, {held / 1e9:.2f} GB"
        table.row(f"{title}: peak while loading", done.most["load transformer"], bar)
        table.row(f"{title}: peak of the first step", done.most["denoise"], bar)
        table.row(f"{title}: when the VAE is loaded, all else released", done.after["load VAE"], BASE + 0.1 * held)
        for file in model.rglob("*.safetensors"):
            file.unlink()


def check_decode(fastvideo, folder, table):
    """A decoder whose activations are many times its weights: at the larger size so large (more than 32 MB each) that the
    C library gives them back at once, at the smaller one mostly such as it keeps on its heap."""
    model = folder / "decode"
    maker.make(model, TOKENIZER, transformer_changes={"num_layers": 1}, vae_base=24, dtype=torch.bfloat16)
    for height, width in ((320, 512), (480, 832)):
        peaks = {}
        for frames in (9, 49):
            done = Run(fastvideo, model, "--height", height, "--width", width, "--num-frames", frames, "--dtype", "bfloat16",
                       "--vae-dtype", "float32")
            peaks[frames] = done.most["decode"]
        table.row(f"decoding 49 frames of {width}x{height}, beside 1.05 x the peak of 9", peaks[49], 1.05 * peaks[9])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("fastvideo", type=pathlib.Path)
    parser.add_argument("--gb", type=float, default=2.0, help="weights of the transformer, in the run's type")
    parser.add_argument("--only", choices=["load", "decode"])
    arguments = parser.parse_args()
    table = Table()
    with tempfile.TemporaryDirectory(prefix="fastvideo_memory_") as name:
        folder = pathlib.Path(name)
        if arguments.only != "decode":
            check_load(arguments.fastvideo.resolve(), folder, arguments.gb, table)
        if arguments.only != "load":
            check_decode(arguments.fastvideo.resolve(), folder, table)
    sys.exit(1 if table.failed else 0)


if __name__ == "__main__":
    main()
