#!/usr/bin/env bash
# transformers and diffusers: save_pretrained into a folder that holds the same model in another number of files.
# transformers writes the shards beside the single file of before, and from_pretrained takes the single file: the model
# that was just saved is not the one that is loaded, without a word. diffusers removes the shards of before and leaves
# their index, and from_pretrained takes the index: the folder that it has just written cannot be opened any more. (A
# model comes to have another number of files when it is saved in another dtype, or with another max_shard_size.)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install torch==2.11.0 numpy==2.4.6 \
  transformers==5.23.0 diffusers==0.42.1
cd "$folder"
TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import pathlib
import sys

import diffusers
import torch
import transformers
from diffusers import WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel


def files(folder):
    return ", ".join(sorted(file.name for file in pathlib.Path(folder).glob("*.safetensors*")))


torch.manual_seed(0)
config = UMT5Config(vocab_size=64, d_model=16, d_kv=4, d_ff=16, num_layers=1, num_heads=4)
before, after = UMT5EncoderModel(config), UMT5EncoderModel(config)
before.save_pretrained("encoder")
after.save_pretrained("encoder", max_shard_size="4KB")
loaded = UMT5EncoderModel.from_pretrained("encoder").shared.weight
old = torch.equal(loaded, before.shared.weight)
print("transformers", transformers.__version__, "- in the folder:", files("encoder"))
print("expected: the model that was saved last; seen:", "the one before" if old else "the last one")

sizes = dict(num_attention_heads=2, attention_head_dim=12, in_channels=4, out_channels=4, text_dim=16, freq_dim=16,
             ffn_dim=16, num_layers=1)
WanTransformer3DModel(**sizes).save_pretrained("transformer", max_shard_size="8KB")
WanTransformer3DModel(**sizes).save_pretrained("transformer")
try:
    WanTransformer3DModel.from_pretrained("transformer")
    error = ""
except OSError as problem:
    error = type(problem).__name__
print("diffusers", diffusers.__version__, "- in the folder:", files("transformer"))
print("expected: the model that was saved last; seen:", error or "the model")
seen = old and error != ""
print("behaviour as described" if seen else "behaviour has CHANGED")
sys.exit(0 if seen else 1)
PYTHON
