"""SPARSE_ATTN/sm90 over long sequences, through the ABI: the error and the time saved by `share`, on inputs whose
attention is known to be local, beside FLASH_ATTN/sm90 and, where its wheel is installed, FastVideo's VSA kernel.

  on_device.py check LIBRARY FLASH_ATTN    errors against float64 over what was visited, and bitwise repeats
  on_device.py bench LIBRARY FLASH_ATTN    kernel and router beside (share x dense), errors against dense attention

Inputs: a token at place x of the video has a key f(x) of random Fourier features, so that the product of two tokens
falls with their distance like a Gaussian of `reach` tokens and a height of `height` (of the scaled score), plus noise.
The smaller the reach, the fewer blocks hold most of the attention. No real model's queries and keys were measured.
"""

import argparse
import ctypes
import math
import os
import statistics
import sys

import torch

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "common", "tests"))
from attention_abi import Backend, aligned  # noqa: E402

PARTS = 4


def tokens_of(grid):
    return math.prod(grid)


def places(grid, order):
    """Coordinates [tokens, 3] of the tokens in the order of a plan."""
    index = torch.arange(tokens_of(grid), device="cuda") if order is None else order.cuda()
    return torch.stack((index // (grid[1] * grid[2]), index // grid[2] % grid[1], index % grid[2]), -1).float()


def local_inputs(where, heads, size, reach, height, dtype=torch.bfloat16, noise=0.5, seed=0):
    """q, k, v [1, tokens, heads, size]; a few frames are as near as a few rows."""
    g = torch.Generator(device="cuda").manual_seed(seed)
    tokens = where.shape[0]
    scale = torch.tensor([2.0, 1.0, 1.0], device="cuda") / reach
    frequencies = torch.randn(heads, 3, size // 2, device="cuda", generator=g) * scale[None, :, None]
    phase = torch.einsum("nc,hcd->nhd", where, frequencies)
    features = torch.cat((phase.cos(), phase.sin()), -1) * math.sqrt(2 * height / math.sqrt(size))
    def noisy(x):
        return (x + noise * torch.randn(tokens, heads, size, device="cuda", generator=g)).to(dtype)[None]
    return noisy(features), noisy(features), torch.randn(1, tokens, heads, size, device="cuda", generator=g).to(dtype)


def open_sparse(library, grid, key_block="auto", **options):
    return Backend(library, grid=grid, tile=options.pop("tile", "auto"), key_block=key_block,
                   select=options.pop("select", "routed"), dense_steps=0,
                   dense_layers="", sink_tokens=options.pop("sink_tokens", 0), **options)


def sizes_of(kernel):
    """From "sm90_128x144, ..."."""
    return tuple(map(int, kernel.split("_")[1].split(",")[0].split("x")))


def visited(backend, q, k, scale):
    """Counts [heads, query blocks] and a mask [heads, query blocks, key blocks] of what the last call visited, out of
    its scratch memory, where they lie as sm90/workspace.hpp says."""
    _, info, scratch, _ = backend.plan(q, k, scale)
    rows, width = sizes_of(info.kernel.decode())
    heads, tokens = q.shape[2], q.shape[1]
    query_blocks, key_blocks = -(-tokens // rows), -(-tokens // width)
    at = aligned(scratch) - scratch.data_ptr()
    def take(offset, count, dtype):
        size = torch.empty((), dtype=dtype).element_size()
        return scratch[at + offset:at + offset + count * size].clone().view(dtype), offset + (count * size + 255) // 256 * 256
    counts, end = take(256, heads * query_blocks, torch.int32)
    lists, _ = take(end, heads * query_blocks * key_blocks, torch.int16)
    lists = lists.view(heads * query_blocks, key_blocks).long() & 0xFFFF
    listed = torch.arange(key_blocks, device="cuda")[None] < counts.view(-1, 1)
    mask = torch.zeros(heads * query_blocks, key_blocks, dtype=torch.int32, device="cuda")
    mask.scatter_add_(1, torch.where(listed, lists, 0), listed.int())
    return counts.view(heads, query_blocks), mask.view(heads, query_blocks, key_blocks), rows, width


def reference(q, k, v, head, rows, scale, mask=None, block=None):
    """Float64 for some rows of a head; mask: [rows, key blocks] of which key blocks of `block` tokens are seen."""
    scores = q[0, rows, head].double() @ k[0, :, head].double().T * scale
    if mask is not None:
        seen = mask.bool().repeat_interleave(block, 1)[:, :k.shape[1]]
        scores.masked_fill_(~seen, -math.inf)
    return torch.softmax(scores, -1) @ v[0, :, head].double()


def relative(x, expected):
    return (torch.linalg.norm(x.double() - expected) / torch.linalg.norm(expected)).item()


def check(library, flash):
    failures = 0
    def expect(condition, what):
        nonlocal failures
        if not condition:
            failures += 1
            print("    FAILED", what, flush=True)
    cases = [((21, 30, 52), 2, 128, "auto", dict(share=0.1)), ((21, 30, 52), 2, 128, "144", dict(share=0.2)),
             ((21, 30, 52), 2, 128, "176", dict(mass=0.8)), ((9, 45, 80), 3, 64, "auto", dict(share=0.15)),
             ((30, 48, 80), 1, 128, "144", dict(mass=0.5)), ((21, 45, 80), 1, 64, "auto", dict(mass=0.9)),
             ((21, 30, 52), 2, 128, "auto", dict(share=0.05, sink_tokens=3000))]
    for dtype in (torch.bfloat16, torch.float16):
        for grid, heads, size, key_block, options in cases:
            what = f"{str(dtype)[6:]} {grid} D {size} {key_block} {options}"
            backend = open_sparse(library, grid, key_block, **options)
            probe = torch.empty(1, tokens_of(grid), heads, size, device="cuda", dtype=dtype)
            q, k, v = local_inputs(places(grid, backend.token_order(probe, probe)), heads, size, 6, 8, dtype)
            scale = 1 / math.sqrt(size)
            results = []
            for _ in range(3):
                out = torch.full_like(q, math.nan)
                backend(q, k, v, out=out)
                results.append((out, *visited(backend, q, k, scale)[:2]))
            out, counts, mask = results[0]
            _, _, rows_of, width = visited(backend, q, k, scale)
            expect(all(torch.equal(a, b) for other in results[1:] for a, b in zip(results[0], other)), what + ": runs differ")
            expect(not out.isnan().any(), what + ": NaN")
            expect(mask.max() == 1 and torch.equal(mask.sum(-1), counts.long()), what + ": a key block is listed twice")
            if "share" in options and "sink_tokens" not in options:
                wanted = max(1, math.floor(options["share"] * mask.shape[2] + 0.5))
                expect(counts.min() >= wanted and counts.max() <= max(wanted, 3), what + f": visits {counts.min()} to {counts.max()} of {wanted}")
            rows = torch.randint(0, q.shape[1], (128,), device="cuda")
            for h in range(heads):
                expected = reference(q, k, v, h, rows, scale, mask[h, rows // rows_of], width)
                error = relative(out[0, rows, h], expected)
                expect(error <= (6e-3 if dtype == torch.bfloat16 else 8e-4), what + f": head {h} errs by {error:.2e}")
            print(f"  {what}: {counts.float().mean() / mask.shape[2]:.3f} visited", flush=True)
    print(f"{failures} failures")
    return failures


def kernel_times(run, times):
    """Milliseconds by kernel name, medians, through the profiler."""
    run()
    torch.cuda.synchronize()
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        for _ in range(times):
            run()
        torch.cuda.synchronize()
    found = {}
    for event in profile.events():
        kind = "means" if "means_kernel" in event.name else "route" if "route_kernel" in event.name else "attention"
        if event.device_type == torch.autograd.DeviceType.CUDA and ("kernel" in event.name):
            found.setdefault(kind, []).append(event.device_time if hasattr(event, "device_time") else event.cuda_time)
    return {kind: sum(t) / times / 1e3 for kind, t in found.items()}


def turn(run, seconds):
    """Milliseconds a call over the last two thirds of a turn."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    run()
    end.record()
    torch.cuda.synchronize()
    calls = max(3, int(seconds * 1e3 / max(start.elapsed_time(end), 1e-3)))
    for _ in range(calls // 3):
        run()
    start.record()
    for _ in range(calls - calls // 3):
        run()
    end.record()
    torch.cuda.synchronize()
    return start.elapsed_time(end) / (calls - calls // 3)


def vsa(q, k, v, grid, share):
    """FastVideo's sparse branch over blocks of 64 tokens, chosen by pooled scores as its operator does: (function of
    nothing, its output's error is taken by the caller). q, k, v: in an order in which 64 tokens lie together."""
    from fastvideo_kernel import block_sparse_attn_from_indices
    tokens, size = q.shape[1], q.shape[3]
    padded = -(-tokens // 64) * 64
    x = [torch.nn.functional.pad(t.transpose(1, 2), (0, 0, 0, padded - tokens)).contiguous() for t in (q, k, v)]
    blocks = padded // 64
    sizes = torch.full((blocks,), 64, dtype=torch.int32, device="cuda")
    sizes[-1] = tokens - (blocks - 1) * 64
    top = max(1, math.floor(share * blocks + 0.5))

    def choose():
        means = [t.view(1, t.shape[1], blocks, 64, size).float().sum(3) / sizes[None, None, :, None] for t in x[:2]]
        scores = means[0].bfloat16() @ means[1].bfloat16().transpose(-1, -2) / math.sqrt(size)
        return scores.topk(top, -1).indices.sort(-1).values.int()
    chosen = choose()
    count = torch.full(chosen.shape[:-1], top, dtype=torch.int32, device="cuda")
    return lambda: block_sparse_attn_from_indices(*x, chosen, count, sizes)[0]


def kept_share(q, k, threshold, width, groups=24):
    """The share of key blocks that the threshold's definition does not leave out, over some groups of 64 queries."""
    scale, tokens, heads = 1 / math.sqrt(q.shape[3]), q.shape[1], q.shape[2]
    kept = seen = 0
    for i in range(groups):
        first, head = 64 * (i * 7919 % (tokens // 64)), i % heads
        scores = (q[0, first:first + 64, head].float() @ k[0, :, head].float().T) * scale
        blocks = -(-tokens // width)
        scores = torch.nn.functional.pad(scores, (0, blocks * width - tokens), value=-math.inf)
        tops = scores.view(64, blocks, width).amax(-1).flip(-1)  # the last block comes first
        largest = tops[:, 0].clone()
        kept, seen = kept + 1, seen + blocks
        for j in range(1, blocks):
            if (tops[:, j] >= largest + math.log(threshold)).any():
                kept += 1
                largest = torch.maximum(largest, tops[:, j])
    return kept / seen


def measure(runs, seconds, rounds=2):
    """Medians and spreads in ms, each run in turns of its own."""
    times = {key: [] for key in runs}
    for _ in range(rounds):
        for key, run in runs.items():
            times[key].append(turn(run, seconds))
    return {key: (statistics.median(t), max(t) - min(t)) for key, t in times.items()}


def bench_grid(library, flash, grid, heads, reach, height, seconds, variants, shares, thresholds, with_vsa):
    dense = Backend(flash, tile="auto")
    probe = torch.empty(1, tokens_of(grid), heads, 128, device="cuda", dtype=torch.bfloat16)
    for tile in dict.fromkeys(tile for _, tile in variants):
        order = open_sparse(library, grid, tile=tile, share=0.1).token_order(probe, probe)
        q, k, v = local_inputs(places(grid, order), heads, 128, reach, height)
        out, scale = torch.empty_like(q), 1 / math.sqrt(128)
        rows = torch.randint(0, q.shape[1], (64,), device="cuda")
        exact = torch.stack([reference(q, k, v, h, rows, scale) for h in range(0, heads, 4)], 1)
        runs, backends = {("dense", 1.0): lambda: dense(q, k, v, out=out)}, {}
        for share in shares:
            for key_block in [block for block, of in variants if of == tile]:
                backend = backends[key_block, share] = open_sparse(library, grid, key_block, tile=tile, share=share)
                runs[key_block, share] = lambda backend=backend: backend(q, k, v, out=out)
            if with_vsa and tile == variants[0][1]:
                runs["vsa", share] = vsa(q, k, v, grid, share)
        for threshold in thresholds if tile == variants[0][1] else []:
            backend = open_sparse(library, grid, tile=tile, select="threshold", threshold=threshold)
            runs["threshold", threshold] = lambda backend=backend: backend(q, k, v, out=out)
        times = measure(runs, seconds)
        base = times["dense", 1.0][0]
        print(f"{grid} H {heads} reach {reach} height {height} tile {tile}", flush=True)
        for (name, amount), run in runs.items():
            got = run()
            got = out if not isinstance(got, torch.Tensor) or got.shape == out.shape else got.transpose(1, 2)[:, :q.shape[1]]
            error = relative(got[0, rows][:, ::4], exact)
            ms, spread = times[name, amount]
            line = f"  {name:10} {amount:<6g} {ms:9.3f} ms ({spread:.3f})"
            if (name, amount) in backends:
                counts, mask, *_ = visited(backends[name, amount], q, k, scale)
                seen = (counts.float().mean() / mask.shape[2]).item()
                parts = kernel_times(run, 3)
                router = parts["means"] + parts["route"]
                line += (f"  visited {seen:.4f}; over visited x dense: {ms / base / seen:.3f}, without router "
                         f"{(ms - router) / base / seen:.3f} (means {parts['means']:.3f} route {parts['route']:.3f} ms);")
            elif name == "vsa":
                line += f"  over share x dense: {ms / base / amount:.3f} (sparse branch, choosing not counted);"
            elif name == "threshold":
                kept = kept_share(q, k, amount, 176)
                line += f"  kept {kept:.3f}; over dense {ms / base:.3f}, over (1/2 + kept/2) x dense: {ms / base / (0.5 + kept / 2):.3f};"
            print(line + f" error {error:.4f}", flush=True)


def bench(library, flash, seconds, variants, shares, thresholds, with_vsa, few):
    grids = (((21, 30, 52), 12), ((21, 45, 80), 40), ((30, 48, 80), 24))
    for grid, heads in grids[:1] if few else grids:
        for reach, height in ((3.0, 12.0), (8.0, 8.0)):
            bench_grid(library, flash, grid, heads, reach, height, seconds, variants, shares, thresholds, with_vsa)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=["check", "bench"])
    parser.add_argument("library")
    parser.add_argument("flash")
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--variants", default="144@auto,128@auto,176@auto", help="widths of key blocks and boxes of tokens")
    parser.add_argument("--shares", default="0.1,0.2")
    parser.add_argument("--thresholds", default="1e-3")
    parser.add_argument("--vsa", action="store_true")
    parser.add_argument("--few", action="store_true", help="one grid")
    a = parser.parse_args()
    torch.manual_seed(0)
    if a.what == "check":
        sys.exit(1 if check(a.library, a.flash) else 0)
    def numbers(text):
        return [float(x) for x in text.split(",") if x]
    variants = [tuple(v.split("@")) for v in a.variants.split(",")]
    bench(a.library, a.flash, a.seconds, variants, numbers(a.shares), numbers(a.thresholds), a.vsa, a.few)


if __name__ == "__main__":
    main()
