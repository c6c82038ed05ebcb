"""Attention in turns: each implementation alone for a while, again and again, with the energy that the card counts.

At the power limit a kernel that follows a cooler one is faster than it would be by itself. So every implementation has
turns of its own, of which the first third does not count, in several rounds; the median of the rounds is shown with
their spread, and a difference below the spread is none. Inputs rotate among sets; short calls go out as CUDA graphs.

  turns.py --shapes 1,12,32760,128+1,12,32760x512,128 NAME=KIND[:LIBRARY[:OPTION=VALUE;...]]...

KIND: cudnn; plugin (a library of this repository through its ABI); fa3 (a shared object with the function fa3_run_SIZE
over FlashAttention-3's run_mha_fwd_; see docs/measured). The first is what the others are compared with.
"""

import argparse
import ctypes
import json
import math
import os
import statistics
import sys
import time

import torch

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from attention_abi import Backend, Refused  # noqa: E402

try:
    import pynvml
    pynvml.nvmlInit()
    CARD = pynvml.nvmlDeviceGetHandleByIndex(0)
except Exception as error:  # without it there is no energy, and the table says so
    print("no NVML:", error)
    CARD = None


def energy():
    """Joules since the driver was loaded."""
    return pynvml.nvmlDeviceGetTotalEnergyConsumption(CARD) / 1e3 if CARD else math.nan


def clock():
    return pynvml.nvmlDeviceGetClockInfo(CARD, pynvml.NVML_CLOCK_SM) if CARD else 0


def options_of(text):
    def value(x):
        for kind in (int, float):
            try:
                return kind(x)
            except ValueError:
                pass
        return {"true": True, "false": False}.get(x, x)
    pairs = [pair.split("=", 1) for pair in text.split(";") if pair]
    return {name: value(x) for name, x in pairs}


def grid_of(text):
    return tuple(map(int, text.split("x")))


class Shape:
    """"1,12,32760,128", "1,12,32760x512,128", or with a grid "1,24,30x48x80,128"."""

    def __init__(self, text):
        self.text = text
        batch, heads, length, size = text.split(",")
        self.batch, self.heads, self.size = int(batch), int(heads), int(size)
        parts = grid_of(length)
        self.grid = parts if len(parts) == 3 else (0, 0, 0)
        self.queries = math.prod(parts) if len(parts) == 3 else parts[0]
        self.keys = parts[1] if len(parts) == 2 else self.queries
        self.flops = 4.0 * self.batch * self.heads * self.queries * self.keys * self.size


def implementation(text, shape, sets, out):
    """(name, function of a set's number, estimate in ms or nan), or None where it does not take the shape."""
    name, _, rest = text.partition("=")
    kind, _, rest = rest.partition(":")
    library, _, options = rest.partition(":")
    scale = 1 / math.sqrt(shape.size)
    if kind == "cudnn":
        def run(i):
            q, k, v = (x.transpose(1, 2) for x in sets[i % len(sets)])
            with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.CUDNN_ATTENTION):
                torch.nn.functional.scaled_dot_product_attention(q, k, v, scale=scale)
        return name, run, math.nan
    if kind == "fa3":
        function = getattr(ctypes.CDLL(library), f"fa3_run_{shape.size}")
        function.argtypes = [ctypes.c_void_p] * 5 + [ctypes.c_int] * 4 + [ctypes.c_float, ctypes.c_int, ctypes.c_void_p]
        lse = torch.empty(shape.batch, shape.heads, shape.queries, device="cuda")
        units = torch.cuda.get_device_properties(0).multi_processor_count

        def run(i):
            q, k, v = sets[i % len(sets)]
            function(q.data_ptr(), k.data_ptr(), v.data_ptr(), out.data_ptr(), lse.data_ptr(), shape.batch, shape.heads,
                     shape.queries, shape.keys, scale, units, torch.cuda.current_stream().cuda_stream)
        return name, run, math.nan
    backend = Backend(library, grid=shape.grid, **options_of(options))
    try:
        backend(*sets[0], out=out)
    except Refused as refused:
        print(f"  {name}: {refused}")
        return None
    return name, lambda i: backend(*sets[i % len(sets)], out=out), backend.score / 1e3


def graph_of(run, calls):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        run(0)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for i in range(calls):
            run(i)
    return graph


def turn(batch, calls, seconds):
    """Milliseconds a call, joules a call, SM clock, over the last two thirds of a turn."""
    marks, energies, clocks = [], [], []
    start = time.perf_counter()
    pending = []
    while time.perf_counter() - start < seconds or len(marks) < 4:
        event = torch.cuda.Event(enable_timing=True)
        batch()
        event.record()
        pending.append(event)
        if len(pending) > 2:  # two are under way: the card never waits for the host
            done = pending.pop(0)
            done.synchronize()
            marks.append((time.perf_counter() - start, done))
            energies.append(energy())
            clocks.append(clock())
    torch.cuda.synchronize()
    first = next(i for i, (at, _) in enumerate(marks) if at >= seconds / 3 or i == len(marks) - 2)
    batches = len(marks) - 1 - first
    return (marks[first][1].elapsed_time(marks[-1][1]) / batches / calls, (energies[-1] - energies[first]) / batches / calls,
            statistics.median(clocks[first:]))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("implementations", nargs="+")
    parser.add_argument("--shapes", required=True)
    parser.add_argument("--seconds", type=float, default=0.5, help="of a turn")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--sets", type=int, default=2)
    parser.add_argument("--json", help="file for all rows")
    a = parser.parse_args()
    rows = []
    for shape in map(Shape, a.shapes.split("+")):
        torch.manual_seed(0)
        sets = [tuple(torch.randn(shape.batch, n, shape.heads, shape.size, device="cuda").bfloat16()
                      for n in (shape.queries, shape.keys, shape.keys)) for _ in range(a.sets)]
        out = torch.empty_like(sets[0][0])
        made = [x for x in (implementation(text, shape, sets, out) for text in a.implementations) if x]
        batches = {}
        for name, run, _ in made:
            run(0)
            torch.cuda.synchronize()
            before, after = (torch.cuda.Event(enable_timing=True) for _ in range(2))
            before.record()
            for i in range(3):
                run(i)
            after.record()
            torch.cuda.synchronize()
            guess = before.elapsed_time(after) / 3
            if guess < 1:
                calls = max(20, int(20 / guess))
                batches[name] = graph_of(run, calls).replay, calls
            else:
                calls = max(1, int(20 / guess))
                batches[name] = (lambda run=run, calls=calls: [run(i) for i in range(calls)]), calls
        found = {name: [] for name, _, _ in made}
        for _ in range(a.rounds):
            for name in found:
                found[name].append(turn(*batches[name], a.seconds))
        base = None
        print(shape.text, flush=True)
        for name, _, estimate in made:
            times, joules, clocks = zip(*found[name])
            ms = statistics.median(times)
            base = base or ms
            spread = (max(times) - min(times)) / ms
            row = dict(shape=shape.text, name=name, ms=ms, spread=spread, tflops=shape.flops / ms / 1e9, ratio=base / ms,
                       joules_per_tflop=statistics.median(joules) / shape.flops * 1e12, clock=statistics.median(clocks),
                       estimate=estimate)
            rows.append(row)
            said = "" if math.isnan(estimate) else f"  estimate {estimate:9.4f} ({estimate / ms:.3f})"
            print(f"  {name:22} {ms:9.4f} ms +-{100 * spread / 2:.1f} %  {row['tflops']:6.0f} TFLOP/s ({row['ratio']:.3f})  "
                  f"{row['joules_per_tflop']:.3f} J/TFLOP  {row['clock']:.0f} MHz{said}", flush=True)
        del sets, out, made, batches
    if a.json:
        with open(a.json, "w") as file:
            json.dump(rows, file)


if __name__ == "__main__":
    main()
