"""The streaming VAE decoder beside diffusers, live on random weights: vae_parity.py WAN_VAE_DRIVER."""

import contextlib
import sys
import tempfile
from unittest import mock

import torch
import torch.nn.functional as F
from diffusers.models.autoencoders import autoencoder_kl_wan as wan
from diffusers.video_processor import VideoProcessor

import parity
import tiny_wan

# name: (changes of the configuration, latent frames, height, width). A latent frame is 4 frames, the first one is 1.
CASES = {
    "one frame": ({}, 1, 4, 6),
    "5 frames, odd sizes": ({}, 2, 5, 3),
    "17 frames": ({}, 5, 4, 6),
    "the embedded model's layers": (dict(base_dim=16, num_res_blocks=1), 4, 6, 5),
    "one pixel": ({}, 3, 1, 1),
    "decoder of another width": (dict(base_dim=8, decoder_base_dim=12, z_dim=4, latents_mean=[0.1, -0.2, 0.3, 0.9],
                                      latents_std=[1.5, 0.7, 2.1, 1.1]), 3, 4, 3),
    "three upsamplings in time": (dict(temperal_downsample=[True, True, True], scale_factor_temporal=8), 3, 3, 4),
    "none in time": (dict(temperal_downsample=[False, False, False], scale_factor_temporal=1), 3, 3, 4),
    "two levels": (dict(dim_mult=[2, 3], temperal_downsample=[True], num_res_blocks=3, scale_factor_temporal=2,
                        scale_factor_spatial=2), 4, 7, 5),
    "five levels": (dict(dim_mult=[1, 1, 2, 2, 4], temperal_downsample=[True, False, False, True],
                         scale_factor_spatial=16), 3, 2, 3),
    "attention scales, of the encoder alone": (dict(attn_scales=[1.0, 0.5]), 2, 3, 4),
}


def build(seed=0, **changes):
    """A VAE whose every layer shows in the frames, and whose frames are mostly not clipped."""
    vae = tiny_wan.vae(seed, **changes)
    with torch.no_grad():
        for parameter in vae.decoder.mid_block.attentions[0].parameters():
            parameter.mul_(2)
        for name, parameter in vae.decoder.named_parameters():
            if name.endswith("bias"):
                parameter.add_(0.1 * torch.randn_like(parameter))
        vae.decoder.conv_out.weight.mul_(1.5)
    return vae


def noise(vae, frames, height, width, seed=1):
    return torch.randn(1, vae.config.z_dim, frames, height, width, generator=torch.Generator().manual_seed(seed))


@torch.no_grad()
def reference(vae, latents):
    """WanPipeline's output for the latents of its last step: samples [F, H, W, 3] and the 8-bit values of its PIL
    images."""
    latents = latents.to(vae.dtype)
    mean = torch.tensor(vae.config.latents_mean).view(1, -1, 1, 1, 1).to(latents.dtype)
    std = 1.0 / torch.tensor(vae.config.latents_std).view(1, -1, 1, 1, 1).to(latents.dtype)
    video = vae.decode(latents / std + mean, return_dict=False)[0]
    floats = VideoProcessor(vae_scale_factor=8).postprocess_video(video, output_type="np")[0]
    images = torch.from_numpy((floats * 255).round().astype("uint8"))
    return video[0].permute(1, 2, 3, 0).float(), images.long()


def ours(driver, vae, latents, dtype="float32"):
    with tempfile.TemporaryDirectory() as folder:
        vae.save_pretrained(folder)
        out = parity.run_driver([driver, folder, dtype, "cpu", 1], {"latents": latents})
    return out["samples"], out["frames"]


def frames_equal(report, name, frames, images):
    """A sample may lie on the border between two 8-bit levels: 99.9 % equal, the rest one level apart."""
    same_shape = frames.shape == images.shape
    apart = (frames - images).abs() if same_shape else torch.full((1,), 255)
    equal = (apart == 0).double().mean().item()
    report.check(name, equal >= 0.999 and apart.max().item() <= 1, f"{100 * equal:.3f} % equal, {apart.max()} at most")


# Mutations: each a context in which diffusers computes something else.
def replaced(target, name, mutate):
    original = getattr(target, name)
    return mock.patch.object(target, name, mutate(original))


def no_history():
    return replaced(wan.WanCausalConv3d, "forward", lambda forward: lambda self, x, cache_x=None: forward(self, x))


def first_frame_in_upsampler_history():
    """The second latent frame sees the first one in time_conv, where the reference pads with zeros."""
    def mutate(forward):
        def mutated(self, x, feat_cache=None, feat_idx=[0]):
            index = feat_idx[0]
            if self.mode == "upsample3d" and feat_cache[index] is None:
                out = forward(self, x, feat_cache, feat_idx)
                feat_cache[index] = x.clone()
                return out
            return forward(self, x, feat_cache, feat_idx)
        return mutated
    return replaced(wan.WanResample, "forward", mutate)


def frames_of_upsampler_swapped():
    def mutate(forward):
        def mutated(self, x, cache_x=None):
            out = forward(self, x, cache_x)
            return out.roll(out.shape[1] // 2, 1) if self.kernel_size == (3, 1, 1) else out
        return mutated
    return replaced(wan.WanCausalConv3d, "forward", mutate)


def norm_scale(of):
    def mutate(forward):
        return lambda self, x: forward(self, x) * (1.02 if (x.ndim == 4) == (of == "attention") else 1.0)
    return replaced(wan.WanRMS_norm, "forward", mutate)


def attention_scale():
    return replaced(F, "scaled_dot_product_attention",
                    lambda attend: lambda q, k, v: attend(q, k, v, scale=1.02 * q.shape[-1]**-0.5))


@contextlib.contextmanager
def gelu(vae):
    modules = [m for m in vae.decoder.modules() if hasattr(m, "nonlinearity")]
    kept = [m.nonlinearity for m in modules]
    for module in modules:
        module.nonlinearity = torch.nn.GELU()
    yield
    for module, activation in zip(modules, kept):
        module.nonlinearity = activation


@contextlib.contextmanager
def bilinear(vae):
    modules = [m for m in vae.decoder.modules() if isinstance(m, wan.WanUpsample)]
    for module in modules:
        module.mode = "bilinear"
    yield
    for module in modules:
        module.mode = "nearest-exact"


@contextlib.contextmanager
def mean_and_std_swapped(vae):
    mean, std = vae.config.latents_mean, vae.config.latents_std
    vae.register_to_config(latents_mean=std, latents_std=[abs(m) for m in mean])
    yield
    vae.register_to_config(latents_mean=mean, latents_std=std)


@contextlib.contextmanager
def changed(parameter, change):
    kept = parameter.detach().clone()
    with torch.no_grad():
        parameter.copy_(change(kept))
    yield
    with torch.no_grad():
        parameter.copy_(kept)


def mutations(vae):
    yield "no history between latent frames", no_history()
    yield "first frame in the upsampler's history", first_frame_in_upsampler_history()
    yield "upsampler's even and odd frames swapped", frames_of_upsampler_swapped()
    yield "norms 2 % off", norm_scale("frames")
    yield "attention's norm 2 % off", norm_scale("attention")
    yield "attention scale 2 % off", attention_scale()
    yield "GELU for SiLU", gelu(vae)
    yield "bilinear upsampling", bilinear(vae)
    yield "mean and standard deviation swapped", mean_and_std_swapped(vae)
    attention = vae.decoder.mid_block.attentions[0]
    yield "queries and values swapped", changed(attention.to_qkv.weight, lambda w: w.view(3, -1, *w.shape[1:])[[2, 1, 0]]
                                              .reshape_as(w))
    for name, parameter in [*vae.decoder.named_parameters(), *vae.post_quant_conv.named_parameters()]:
        yield f"{name} 2 % off", changed(parameter, lambda w: 1.02 * w)


def main():
    driver = sys.argv[1]
    torch.set_num_threads(1)  # these models are too small for two
    report = parity.Report()
    for name, (changes, *size) in CASES.items():
        vae = build(**changes)
        latents = noise(vae, *size)
        samples, images = reference(vae, latents)
        decoded, frames = ours(driver, vae, latents)
        clipped = (samples.abs() == 1).double().mean().item()
        report.check(f"{name}: frames to compare", samples.std() > 0.1 and clipped < 0.2,
                     f"standard deviation {samples.std():.2f}, {100 * clipped:.1f} % clipped")
        report.close(name, decoded, samples)
        frames_equal(report, f"{name}, 8 bits", frames, images)

    vae = build(num_res_blocks=1)
    latents = noise(vae, 3, 2, 3)
    decoded, _ = ours(driver, vae, latents)
    report.close("the model to mutate", decoded, reference(vae, latents)[0])
    for name, mutation in mutations(vae):
        with mutation:
            report.sees(name, decoded, reference(vae, latents)[0])
    report.close("the model after all mutations", decoded, reference(vae, latents)[0])

    for name in ("17 frames", "the embedded model's layers"):
        changes, *size = CASES[name]
        vae = build(**changes)
        latents = noise(vae, *size)
        truth = reference(vae, latents)[0]
        decoded = ours(driver, vae, latents, "bfloat16")[0]
        report.bfloat16(f"{name}, bfloat16", decoded, reference(vae.bfloat16(), latents)[0], truth)
    report.finish()


if __name__ == "__main__":
    main()
