"""Writes a Wan2.1 text-to-video model of full size with random weights, as a folder in diffusers' format.

Run as: make_random_wan.py FOLDER --architecture 1.3b|14b --tokenizer TOKENIZER_FOLDER [options]
Random weights show time and memory, not quality. Needs PyTorch and safetensors alone; tensors are drawn on a GPU where
one is, and written shard by shard, so that no more than a shard is in memory. Same arguments and device, same files.
"""

import argparse
import json
import math
import pathlib
import shutil

import torch
from safetensors.torch import save_file

TRANSFORMERS = {
    "1.3b": dict(num_attention_heads=12, attention_head_dim=128, num_layers=30, ffn_dim=8960),
    "14b": dict(num_attention_heads=40, attention_head_dim=128, num_layers=40, ffn_dim=13824),
}
# The width is the transformer's text_dim. "xxl" is what the published folders hold: 5.7 billion parameters.
TEXT_ENCODERS = {
    "tiny": dict(num_layers=1, num_heads=4, d_kv=64, d_ff=512, vocab_size=512),
    "xxl": dict(num_layers=24, num_heads=64, d_kv=64, d_ff=10240, vocab_size=256384),
}
VAE_MULTIPLIERS = [1, 2, 4, 4]
TEXT_DIM, FREQUENCIES, LATENT_CHANNELS = 4096, 256, 16


# A model is a list of (tensor name, shape, standard deviation, mean): a linear map or convolution hands on the variance
# of its input (1 / inputs), what is added to a residual stream is smaller, norms are near 1.
def linear(name, out, inputs, gain=1.0, bias=True):
    yield f"{name}.weight", (out, inputs), gain / math.sqrt(inputs), 0
    if bias:
        yield f"{name}.bias", (out,), 0.02, 0


def convolution(name, out, channels, kernel, gain=1.0):
    yield f"{name}.weight", (out, channels, *kernel), gain / math.sqrt(channels * math.prod(kernel)), 0
    yield f"{name}.bias", (out,), 0.02, 0


def norm(name, *shape):
    yield name, shape, 0.1, 1


def transformer(config):
    dim = config["num_attention_heads"] * config["attention_head_dim"]
    residual = 1 / math.sqrt(config["num_layers"])
    yield "scale_shift_table", (1, 2, dim), dim**-0.5, 0
    yield from convolution("patch_embedding", dim, LATENT_CHANNELS, (1, 2, 2))
    yield from linear("condition_embedder.time_embedder.linear_1", dim, FREQUENCIES)
    yield from linear("condition_embedder.time_embedder.linear_2", dim, dim)
    yield from linear("condition_embedder.time_proj", 6 * dim, dim, gain=0.5)
    yield from linear("condition_embedder.text_embedder.linear_1", dim, TEXT_DIM)
    yield from linear("condition_embedder.text_embedder.linear_2", dim, dim)
    for i in range(config["num_layers"]):
        block = f"blocks.{i}"
        yield f"{block}.scale_shift_table", (1, 6, dim), dim**-0.5, 0
        for attention in (f"{block}.attn1", f"{block}.attn2"):
            for part in ("to_q", "to_k", "to_v"):
                yield from linear(f"{attention}.{part}", dim, dim)
            yield from linear(f"{attention}.to_out.0", dim, dim, residual)
            yield from norm(f"{attention}.norm_q.weight", dim)
            yield from norm(f"{attention}.norm_k.weight", dim)
        yield from norm(f"{block}.norm2.weight", dim)
        yield f"{block}.norm2.bias", (dim,), 0.02, 0
        yield from linear(f"{block}.ffn.net.0.proj", config["ffn_dim"], dim)
        yield from linear(f"{block}.ffn.net.2", dim, config["ffn_dim"], residual)
    yield from linear("proj_out", LATENT_CHANNELS * 4, dim)


def text_encoder(config):
    width, inner = TEXT_DIM, config["num_heads"] * config["d_kv"]
    yield "shared.weight", (config["vocab_size"], width), 1, 0
    for i in range(config["num_layers"]):
        block = f"encoder.block.{i}.layer"
        for part in "qkv":  # UMT5 does not scale its scores by 1 / sqrt(d_kv): the queries are small instead
            gain = config["d_kv"] ** -0.5 if part == "q" else 1
            yield from linear(f"{block}.0.SelfAttention.{part}", inner, width, gain, bias=False)
        yield from linear(f"{block}.0.SelfAttention.o", width, inner, 0.5, bias=False)
        yield f"{block}.0.SelfAttention.relative_attention_bias.weight", (32, config["num_heads"]), 1, 0
        yield from norm(f"{block}.0.layer_norm.weight", width)
        for part in ("wi_0", "wi_1"):
            yield from linear(f"{block}.1.DenseReluDense.{part}", config["d_ff"], width, bias=False)
        yield from linear(f"{block}.1.DenseReluDense.wo", width, config["d_ff"], 0.5, bias=False)
        yield from norm(f"{block}.1.layer_norm.weight", width)
    yield from norm("encoder.final_layer_norm.weight", width)


def residual_block(name, channels, out):
    yield from norm(f"{name}.norm1.gamma", channels, 1, 1, 1)
    yield from convolution(f"{name}.conv1", out, channels, (3, 3, 3))
    yield from norm(f"{name}.norm2.gamma", out, 1, 1, 1)
    yield from convolution(f"{name}.conv2", out, out, (3, 3, 3), 0.5)
    if channels != out:
        yield from convolution(f"{name}.conv_shortcut", out, channels, (1, 1, 1))


def vae_middle(name, channels):
    yield from norm(f"{name}.attentions.0.norm.gamma", channels, 1, 1)
    yield from convolution(f"{name}.attentions.0.to_qkv", 3 * channels, channels, (1, 1))
    yield from convolution(f"{name}.attentions.0.proj", channels, channels, (1, 1), 0.5)
    for i in range(2):
        yield from residual_block(f"{name}.resnets.{i}", channels, channels)


def vae_decoder(base):
    yield from convolution("post_quant_conv", LATENT_CHANNELS, LATENT_CHANNELS, (1, 1, 1))
    channels = base * VAE_MULTIPLIERS[-1]
    yield from convolution("decoder.conv_in", channels, LATENT_CHANNELS, (3, 3, 3))
    yield from vae_middle("decoder.mid_block", channels)
    for level, multiplier in enumerate(reversed(VAE_MULTIPLIERS)):
        block, out = f"decoder.up_blocks.{level}", base * multiplier
        for i in range(3):
            yield from residual_block(f"{block}.resnets.{i}", channels if i == 0 else out, out)
        channels = out
        if level < len(VAE_MULTIPLIERS) - 1:
            if level < 2:  # those that double the frames too
                yield from convolution(f"{block}.upsamplers.0.time_conv", 2 * out, out, (3, 1, 1))
            yield from convolution(f"{block}.upsamplers.0.resample.1", out // 2, out, (3, 3))
            channels = out // 2
    yield from norm("decoder.norm_out.gamma", channels, 1, 1, 1)
    yield from convolution("decoder.conv_out", 3, channels, (3, 3, 3), 0.3)


def vae_encoder(base):
    yield from convolution("encoder.conv_in", base, 3, (3, 3, 3))
    channels, index = base, 0
    for level, multiplier in enumerate(VAE_MULTIPLIERS):
        for _ in range(2):
            yield from residual_block(f"encoder.down_blocks.{index}", channels, base * multiplier)
            channels, index = base * multiplier, index + 1
        if level < len(VAE_MULTIPLIERS) - 1:
            yield from convolution(f"encoder.down_blocks.{index}.resample.1", channels, channels, (3, 3))
            if level > 0:
                yield from convolution(f"encoder.down_blocks.{index}.time_conv", channels, channels, (3, 1, 1))
            index += 1
    yield from vae_middle("encoder.mid_block", channels)
    yield from norm("encoder.norm_out.gamma", channels, 1, 1, 1)
    yield from convolution("encoder.conv_out", 2 * LATENT_CHANNELS, channels, (3, 3, 3))
    yield from convolution("quant_conv", 2 * LATENT_CHANNELS, 2 * LATENT_CHANNELS, (1, 1, 1))


class Writer:
    """Draws tensors and writes them into files of about `shard_bytes`, with the index that goes with several."""

    def __init__(self, folder, stem, dtype, generator, shard_bytes):
        self.folder, self.stem, self.dtype, self.generator = folder, stem, dtype, generator
        self.shard_bytes = shard_bytes
        self.shards, self.shard, self.bytes, self.total = [], {}, 0, 0
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, tensors):
        for name, shape, deviation, mean in tensors:
            # In float32 first: a normal number drawn in bfloat16 has few values.
            tensor = torch.randn(shape, generator=self.generator, device=self.generator.device)
            tensor = tensor.mul_(deviation).add_(mean).to(self.dtype).cpu()
            size = tensor.numel() * tensor.element_size()
            if self.shard and self.bytes + size > self.shard_bytes:
                self.flush()
            self.shard[name], self.bytes, self.total = tensor, self.bytes + size, self.total + size
        self.flush()
        self.name_shards()

    def flush(self):
        path = self.folder / f"part{len(self.shards)}.safetensors"
        save_file(self.shard, path, metadata={"format": "pt"})
        self.shards.append((path, list(self.shard)))
        self.shard, self.bytes = {}, 0

    def name_shards(self):
        count = len(self.shards)
        if count == 1:
            self.shards[0][0].rename(self.folder / f"{self.stem}.safetensors")
            return
        index = {"metadata": {"total_size": self.total}, "weight_map": {}}
        for i, (path, names) in enumerate(self.shards):
            file = f"{self.stem}-{i + 1:05}-of-{count:05}.safetensors"
            path.rename(self.folder / file)
            index["weight_map"].update({name: file for name in names})
        write_json(self.folder / f"{self.stem}.safetensors.index.json", index)


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, indent=2) + "\n")


def write_configs(folder, transformer_config, text_config, vae_base, dtype):
    write_json(folder / "model_index.json", {
        "_class_name": "WanPipeline", "_diffusers_version": "0.33.0",
        "scheduler": ["diffusers", "UniPCMultistepScheduler"], "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "T5TokenizerFast"], "transformer": ["diffusers", "WanTransformer3DModel"],
        "vae": ["diffusers", "AutoencoderKLWan"]})
    write_json(folder / "scheduler/scheduler_config.json", {
        "_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": True,
        "flow_shift": 3.0, "solver_order": 2, "solver_type": "bh2", "final_sigmas_type": "zero",
        "num_train_timesteps": 1000})
    write_json(folder / "transformer/config.json", {
        "_class_name": "WanTransformer3DModel", **transformer_config, "patch_size": [1, 2, 2],
        "in_channels": LATENT_CHANNELS, "out_channels": LATENT_CHANNELS, "text_dim": TEXT_DIM, "freq_dim": FREQUENCIES,
        "cross_attn_norm": True, "qk_norm": "rms_norm_across_heads", "eps": 1e-6, "rope_max_seq_len": 1024})
    write_json(folder / "text_encoder/config.json", {
        "architectures": ["UMT5EncoderModel"], "model_type": "umt5", "d_model": TEXT_DIM, **text_config,
        "feed_forward_proj": "gated-gelu", "dense_act_fn": "gelu_new", "is_gated_act": True, "layer_norm_epsilon": 1e-6,
        "relative_attention_num_buckets": 32, "relative_attention_max_distance": 128, "pad_token_id": 0,
        "eos_token_id": 1, "torch_dtype": str(dtype).removeprefix("torch.")})
    write_json(folder / "vae/config.json", {  # the latents' statistics are diffusers' defaults, those of Wan 2.1
        "_class_name": "AutoencoderKLWan", "base_dim": vae_base, "z_dim": LATENT_CHANNELS,
        "dim_mult": VAE_MULTIPLIERS, "num_res_blocks": 2, "attn_scales": [],
        "temperal_downsample": [False, True, True], "dropout": 0.0})


def make(folder, tokenizer, architecture="1.3b", text="tiny", text_changes=None, transformer_changes=None, vae_base=96,
         dtype=torch.bfloat16, seed=0, device="cpu", shard_bytes=5 * 10**9):
    folder = pathlib.Path(folder)
    transformer_config = {**TRANSFORMERS[architecture], **(transformer_changes or {})}
    text_config = {**TEXT_ENCODERS[text], **(text_changes or {})}
    generator = torch.Generator(device).manual_seed(seed)
    write_configs(folder, transformer_config, text_config, vae_base, dtype)
    shutil.copytree(tokenizer, folder / "tokenizer", dirs_exist_ok=True)
    Writer(folder / "text_encoder", "model", dtype, generator, shard_bytes).write(text_encoder(text_config))
    Writer(folder / "transformer", "diffusion_pytorch_model", dtype, generator, shard_bytes).write(
        transformer(transformer_config))
    # The published folders keep the VAE in float32.
    Writer(folder / "vae", "diffusion_pytorch_model", torch.float32, generator, shard_bytes).write(
        [*vae_encoder(vae_base), *vae_decoder(vae_base)])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--architecture", choices=TRANSFORMERS, default="1.3b")
    parser.add_argument("--tokenizer", type=pathlib.Path, required=True,
                        help="a tokenizer folder to copy, as models/shapes/tokenizer")
    parser.add_argument("--text-encoder", choices=TEXT_ENCODERS, default="tiny")
    parser.add_argument("--text-layers", type=int, help="layers of the text encoder, where they should be others")
    parser.add_argument("--layers", type=int, help="blocks of the transformer, where they should be others")
    parser.add_argument("--vae-base", type=int, default=96, help="base channels of the VAE; Wan has 96")
    parser.add_argument("--dtype", choices=["bfloat16", "float32"], default="bfloat16")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to draw numbers")
    parser.add_argument("--shard-gb", type=float, default=5.0)
    arguments = parser.parse_args()
    make(arguments.folder, arguments.tokenizer, arguments.architecture, arguments.text_encoder,
         {} if arguments.text_layers is None else dict(num_layers=arguments.text_layers),
         {} if arguments.layers is None else dict(num_layers=arguments.layers), arguments.vae_base,
         getattr(torch, arguments.dtype), arguments.seed, arguments.device, int(arguments.shard_gb * 1e9))


if __name__ == "__main__":
    main()
