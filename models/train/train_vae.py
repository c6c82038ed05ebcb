"""Trains the autoencoder on freshly drawn clips: first on crops, which are many iterations a second, then on whole clips."""

import argparse
import math
import pathlib

import torch

import clips
import common
import configs
import fast_vae
from vocabulary import FRAMES, HEIGHT, WIDTH

CROP_FRAMES, CROP = 9, 64
LATENT_NOISE = 0.15  # Added to the latents in training: the decoder must bear the transformer's small errors.


def crops(layout: clips.Layout, count: int) -> torch.Tensor:
    """[count, 3, CROP_FRAMES, CROP, CROP] cut out around an object of random clips."""
    device = layout.background.device

    def random_numbers(*shape):
        return torch.rand(*shape, device=device)

    part = layout.take(torch.randint(len(layout), (count,), device=device))
    first = torch.randint(FRAMES - CROP_FRAMES + 1, (count, 1), device=device)
    times = first + torch.arange(CROP_FRAMES, device=device)
    part.path = part.path.gather(2, times[:, None, :, None].expand(-1, 2, -1, 2))
    thing = torch.where((random_numbers(count) < 0.5) & (part.colour[:, 1] >= 0), 1, 0)
    middle = part.path[torch.arange(count, device=device), thing, CROP_FRAMES // 2]
    corner = middle - CROP / 2 + CROP * (random_numbers(count, 2) - 0.5)
    corner = torch.stack([corner[:, 0].clamp(0, WIDTH - CROP), corner[:, 1].clamp(0, HEIGHT - CROP)], -1).round()
    return clips.draw(part, 0, CROP_FRAMES, corner, (CROP, CROP))


def whole(layout: clips.Layout, count: int) -> torch.Tensor:
    return clips.draw(layout.take(torch.randint(len(layout), (count,), device=layout.background.device)))


def loss_of(vae, video: torch.Tensor) -> torch.Tensor:
    with torch.autocast(video.device.type, torch.bfloat16, enabled=video.is_cuda, cache_enabled=False):
        mean, log_variance = fast_vae.encode(vae, video).float().chunk(2, 1)
        output = fast_vae.decode(vae, mean + LATENT_NOISE * torch.randn_like(mean)).float()
    error = output - video
    loss = error.abs().mean() + error.square().mean()
    for axis in (2, 3, 4):
        loss = loss + 0.25 * error.diff(dim=axis).abs().mean()
    # Latents of moderate size, and a stated variance that is the one trained with.
    noise = 2 * math.log(LATENT_NOISE)
    return loss + 2e-4 * mean.square().mean() + 1e-3 * (log_variance - noise).square().mean()


@torch.no_grad()
def quality(vae, layout: clips.Layout, count: int) -> float:
    """PSNR in dB, through diffusers' own encode and decode in float32."""
    errors = []
    for start in range(0, count, 16):
        video = clips.draw(layout.take(torch.arange(start, min(start + 16, count), device=layout.background.device)))
        output = vae.decode(vae.encode(video).latent_dist.mean).sample
        errors.append((output - video).square().mean((1, 2, 3, 4)))
    return (10 * torch.log10(4 / torch.cat(errors))).mean().item()


@torch.no_grad()
def measure_latents(vae, layout: clips.Layout, count: int) -> tuple:
    means = []
    for start in range(0, count, 16):
        video = clips.draw(layout.take(torch.arange(start, min(start + 16, count), device=layout.background.device)))
        means.append(fast_vae.encode(vae, video).chunk(2, 1)[0].transpose(0, 1).flatten(1))
    values = torch.cat(means, 1)
    return values.mean(1).tolist(), values.std(1).tolist()


def compile_pieces() -> None:
    """Fuses norm and SiLU into one kernel per direction. Rows vary, channels are three sizes."""
    torch._dynamo.config.automatic_dynamic_shapes = False
    compiled = torch.compile(fast_vae.norm_silu, fullgraph=True)

    def call(rows, gamma):
        torch._dynamo.mark_dynamic(rows, 0)
        return compiled(rows, gamma)

    fast_vae.functions["norm_silu"] = call


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="the model's folder; its tokenizer/ is there")
    parser.add_argument("--seconds", type=float, default=270, help="of training; compiling and measuring come on top")
    parser.add_argument("--crop-share", type=float, default=0.5, help="part of the time spent on crops")
    parser.add_argument("--crop-batch", type=int, default=32)
    parser.add_argument("--whole-batch", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=32768)
    parser.add_argument("--test-clips", type=int, default=128)
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--log", type=pathlib.Path, default=pathlib.Path("vae_log.csv"))
    options = parser.parse_args()

    source = common.SceneSource(options.model / "tokenizer", seed=21)
    codes, _ = source.take_many(options.scenes + options.test_clips)
    source.close()
    device = common.pick_device()
    torch.manual_seed(2)
    layout = clips.place(codes[: options.scenes].to(device))
    test = clips.place(codes[options.scenes :].to(device))
    vae = configs.make_vae().to(device)
    if device.type == "cuda" and not options.no_compile:
        compile_pieces()

    make_batch = {
        "crops": lambda: crops(layout, options.crop_batch),
        "whole": lambda: whole(layout, options.whole_batch),
    }
    phase = "crops"
    trainer = common.Trainer(vae, lambda model: loss_of(model, make_batch[phase]()), options.rate, decay=0.998, weight_decay=0.0)
    log = common.Log(options.log, ["seconds", "phase", "iteration", "loss", "gradient", "psnr"])
    try:
        trainer.capture()
    except Exception as error:  # Compiling is a convenience: train without it rather than not at all.
        print(f"compiled pieces failed ({error}), training without", flush=True)
        fast_vae.functions["norm_silu"] = fast_vae.norm_silu
        torch.cuda.synchronize()
        trainer.capture()
    clock, iteration, shown = common.Clock(options.seconds), 0, 0.0
    while clock.progress() < 1:
        if phase == "crops" and clock.progress() >= options.crop_share:
            phase = "whole"
            trainer.capture()
        for _ in range(10):
            trainer.step(min(1.0, (iteration + 1) / 200) * common.cosine(clock.progress(), 1.0, 0.01))
            iteration += 1
        loss = trainer.loss.item()  # Waits for the GPU, so that the clock is right.
        if clock.elapsed() - shown >= options.seconds / 25:
            shown = clock.elapsed()
            log.row(shown, phase, iteration, loss, trainer.norm.item(), quality(trainer.average, test, min(16, len(test))))
    vae = trainer.average.float().eval()
    vae.to(torch.bfloat16).float()  # Measured as stored.
    mean, std = measure_latents(vae, layout, 1024 if device.type == "cuda" else 16)
    vae.register_to_config(latents_mean=mean, latents_std=std)
    log.row(clock.elapsed(), "stored", iteration, trainer.loss.item(), 0.0, quality(vae, test, options.test_clips))
    configs.save(vae, options.model / "vae")


if __name__ == "__main__":
    main()
