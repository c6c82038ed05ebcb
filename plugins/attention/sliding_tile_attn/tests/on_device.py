"""SLIDING_TILE_ATTN/sm90 on the device it runs on, through the ABI: against float64, against FLASH_ATTN/sm90, and in time.

  on_device.py check LIBRARY FLASH_ATTN    errors at grids of video models and others, beside those of FLASH_ATTN
  on_device.py bench LIBRARY FLASH_ATTN    times at the grids of HunyuanVideo and Wan, alternating with FLASH_ATTN and cuDNN

LIBRARY and FLASH_ATTN: libsliding_tile_attn_sm90.so and libflash_attn_sm90.so, or with --cpu those of the CPU.
tests/device_check.cpp looks at every row of small grids; this at some rows of large ones.
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

CUDA, DEVICE = True, "cuda:0"
# Grid, heads: HunyuanVideo's of the published table, Wan's at 480p and 720p.
GRIDS = [((30, 48, 80), 24), ((21, 30, 52), 12), ((21, 45, 80), 40)]
PUBLISHED = (6, 8, 8)
TURN = 300


def option(extent):
    return "x".join(map(str, extent))


def counts(grid, tile):
    return tuple(-(-g // min(t, g)) for g, t in zip(grid, tile))


def seen_tiles(n, tiles, window):
    """Along one axis: the tiles that queries of the n-th see, as the published mask says."""
    half = window // 2
    centre = min(max(n, half), tiles - 1 - half)
    return [j for j in range(tiles) if abs(centre - j) <= half] if 2 * half + 1 < tiles else list(range(tiles))


def density(grid, tile, window):
    """Share of all pairs of tokens that exist."""
    share = 1.0
    for g, t, w in zip(grid, tile, window):
        t = min(t, g)
        n = -(-g // t)
        length = [min(t, g - i * t) for i in range(n)]
        share *= sum(length[i] * sum(length[j] for j in seen_tiles(i, n, w)) for i in range(n)) / g**2
    return share


def strategy(tile, grid, windows):
    """The options of a strategy of one step and layer, a window for each head."""
    of_grid = counts(grid, tile)
    entries = {f"0_0_{h}": [min(pair) for pair in zip(window, of_grid)] for h, window in enumerate(windows)}
    return {"strategy_file": "s.json", "strategy": {"tile": list(tile), "tile_grid": list(of_grid), **entries}}


def open_sliding(library, grid, before=0, after=0, **options):
    return Backend(library, grid=grid, before=before, after=after,
                   **{"tile": "auto", "steps": "exact", "dense_steps": 0, **({"key_block": "auto"} if CUDA else {}), **options})


def open_dense(library, tile="auto"):
    return Backend(library, **({"tile": tile} if CUDA else {}))


def visible(grid, tile, window, queries, keys):
    """Whether video tokens see each other, raster indices [n] and [m]: the definition, along each axis."""
    result = torch.ones(len(queries), len(keys), dtype=torch.bool, device=queries.device)
    stride = 1
    for axis in (2, 1, 0):
        t = min(tile[axis], grid[axis])
        tiles = -(-grid[axis] // t)
        of_tile = torch.zeros(tiles, tiles, dtype=torch.bool, device=queries.device)
        for n in range(tiles):
            of_tile[n, seen_tiles(n, tiles, window[axis])] = True
        q, k = ((x // stride % grid[axis]) // t for x in (queries, keys))
        result &= of_tile[q][:, k]
        stride *= grid[axis]
    return result


def reference(q, k, v, grid, tile, windows, before, raster, rows, lengths=None):
    """Output [B, rows, H, D] and log-sum-exp [B, H, rows] in float64, for some positions."""
    video = math.prod(grid)
    group, scale = q.shape[2] // k.shape[2], 1 / math.sqrt(q.shape[3])
    out = torch.zeros(q.shape[0], len(rows), q.shape[2], q.shape[3], dtype=torch.float64, device=q.device)
    lse = torch.full((q.shape[0], q.shape[2], len(rows)), -math.inf, dtype=torch.float64, device=q.device)
    is_video = (rows >= before) & (rows < before + video)
    for h, window in enumerate(windows):
        seen = torch.ones(len(rows), q.shape[1], dtype=torch.bool, device=q.device)
        seen[is_video.nonzero()[:, 0], before:before + video] = visible(grid, tile, window, raster[rows[is_video] - before], raster)
        for b in range(q.shape[0]):
            n = q.shape[1] if lengths is None else max(0, lengths[b])
            if n == 0:
                continue
            scores = q[b, rows, h].double() @ k[b, :n, h // group].double().T * scale
            scores.masked_fill_(~seen[:, :n], -math.inf)
            lse[b, h] = torch.logsumexp(scores, -1)
            out[b, :, h] = torch.nan_to_num(torch.softmax(scores, -1)) @ v[b, :n, h // group].double()
    return out, lse


def tile_of(kernel):
    """From "sm90_128x128, tile 7x9x6 (3x4x9 of them), ..."."""
    return tuple(map(int, kernel.split("tile ")[1].split(" ")[0].split("x")))


def relative_error(x, expected):
    return (torch.linalg.norm(x.double() - expected) / torch.linalg.norm(expected)).item()


def normal(*shape, dtype):
    return torch.randn(*shape, device=DEVICE).to(dtype)


class Checks:
    def __init__(self, library, flash):
        self.library, self.flash, self.failures, self.runs, self.worst = library, flash, 0, 0, 0.0

    def expect(self, condition, what):
        if not condition:
            self.failures += 1
            print("    FAILED", what, flush=True)

    def one(self, grid, windows, dtype, size, tile="auto", before=0, after=0, batch=1, kv_heads=None, lengths=None,
            key_block="auto", library=None, deviation=1.0):
        """windows: of each head; different ones go through a strategy file."""
        heads = len(windows)
        options = {"key_block": key_block} if CUDA else {}
        if len(set(windows)) == 1:
            options.update(tile=tile if tile == "auto" else option(tile), window=option(windows[0]))
        else:
            options.update(strategy(tile, grid, windows))
        what = f"{str(dtype)[6:]} D {size} {key_block} deviation {deviation} grid {option(grid)} {options.get('window', windows)} text {before}+{after} B{batch} {lengths}"
        backend = open_sliding(library or self.library, grid, before, after, **options)
        tokens = before + math.prod(grid) + after
        kv_heads = kv_heads or heads
        q = normal(batch, tokens, heads, size, dtype=dtype) * deviation
        k, v = (normal(batch, tokens, kv_heads, size, dtype=dtype) for _ in range(2))
        k *= deviation
        key_lengths = None
        if lengths is not None:
            key_lengths = torch.tensor(lengths, dtype=torch.int32, device=DEVICE)
            for b, n in enumerate(lengths):
                k[b, max(0, n):] = v[b, max(0, n):] = math.nan
        results = []
        for _ in range(2):
            out = torch.full_like(q, math.nan)
            lse = torch.full((batch, heads, tokens), math.nan, device=DEVICE)
            backend(q, k, v, out=out, key_lengths=key_lengths, log_sum_exp=lse, step=0, steps=1)
            results.append((out, lse))
        self.runs += 1
        self.expect(torch.equal(out, results[0][0]) and torch.equal(lse, results[0][1]), what + ": two runs differ")
        self.expect(not out.isnan().any() and not lse.isnan().any(), what + ": NaN")
        if tile == "auto":
            tile = tile_of(backend.kernel(q, k, lengths is not None))
        raster = backend.token_order(q, k, lengths is not None).to(DEVICE)
        rows = torch.tensor(sorted({0, before, tokens - 1, *random.sample(range(tokens), min(tokens, 160))}), device=DEVICE)
        expected, expected_lse = reference(q, k, v, grid, tile, windows, before, raster, rows, lengths)
        finite = torch.isfinite(expected_lse)
        self.expect(torch.equal(torch.isfinite(lse[:, :, rows]), finite), what + ": log-sum-exp of queries that see nothing")
        off = (lse[:, :, rows].double() - expected_lse)[finite].abs().max().item()
        # Float32 rounds the sum of the products, ex2.approx and lg2.approx err by 2^-22.
        self.expect(off <= 1e-5 * max(1.0, deviation**2), what + f": log-sum-exp off by {off:.2e}")
        # Probabilities and the output are rounded to 16 bits; which 16 keys a product adds at once does not matter.
        bound = 6e-3 if dtype == torch.bfloat16 else 8e-4
        for h in range(heads):
            error = relative_error(out[:, rows, h], expected[:, :, h])
            self.expect(error <= bound, what + f": head {h}, error {error:.2e}")
        some = [h for h, window in enumerate(windows) if all(2 * (w // 2) + 1 >= n for w, n in zip(window, counts(grid, tile)))]
        if some and lengths is None:  # a window that covers everything is dense attention
            dense = open_dense(self.flash)(q, k, v)
            ours, theirs = (relative_error(x[:, rows][:, :, some], expected[:, :, some]) for x in (out, dense))
            self.worst = max(self.worst, ours / theirs)
            self.expect(ours <= 1.2 * theirs, what + f": full windows err by {ours:.3e}, FLASH_ATTN by {theirs:.3e}")

    def some(self):
        """What a CPU checks in seconds."""
        for dtype, size in ((torch.bfloat16, 64), (torch.float16, 128)):
            self.one((5, 30, 26), [(3, 3, 3)] * 2, dtype, size)
            self.one((3, 16, 20), [(9, 9, 9)], dtype, size)
            self.one((7, 12, 20), [(1, 3, 3), (9, 9, 9), (3, 1, 1), (1, 1, 1)], dtype, size, (2, 4, 5), before=3, after=77, kv_heads=2)
            self.one((3, 8, 10), [(1, 3, 3)], dtype, size, (1, 4, 4), before=3, after=40, batch=5, lengths=[283, 250, 100, 2, 0])

    def variant(self, library, key_block):
        self.one((21, 30, 52), [(3, 3, 3)] * 2, torch.bfloat16, 128, key_block=key_block, library=library)
        self.one((9, 30, 52), [(1, 3, 3), (9, 9, 9), (3, 3, 3), (1, 1, 1)], torch.bfloat16, 128, (6, 8, 8), after=70,
                 key_block=key_block, library=library)
        for deviation in (0.5, 1.5, 2.0, 3.0):  # from even weights to one key that outweighs all others
            self.one((5, 30, 26), [(5, 9, 9), (1, 3, 3)], torch.bfloat16, 128, (2, 8, 8), deviation=deviation, key_block=key_block,
                     library=library)

    def all(self):
        def all_heads(window, heads=2):
            return [window] * heads
        for dtype in (torch.bfloat16, torch.float16):
            for size in (64, 128):
                self.one((21, 30, 52), all_heads((3, 3, 3)), dtype, size)
                self.one((21, 45, 80), all_heads((3, 3, 3), 1), dtype, size)
                self.one((30, 48, 80), all_heads((3, 3, 5), 1), dtype, size, after=256)
                self.one((9, 30, 52), all_heads((99, 99, 99)), dtype, size)
                self.one((9, 30, 52), [(1, 3, 3), (9, 9, 9), (3, 3, 3), (1, 1, 1)], dtype, size, tile=(6, 8, 8), kv_heads=2)
                for text in (0, 1, 77, 512):
                    grid = tuple(random.randint(1, n) for n in (13, 30, 40))
                    tile = tuple(random.randint(1, n) for n in (8, 10, 10))
                    window = tuple(random.randint(1, 6) for _ in range(3))
                    self.one(grid, all_heads(window), dtype, size, tile, before=random.choice((0, 0, 5)), after=text, batch=2)
                self.one((5, 16, 20), all_heads((1, 3, 3)), dtype, size, (2, 8, 8), before=3, after=200, batch=5,
                         lengths=[1803, 1700, 900, 2, 0])


def cudnn(q, k, v):
    with torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.CUDNN_ATTENTION):
        return torch.nn.functional.scaled_dot_product_attention(*(x.transpose(1, 2) for x in (q, k, v)))


def timed(run, times):
    before, after = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
    before.record()
    run()
    after.record()
    times.append((before, after))


def bench_one(dense, grid, heads, size, variants, seconds, with_cudnn=True):
    """dense: (name, FLASH_ATTN's library, its tile); the first is the one to compare with. variants: (name, library, tile or None,
    windows of the heads or one window, options)."""
    tokens = math.prod(grid)
    q, k, v = (normal(1, tokens, heads, size, dtype=torch.bfloat16) for _ in range(3))
    out = torch.empty_like(q)
    runs, shares = {}, {}
    if with_cudnn:
        runs["cuDNN"] = lambda: cudnn(q, k, v)
    for name, library, tile in dense:
        backend = open_dense(library, tile)
        runs[name] = lambda backend=backend: backend(q, k, v, out=out)
    for name, library, tile, windows, options in variants:
        if isinstance(windows, list):
            options, share = {**options, **strategy(tile, grid, windows)}, sum(density(grid, tile, w) for w in windows) / heads
        else:
            options, share = {**options, "window": option(windows), "tile": option(tile) if tile else "auto"}, None
        backend = open_sliding(library, grid, **options)
        try:
            said = backend.kernel(q, k)
        except Refused as e:
            print(f"    {name}: {e}")
            continue
        if share is None:
            tile = tile_of(said)
            share = density(grid, tile, windows)
        runs[name] = lambda backend=backend: backend(q, k, v, out=out, step=0, steps=1)
        shares[name] = (share, tile)
    times = {name: [] for name in runs}
    for name, run in runs.items():
        run()
        timed(run, times[name])
    torch.cuda.synchronize()
    guess = {name: pairs[0][0].elapsed_time(pairs[0][1]) for name, pairs in times.items()}
    # The card is at its power limit, and its clock follows what has run before: each has a turn of TURN milliseconds, of which the
    # first third does not count.
    turn = {name: max(3, round(TURN / t)) for name, t in guess.items()}
    rounds = max(2, round(1e3 * seconds / sum(turn[name] * t for name, t in guess.items())))
    times = {name: [] for name in runs}
    for _ in range(rounds):
        for name, run in runs.items():
            for i in range(turn[name]):
                timed(run, times[name] if 3 * i >= turn[name] else [])
    torch.cuda.synchronize()
    median = {}
    for name, pairs in times.items():
        all_times = sorted(a.elapsed_time(b) for a, b in pairs)
        median[name] = all_times[len(all_times) // 2]
    flops = 4 * heads * tokens**2 * size / 1e9
    print(f"{option(grid)}, {heads} heads, d {size}, bfloat16, {tokens} tokens, {rounds} rounds: " +
          ", ".join(f"{n} {t:.3f} ms ({flops / t:.0f} TFLOP/s)" for n, t in median.items() if n not in shares), flush=True)
    for name, (share, tile) in shares.items():
        published = density(grid, PUBLISHED, (3, 3, 3))
        print(f"  {name:22} tile {option(tile):7} {median[name]:8.3f} ms  density {share:.4f} ({share / published:.3f} of 6x8x8)  "
              f"{median[name] / (share * median[dense[0][0]]):.3f} x density x dense  "
              f"{flops * share / median[name]:.0f} TFLOP/s  "
              + (f"{median['cuDNN'] / median[name]:.2f} x cuDNN" if with_cudnn else ""), flush=True)


def bench(flash, variants, dense, size, seconds):
    """variants: (name, library, key block, tile or None); dense: (name, library, tile)."""
    dense = [("dense", flash, "auto"), *dense]
    for grid, heads in GRIDS:
        rows = [(name, library, tile, (3, 3, 3), {"key_block": block}) for name, library, block, tile in variants]
        if any(g % t for g, t in zip(grid, PUBLISHED)):
            rows.append((f"6x8x8, {variants[0][0]}", variants[0][1], PUBLISHED, (3, 3, 3), {"key_block": variants[0][2]}))
        bench_one(dense, grid, heads, size, rows, seconds)
    # Heads with windows of their own: a third sees everything, the last head among them.
    grid, heads = GRIDS[1]
    kinds = (1, 3, 3), (3, 3, 3), counts(grid, PUBLISHED)
    mixed = [kinds[h % 3] for h in range(heads)]
    rows = [(f"each its own, {name}", library, PUBLISHED, mixed, {"key_block": block}) for name, library, block, tile in variants
            if tile is None]
    bench_one(dense[:1], grid, heads, size, rows, seconds / 2, with_cudnn=False)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["check", "bench"])
    parser.add_argument("library")
    parser.add_argument("flash")
    parser.add_argument("--key-blocks", default="auto,176")
    parser.add_argument("--seconds", type=float, default=4.0, help="of a grid")
    parser.add_argument("--size", type=int, default=128, help="of the heads that are timed")
    parser.add_argument("--variant", action="append", default=[], help="NAME=LIBRARY:KEY_BLOCK[@TILE], to be looked at beside the others")
    parser.add_argument("--dense", action="append", default=[], help="NAME=LIBRARY:TILE of FLASH_ATTN, likewise")
    parser.add_argument("--cpu", action="store_true")
    a = parser.parse_args()
    global CUDA, DEVICE
    if a.cpu:
        CUDA, DEVICE = False, "cpu"
        torch.set_num_threads(1)  # the backend called here has no pool of threads
    torch.manual_seed(0)
    random.seed(0)
    start, where = time.time(), "the CPU" if a.cpu else torch.cuda.get_device_name()

    def parts(text):
        name, _, rest = text.partition("=")
        return (name, *rest.rsplit(":", 1))

    def with_tile(text):
        name, library, block = parts(text)
        block, _, tile = block.partition("@")
        return name, library, block, tuple(map(int, tile.split("x"))) if tile else None

    variants = [(f"key blocks {b}", a.library, b, None) for b in a.key_blocks.split(",")] + list(map(with_tile, a.variant))
    if a.what == "bench":
        bench(a.flash, variants, list(map(parts, a.dense)), a.size, a.seconds)
        print(f"{time.time() - start:.0f} s on {where}")
        return
    checks = Checks(a.library, a.flash)
    if a.cpu:
        checks.some()
    else:
        checks.all()
        for name, library, key_block, _ in variants:
            before, worst, checks.worst = checks.failures, checks.worst, 0.0
            checks.variant(library, key_block)
            print(f"{name}: {checks.failures - before} failures; full windows err by at most {checks.worst:.3f} x FLASH_ATTN", flush=True)
            checks.worst = max(checks.worst, worst)
    print(f"{checks.runs} cases, {checks.failures} failures; full windows err by at most {checks.worst:.3f} x FLASH_ATTN; "
          f"{time.time() - start:.0f} s on {where}", flush=True)
    sys.exit(1 if checks.failures else 0)


if __name__ == "__main__":
    main()
