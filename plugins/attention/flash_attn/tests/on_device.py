"""FLASH_ATTN's library against float64 and against PyTorch's attention, through the ABI, on the device it runs on.

  on_device.py check LIBRARY [TILE...]     errors, beside those of cuDNN (on the CPU: of PyTorch) on the same inputs
  on_device.py bench LIBRARY [TILE...]     times, alternating with cuDNN and a large matrix product; --shapes 0,3,7
"""

import argparse
import math
import os
import random
import sys
import time

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "common", "tests"))
from attention_abi import Backend, Refused  # noqa: E402

CUDA, DEVICE = torch.cuda.is_available(), "cuda:0"
LENGTHS = [1, 7, 63, 64, 127, 128, 129, 176, 177, 1000, 4096]
# [B, H, Lq, Lk, D], the shapes of issue and table.
SHAPES = [(1, 12, 32760, 32760, 128), (1, 40, 32760, 32760, 128), (1, 40, 75600, 75600, 128),
          (1, 24, 16384, 16384, 128), (1, 48, 16384, 16384, 64), (2, 12, 8192, 8192, 128),
          (1, 24, 118806, 118806, 128), (1, 12, 32760, 512, 128)]


def reference(q, k, v, scale, key_lengths, rows):
    """The definition in float64 for some query rows: out [B, rows, H, D] and log-sum-exp [B, H, rows]."""
    group = q.shape[2] // k.shape[2]
    out = torch.zeros(q.shape[0], len(rows), q.shape[2], q.shape[3], dtype=torch.float64, device=q.device)
    lse = torch.full((q.shape[0], q.shape[2], len(rows)), -math.inf, dtype=torch.float64, device=q.device)
    for b in range(q.shape[0]):
        keys = k.shape[1] if key_lengths is None else int(key_lengths[b])
        if keys == 0:
            continue
        for h in range(q.shape[2]):
            scores = q[b, rows, h].double() @ k[b, :keys, h // group].double().T * scale
            lse[b, h] = torch.logsumexp(scores, -1)
            out[b, :, h] = torch.softmax(scores, -1) @ v[b, :keys, h // group].double()
    return out, lse


def rival(q, k, v, scale):
    """PyTorch's attention on the same tensors: cuDNN where it supports them."""
    kind = torch.nn.attention.SDPBackend
    kinds = [kind.CUDNN_ATTENTION, kind.FLASH_ATTENTION, kind.MATH] if CUDA else [kind.FLASH_ATTENTION, kind.MATH]
    with torch.nn.attention.sdpa_kernel(kinds, set_priority=True):
        return torch.nn.functional.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), scale=scale,
            enable_gqa=q.shape[2] != k.shape[2]).transpose(1, 2)


def cudnn(q, k, v, scale):
    """cuDNN or an error."""
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.CUDNN_ATTENTION):
        return torch.nn.functional.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2),
                                                                v.transpose(1, 2), scale=scale)


def relative_error(x, expected):
    return (torch.linalg.norm(x.double() - expected) / max(torch.linalg.norm(expected), 1e-30)).item()


def make(batch, length, heads, size, dtype, layout, deviation=1.0):
    """A random tensor [B, L, H, D]: of its own, of head-major memory, or a slice of a packed one."""
    def normal(*shape):
        return (torch.randn(*shape, device=DEVICE) * deviation).to(dtype)
    if layout == "heads":
        return normal(batch, heads, length, size).transpose(1, 2)
    if layout == "packed":
        return normal(batch, length, 3, heads, size)[:, :, 1]
    return normal(batch, length, heads, size)


def poisoned(shape, dtype, layout):
    t = make(*shape, dtype, layout)
    return t.fill_(float("nan"))


class Checks:
    def __init__(self, backend, dtype, size):
        self.backend, self.dtype, self.size = backend, dtype, size
        self.failures, self.worst = [], (0.0, 0.0, "")

    def expect(self, condition, what):
        if not condition:
            self.failures.append(what)
            print("    FAILED", what, flush=True)

    def one(self, batch, queries, keys, heads, kv_heads, layout="tokens", scale=None, deviation=1.0, lengths=None):
        what = f"B{batch} {queries}x{keys} H{heads}/{kv_heads} {layout} scale {scale} dev {deviation} {lengths}"
        scale = 1 / math.sqrt(self.size) if scale is None else scale
        q = make(batch, queries, heads, self.size, self.dtype, layout, deviation)
        k = make(batch, keys, kv_heads, self.size, self.dtype, layout, deviation)
        v = make(batch, keys, kv_heads, self.size, self.dtype, layout)
        key_lengths = None
        if lengths is not None:
            key_lengths = torch.tensor(lengths, dtype=torch.int32, device=DEVICE)
            for b, n in enumerate(lengths):  # keys that do not exist must not be read
                k[b, n:] = float("nan")
                v[b, n:] = float("nan")
        rows = torch.tensor(sorted(random.sample(range(queries), min(queries, 256))), device=DEVICE)
        results = []
        for _ in range(2):
            out = poisoned((batch, queries, heads, self.size), self.dtype, layout)
            lse = torch.full((batch, heads, queries), float("nan"), device=DEVICE)
            self.backend(q, k, v, out=out, scale=scale, key_lengths=key_lengths, log_sum_exp=lse)
            results.append((out, lse))
        out, lse = results[0]
        self.expect(torch.equal(out, results[1][0]) and torch.equal(lse, results[1][1]), what + ": two runs differ")
        expected, expected_lse = reference(q, k, v, scale, key_lengths, rows)
        self.expect(not out.isnan().any(), what + ": NaN in the output")
        error = relative_error(out[:, rows], expected)
        finite = torch.isfinite(expected_lse)
        got_lse = lse[:, :, rows].double()
        self.expect(torch.equal(torch.isfinite(got_lse), finite), what + ": log-sum-exp of masked rows")
        if finite.any():
            # ex2.approx and lg2.approx err by 2^-22; float32 rounds the sum of D products, and a score, by 2^-24 each.
            bound = 2e-6 + 4e-7 * (expected_lse[finite].abs().max().item() + scale * self.size * deviation**2)
            worst = (got_lse[finite] - expected_lse[finite]).abs().max().item()
            self.expect(worst <= bound, what + f": log-sum-exp off by {worst:.2e}, bound {bound:.2e}")
        other = 0.0
        if lengths is None:
            other = relative_error(rival(q, k, v, scale)[:, rows], expected)
        # 1.2 times the rival; with few elements both errors are luck, hence the unit roundoff of the type.
        floor = 2.0**-8 if self.dtype == torch.bfloat16 else 2.0**-11 if self.dtype == torch.float16 else 2e-6
        if lengths is None and expected.numel() > 20000:
            floor = 1e-6
        # The CPU's kernel folds the scale into q, one rounding more, which shows where everything is float32.
        factor = 2.0 if self.dtype == torch.float32 else 1.2
        self.expect(error <= max(factor * other, floor), what + f": error {error:.2e}, rival {other:.2e}")
        if expected.numel() > 20000 and other > 0 and error / other > self.worst[0]:
            self.worst = (error / other, error, what)

    def all(self, longest):
        lengths = [n for n in LENGTHS if n <= longest]
        for i, queries in enumerate(lengths):
            for keys in {random.choice(lengths), lengths[-1 - i]}:
                layout = random.choice(["tokens", "heads", "packed"])
                group = random.choice([1, 1, 2, 3])
                kv_heads = random.choice([1, 2])
                self.one(random.choice([1, 2]), queries, keys, group * kv_heads, kv_heads, layout)
        self.one(1, 300, 500, 2, 2, scale=0.02)
        self.one(1, 300, 500, 2, 2, scale=1.0)
        self.one(2, 200, 300, 2, 2, deviation=30.0)  # scores of several thousand
        for deviation in (0.5, 2.0, 4.0):  # from even weights to one key that outweighs all others
            self.one(1, 300, min(longest, 2000), 4, 4, deviation=deviation)
        self.one(3, 200, 400, 4, 2, lengths=[400, 0, 131])
        self.one(2, 130, 512, 2, 1, layout="heads", lengths=[1, 352])
        self.one(1, 64, 200, 1, 1, lengths=[0])


def check_capture(backend, dtype, size):
    q, k, v = (make(1, 500, 3, size, dtype, "tokens") for _ in range(3))
    expected, out = backend(q, k, v), torch.zeros_like(q)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        backend(q, k, v, out=out)
    out.zero_()
    graph.replay()
    torch.cuda.synchronize()
    return torch.equal(out, expected)


def check(library, tiles, longest):
    failed = 0
    for dtype in [torch.bfloat16, torch.float16] + ([] if CUDA else [torch.float32]):
        for tile in tiles:
            for size in (64, 128):
                start = time.time()
                backend = Backend(library, **({"tile": tile} if CUDA else {}))
                checks = Checks(backend, dtype, size)
                try:
                    checks.all(longest)
                    if CUDA:
                        checks.expect(check_capture(backend, dtype, size), "a captured run differs")
                        if tile == "auto" and dtype == torch.bfloat16:
                            checks.one(1, 32760, 32760, 2, 2)
                except Refused:
                    continue
                failed += len(checks.failures)
                print(f"{str(dtype)[6:]:9} D {size:3} {tile:10} {len(checks.failures)} failed; worst "
                      f"{checks.worst[0]:.3f} x rival ({checks.worst[1]:.2e}: {checks.worst[2]})  "
                      f"{time.time() - start:.1f} s", flush=True)
    return failed


def elapsed(run, sets, i):
    """Milliseconds of one run on the i-th set of inputs."""
    if not CUDA:
        start = time.perf_counter()
        run(*sets[i % len(sets)])
        return 1e3 * (time.perf_counter() - start)
    before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    before.record()
    run(*sets[i % len(sets)])
    after.record()
    return before, after


def bench(library, tiles, shapes, seconds):
    print(f"{'shape':28}" + "".join(f"{name:>18}" for name in ["torch"] + tiles) + "   TFLOP/s (x torch)", flush=True)
    for shape in shapes:
        batch, heads, queries, keys, size = shape
        scale = 1 / math.sqrt(size)
        sets = [(make(batch, queries, heads, size, torch.bfloat16, "tokens"),
                 make(batch, keys, heads, size, torch.bfloat16, "tokens"),
                 make(batch, keys, heads, size, torch.bfloat16, "tokens")) for _ in range(3)]
        out = torch.empty_like(sets[0][0])
        runs = {"torch": (lambda q, k, v: cudnn(q, k, v, scale)) if CUDA else (lambda q, k, v: rival(q, k, v, scale))}
        for tile in tiles:
            backend = Backend(library, **({"tile": tile} if CUDA else {}))
            try:
                backend(*sets[0], out=out)
                runs[tile] = lambda q, k, v, backend=backend: backend(q, k, v, out=out)
            except Refused:
                pass
        flops = 4.0 * batch * heads * queries * keys * size
        for run in runs.values():
            run(*sets[0])
        guess = flops / 5e14 if CUDA else flops / 2e11
        rounds = max(3, min(400, int(seconds / (guess * len(runs)))))
        times = {name: [] for name in runs}
        if CUDA:
            torch.cuda._sleep(40_000_000)  # let the queue fill: launches from Python are slower than short kernels
        for i in range(rounds):
            for name, run in runs.items():
                times[name].append(elapsed(run, sets, i))
        if CUDA:
            torch.cuda.synchronize()
            times = {name: [a.elapsed_time(b) for a, b in pairs] for name, pairs in times.items()}
        rate = {name: flops / 1e9 / sorted(t)[len(t) // 2] for name, t in times.items()}
        line = "".join(f"{rate[n]:10.1f} ({rate[n] / rate['torch']:.3f})" if n in rate else f"{'-':>18}"
                       for n in ["torch"] + tiles)
        print(f"{str(shape):28}{line}  {rounds} rounds", flush=True)
        del sets, out, runs


def matrix_product(n=8192, rounds=40):
    a, b = (torch.randn(n, n, device=DEVICE, dtype=torch.bfloat16) for _ in range(2))
    times = [elapsed(torch.matmul, [(a, b)], 0) for _ in range(rounds)]
    torch.cuda.synchronize()
    times = sorted(x.elapsed_time(y) for x, y in times[rounds // 2:])
    print(f"matrix product {n}: {2 * n**3 / 1e9 / times[len(times) // 2]:.0f} TFLOP/s", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["check", "bench"])
    parser.add_argument("library")
    parser.add_argument("tiles", nargs="*", default=["auto"])
    parser.add_argument("--shapes", default="", help="numbers of SHAPES, or B,H,Lq,Lk,D with + between shapes")
    parser.add_argument("--seconds", type=float, default=1.0, help="of a shape")
    parser.add_argument("--longest", type=int, default=4096)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--cpu", action="store_true")
    a = parser.parse_args()
    global CUDA, DEVICE
    if a.cpu or not CUDA:
        CUDA, DEVICE = False, "cpu"
        torch.set_num_threads(1)  # the backend called here has no pool of threads
    torch.manual_seed(a.seed)
    random.seed(a.seed)
    tiles = a.tiles or ["auto"]
    if a.what == "check":
        sys.exit(1 if check(a.library, tiles, a.longest) else 0)
    if CUDA:
        matrix_product()
    if a.shapes and "+" not in a.shapes and a.shapes.count(",") != 4:
        shapes = [SHAPES[int(i)] for i in a.shapes.split(",")]
    else:
        shapes = [tuple(map(int, s.split(","))) for s in a.shapes.split("+")] if a.shapes else SHAPES
    bench(a.library, tiles, shapes, a.seconds)


if __name__ == "__main__":
    main()
