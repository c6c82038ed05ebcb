"""Tiny random models of the Wan family, with weights scaled so that every part of a model shows in its output.

With PyTorch's own initialisation most of the output is the residual stream: exact GELU in the place of tanh GELU moves
it by 4e-5 only. So the weights of attention are multiplied by 3, queries by 2, modulation tables by 9, what feed-forward
and cross-attention write into the residual stream by more, and what starts as ones (norms) is made random. The first
feed-forward weights stay: the two kinds of GELU differ most, relative to their values, at arguments about 1. The last
modulation gets 2: a large shift there is a large part of the output that nothing else moves.
"""

import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

# The scheduler of the Wan2.1 text-to-video repositories.
WAN21_SCHEDULER = dict(prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0, solver_order=2,
                       solver_type="bh2", final_sigmas_type="zero", num_train_timesteps=1000)


@torch.no_grad()
def _randomise_norm(parameter, scale=1):
    parameter.copy_(scale * (1 + 0.3 * torch.randn_like(parameter)))


@torch.no_grad()
def text_encoder(seed=0, **changes):
    """A UMT5EncoderModel in float32."""
    config = dict(vocab_size=256, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2,
                  relative_attention_num_buckets=32, relative_attention_max_distance=128)
    torch.manual_seed(seed)
    model = UMT5EncoderModel(UMT5Config(**{**config, **changes})).eval()
    for name, parameter in model.named_parameters():
        if "layer_norm" in name:
            _randomise_norm(parameter)
        elif "relative_attention_bias" in name:
            parameter.normal_()
        elif "SelfAttention" in name or "DenseReluDense" in name:
            parameter.mul_(3)
    return model


@torch.no_grad()
def transformer(seed=0, **changes):
    """A WanTransformer3DModel in float32."""
    config = dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=32, in_channels=16, out_channels=16,
                  text_dim=32, freq_dim=256, ffn_dim=128, num_layers=2, cross_attn_norm=True,
                  qk_norm="rms_norm_across_heads", eps=1e-6, rope_max_seq_len=1024)
    torch.manual_seed(seed)
    model = WanTransformer3DModel(**{**config, **changes}).eval()
    for name, parameter in model.named_parameters():
        if name == "scale_shift_table":
            parameter.mul_(2)
        elif "scale_shift_table" in name:
            parameter.mul_(9)
        elif "norm_q" in name:
            _randomise_norm(parameter, 2)
        elif "norm_k" in name or name.endswith("norm2.weight"):
            _randomise_norm(parameter)
        elif name.endswith("norm2.bias"):
            parameter.normal_(std=0.3)
        elif ".ffn.net.2." in name:
            parameter.mul_(27)
        elif ".attn2.to_out." in name:
            parameter.mul_(9)
        elif ".attn1." in name or ".attn2." in name or "text_embedder" in name:
            parameter.mul_(3)
    return model


@torch.no_grad()
def vae(seed=0, **changes):
    """An AutoencoderKLWan in float32."""
    config = dict(base_dim=8, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
                  temperal_downsample=[False, True, True])
    torch.manual_seed(seed)
    model = AutoencoderKLWan(**{**config, **changes}).eval()
    for name, parameter in model.named_parameters():
        if name.endswith("gamma"):
            _randomise_norm(parameter)
        elif "attentions" in name or "resnets" in name or "upsamplers" in name:
            parameter.mul_(1.5)
    return model


def scheduler(**changes):
    return UniPCMultistepScheduler(**{**WAN21_SCHEDULER, **changes})
