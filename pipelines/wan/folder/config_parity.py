"""Model folders against diffusers and transformers: the defaults of absent keys, and whole folders that they write.

Run as: config_parity.py DRIVER
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import safetensors
import torch
from diffusers import AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanTransformer3DModel
from transformers import UMT5Config

import make_tiny_model


def run(driver, what, path):
    done = subprocess.run([driver, what, str(path)], text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def compare(what, ours, theirs):
    if what == "vae" and theirs["decoder_base_dim"] is None:
        theirs = {**theirs, "decoder_base_dim": theirs["base_dim"]}
    assert ours, what
    for key, value in ours.items():
        expected = theirs[key]
        expected = list(expected) if isinstance(expected, tuple) else expected
        assert value == expected, f"{what}: {key} is {value}, and {expected} in the reference"
    print(f"{what}: {len(ours)} keys equal")


def reference_config(kind, document):
    """A configuration file as diffusers or transformers reads it."""
    if kind == "text_encoder":
        return UMT5Config(**document).to_dict()
    name = document["_class_name"]
    loaded = {c.__name__: c for c in (AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler,
                                      WanTransformer3DModel)}[name]
    if kind == "scheduler":
        return dict(loaded.from_config(document).config)
    with torch.device("meta"):  # the defaults are those of a 14B model
        return dict(loaded.from_config(document).config)


def check_configs(driver, folder):
    unipc = {"_class_name": "UniPCMultistepScheduler", "prediction_type": "flow_prediction", "use_flow_sigmas": True}
    euler = {"_class_name": "FlowMatchEulerDiscreteScheduler"}
    documents = [
        ("text_encoder", {"model_type": "umt5"}),
        ("text_encoder", {"model_type": "umt5", "hidden_size": 48, "num_attention_heads": 3, "head_dim": 8,
                          "num_hidden_layers": 5}),
        ("text_encoder", {"model_type": "umt5", "d_model": 48, "num_heads": 3, "d_kv": 8, "num_layers": 5}),
        ("transformer", {"_class_name": "WanTransformer3DModel"}),
        ("transformer", {"_class_name": "WanTransformer3DModel", "patch_size": [2, 1, 3], "cross_attn_norm": False,
                         "num_layers": 1, "rope_max_seq_len": 77, "eps": 1e-5}),
        ("vae", {"_class_name": "AutoencoderKLWan"}),
        ("vae", {"_class_name": "AutoencoderKLWan", "base_dim": 4, "decoder_base_dim": 12, "dim_mult": [1, 2, 3],
                 "temperal_downsample": [True, False], "scale_factor_temporal": 2, "scale_factor_spatial": 4,
                 "num_res_blocks": 1}),
        ("scheduler", unipc), ("scheduler", euler),
        ("scheduler", {**unipc, "solver_type": "bh1", "solver_order": 3, "disable_corrector": [0, 2],
                       "lower_order_final": False, "final_sigmas_type": "sigma_min", "flow_shift": 7.5}),
        ("scheduler", {**unipc, "solver_type": "heun"}),
        ("scheduler", {**euler, "shift": 8.0, "shift_terminal": 0.02, "num_train_timesteps": 500}),
    ]
    file = folder / "config.json"
    for kind, document in documents:
        file.write_text(json.dumps(document))
        compare(kind, run(driver, kind, file), reference_config(kind, document))
    file.write_text('{"model_type": "umt5", "d_ff": 7, "num_layers": 3, "d_ff": 9}')
    compare("text_encoder", run(driver, "text_encoder", file), reference_config("text_encoder", json.loads(file.read_text())))


def check_folder(driver, folder, **options):
    make_tiny_model.make(folder, **options)
    ours = run(driver, "folder", folder)
    names = {"text_encoder": "config.json", "transformer": "config.json", "vae": "config.json",
             "scheduler": "scheduler_config.json"}
    for component, name in names.items():
        document = json.loads((folder / component / name).read_text())
        compare(component, ours[component], reference_config(component, document))
    for component, weights in ours["weights"].items():
        files = sorted((folder / component).glob("*.safetensors"))
        elements = bytes_stored = 0
        for file in files:
            with safetensors.safe_open(file, "pt") as opened:
                for name in opened.keys():
                    tensor = opened.get_tensor(name)
                    decodes_alone = component == "vae"  # the encoder's weights stay in the file
                    elements += 0 if decodes_alone and name.startswith(("encoder.", "quant_conv.")) else tensor.numel()
                    bytes_stored += tensor.numel() * tensor.element_size()
        dtype = {torch.float32: "F32", torch.bfloat16: "BF16"}[options.get("dtype", torch.float32)]
        assert weights == {"files": len(files), "elements": elements, "bytes": bytes_stored, "dtype": dtype}, weights
        print(f"{component}: {len(files)} files, {elements} elements")
    return ours


def main():
    driver = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        check_configs(driver, folder)
        check_folder(driver, folder / "plain")
        sharded = check_folder(driver, folder / "sharded", dtype=torch.bfloat16, max_shard_size="100KB")
        assert sharded["weights"]["transformer"]["files"] > 1


if __name__ == "__main__":
    main()
