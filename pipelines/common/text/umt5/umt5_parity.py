"""The text encoder beside transformers: umt5_parity.py UMT5_DRIVER [--device cuda]."""

import argparse
import pathlib
import tempfile

import torch
from torch import nn
from transformers import UMT5EncoderModel

import parity
import tiny_wan

CONFIGS = {
    "plain": {},
    "heads wider than the model": dict(num_heads=3, d_kv=24, d_model=40, d_ff=48),
    "other buckets": dict(relative_attention_num_buckets=20, relative_attention_max_distance=50, num_layers=3),
    "large epsilon": dict(layer_norm_epsilon=1e-2, num_layers=1),
}
# Through the limits of the buckets: 8 exact distances a side, then up to 128.
LENGTHS = [1, 2, 9, 17, 64, 65, 130, 300]


@torch.no_grad()
def encode(model, ids, mask=None):
    return model(ids, mask).last_hidden_state


def unmasked(model, ids, mask):
    return encode(model, ids)


def mutate(model, mutation):
    """Changes the model in place."""
    for index, block in enumerate(model.encoder.block):
        attention, dense = block.layer[0].SelfAttention, block.layer[1].DenseReluDense
        if mutation == "exact GELU":
            dense.act = nn.GELU()
        elif mutation == "attention scale 2 % off":
            attention.scaling = 1.02
        elif mutation == "attention scaled by the head size":
            attention.scaling = attention.key_value_proj_dim**-0.5
        elif mutation == "bias of layer 0 everywhere":
            attention.relative_attention_bias = model.encoder.block[0].layer[0].SelfAttention.relative_attention_bias
        elif mutation == "bias of the opposite direction":
            attention.relative_attention_bias.weight.data = attention.relative_attention_bias.weight.data.roll(16, 0)
        elif mutation == "gate and value swapped":
            dense.wi_0, dense.wi_1 = dense.wi_1, dense.wi_0
        elif mutation == "no final norm" and index == 0:
            model.encoder.final_layer_norm = nn.Identity()
    return model


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    report = parity.Report()

    def ours(folder, ids, mask=None, dtype="float32"):
        inputs = dict(ids=ids) if mask is None else dict(ids=ids, mask=mask)
        return parity.run_driver([arguments.driver, folder, dtype, arguments.device], inputs)

    with tempfile.TemporaryDirectory() as temporary:
        folders = {}
        for number, (name, changes) in enumerate(CONFIGS.items()):
            folders[name] = pathlib.Path(temporary) / str(number)
            tiny_wan.text_encoder(seed=number, **changes).save_pretrained(folders[name])

        torch.manual_seed(1)
        for name, folder in folders.items():
            model = UMT5EncoderModel.from_pretrained(folder).eval()
            for length in LENGTHS if name == "plain" else [9, 130]:
                ids = torch.randint(0, 256, (1, length))
                out = ours(folder, ids)
                report.close(f"{name}, {length} tokens", out["hidden"], encode(model, ids))
                calls = out["calls"].item()
                report.check(f"{name}: attention calls", calls == model.config.num_layers, f"{calls}")

        folder = folders["plain"]
        model = UMT5EncoderModel.from_pretrained(folder).eval()
        ids = torch.randint(2, 256, (2, 40))
        report.close("batch of 2", ours(folder, ids)["hidden"], encode(model, ids))
        # As in diffusers' pipeline: padded to the limit and masked; only the rows of tokens count.
        lengths = [12, 33]
        mask = (torch.arange(40) < torch.tensor(lengths)[:, None]).long()
        padded = ids * mask
        reference = encode(model, padded, mask)
        batch = ours(folder, padded, mask)["hidden"]
        for row, length in enumerate(lengths):
            report.close(f"masked row of {length}", batch[row, :length], reference[row, :length])
            alone = ours(folder, padded[row:row + 1, :length])["hidden"]
            report.close(f"true length {length} for a masked row", alone[0], reference[row, :length])
        report.sees("padded text unmasked", alone[0], unmasked(model, padded, mask)[1, :length])

        ids = torch.randint(0, 256, (1, 60))
        out = ours(folder, ids)["hidden"]
        for mutation in ["exact GELU", "attention scale 2 % off", "attention scaled by the head size",
                         "bias of layer 0 everywhere", "bias of the opposite direction", "gate and value swapped",
                         "no final norm"]:
            report.sees(mutation, out, encode(mutate(UMT5EncoderModel.from_pretrained(folder).eval(), mutation), ids))

        for name, folder in folders.items():
            truth = encode(UMT5EncoderModel.from_pretrained(folder).eval(), ids)
            theirs = encode(UMT5EncoderModel.from_pretrained(folder, dtype=torch.bfloat16).eval(), ids)
            report.bfloat16(f"{name}, bfloat16", ours(folder, ids, dtype="bfloat16")["hidden"], theirs, truth)

        for name, ids in {"token beyond the vocabulary": [[3, 256]], "negative token": [[-1, 3]]}.items():
            try:
                ours(folder, torch.tensor(ids))
                report.check(name, False, "was taken")
            except RuntimeError as error:
                report.check(name, "vocabulary of 256" in str(error), str(error).splitlines()[-1])
    report.finish()


if __name__ == "__main__":
    main()
