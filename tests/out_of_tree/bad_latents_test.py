"""Latents that turn to NaN end the run within the step, with the step, the site and the backend named."""

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


def main():
    shop = out_of_tree.Workshop(__doc__)
    plugin = shop.build_plugin(HERE / "probe")
    model = shop.tiny_model()

    said = failure(shop, model, plugin, "attention.backend=FAULTY_ATTN", "attention.FAULTY_ATTN.step=2",
                   "attention.FAULTY_ATTN.layer=1")
    for part in ("step 3 of 4", "NaN", "dit.self of layer 1", "FAULTY_ATTN/cpu"):
        assert part in said, f"'{part}' is missing:\n{said}"
    assert "denoise: 4/4" not in said  # it did not go on to the end

    weights = model / "transformer" / "diffusion_pytorch_model.safetensors"
    tensors = safetensors.torch.load_file(weights)
    tensors["blocks.0.ffn.net.2.weight"][0, 0] = float("nan")
    safetensors.torch.save_file(tensors, weights, metadata={"format": "pt"})
    said = failure(shop, model, plugin, "attention.backend=TORCH_SDPA")
    for part in ("step 1 of 4", "NaN", "dit.self of layer 1", "the weights or what runs before it"):
        assert part in said, f"'{part}' is missing:\n{said}"


if __name__ == "__main__":
    main()
