"""The transformer beside diffusers: transformer_parity.py TRANSFORMER_DRIVER [--device cuda]."""

import argparse
import pathlib
import tempfile

import torch
from diffusers import WanTransformer3DModel
from torch import nn

import parity
import tiny_wan

CONFIGS = {
    # name: (changes of the configuration, latent sizes [B, T, H, W], text rows)
    "plain": ({}, (1, 3, 6, 10), 20),
    "one frame": ({}, (1, 1, 4, 4), 7),
    "odd grid": ({}, (1, 5, 6, 14), 1),
    "batch of 2": ({}, (2, 2, 6, 4), 33),
    "long text": ({}, (1, 2, 4, 6), 512),
    "without cross_attn_norm": (dict(cross_attn_norm=False), (1, 3, 4, 6), 20),
    "one head of 128": (dict(num_attention_heads=1, attention_head_dim=128, num_layers=1), (1, 3, 6, 4), 20),
    "3 heads of 20": (dict(num_attention_heads=3, attention_head_dim=20, num_layers=3), (1, 3, 6, 4), 20),
    "other sizes": (dict(in_channels=5, out_channels=5, text_dim=24, freq_dim=62, ffn_dim=40, eps=1e-3), (2, 2, 4, 6), 9),
    "patch of 2 2 1": (dict(patch_size=(2, 2, 1)), (1, 4, 6, 5), 9),
}


def make_inputs(model, sizes, text_rows, seed=0):
    generator = torch.Generator().manual_seed(seed)
    batch, *latent = sizes
    return dict(
        latents=torch.randn(batch, model.config.in_channels, *latent, generator=generator),
        timestep=torch.tensor([713, 42][:batch]),
        text=torch.randn(batch, text_rows, model.config.text_dim, generator=generator))


@torch.no_grad()
def run(model, inputs):
    """diffusers' output, and input and output of each block."""
    blocks = []
    hooks = [block.register_forward_hook(lambda _, given, out: blocks.append((given[0], out)))
             for block in model.blocks]
    out = model(inputs["latents"].to(model.dtype), inputs["timestep"], inputs["text"].to(model.dtype),
                return_dict=False)[0]
    for hook in hooks:
        hook.remove()
    return out, blocks


def swap(parameter, one, other):
    order = list(range(parameter.shape[1]))
    order[one], order[other] = order[other], order[one]
    parameter.data = parameter.data[:, order].clone()


class Identity(nn.Module):
    def forward(self, x):
        return x


def without_rotary(rope):
    def forward(hidden_states):
        cos, sin = type(rope).forward(rope, hidden_states)
        return torch.ones_like(cos), torch.zeros_like(sin)
    return forward


def axes_swapped(rope):
    def forward(hidden_states):
        return type(rope).forward(rope, hidden_states.transpose(3, 4))
    return forward


@torch.no_grad()
def mutate(model, mutation):
    """Changes the model in place."""
    block, last = model.blocks[0], model.blocks[-1]
    embedder = model.condition_embedder
    if mutation == "exact GELU in the feed-forward":
        for each in model.blocks:
            each.ffn.net[0].approximate = "none"
    elif mutation == "exact GELU in the text embedding":
        embedder.text_embedder.act_1 = nn.GELU()
    elif mutation == "self-attention scale 2 % off":
        for each in model.blocks:
            each.attn1.norm_q.weight.mul_(1.02)
    elif mutation == "cross-attention scale 2 % off":
        for each in model.blocks:
            each.attn2.norm_q.weight.mul_(1.02)
    elif mutation == "no rotary embedding":
        model.rope.forward = without_rotary(model.rope)
    elif mutation == "rotary rows and columns swapped":
        model.rope.forward = axes_swapped(model.rope)
    elif mutation == "shift and scale swapped":
        swap(block.scale_shift_table, 0, 1)
    elif mutation == "gates swapped":
        swap(block.scale_shift_table, 2, 5)
    elif mutation == "modulation tables swapped":
        block.scale_shift_table, last.scale_shift_table = last.scale_shift_table, block.scale_shift_table
    elif mutation == "head table swapped":
        swap(model.scale_shift_table, 0, 1)
    elif mutation == "no norm before cross-attention":
        block.norm2 = Identity()
    elif mutation == "no norm of keys":
        block.attn1.norm_k = Identity()
    elif mutation == "sine before cosine":
        embedder.timesteps_proj.flip_sin_to_cos = False
    else:
        raise ValueError(mutation)
    return model


MUTATIONS = ["exact GELU in the feed-forward", "exact GELU in the text embedding", "self-attention scale 2 % off",
             "cross-attention scale 2 % off", "no rotary embedding", "rotary rows and columns swapped",
             "shift and scale swapped", "gates swapped", "modulation tables swapped", "head table swapped",
             "no norm before cross-attention", "no norm of keys", "sine before cosine"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    report = parity.Report()

    def ours(folder, inputs):
        return parity.run_driver([arguments.driver, folder, arguments.device], inputs)

    with tempfile.TemporaryDirectory() as temporary:
        folders = {}
        for number, (name, (changes, sizes, rows)) in enumerate(CONFIGS.items()):
            folder = folders[name] = pathlib.Path(temporary) / str(number)
            tiny_wan.transformer(seed=number, **changes).save_pretrained(folder)
            model = WanTransformer3DModel.from_pretrained(folder).eval()
            inputs = make_inputs(model, sizes, rows, seed=number)
            truth, blocks = run(model, inputs)
            fed = {f"hidden.{i}": given for i, (given, _) in enumerate(blocks)}
            out = ours(folder, {**inputs, **fed})
            report.close(name, out["out"], truth)
            for i, (_, expected) in enumerate(blocks):
                report.close(f"{name}, block {i} alone", out[f"alone.{i}"], expected)
            layers = list(range(model.config.num_layers))
            report.check(f"{name}: attention calls", out["calls.dit.self"].tolist() == layers
                         and out["calls.dit.cross"].tolist() == layers, "one of each role for each layer")

            theirs, _ = run(WanTransformer3DModel.from_pretrained(folder, torch_dtype=torch.bfloat16).eval(), inputs)
            report.bfloat16(f"{name}, bfloat16", out["bfloat16.out"], theirs, truth)

        folder = folders["plain"]
        model = WanTransformer3DModel.from_pretrained(folder).eval()
        inputs = make_inputs(model, (1, 3, 6, 10), 20)
        inputs["text"][:, 12:] = 0  # as the pipeline pads the text
        truth, blocks = run(model, inputs)
        out = ours(folder, inputs)
        report.close("padded text", out["out"], truth)
        report.close("signal blocks.residual", out["blocks.residual"], blocks[-1][1] - blocks[0][0])
        report.close("signal block.1.residual", out["block.1.residual"], blocks[1][1] - blocks[1][0])
        time, projection, *_ = model.condition_embedder(inputs["timestep"], inputs["text"])
        report.close("signal time.embed", out["time.embed"], time.detach())
        report.close("signal time.proj", out["time.proj"].flatten(1), projection.detach())

        # The order of the tokens does not change the pass: only attention and rotary positions depend on other tokens.
        order = torch.randperm(3 * 3 * 5, generator=torch.Generator().manual_seed(5))
        permuted = ours(folder, {**inputs, "order": order})
        report.close("token order", permuted["out"], truth)
        report.close("token order: blocks see it", permuted["block.0.out"], blocks[0][1][:, order])

        for mutation in MUTATIONS:
            mutated = mutate(WanTransformer3DModel.from_pretrained(folder).eval(), mutation)
            report.sees(mutation, out["out"], run(mutated, inputs)[0])
        report.sees("padded text masked", out["out"], run(model, {**inputs, "text": inputs["text"][:, :12]})[0])

        wrong = {
            "rows that a patch does not divide": (dict(latents=torch.randn(1, 16, 3, 5, 10)), "multiple of"),
            "grid beyond the rotary table": (dict(latents=torch.randn(1, 16, 1025, 2, 2)), "rope_max_seq_len is 1024"),
            "other channels": (dict(latents=torch.randn(1, 8, 3, 6, 10)), "in_channels"),
            "one timestep for two rows": (dict(latents=torch.randn(2, 16, 3, 6, 10)), "one timestep"),
            "one text for two rows": (dict(latents=torch.randn(2, 16, 3, 6, 10), timestep=torch.tensor([1, 2])), "one text"),
            "order of other length": (dict(order=torch.arange(44)), "no permutation of 45"),
            "order with a repetition": (dict(order=torch.arange(45).clamp_max(43)), "no permutation of 45"),
        }
        for name, (change, message) in wrong.items():
            try:
                ours(folder, {**inputs, **change})
                report.check(f"refusal: {name}", False, "was taken")
            except RuntimeError as error:
                report.check(f"refusal: {name}", message in str(error), str(error).splitlines()[-1])
    report.finish()


if __name__ == "__main__":
    main()
