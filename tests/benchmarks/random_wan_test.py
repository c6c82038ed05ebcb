"""Checks make_random_wan.py: its tensors are those of diffusers' and transformers' models at full size, and a folder of
it, cut down in layers and written in shards, loads there and runs here to a video that is no constant.

Run as: random_wan_test.py FASTVIDEO_BINARY
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import torch
from diffusers import AutoencoderKLWan, WanPipeline, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

import make_random_wan as maker

TOKENIZER = pathlib.Path(__file__).resolve().parents[2] / "models/shapes/tokenizer"


def shapes(tensors):
    return {name: tuple(shape) for name, shape, _, _ in tensors}


def expected(model, aliases=()):
    return {name: tuple(value.shape) for name, value in model.state_dict().items() if name not in aliases}


def check_names():
    with torch.device("meta"):
        for architecture, config in maker.TRANSFORMERS.items():
            assert shapes(maker.transformer(config)) == expected(WanTransformer3DModel(**config)), architecture
        for name, config in maker.TEXT_ENCODERS.items():
            model = UMT5EncoderModel(UMT5Config(d_model=maker.TEXT_DIM, **config))
            assert shapes(maker.text_encoder(config)) == expected(model, ["encoder.embed_tokens.weight"]), name
        assert shapes([*maker.vae_encoder(96), *maker.vae_decoder(96)]) == expected(AutoencoderKLWan())


def check_run(fastvideo):
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary) / "model"
        maker.make(folder, TOKENIZER, transformer_changes=dict(num_layers=1), vae_base=8, shard_bytes=40_000_000)
        index = json.loads((folder / "transformer/diffusion_pytorch_model.safetensors.index.json").read_text())
        assert len(set(index["weight_map"].values())) > 1
        pipeline = WanPipeline.from_pretrained(folder, torch_dtype=torch.float32)
        assert pipeline.transformer.config.num_layers == 1
        video = pathlib.Path(temporary) / "video.y4m"
        subprocess.run([fastvideo, "generate", "--model-path", folder, "--prompt", "a red circle", "--seed", "1",
                        "--device", "cpu", "--height", "64", "--width", "64", "--num-frames", "5",
                        "--num-inference-steps", "2", "--preset", "none", "--output-path", video],
                       check=True, stdout=subprocess.DEVNULL)
        pixels = torch.frombuffer(bytearray(video.read_bytes()), dtype=torch.uint8).float()
        assert pixels.std() > 5, pixels.std()
        assert ((pixels == 0) | (pixels == 255)).float().mean() < 0.5, "most of the video is saturated"


def main():
    check_names()
    check_run(sys.argv[1])


if __name__ == "__main__":
    main()
