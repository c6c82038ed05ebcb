"""Latents that turn to NaN end the run within the step, with the step, the site and the backend named; frames that do,
with the latent frame and who is at fault."""

import pathlib
import subprocess

import safetensors.torch

import out_of_tree

REQUEST = dict(prompt="a green square moves up", height=32, width=48, num_frames=5, num_inference_steps=4, seed=3)
HERE = pathlib.Path(__file__).parent
BEFORE = b"what was here before"


def failure(shop, model, plugin, *options):
    """What the program says when it fails; what was at the output must still be there."""
    output = shop.folder / "video.y4m"
    output.write_bytes(BEFORE)
    flags = [str(part) for name, value in REQUEST.items() for part in (f"--{name.replace('_', '-')}", value)]
    sets = [part for option in options for part in ("--set", option)]
    done = subprocess.run([shop.program, "generate", "--model-path", model, "--output-path", output, *flags, *sets],
                          env=out_of_tree.clean_environment(FASTVIDEO_PLUGIN_PATH=str(plugin.parent)),
                          capture_output=True, text=True)
    assert done.returncode == 1, f"exit code {done.returncode}\n{done.stdout}{done.stderr}"
    assert output.read_bytes() == BEFORE
    print(done.stderr.strip().splitlines()[-1])
    return done.stderr


def bad_frames(shop, model, plugin):
    """A VAE that spoils all frames, later frames, or what its attention gets, and an attention backend that does."""
    weights = model / "vae" / "diffusion_pytorch_model.safetensors"
    good = weights.read_bytes()
    attention = "decoder.mid_block.attentions.0"
    for name, value, parts in (
            ("decoder.conv_out.bias", float("nan"), ("latent frame 1 of 2 hold NaN", "the weights of the VAE")),
            ("decoder.conv_out.bias", float("inf"), ("latent frame 1 of 2 hold infinity", "the weights of the VAE")),
            ("decoder.up_blocks.0.upsamplers.0.time_conv.bias", float("nan"), ("latent frame 2 of 2 hold NaN",)),
            ("decoder.conv_in.bias", float("nan"), ("latent frame 1 of 2", "vae.mid of layer 0 gets hold NaN")),
            (f"{attention}.to_qkv.bias", float("nan"), ("latent frame 1 of 2", "vae.mid of layer 0 gets hold NaN"))):
        tensors = safetensors.torch.load_file(weights)
        tensors[name][...] = value
        safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})
        said = failure(shop, model, plugin, "attention.backend=TORCH_SDPA")
        for part in parts:
            assert part in said, f"{name}: '{part}' is missing:\n{said}"
        weights.write_bytes(good)
    tensors = safetensors.torch.load_file(weights)
    for name in tensors:
        if name.startswith("decoder.conv_out"):
            tensors[name].zero_()
    safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})
    assert "one value everywhere" in failure(shop, model, plugin, "attention.backend=TORCH_SDPA")
    weights.write_bytes(good)
    said = failure(shop, model, plugin, "attention.default=TORCH_SDPA", "attention.roles.vae.mid=FAULTY_ATTN",
                   "attention.FAULTY_ATTN.step=-1", "attention.FAULTY_ATTN.layer=0", "attention.self_test=false")
    for part in ("latent frame 1 of 2 hold NaN", "vae.mid of layer 0, served by FAULTY_ATTN/cpu"):
        assert part in said, f"'{part}' is missing:\n{said}"


def main():
    shop = out_of_tree.Workshop(__doc__)
    plugin = shop.build_plugin(HERE / "probe")
    model = shop.tiny_model()

    said = failure(shop, model, plugin, "attention.backend=FAULTY_ATTN", "attention.FAULTY_ATTN.step=2",
                   "attention.FAULTY_ATTN.layer=1")
    for part in ("step 3 of 4", "NaN", "dit.self of layer 1", "FAULTY_ATTN/cpu"):
        assert part in said, f"'{part}' is missing:\n{said}"
    assert "denoise: 4/4" not in said  # it did not go on to the end

    bad_frames(shop, model, plugin)

    weights = model / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = safetensors.torch.load_file(weights)
    tensors["blocks.0.ffn.net.2.weight"][0, 0] = float("nan")
    safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})
    said = failure(shop, model, plugin, "attention.backend=TORCH_SDPA")
    for part in ("step 1 of 4", "NaN", "dit.self of layer 1", "the weights or what runs before it"):
        assert part in said, f"'{part}' is missing:\n{said}"


if __name__ == "__main__":
    main()
