#!/usr/bin/env bash
# PyTorch on the CPU: scaled_dot_product_attention takes a float32 mask beside float64 queries (its rule for masks: "bool
# or float or to match query dtype") and then reads half of it. Of every 2 n keys, n the doubles in a vector register (8
# with AVX-512, 4 without), the mask of the first n counts and that of the others is passed over in silence: an additive
# mask of -inf hides nothing there. The math kernel, a float64 mask and a boolean one are right. Float64 is what people
# take for reference values, with masks that their models made in float32.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install torch==2.11.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention as attention

torch.manual_seed(0)
KEYS = 32
q, k, v = (torch.randn(1, 1, KEYS, 64, dtype=torch.float64) for _ in range(3))
mask = torch.randn(1, 1, KEYS, KEYS)
formula = torch.softmax(q @ k.transpose(-1, -2) / 8 + mask.double(), -1) @ v


def error(given):
    return ((attention(q, k, v, attn_mask=given) - formula).norm() / formula.norm()).item()


def counts(key):
    other = mask.clone()
    other[..., key] -= 3
    return not torch.equal(attention(q, k, v, attn_mask=other), attention(q, k, v, attn_mask=mask))


print("torch", torch.__version__, torch.backends.cpu.get_cpu_capability())
with sdpa_kernel(SDPBackend.MATH):
    math = error(mask)
flash, same = error(mask), error(mask.double())
seen_keys = "".join("x" if counts(key) else "." for key in range(KEYS))
width = seen_keys.index(".") if "." in seen_keys else 0
print(f"relative error: float64 mask {same:.1e}, float32 mask by the math kernel {math:.1e}, "
      f"float32 mask by the default kernel {flash:.2f} - expected below 1e-6")
print("keys whose mask counts: expected", "x" * KEYS, "seen", seen_keys)
seen = (same < 1e-12 and math < 1e-6 and flash > 0.1 and width in (4, 8)
        and seen_keys == ("x" * width + "." * width) * (KEYS // (2 * width)))
print("behaviour as described" if seen else "behaviour has CHANGED")
sys.exit(0 if seen else 1)
PYTHON
