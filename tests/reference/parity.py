"""What the parity tests share: error measures, running our driver programs, and a report that fails."""

import pathlib
import subprocess
import sys
import tempfile

import torch
from safetensors.torch import load_file, save_file

# Relative L2 error of a part in float32, fed the reference's inputs: sums in another order cost about 1e-6.
FLOAT32_BAR = 1e-5
# A mutation of the reference must exceed the bar this many times: otherwise the bar says nothing about that site.
MUTATION_FACTOR = 10
# bfloat16 keeps 8 bits, so both implementations are far from float32; ours may be this much further than theirs.
BFLOAT16_FACTOR = 1.2


def relative_l2(ours, reference):
    """|ours - reference| / |reference|, summed in float64. Infinite where shapes differ or ours is not finite."""
    if ours.shape != reference.shape:
        return float("inf")
    reference = reference.double()
    error = (torch.linalg.vector_norm(ours.double() - reference) / torch.linalg.vector_norm(reference)).item()
    return error if error == error else float("inf")


def run_driver(command, tensors=None):
    """Runs one of our programs as `command... INPUT OUTPUT`, both safetensors files, and returns the tensors it wrote.

    Its standard error comes with the exception if it fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        source, target = pathlib.Path(folder) / "in.safetensors", pathlib.Path(folder) / "out.safetensors"
        save_file({name: tensor.detach().contiguous() for name, tensor in (tensors or {}).items()}, source)
        command = [str(part) for part in (*command, source, target)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(command)}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
        return load_file(target)


class Report:
    """Prints a line for each check and remembers which failed."""

    def __init__(self):
        self.checks = 0
        self.failed = []

    def check(self, name, passed, text):
        self.checks += 1
        print(f"{'ok  ' if passed else 'FAIL'} {name}: {text}", flush=True)
        if not passed:
            self.failed.append(name)

    def close(self, name, ours, reference, bar=FLOAT32_BAR):
        """ours is within `bar` of the reference."""
        error = relative_l2(ours, reference)
        self.check(name, error <= bar, f"relative L2 error {error:.2e} (bar {bar:.0e})")

    def sees(self, name, ours, mutated, bar=FLOAT32_BAR):
        """The bar sees a mutated reference: ours misses it by more than MUTATION_FACTOR times the bar."""
        error = relative_l2(ours, mutated)
        self.check(f"mutation: {name}", error > MUTATION_FACTOR * bar,
                   f"relative L2 error {error:.2e} (must exceed {MUTATION_FACTOR * bar:.0e})")

    def bfloat16(self, name, ours, theirs, truth):
        """Our bfloat16 is as near to the reference's float32 as the reference's own bfloat16, within the factor."""
        our_error, their_error = relative_l2(ours, truth), relative_l2(theirs, truth)
        self.check(name, our_error <= BFLOAT16_FACTOR * their_error,
                   f"error {our_error:.2e}, the reference's bfloat16 {their_error:.2e}")

    def finish(self):
        """Ends the program: 0 if all passed. A run that checked nothing has failed."""
        print(f"{self.checks - len(self.failed)} of {self.checks} passed")
        sys.exit(0 if self.checks and not self.failed else 1)
