"""A second implementation of SAGE_ATTN's numerics: SageAttention2 (Zhang et al. 2024, sections 3.1 to 3.4) in PyTorch.
Numbers to be rounded are computed in float32 first, as there, so that both round the same way; every sum is in float64.
The groups of a scale are those of cpu/quantised_keys.hpp.
"""

import math

import torch

LARGEST, LARGEST_VALUE = 448.0, 320.0  # of e4m3, and what the largest value of a channel becomes
REFERENCE, SLACK = 28.0, 4.0  # the weight of the score at softmax's reference, and how many powers of two it may lag behind
DEFAULTS = dict(pv="fp8", granularity="thread", smooth_k=True, smooth_q=False)


def e4m3(x):
    """The nearest numbers of e4m3, beyond the largest the largest: PyTorch's own conversion."""
    return x.float().clamp(-LARGEST, LARGEST).to(torch.float8_e4m3fn).double()


def steps(x, largest, last):
    """x in steps of which `last` make `largest`, and the size of a step; float32."""
    step = largest.float() / last
    per_unit = torch.where(step > 0, 1 / step, 0)
    return x.float() * per_unit, step.double()


def to_int8(x, group):
    """Rows x [L, D] as multiples of a step that the rows of a group share: the rounded rows."""
    largest = torch.zeros(int(group.max()) + 1, dtype=torch.float64, device=x.device)
    largest.scatter_reduce_(0, group, x.abs().amax(1), "amax")
    count, step = steps(x, largest[group].unsqueeze(1), 127)
    return torch.round(count).double() * step


def query_groups(length, granularity, device):
    i = torch.arange(length, device=device)
    return i // 64 if granularity == "block" else i // 16 * 8 + i % 8


def key_groups(length, granularity, device):
    j = torch.arange(length, device=device)
    return j // 128 if granularity == "block" else j // 128 * 4 + j % 8 // 2


def one_head(q, k, v, scale, rows, pieces, pv, granularity, smooth_k, smooth_q):
    """Rows of one head's output. q, k, v: [L, D] in float64, and the type that the inputs had; pieces: the ends of
    those in which the key blocks of these rows are taken, each with a reference of its own."""
    dtype = v.dtype
    q, k, v = q.double(), k.double(), v.double()
    if smooth_k:
        k = (k.float() - k.mean(0).float()).double()
    mean = torch.zeros_like(q)
    if smooth_q:
        for first in range(0, len(q), 64):
            mean[first:first + 64] = q[first:first + 64].mean(0)
        mean = mean.float().double()
    q8 = to_int8((q.float() - mean.float()).double(), query_groups(len(q), granularity, q.device))[rows]
    k8 = to_int8(k, key_groups(len(k), granularity, k.device))
    scores = (q8 @ k8.T + mean[rows] @ k.T) * scale
    if pv != "fp8":
        maximum = scores.amax(1, keepdim=True)
        weights = torch.exp(scores - maximum)
        return weights.to(dtype).double() @ v / weights.sum(1, keepdim=True)
    # Blocks of 128 keys, the last first. Probabilities are rounded beside a reference: the largest score of the first block, until a
    # score exceeds it by the slack; then all of 16 queries take their largest so far.
    count, step = steps(v, v.abs().amax(0), LARGEST_VALUE)
    v8 = e4m3(count)
    warp = torch.unique(rows // 16, return_inverse=True)[1]
    blocks, results = list(reversed(range(0, len(k), 128))), []
    for begin, end in zip([0, *pieces], pieces or [len(blocks)]):
        out = torch.zeros(len(rows), v.shape[1], dtype=torch.float64, device=v.device)
        total = torch.zeros(len(rows), 1, dtype=torch.float64, device=v.device)
        reference = torch.full_like(total, -math.inf)
        for first in blocks[begin:end]:
            block = scores[:, first:first + 128]
            top = block.amax(1, keepdim=True)
            exceeds = (top > reference + SLACK * math.log(2)).squeeze(1).double()
            raised = torch.zeros(int(warp.max()) + 1, dtype=torch.float64, device=v.device).scatter_reduce_(0, warp, exceeds, "amax")
            now = torch.where(raised[warp].unsqueeze(1) > 0, torch.maximum(reference, top), reference)
            weights = e4m3(torch.exp(block - now) * REFERENCE)
            factor = torch.exp(reference - now)
            out = out * factor + weights @ v8[first:first + 128]
            total = total * factor + weights.sum(1, keepdim=True)
            reference = now
        results.append((out, total, reference))
    most = torch.stack([reference for _, _, reference in results]).amax(0)
    out, total = (sum(result[i] * torch.exp(result[2] - most) for result in results) for i in (0, 1))
    # Weights sum to 1: the mean of a channel's rounding errors is added again.
    return (out / total + (count.double() - v8).mean(0)) * step


def attention(q, k, v, scale, rows=None, pieces=None, **options):
    """q [B, Lq, H, D], k and v [B, Lk, Hkv, D] -> rows of the output in float64, [B, rows, H, D]. Rows: whole sixteens. pieces: for
    every [B, H, Lq] the number of a list of ends of the pieces in which its key blocks are taken, and these lists; without it, one piece."""
    options = {**DEFAULTS, **options}
    rows = torch.arange(q.shape[1], device=q.device) if rows is None else rows
    out = torch.zeros(q.shape[0], len(rows), q.shape[2], q.shape[3], dtype=torch.float64, device=q.device)
    group = q.shape[2] // k.shape[2]
    for b in range(q.shape[0]):
        for h in range(q.shape[2]):
            number = torch.zeros_like(rows) if pieces is None else pieces[0][b, h, rows]
            for n in number.unique().tolist():
                of_n, ends = number == n, pieces[1][n] if pieces else []
                out[b, of_n, h] = one_head(q[b, :, h], k[b, :, h // group], v[b, :, h // group], scale, rows[of_n], ends, **options)
    return out


def exact(q, k, v, scale, rows=None):
    """The formula in float64: rows of the output, and log-sum-exp [B, H, rows]."""
    rows = torch.arange(q.shape[1], device=q.device) if rows is None else rows
    out = torch.zeros(q.shape[0], len(rows), q.shape[2], q.shape[3], dtype=torch.float64, device=q.device)
    log_sum_exp = torch.zeros(q.shape[0], q.shape[2], len(rows), dtype=torch.float64, device=q.device)
    group = q.shape[2] // k.shape[2]
    for b in range(q.shape[0]):
        for h in range(q.shape[2]):
            scores = q[b, rows, h].double() @ k[b, :, h // group].double().T * scale
            out[b, :, h] = torch.softmax(scores, 1) @ v[b, :, h // group].double()
            log_sum_exp[b, h] = torch.logsumexp(scores, 1)
    return out, log_sum_exp


def cosine(x, y):
    x, y = x.double().flatten(), y.double().flatten()
    return (x @ y / (x.norm() * y.norm())).item()


def relative(x, expected, norm=2):
    """The L1 or L2 norm of the difference over the norm of the expected output."""
    difference = torch.linalg.vector_norm(x.double() - expected, norm)
    return (difference / torch.linalg.vector_norm(expected, norm).clamp(min=1e-300)).item()
