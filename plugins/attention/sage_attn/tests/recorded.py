"""Queries, keys and values of the video self-attention of a Wan model, recorded while diffusers generates with it."""

import contextlib
import pathlib

import torch

SHAPES = pathlib.Path(__file__).resolve().parents[4] / "models" / "shapes"


@contextlib.contextmanager
def self_attention(transformer, replacement):
    """Calls replacement(layer, original, q, k, v) for the self-attention of each block; q, k, v are [B, H, L, D]."""
    functional = torch.nn.functional
    original = functional.scaled_dot_product_attention
    current = []

    def attend(query, key, value, *arguments, **keywords):
        if not current:
            return original(query, key, value, *arguments, **keywords)
        return replacement(current[-1], lambda *qkv: original(*qkv, *arguments, **keywords), query, key, value)

    handles = []
    for layer, block in enumerate(transformer.blocks):
        handles.append(block.attn1.register_forward_pre_hook(lambda *_, layer=layer: current.append(layer)))
        handles.append(block.attn1.register_forward_hook(lambda *_: current.clear()))  # what a hook returns would be the output
    functional.scaled_dot_product_attention = attend
    try:
        yield
    finally:
        functional.scaled_dot_product_attention = original
        for handle in handles:
            handle.remove()


def record(model=SHAPES, prompt="a red circle moves right on a blue background", steps=6, at=(0, 3, 5), size=(96, 160), frames=17):
    """[(step, layer, q, k, v)] of the conditional branch, each [1, L, H, D] in float32."""
    from diffusers import WanPipeline
    pipeline = WanPipeline.from_pretrained(model, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    found, passes, results = [], [], []
    handles = [pipeline.transformer.register_forward_pre_hook(lambda module, args, inputs: passes.append(inputs), with_kwargs=True),
               pipeline.transformer.register_forward_hook(lambda module, args, out: results.append(out[0]))]

    def keep(layer, original, q, k, v):
        step, branch = divmod(len(passes) - 1, 2)  # a conditional and an unconditional pass for each step
        if branch == 0 and step in at:
            found.append((step, layer, *(t.transpose(1, 2).contiguous() for t in (q, k, v))))
        return original(q, k, v)

    with self_attention(pipeline.transformer, keep):
        pipeline(prompt, negative_prompt="", height=size[0], width=size[1], num_frames=frames, num_inference_steps=steps,
                 guidance_scale=3.0, generator=torch.Generator().manual_seed(0), output_type="latent")
    for handle in handles:
        handle.remove()
    assert len(passes) == 2 * steps and len(found) == len(at) * len(pipeline.transformer.blocks), (len(passes), len(found))
    with torch.no_grad():
        assert torch.equal(pipeline.transformer(**passes[-1])[0], results[-1]), "watching changed what the model computes"
    return found
