"""The training code's short cuts compute what diffusers computes: whole clips through the autoencoder, padded text in closed form."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models" / "train"))

import torch

import configs
import fast_transformer
import fast_vae
from parity import Report


def stirred(model, amount):
    """Random weights everywhere, also where they start as zeros or ones, so that every site matters."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(amount * torch.randn_like(parameter))
    return model.eval().requires_grad_(False)


def main():
    torch.set_num_threads(2)
    torch.manual_seed(0)
    report = Report()
    vae = stirred(configs.make_vae(), 0.02)
    for frames in (1, 5, 17):
        video = torch.rand(2, 3, frames, 32, 48) * 2 - 1
        report.close(f"encode {frames} frames", fast_vae.encode(vae, video), vae._encode(video))
        latents = 0.3 * torch.randn(2, 16, 1 + (frames - 1) // 4, 4, 6)
        report.close(f"decode {frames} frames", fast_vae.decode(vae, latents).clamp(-1, 1), vae._decode(latents).sample)

    model = stirred(configs.make_transformer(), 0.05)
    latents, timestep, lengths = torch.randn(2, 16, 5, 4, 6), torch.tensor([999.0, 400.0]), torch.tensor([20, 7])
    text = torch.randn(2, fast_transformer.TEXT_ROWS, configs.TRANSFORMER["text_dim"])
    for row, length in zip(text, lengths):
        row[length:] = 0
    padded = torch.nn.functional.pad(text, (0, 0, 0, fast_transformer.PADDED_ROWS - fast_transformer.TEXT_ROWS))
    reference = model(latents, timestep, padded).sample
    ours = fast_transformer.forward(model, latents, timestep, text, fast_transformer.text_bias(lengths))
    report.close("transformer", ours, reference)
    without = fast_transformer.text_bias(lengths)
    without[:, -1] = float("-inf")
    report.sees("padding left out", fast_transformer.forward(model, latents, timestep, text, without), reference)
    report.finish()


if __name__ == "__main__":
    main()
