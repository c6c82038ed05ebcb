"""Model folders as people have them, beside diffusers: the same files are read, and the same video comes of them.

Run as: files_parity.py FASTVIDEO_BINARY. Each case changes one thing of a tiny model's folder: an added token, left-over
weights, another name of a tied table, variants, links. What diffusers cannot read either is refused with a way out.
"""

import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import diffusers
import safetensors.torch
import torch
import transformers
from diffusers import AutoencoderKLWan, WanPipeline, WanTransformer3DModel
from transformers import T5TokenizerFast, UMT5EncoderModel

import make_tiny_model
import pipeline_parity

SETTINGS = dict(prompt="a sks circle moves right", height=32, width=32, num_frames=5, num_inference_steps=2)
SEED = 2**63 + 5


def frames(binary, folder, out, *flags, settings=SETTINGS, seed=SEED):
    return pipeline_parity.our_frames(binary, folder, settings, seed, out, *flags)


def reference(folder, settings=SETTINGS, seed=SEED, **options):
    pipeline = WanPipeline.from_pretrained(folder, torch_dtype=torch.float32, **options)
    pipeline.set_progress_bar_config(disable=True)
    video = pipeline(**settings, generator=torch.Generator("cpu").manual_seed(seed), output_type="np").frames[0]
    return (video * 255).round().astype("uint8")


def halved(model):
    """Another model of the same shape."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.mul_(0.5)
    return model


def add_token(folder, keep):
    """The token `sks`, with a row of its own, kept in one of the files that keep tokens."""
    tokenizer = T5TokenizerFast.from_pretrained(folder / "tokenizer")
    tokenizer.add_tokens(["sks"])
    encoder = UMT5EncoderModel.from_pretrained(folder / "text_encoder")
    encoder.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.no_grad():
        encoder.shared.weight[len(tokenizer) - 1] = torch.linspace(-2, 2, encoder.config.d_model)
    encoder.save_pretrained(folder / "text_encoder")
    if keep == "tokenizer.json beside spiece.model":
        tokenizer.save_pretrained(folder / "tokenizer")
    elif keep == "added_tokens.json":
        (folder / "tokenizer" / "added_tokens.json").write_text(json.dumps({"sks": len(tokenizer) - 1}))
        (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)
    else:
        file = folder / "tokenizer" / "tokenizer_config.json"
        config = json.loads(file.read_text())
        config["added_tokens_decoder"] = {str(len(tokenizer) - 1): {"content": "sks"}}
        file.write_text(json.dumps(config))
        (folder / "tokenizer" / "tokenizer.json").unlink(missing_ok=True)


def old_shards(name):
    """Shards of another model under an index, beside the whole file."""
    kinds = {"text_encoder": UMT5EncoderModel, "transformer": WanTransformer3DModel, "vae": AutoencoderKLWan}

    def change(folder):
        part = folder / name
        halved(kinds[name].from_pretrained(part)).save_pretrained(folder / "sharded", max_shard_size="40KB")
        assert list((folder / "sharded").glob("*.index.json"))
        for file in (folder / "sharded").glob("*.safetensors*"):
            shutil.move(file, part)
        shutil.rmtree(folder / "sharded")
    return change


def save_model(folder):
    """As safetensors.torch.save_model writes it: of two names of one table, one."""
    model = UMT5EncoderModel.from_pretrained(folder / "text_encoder")
    safetensors.torch.save_model(model, folder / "text_encoder" / "model.safetensors", metadata={"format": "pt"})


def rename(name, change):
    def apply(folder):
        file = folder / name
        tensors = safetensors.torch.load_file(file)
        safetensors.torch.save_file({change(key): value for key, value in tensors.items()}, file, metadata={"format": "pt"})
    return apply


def two_tables(folder):
    file = folder / "text_encoder" / "model.safetensors"
    tensors = safetensors.torch.load_file(file)
    name = "shared.weight" if "shared.weight" in tensors else "encoder.embed_tokens.weight"
    table = tensors.pop(name)
    tensors |= {"shared.weight": table * 0.5, "encoder.embed_tokens.weight": table}
    safetensors.torch.save_file(tensors, file, metadata={"format": "pt"})


def as_variant(*parts):
    def change(folder):
        for part in parts:
            stem = "model" if part == "text_encoder" else "diffusion_pytorch_model"
            (folder / part / f"{stem}.safetensors").rename(folder / part / f"{stem}.fp16.safetensors")
    return change


def linked(folder):
    """As in the Hugging Face cache: every file is a link."""
    blobs = folder.parent / (folder.name + "_blobs")
    blobs.mkdir()
    for number, file in enumerate(sorted(folder.rglob("*"))):
        if file.is_file():
            shutil.move(file, blobs / str(number))
            file.symlink_to(blobs / str(number))


READ = {  # name: (change, flags of ours, options of diffusers)
    "plain": (lambda folder: None, [], {}),
    "sks in tokenizer.json beside spiece.model": (lambda f: add_token(f, "tokenizer.json beside spiece.model"), [], {}),
    "sks in added_tokens.json": (lambda f: add_token(f, "added_tokens.json"), [], {}),
    "sks in added_tokens_decoder": (lambda f: add_token(f, "added_tokens_decoder"), [], {}),
    "left-over shards of the text encoder": (old_shards("text_encoder"), [], {}),
    "left-over file of the transformer": (old_shards("transformer"), [], {}),
    "left-over file of the VAE": (old_shards("vae"), [], {}),
    "text encoder of save_model": (save_model, [], {}),
    "table under its second name": (
        rename("text_encoder/model.safetensors", lambda k: k.replace("shared.", "encoder.embed_tokens.")), [], {}),
    "table under its first name": (
        rename("text_encoder/model.safetensors", lambda k: k.replace("encoder.embed_tokens.", "shared.")), [], {}),
    "two tables that differ": (two_tables, [], {}),
    "variant of all": (as_variant("text_encoder", "transformer", "vae"), ["--variant", "fp16"], dict(variant="fp16")),
    "variant of the transformer": (as_variant("transformer"), ["--variant", "fp16"], dict(variant="fp16")),
    "links": (linked, [], {}),
}


def dangling(name):
    def change(folder):
        file = folder / name
        file.unlink(missing_ok=True)
        file.symlink_to("../../blobs/0a1b2c")
    return change


def keep_only(*names):
    def change(folder):
        for entry in folder.iterdir():
            if entry.name not in names:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
    return change


TRANSFORMER = "transformer/diffusion_pytorch_model.safetensors"
REFUSED = {  # name: (change, what is given of the folder, flags, parts of the message)
    "variant that is not asked for": (as_variant("transformer"), "", [], ["--variant fp16", "transformer"]),
    "variant that is not there": (lambda f: None, "", ["--variant", "bf16"], ["variant 'bf16': no component of ", "has weights of it; leave --variant out"]),
    "dangling weights": (dangling(TRANSFORMER), "", [], ["a link to ../../blobs/0a1b2c", "which is not there"]),
    "dangling configuration": (dangling("vae/config.json"), "", [], ["config.json"]),
    "dangling tokenizer": (dangling("tokenizer/tokenizer.json"), "", [], ["a link to ../../blobs/0a1b2c"]),
    "dangling index": (dangling("model_index.json"), "", [], ["a link to ../../blobs/0a1b2c"]),
    "a file": (lambda f: None, TRANSFORMER, [], ["is not a folder", "hf download"]),
    "the index": (lambda f: None, "model_index.json", [], ["is not a folder", "give "]),
    "a part": (lambda f: None, "transformer", [], ["a part of the model above it"]),
    "a folder of GGUF": (lambda f: (keep_only("vae")(f), (f / "wan-q4.gguf").write_bytes(b"GGUF")), "", [],
                         ["wan-q4.gguf", "quantised", "hf download"]),
    "GGUF in the place of the transformer": (
        lambda f: (f / TRANSFORMER).rename(f / "transformer" / "wan-q4.gguf"), "", [], ["wan-q4.gguf", "quantised"]),
    "an index alone": (keep_only("model_index.json"), "", [], ["these folders are not: scheduler", "hf download"]),
    "torch.compile": (rename(TRANSFORMER, lambda k: "_orig_mod." + k), "", [], ["'_orig_mod.'", "removeprefix"]),
    "DistributedDataParallel": (rename(TRANSFORMER, lambda k: "module." + k), "", [], ["'module.'", "removeprefix"]),
    "ComfyUI": (rename(TRANSFORMER, lambda k: "model.diffusion_model." + k), "", [], ["ComfyUI", "hf download"]),
}

PROMPTS = ["", " ", "\t\n", "\u3000", "\u00a0", "\u2003\u2028", "&nbsp;", "&#12288; &nbsp;", "\x01\x02", "\ufeff", "\x1b[0m", "&amp;nbsp;"]
SEEDS = {"-1": "leave the seed out", "18446744073709551616": "18446744073709551615", "1.5": "not understood", "": "not understood"}


def explained(binary, folder, *flags):
    return subprocess.run([binary, "explain", "--model-path", folder, "--prompt", "a", "--height", "32", "--width", "32",
                           "--num-frames", "5", "--device", "cpu", *flags], capture_output=True, text=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    binary = parser.parse_args().binary
    torch.set_num_threads(2)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    failed = []

    def report(name, passed, text):
        print(f"{'ok  ' if passed else 'FAIL'} {name}: {text}", flush=True)
        if not passed:
            failed.append(name)

    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        original = temporary / "model"
        make_tiny_model.make(original, seed=3)
        plain = reference(original)
        for number, (name, (change, flags, options)) in enumerate(READ.items()):
            folder = temporary / f"read{number}"
            shutil.copytree(original, folder)
            change(folder)
            theirs = reference(folder, **options)
            ours = frames(binary, folder, temporary / f"frames{number}", *flags)
            equal, largest = pipeline_parity.compare(ours, theirs)
            report(name, equal >= pipeline_parity.EQUAL_SHARE and largest <= 1,
                   f"{equal:.4%} equal, largest difference {largest}")
            if "sks" in name or name == "left-over file of the transformer":
                report(name, pipeline_parity.compare(theirs, plain)[0] < 0.99, "changes the reference's video")
            if name.startswith("left-over"):
                said = explained(binary, folder)
                part = name.split()[-1].lower().replace("encoder", "text_encoder")
                report(name, said.returncode == 0 and f"{part}: read from" in said.stderr and "left over" in said.stderr,
                       "explain names them")

        for number, (name, (change, inner, flags, parts)) in enumerate(REFUSED.items()):
            folder = temporary / f"refused{number}"
            shutil.copytree(original, folder)
            change(folder)
            output = temporary / f"refused{number}.y4m"
            done = subprocess.run([binary, "generate", "--model-path", folder / inner, "--prompt", "a", "--height", "32",
                                   "--width", "32", "--num-frames", "5", "--num-inference-steps", "1", "--device", "cpu",
                                   "--output-path", output, *flags], capture_output=True, text=True)
            missing = [part for part in parts if part not in done.stderr]
            report(name, done.returncode == 2 and not missing and not output.exists(),
                   f"exit code {done.returncode}, missing {missing}: {done.stderr.strip()[-300:]}")

        def generate(*flags):
            return subprocess.run([binary, "generate", "--model-path", original, "--height", "32", "--width", "32",
                                   "--num-frames", "5", "--num-inference-steps", "1", "--device", "cpu", "--output-path",
                                   temporary / "v.y4m", *flags], capture_output=True, text=True)

        for prompt in PROMPTS:
            (temporary / "c.toml").write_text(f"[request]\nprompt = {json.dumps(prompt)}\n")
            (temporary / "p.txt").write_text("a\n" + prompt.replace("\n", " ") + "\n")
            for how in (["--prompt", prompt], ["--config", temporary / "c.toml"]):
                done = generate(*how)
                report(f"prompt {prompt!a} by {how[0]}", done.returncode == 2 and "prompt is empty" in done.stderr,
                       done.stderr.strip()[-120:])
        for seed, part in SEEDS.items():
            done = generate("--prompt", "a", f"--seed={seed}")
            report(f"seed {seed!r}", done.returncode == 2 and part in done.stderr, done.stderr.strip()[-200:])
        videos = {}
        for seed in (5, 2**32 + 5, 2**63 + 5, 2**64 - 1, 2**32 - 1):
            (temporary / "c.toml").write_text("[request]\nseed = " + (f'"{seed}"' if seed >= 2**63 else str(seed)) + "\n")
            done = generate("--prompt", "a", "--config", temporary / "c.toml", "--perf-json", temporary / "p.json")
            record = json.loads((temporary / "p.json").read_text())
            written = {record["videos"][0]["seed"], record["settings"]["request.seed"]["value"]}
            report(f"seed {seed}", done.returncode == 0 and written == {seed} and str(seed) in done.stdout,
                   f"{written} {done.stderr[-100:]}")
            videos[seed] = (temporary / "v.y4m").read_bytes()
        same = [len({videos[s] for s in group}) for group in ((5, 2**32 + 5, 2**63 + 5), (2**64 - 1, 2**32 - 1))]
        report("seeds", same == [1, 1] and len(set(videos.values())) == 2, "count modulo 2^32")
    sys.exit(f"{len(failed)} failed: {failed}" if failed else 0)


if __name__ == "__main__":
    main()
