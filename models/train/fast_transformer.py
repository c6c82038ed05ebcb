"""WanTransformer3DModel for training: diffusers' weights and function, with the padded text in closed form.

The pipeline pads the text to 512 rows of zeros and attends to all of them. All zero rows have the same key and value, so one of them with
log(number of zero rows) added to its score is exactly the same softmax. That leaves TEXT_ROWS keys of 512.
tests/embedded_model/training_paths_test.py compares this with diffusers.
"""

import torch
import torch.nn.functional as F

TEXT_ROWS = 32  # Up to 31 rows of text, and one that stands for all the zero rows.
PADDED_ROWS = 512


def text_bias(lengths: torch.Tensor) -> torch.Tensor:
    """[B, TEXT_ROWS] added to the scores: 0 for text, log(count) for the last row, minus infinity between."""
    row = torch.arange(TEXT_ROWS, device=lengths.device)
    bias = torch.where(row < lengths[:, None], 0.0, float("-inf"))
    bias[:, -1] = torch.log(PADDED_ROWS - lengths.float())
    return bias


def rotate(x: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> torch.Tensor:
    """Rotary embedding of [B, S, heads, D]; cos and sin [1, S, 1, D / 2]."""
    a, b = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2).type_as(x)


def norm(x: torch.Tensor, eps: float) -> torch.Tensor:
    return F.layer_norm(x.float(), (x.shape[-1],), eps=eps)


def block_forward(block, x, modulation, text, bias, cos, sin, heads: int, eps: float, dtype: torch.dtype):
    """One WanTransformerBlock. x [B, S, C] float32, modulation [B, 6, C], text [B, TEXT_ROWS, C]; products in `dtype`."""

    def linear(layer, value):
        return F.linear(value.to(dtype), layer.weight.to(dtype), layer.bias.to(dtype))

    def normed(layer, value):
        return F.rms_norm(value.float(), (value.shape[-1],), layer.weight, layer.eps).to(dtype).unflatten(-1, (heads, -1))

    shift1, scale1, gate1, shift2, scale2, gate2 = (block.scale_shift_table + modulation).chunk(6, 1)

    attn = block.attn1
    value = norm(x, eps) * (1 + scale1) + shift1
    query = rotate(normed(attn.norm_q, linear(attn.to_q, value)), cos, sin)
    key = rotate(normed(attn.norm_k, linear(attn.to_k, value)), cos, sin)
    value = linear(attn.to_v, value).unflatten(-1, (heads, -1))
    seen = F.scaled_dot_product_attention(query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2))
    x = x + linear(attn.to_out[0], seen.transpose(1, 2).flatten(2)).float() * gate1

    attn = block.attn2
    query = normed(attn.norm_q, linear(attn.to_q, F.layer_norm(x, (x.shape[-1],), block.norm2.weight, block.norm2.bias, eps)))
    key = normed(attn.norm_k, linear(attn.to_k, text))
    value = linear(attn.to_v, text).unflatten(-1, (heads, -1))
    scores = torch.einsum("bqhd,bkhd->bhqk", query, key).float() * query.shape[-1] ** -0.5
    share = (scores + bias[:, None, None]).softmax(-1).to(dtype)
    seen = torch.einsum("bhqk,bkhd->bqhd", share, value).flatten(2)
    x = x + linear(attn.to_out[0], seen).float()

    value = norm(x, eps) * (1 + scale2) + shift2
    value = F.gelu(linear(block.ffn.net[0].proj, value), approximate="tanh")
    return x + linear(block.ffn.net[2], value).float() * gate2


# Replaced by a compiled version where there is a GPU (see train_transformer.py).
functions = {"block": block_forward}


def forward(model, latents, timestep, text, bias, dtype=torch.float32) -> torch.Tensor:
    """Velocity [B, C, T, H, W] for `latents`; timestep [B] (sigma * 1000); text [B, TEXT_ROWS, text_dim] zero-padded; bias: text_bias()."""
    config = model.config
    batch, channels, frames, height, width = latents.shape
    cos, sin = model.rope(latents)
    cos, sin = cos[..., 0::2].float(), sin[..., 1::2].float()
    # A patch of 1 x 2 x 2 is a row of 4 C values, and the patch embedding a matrix product.
    rows = latents.view(batch, channels, frames, height // 2, 2, width // 2, 2).permute(0, 2, 3, 5, 1, 4, 6).flatten(4).flatten(1, 3)
    x = F.linear(rows, model.patch_embedding.weight.flatten(1), model.patch_embedding.bias)

    embedder = model.condition_embedder
    temb = embedder.time_embedder(embedder.timesteps_proj(timestep))
    modulation = embedder.time_proj(F.silu(temb)).unflatten(1, (6, -1))
    text = embedder.text_embedder(text)
    for block in model.blocks:
        x = functions["block"](block, x, modulation, text, bias, cos, sin, config.num_attention_heads, config.eps, dtype)
    shift, scale = (model.scale_shift_table + temb[:, None]).chunk(2, 1)
    x = model.proj_out(norm(x, config.eps) * (1 + scale) + shift)
    x = x.view(batch, frames, height // 2, width // 2, 1, 2, 2, channels).permute(0, 7, 1, 4, 2, 5, 3, 6)
    return x.reshape(batch, channels, frames, height, width)
