"""How an attention backend changes a whole forward pass of a Wan transformer: the error of each block's output beside another backend.

  forward_error.py SAGE_LIBRARY FLASH_LIBRARY [--random 1.3B] [--set pv=bf16 ...]

The embedded model at a step of a prompt, or a random model of a given architecture on noise. A block's error is that of all attention
before it, too. Beside each stands the error of the attention alone, on the inputs that the exact pass gives it.
"""

import argparse
import os
import sys

import torch

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "..", "common", "tests")]
import quantised  # noqa: E402
import recorded  # noqa: E402
from attention_abi import Backend  # noqa: E402
from on_device import open_backend  # noqa: E402

# Heads of 128; (heads, layers, width of the feed-forward network) as published.
ARCHITECTURES = {"1.3B": (12, 30, 8960), "14B": (40, 40, 13824)}


def random_model(name, frames, device, dtype):
    """A random transformer, its weights of the usual size, and inputs of a video of 480 x 832."""
    from diffusers import WanTransformer3DModel
    heads, layers, width = ARCHITECTURES[name]
    with torch.device(device):
        model = WanTransformer3DModel(num_attention_heads=heads, attention_head_dim=128, num_layers=layers, ffn_dim=width).to(dtype)
        # Attention of an untrained model is even; larger weights behind the norms make it choose.
        for block in model.blocks:
            for norm in (block.attn1.norm_q, block.attn1.norm_k):
                norm.weight.data.normal_(1.5, 0.5)
        inputs = dict(hidden_states=torch.randn(1, 16, (frames - 1) // 4 + 1, 60, 104), timestep=torch.tensor([700]),
                      encoder_hidden_states=torch.randn(1, 512, 4096))
    return model, {k: v.to(dtype) if v.is_floating_point() else v for k, v in inputs.items()}


def embedded_model(step, steps, device, dtype):
    """The embedded model and what diffusers gives it at a step of a prompt."""
    from diffusers import WanPipeline
    pipeline = WanPipeline.from_pretrained(recorded.SHAPES, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    kept = []
    handle = pipeline.transformer.register_forward_pre_hook(lambda module, args, inputs: kept.append(inputs), with_kwargs=True)
    pipeline("a red circle moves right on a blue background", negative_prompt="", height=96, width=160, num_frames=17,
             num_inference_steps=steps, guidance_scale=3.0, generator=torch.Generator().manual_seed(0), output_type="latent")
    handle.remove()
    inputs = {name: t for name, t in kept[2 * step].items() if isinstance(t, torch.Tensor)}
    return pipeline.transformer.to(device, dtype), {k: v.to(device, dtype if v.is_floating_point() else v.dtype) for k, v in inputs.items()}


def outputs(model, inputs, backend, beside=None):
    """The output of each block and of the model, with a backend for the self-attention; and the error, layer by layer, that a second
    backend has on the same attention inputs."""
    found, alone = [], {}

    def attend(layer, original, q, k, v):
        q, k, v = (t.transpose(1, 2).contiguous() for t in (q, k, v))
        out = backend(q, k, v, layer=layer)
        if beside is not None:
            alone[layer] = quantised.relative(beside(q, k, v, layer=layer), out.double())
        return out.transpose(1, 2)

    handles = [block.register_forward_hook(lambda module, args, out: found.append(out.detach().clone())) for block in model.blocks]
    with torch.no_grad(), recorded.self_attention(model, attend):
        found.append(model(**inputs, return_dict=False)[0])
    for handle in handles:
        handle.remove()
    return found, alone


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sage", help="SAGE_ATTN's library")
    parser.add_argument("flash", help="FLASH_ATTN's library")
    parser.add_argument("--random", choices=ARCHITECTURES, help="a random model instead of the embedded one")
    parser.add_argument("--frames", type=int, default=81, help="of the random model's video")
    parser.add_argument("--step", type=int, default=3, help="of the embedded model")
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--set", nargs="*", default=[], metavar="NAME=VALUE", help="options of SAGE_ATTN")
    a = parser.parse_args()
    torch.manual_seed(0)
    dtype = torch.bfloat16 if a.device != "cpu" else torch.float32
    model, inputs = random_model(a.random, a.frames, a.device, dtype) if a.random else embedded_model(a.step, a.steps, a.device, dtype)
    flash = Backend(a.flash, **({"tile": "auto"} if a.device != "cpu" else {}))
    options = dict(one.split("=", 1) for one in a.set)
    sage = open_backend(a.sage, layers=len(model.blocks), **{n: {"true": True, "false": False}.get(x, x) for n, x in options.items()})
    expected, alone = outputs(model, inputs, flash, sage)
    got, _ = outputs(model, inputs, sage)
    print(f"{a.random or 'embedded model'}, {dtype}, {expected[0].shape[1]} tokens: relative L2 beside FLASH_ATTN {options or ''}")
    print(f"{'block':>8} {'attention alone':>16} {'output':>10} {'cosine':>10}")
    for i, (x, y) in enumerate(zip(got, expected)):
        name, error = (i, f"{alone[i]:16.4f}") if i < len(model.blocks) else ("model", f"{'':16}")
        print(f"{name:>8} {error} {quantised.relative(x, y.double()):10.1e} {quantised.cosine(x, y):10.6f}")


if __name__ == "__main__":
    main()
