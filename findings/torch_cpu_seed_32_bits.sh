#!/usr/bin/env bash
# PyTorch: a CPU generator takes seeds of 64 bits, says them back, and draws from the lower 32 alone. Seeds that differ
# by a multiple of 2^32 make the same noise, and so the same video; -1 is 2^32 - 1. Programs that draw their seeds from
# 64 bits (or hash a prompt to one) believe in 2^64 videos and have 2^32.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install torch==2.11.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import sys
import torch


def noise(seed):
    return torch.randn(8, generator=torch.Generator("cpu").manual_seed(seed))


far = 7 + 2**32
said = torch.Generator("cpu").manual_seed(far).initial_seed()
print("torch", torch.__version__)
print("the generator says back", said, "- expected", far)
print("seeds 7 and 7 + 2^32 draw the same noise: expected False, seen", torch.equal(noise(7), noise(far)))
print("seeds 0 and 2^40 draw the same noise: expected False, seen", torch.equal(noise(0), noise(2**40)))
print("seeds 7 and 7 + 2^31 draw the same noise: expected False, seen", torch.equal(noise(7), noise(7 + 2**31)))
seen = (said == far and torch.equal(noise(7), noise(far)) and torch.equal(noise(0), noise(2**40))
        and not torch.equal(noise(7), noise(7 + 2**31)))
print("behaviour as described" if seen else "behaviour has CHANGED")
sys.exit(0 if seen else 1)
PYTHON
