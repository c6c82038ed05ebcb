"""AutoencoderKLWan over whole clips at once, for training: the same function as diffusers' frame groups with cached features.

diffusers feeds the networks one latent frame at a time and carries features over, which is many small kernels. Causal convolutions give the
same on the whole clip at once. A clip is kept here as [B*T, C, H, W]; a causal 3D convolution is then one 2D convolution over three
frames stacked as channels, which cuDNN runs fast in channels-last order. tests/embedded_model/training_paths_test.py compares both.
"""

import torch
import torch.nn.functional as F

NORM_EPS = 1e-12  # F.normalize's


def norm_silu(rows: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
    """SiLU of WanRMS_norm for rows [N, C]: unit length over the channels, times sqrt(C) and gamma."""
    value = rows.float()
    value = value * torch.rsqrt(value.square().mean(1, keepdim=True) + NORM_EPS)
    return F.silu(value * gamma).type_as(rows)


# Replaced by a compiled version where there is a GPU (see train_vae.py).
functions = {"norm_silu": norm_silu}


def activate(norm, x: torch.Tensor) -> torch.Tensor:
    """Norm and SiLU of [B*T, C, H, W], in channels-last order."""
    last = x.permute(0, 2, 3, 1)
    rows = functions["norm_silu"](last.reshape(-1, x.shape[1]), norm.gamma.flatten())
    return rows.view(last.shape).permute(0, 3, 1, 2)


def causal(conv, x: torch.Tensor, frames: int) -> torch.Tensor:
    """A WanCausalConv3d of stride 1 on [B*T, C, H, W]."""
    depth, height, width = conv.kernel_size
    weight = conv.weight.permute(0, 2, 1, 3, 4).flatten(1, 2)
    if depth > 1:
        clip = x.unflatten(0, (-1, frames))
        clip = torch.cat([torch.zeros_like(clip[:, :1]).expand(-1, depth - 1, -1, -1, -1), clip], 1)
        x = torch.cat([clip[:, i : i + frames] for i in range(depth)], 2).flatten(0, 1)
    x = x.contiguous(memory_format=torch.channels_last)
    weight = weight.contiguous(memory_format=torch.channels_last)
    return F.conv2d(x, weight, conv.bias, padding=(height // 2, width // 2))


def residual(block, x: torch.Tensor, frames: int) -> torch.Tensor:
    shortcut = x if isinstance(block.conv_shortcut, torch.nn.Identity) else causal(block.conv_shortcut, x, frames)
    x = causal(block.conv1, activate(block.norm1, x), frames)
    return causal(block.conv2, activate(block.norm2, x), frames) + shortcut


def mid(block, x: torch.Tensor, frames: int) -> torch.Tensor:
    x = residual(block.resnets[0], x, frames)
    x = block.attentions[0](x.unsqueeze(2)).squeeze(2)  # Attention is within a frame: every frame is a clip of one.
    return residual(block.resnets[1], x, frames)


def down(layer, x: torch.Tensor, frames: int) -> tuple:
    x = layer.resample(x)
    if layer.mode != "downsample3d" or frames == 1:
        return x, frames
    # The first frame stays; the convolution of stride 2 sees frames (0 1 2), (2 3 4), ...
    clip = x.unflatten(0, (-1, frames))
    stacked = torch.cat([clip[:, 0:-2:2], clip[:, 1:-1:2], clip[:, 2::2]], 2)
    weight = layer.time_conv.weight.permute(0, 2, 1, 3, 4).flatten(1, 2)
    halved = F.conv2d(stacked.flatten(0, 1), weight, layer.time_conv.bias).unflatten(0, (-1, (frames - 1) // 2))
    return torch.cat([clip[:, :1], halved], 1).flatten(0, 1), 1 + (frames - 1) // 2


def up(layer, x: torch.Tensor, frames: int) -> tuple:
    if layer.mode == "upsample3d" and frames > 1:
        # The first frame stays single and is not seen by the convolution that doubles the others.
        clip = x.unflatten(0, (-1, frames))
        doubled = causal(layer.time_conv, clip[:, 1:].flatten(0, 1), frames - 1)
        doubled = doubled.unflatten(0, (-1, frames - 1)).unflatten(2, (2, -1)).flatten(1, 2)
        x, frames = torch.cat([clip[:, :1], doubled], 1).flatten(0, 1), 2 * frames - 1
    # Doubling each pixel is the nearest-exact interpolation of factor two.
    x = x.repeat_interleave(2, 2).repeat_interleave(2, 3)
    return layer.resample[1](x), frames


def encode(vae, video: torch.Tensor) -> torch.Tensor:
    """[B, 3, T, H, W] -> [B, 2 z, 1 + (T - 1) / 4, H / 8, W / 8]: mean and log variance, as vae._encode()."""
    batch, frames = video.shape[0], video.shape[2]
    net = vae.encoder
    x = causal(net.conv_in, video.transpose(1, 2).flatten(0, 1), frames)
    for layer in net.down_blocks:
        if hasattr(layer, "resample"):
            x, frames = down(layer, x, frames)
        else:
            x = residual(layer, x, frames)
    x = mid(net.mid_block, x, frames)
    x = causal(net.conv_out, activate(net.norm_out, x), frames)
    return causal(vae.quant_conv, x, frames).unflatten(0, (batch, frames)).transpose(1, 2)


def decode(vae, latents: torch.Tensor) -> torch.Tensor:
    """[B, z, T, H, W] -> [B, 3, 1 + 4 (T - 1), 8 H, 8 W], as vae._decode() without its clamp."""
    batch, frames = latents.shape[0], latents.shape[2]
    net = vae.decoder
    x = causal(vae.post_quant_conv, latents.transpose(1, 2).flatten(0, 1), frames)
    x = mid(net.mid_block, causal(net.conv_in, x, frames), frames)
    for block in net.up_blocks:
        for layer in block.resnets:
            x = residual(layer, x, frames)
        if block.upsamplers is not None:
            x, frames = up(block.upsamplers[0], x, frames)
    x = causal(net.conv_out, activate(net.norm_out, x), frames)
    return x.unflatten(0, (batch, frames)).transpose(1, 2)
