"""SAGE_ATTN's library against float64, against a second statement of its numerics, and beside its rivals, through the ABI, on the
device it runs on.

  on_device.py check LIBRARY                 errors of every setting; exit code 1 if one is too large
  on_device.py bench LIBRARY [--flash LIB]   times, alternating with cuDNN and FLASH_ATTN's library; --shapes 0,3
                                             --alone: one after the other, each warmed up by itself: on a card at its power limit what
                                             follows a hotter kernel is slower; --parts: quantisation and attention apart
"""

import argparse
import itertools
import math
import os
import random
import sys
import time

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "common", "tests")]
import quantised  # noqa: E402
from attention_abi import Backend, Refused  # noqa: E402

CUDA, DEVICE = torch.cuda.is_available(), "cuda:0"
LENGTHS = [1, 7, 63, 64, 127, 128, 129, 176, 177, 1000, 4096]
# [B, H, Lq, Lk, D], the shapes of the issue.
SHAPES = [(1, 12, 32760, 32760, 128), (1, 40, 32760, 32760, 128), (1, 40, 75600, 75600, 128),
          (1, 24, 118806, 118806, 128), (1, 48, 16384, 16384, 64)]
NAMES = ("qk", "pv", "granularity", "smooth_k", "smooth_q", "full_precision_layers", "full_precision_steps")
DEFAULTS = dict(zip(NAMES, ("int8", "fp8", "thread", True, False, "", "")))
# Half a unit in the last place of the output's type.
UNIT = {torch.float32: 2.0**-24, torch.bfloat16: 2.0**-9, torch.float16: 2.0**-12}


def open_backend(library, layers=1, **options):
    return Backend(library, layers=layers, **{**DEFAULTS, **options})


def make(shape, dtype, layout="tokens", offset=0.0):
    """A random tensor [B, L, H, D]: of its own, of head-major memory, or a slice of a packed one; channels with an offset of their
    own of that size."""
    batch, length, heads, size = shape
    if layout == "heads":
        t = torch.randn(batch, heads, length, size, device=DEVICE).transpose(1, 2)
    elif layout == "packed":
        t = torch.randn(batch, length, 3, heads, size, device=DEVICE)[:, :, 1]
    else:
        t = torch.randn(batch, length, heads, size, device=DEVICE)
    t += offset * torch.randn(heads, size, device=DEVICE)
    return t.to(dtype) if layout == "tokens" else torch.empty_strided(t.shape, t.stride(), dtype=dtype, device=DEVICE).copy_(t)


def lossless(length, heads, size, dtype, groups):
    """Rows that INT8 holds exactly if and only if the rows of each group share a scale: integers up to 127 times 2^(group mod 8),
    in pairs that cancel, so that the mean is 0 and smoothing changes nothing."""
    t = torch.randint(-127, 128, (1, length, heads, size), device=DEVICE).float()
    order = torch.argsort(groups, stable=True)
    for first, second in order.view(-1, 2).tolist():
        assert groups[first] == groups[second]
        t[:, first, :, 0] = 127
        t[:, second] = -t[:, first]
    return (t * 2.0**(groups % 8).view(1, -1, 1, 1)).to(dtype)


def pieces_of(batch, queries, keys, heads, size, options):
    """In which pieces the kernel takes the key blocks of every [B, H, Lq], as hopper/piece_tiles.hpp has it: a number for
    each, and the ends of the pieces of each number. With smooth_q there are several launches."""
    blocks = torch.cuda.get_device_properties(DEVICE).multi_processor_count
    smooth = options.get("smooth_q", False)
    rows = 192 if size == 64 and options.get("pv", "fp8") == "fp8" and not smooth else 128
    key_blocks, query_blocks, together = -(-keys // 128), -(-queries // 64), queries
    if smooth:
        parts = -(-query_blocks // max(1, 2**30 // (batch * heads * key_blocks * 128 * 4)))
        together = -(-query_blocks // parts) * 64
    number, ends = torch.zeros(batch, heads, queries, dtype=torch.int64, device=DEVICE), [[key_blocks]]
    for first in range(0, queries, together):
        count = min(together, queries - first)
        of_head = -(-count // rows)
        tiles = of_head * heads * batch
        rest = tiles % blocks
        if rest == 0 or key_blocks == 0:
            continue
        of_piece, of_share = -(-key_blocks // min(blocks // rest, key_blocks)), -(-rest * key_blocks // blocks) + 1
        if min(of_piece, of_share) + 6 + rest // 8 >= key_blocks:
            continue
        shares = rest * min(blocks // rest, key_blocks) if of_piece <= of_share else blocks
        cuts = [share * rest * key_blocks // shares for share in range(shares + 1)]
        for i in range(rest):
            head, start = (tiles - rest + i) // of_head, first + (tiles - rest + i) % of_head * rows
            number[head // heads, head % heads, start:min(start + rows, first + count)] = len(ends)
            ends.append([x - i * key_blocks for x in cuts if i * key_blocks < x < (i + 1) * key_blocks] + [key_blocks])
    return number, ends


class Checks:
    def __init__(self, library, dtype, size, options):
        self.library, self.dtype, self.size, self.options = library, dtype, size, options
        self.backend = open_backend(library, **options)
        self.failures, self.worst, self.off = [], 0.0, 0.0

    def expect(self, condition, what):
        if not condition:
            self.failures.append(what)
            print(f"    FAILED {str(self.dtype)[6:]} D {self.size} {self.options} {what}", flush=True)

    def run(self, q, k, v, layout="tokens", **keywords):
        """Output and log-sum-exp, into memory that was NaN before, with scratch memory that was."""
        out = make(q.shape, self.dtype, layout).fill_(math.nan)
        log_sum_exp = torch.full((q.shape[0], q.shape[2], q.shape[1]), math.nan, device=DEVICE)
        scale = keywords.pop("scale", 1 / math.sqrt(self.size))
        self.backend.plan(q, k, scale)[2].fill_(255)
        self.backend(q, k, v, out=out, scale=scale, log_sum_exp=log_sum_exp, **keywords)
        return out, log_sum_exp

    def one(self, batch, queries, keys, heads, kv_heads, layout="tokens", scale=None, offset=0.0):
        what = f"B{batch} {queries}x{keys} H{heads}/{kv_heads} {layout} scale {scale} offset {offset}"
        scale = 1 / math.sqrt(self.size) if scale is None else scale
        q = make((batch, queries, heads, self.size), self.dtype, layout)
        k = make((batch, keys, kv_heads, self.size), self.dtype, layout, offset)
        v = make((batch, keys, kv_heads, self.size), self.dtype, layout)
        sixteens = (queries + 15) // 16
        rows = torch.tensor([i for s in sorted(random.sample(range(sixteens), min(sixteens, 16)))
                             for i in range(16 * s, min(16 * s + 16, queries))], device=DEVICE)
        out, log_sum_exp = self.run(q, k, v, layout, scale=scale)
        again = self.run(q, k, v, layout, scale=scale)
        self.expect(torch.equal(out, again[0]) and torch.equal(log_sum_exp, again[1]), what + ": two runs differ")
        self.expect(not out.isnan().any(), what + ": NaN in the output")
        expected, expected_sum = quantised.exact(q, k, v, scale, rows)
        pieces = pieces_of(batch, queries, keys, heads, self.size, self.options) if CUDA else None
        stated = quantised.attention(q, k, v, scale, rows, pieces, **self.options)
        error, off = quantised.relative(out[:, rows], expected), quantised.relative(out[:, rows], stated)
        # Beside the second statement: the output's last place, and values at a tie that a last bit of a sum or an exponential rounds
        # the other way, by a sixteenth in e4m3; a tensor core adds such products with some 14 bits. A wrong group of a scale is
        # another draw of its rounding errors, 0.014 apart.
        apart = UNIT[self.dtype] + (8e-3 if CUDA and self.options.get("pv", "fp8") == "fp8" else 2e-3)
        self.expect(off <= (apart if expected.numel() > 20000 else 4 * apart), what + f": {off:.2e} from the statement")
        # Beside the formula: at most 0.0265 each for probabilities and values in e4m3, 0.011 for INT8, together 0.039; with few elements
        # it is luck.
        if scale == 1 / math.sqrt(self.size) and (offset == 0 or self.options.get("smooth_k", True)):
            self.expect(error <= (0.041 if expected.numel() > 20000 else 0.08), what + f": error {error:.2e}")
            if expected.numel() > 20000:
                self.worst = max(self.worst, error)
        self.off = max(self.off, off)
        # INT8 moves a score by some hundredths; a sum over the keys by less, unless there are few.
        apart = (log_sum_exp[:, :, rows].double() - expected_sum).abs().max().item()
        self.expect(apart <= 0.1 * max(scale * math.sqrt(self.size), 0.2) * (1 + offset), what + f": log-sum-exp off by {apart:.2e}")

    def groups(self):
        """Scales belong to exactly the rows that they should: integers that only then survive."""
        if self.options.get("pv") != "bf16":
            return
        granularity = self.options.get("granularity", "thread")
        lengths = (256, 384)
        q, k = (lossless(n, 2, self.size, self.dtype, of(n, granularity, DEVICE))
                for n, of in zip(lengths, (quantised.query_groups, quantised.key_groups)))
        v = make((1, lengths[1], 2, self.size), self.dtype)
        scale = 1 / (73 * 73 * math.sqrt(self.size) * 2**7)  # scores of a few units
        error = quantised.relative(self.run(q, k, v, scale=scale)[0], quantised.exact(q, k, v, scale)[0])
        # Probabilities are rounded to the type, then the output.
        self.expect(error <= max(2 * UNIT[self.dtype], 2e-6), f"integers that INT8 holds exactly: error {error:.2e}")

    def not_finite(self):
        """Nothing that depends on a NaN or an infinity is a finite number, and nothing else suffers: the queries that share a scale,
        all queries of the head for a key, one channel of them for a value."""
        token, channel = 70, 3
        inputs = [make((1, length, 2, self.size), self.dtype) for length in (90, 140, 140)]
        groups = quantised.query_groups(90, "block" if self.options.get("smooth_q") else self.options.get("granularity", "thread"), DEVICE)
        clean, clean_sum = self.run(*inputs)
        for which, bad in itertools.product(range(3), (math.nan, math.inf, -math.inf)):
            changed = [t.clone() for t in inputs]
            changed[which][0, token, 1, channel] = bad
            hit = torch.zeros_like(clean, dtype=torch.bool)
            if which == 0:
                hit[0, groups == groups[token], 1] = True
            elif which == 1:
                hit[0, :, 1] = True
            else:
                hit[0, :, 1, channel] = True
            rows = hit.all(-1).transpose(1, 2)  # [B, H, Lq]: those whose scores depend on it
            out, log_sum_exp = self.run(*changed)
            what = f"{bad} in {'qkv'[which]}"
            self.expect(not out[hit].isfinite().any() and not log_sum_exp[rows].isfinite().any(), what + ": became finite")
            self.expect(out[~hit].isfinite().all() and log_sum_exp[~rows].isfinite().all(), what + ": went too far")
            # In the other rows of a warp softmax's reference may be another one, and with it what is rounded to e4m3.
            self.expect(quantised.relative(out[~hit], clean[~hit].double()) < 0.05, what + ": changed other rows")

    def full_precision(self):
        """Layers and steps in full precision are the dense path, the others are not."""
        backend = open_backend(self.library, layers=4, **{**self.options, "full_precision_layers": "1-2", "full_precision_steps": "0"})
        q, k, v = (make((1, 300, 2, self.size), self.dtype) for _ in range(3))
        expected, expected_sum = quantised.exact(q, k, v, 1 / math.sqrt(self.size))
        for layer, step, full in ((0, 1, False), (1, 1, True), (2, 5, True), (3, 5, False), (3, 0, True), (0, -1, False)):
            log_sum_exp = torch.full((1, 2, 300), math.nan, device=DEVICE)
            out = backend(q, k, v, layer=layer, step=step, steps=6, log_sum_exp=log_sum_exp)
            error = quantised.relative(out, expected)
            # Dense in 16 bits: probabilities and output are rounded. Quantised: INT8 alone costs 0.01.
            self.expect((error <= max(2 * UNIT[self.dtype], 2e-6)) == full, f"layer {layer}, step {step}: error {error:.2e}")
            apart = (log_sum_exp - expected_sum).abs().max().item()
            self.expect(not full or apart < 1e-4, f"layer {layer}, step {step}: log-sum-exp off by {apart:.2e}")
        for steps in (0, 1):
            try:
                open_backend(self.library, full_precision_steps="3")(q, k, v, step=0, steps=steps)
                self.expect(False, f"a run of {steps} steps has no step 3")
            except Refused as e:
                self.expect(f"names step 3, and this run has {steps}" in str(e), str(e))

    def capture(self):
        q, k, v = (make((1, 500, 3, self.size), self.dtype) for _ in range(3))
        expected, out = self.backend(q, k, v), torch.zeros_like(q)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            self.backend(q, k, v, out=out)
        out.zero_()
        graph.replay()
        torch.cuda.synchronize()
        self.expect(torch.equal(out, expected), "a captured run differs")

    def all(self, longest):
        lengths = [n for n in LENGTHS if n <= longest]
        for i, queries in enumerate(lengths):
            for keys in {random.choice(lengths), lengths[-1 - i]}:
                kv_heads = random.choice([1, 2])
                self.one(random.choice([1, 2]), queries, keys, random.choice([1, 1, 2, 3]) * kv_heads, kv_heads,
                         random.choice(["tokens", "heads", "packed"]))
        self.one(2, 300, min(longest, 2000), 4, 2)
        self.one(1, 300, 500, 2, 2, scale=0.02)
        self.one(1, 300, 500, 2, 2, scale=1.0)
        self.one(1, 300, min(longest, 1000), 2, 2, offset=8.0)
        self.groups()
        self.not_finite()
        self.full_precision()
        if CUDA:
            self.capture()


def check(library, longest, deadline):
    failed, start = 0, time.time()
    settings = [dict(pv=pv, granularity=granularity, smooth_k=smooth)
                for pv, granularity, smooth in itertools.product(("fp8", "bf16"), ("thread", "block"), (True, False))]
    settings += [dict(smooth_q=True), dict(smooth_q=True, pv="bf16", granularity="block")]
    if CUDA:
        settings += [dict(smooth_q=True, smooth_k=False), dict(smooth_q=True, pv="bf16")]
    settings.sort(key=lambda s: sum(s.get(name, x) != x for name, x in DEFAULTS.items()))  # the defaults first
    for options, dtype, size in itertools.product(settings, [torch.bfloat16, torch.float16] + ([] if CUDA else [torch.float32]), (64, 128)):
        if time.time() - start > deadline:
            print(f"after {deadline} s: the rest was left out")
            return failed + 1
        began = time.time()
        checks = Checks(library, dtype, size, options)
        checks.all(longest)
        failed += len(checks.failures)
        print(f"{str(dtype)[6:]:9} D {size:3} {' '.join(f'{n} {x}' for n, x in options.items()):42} {len(checks.failures)} failed; "
              f"error at most {checks.worst:.4f}, {checks.off:.1e} from the statement  {time.time() - began:.1f} s", flush=True)
    if CUDA:
        for options, heads in (({}, 2), (dict(smooth_q=True), 40)):  # 40: queries are taken in parts
            checks = Checks(library, torch.bfloat16, 128, options)
            checks.one(1, 32760, 32760, heads, 2)
            failed += len(checks.failures)
            print(f"32760 tokens, {options}: {len(checks.failures)} failed; error {checks.worst:.4f}, {checks.off:.1e} from the statement")
    return failed


def rival(q, k, v):
    """cuDNN or an error; on the CPU PyTorch's own."""
    kinds = [torch.nn.attention.SDPBackend.CUDNN_ATTENTION] if CUDA else [torch.nn.attention.SDPBackend.FLASH_ATTENTION]
    with torch.nn.attention.sdpa_kernel(kinds):
        return torch.nn.functional.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2)).transpose(1, 2)


def elapsed(run, inputs):
    """Milliseconds of one run; on CUDA two events to ask later."""
    if not CUDA:
        start = time.perf_counter()
        run(*inputs)
        return 1e3 * (time.perf_counter() - start)
    before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    before.record()
    run(*inputs)
    after.record()
    return before, after


def medians(runs, sets, rounds, alone):
    """Milliseconds of each run: in turn, or one after the other with as many rounds before them that do not count."""
    order = [(name, i) for name in runs for i in range(2 * rounds)] if alone else [(name, i) for i in range(rounds) for name in runs]
    times = {name: [] for name in runs}
    for name, i in order:
        times[name].append(elapsed(runs[name], sets[i % 2]))
    if CUDA:
        torch.cuda.synchronize()
        times = {name: [a.elapsed_time(b) for a, b in pairs] for name, pairs in times.items()}
    return {name: sorted(t[-rounds:])[rounds // 2] for name, t in times.items()}


def parts(run, sets, rounds):
    """Milliseconds of a call in its attention kernels and in all others, and of a copy of q, k and v."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for i in range(rounds):
            run(*sets[i % 2])
        torch.cuda.synchronize()
    spent = {True: 0.0, False: 0.0}
    for event in profile.key_averages():
        spent["attention_kernel" in event.key or "combine_kernel" in event.key] += event.device_time_total / rounds / 1e3
    copies = [torch.empty_like(t) for t in sets[0]]
    copy = medians({"copy": lambda *qkv: [a.copy_(b) for a, b in zip(copies, qkv)]}, sets, 50, alone=True)["copy"]
    return spent[True], spent[False], copy


def bench(library, flash, shapes, seconds, alone, apart):
    torch.manual_seed(0)
    for shape in shapes:
        batch, heads, queries, keys, size = shape
        sets = [[make((batch, n, heads, size), torch.bfloat16) for n in (queries, keys, keys)] for _ in range(2)]
        out = torch.empty_like(sets[0][0])
        runs = {"torch": rival}
        backends = {"FLASH_ATTN": Backend(flash, tile="auto")} if flash else {}
        for name, options in {"fp8 thread": {}, "fp8 block": dict(granularity="block"), "bf16 thread": dict(pv="bf16"),
                              "fp8 smooth q": dict(smooth_q=True)}.items():
            backends[name] = open_backend(library, **options)
        for name, backend in backends.items():
            runs[name] = lambda q, k, v, backend=backend: backend(q, k, v, out=out)
        rows = torch.arange(0, queries, max(1, queries // 64), device=DEVICE)
        first_head = [t[:, :, :1] for t in sets[0]]
        expected, _ = quantised.exact(*first_head, 1 / math.sqrt(size), rows)
        errors = {}
        for name, run in runs.items():
            result = run(*sets[0])
            errors[name] = quantised.relative(result[:, rows, :1], expected)
        flops = 4.0 * batch * heads * queries * keys * size
        rounds = max(3, min(200, int(seconds / (flops / (6e14 if CUDA else 5e9) * len(runs)))))
        rate = {name: flops / 1e9 / t for name, t in medians(runs, sets, rounds, alone).items()}
        print(f"{shape}, {rounds} rounds: TFLOP/s, beside PyTorch's, relative L2 error", flush=True)
        for name in runs:
            print(f"    {name:12} {rate[name]:8.1f}  {rate[name] / rate['torch']:.3f} x  {errors[name]:.4f}", flush=True)
        for name in ("fp8 thread", "fp8 block", "fp8 smooth q") if apart else ():
            attention, preparation, copy = parts(runs[name], sets, rounds)
            print(f"    {name}: attention {attention:.3f} ms ({flops / 1e9 / attention:.1f} TFLOP/s), preparation {preparation:.3f} ms, "
                  f"{preparation / copy:.2f} x a copy of q, k and v ({copy:.3f} ms)", flush=True)
        del sets, out, runs, backends


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "bench"])
    parser.add_argument("library")
    parser.add_argument("--flash", help="FLASH_ATTN's library for this device")
    parser.add_argument("--shapes", default="", help="numbers of SHAPES, or B,H,Lq,Lk,D with + between shapes")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a shape")
    parser.add_argument("--alone", action="store_true")
    parser.add_argument("--parts", action="store_true", help="on CUDA")
    parser.add_argument("--longest", type=int, default=4096)
    parser.add_argument("--deadline", type=float, default=600, help="seconds after which no further setting is checked")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu", action="store_true")
    a = parser.parse_args()
    global CUDA, DEVICE
    if a.cpu or not CUDA:
        CUDA, DEVICE = False, "cpu"
        torch.set_num_threads(1)  # the backend called here has no pool of threads
    torch.manual_seed(a.seed)
    random.seed(a.seed)
    if a.what == "check":
        sys.exit(1 if check(a.library, a.longest, a.deadline) else 0)
    shapes = SHAPES
    if a.shapes:
        shapes = ([SHAPES[int(i)] for i in a.shapes.split(",")] if a.shapes.count(",") != 4 and "+" not in a.shapes
                  else [tuple(map(int, s.split(","))) for s in a.shapes.split("+")])
    bench(a.library, a.flash, shapes, a.seconds, a.alone, a.parts and CUDA)


if __name__ == "__main__":
    main()
