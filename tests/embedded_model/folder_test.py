"""models/shapes is a whole model folder: sizes, types, tokenizer, and diffusers loads it and starts to generate."""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "models" / "train"))
MODEL = ROOT / "models" / "shapes"

import sentencepiece
import torch
from diffusers import WanPipeline
from safetensors import safe_open
from transformers import T5TokenizerFast

import vocabulary
from parity import Report

MEBIBYTE = 1 << 20


def main():
    torch.set_num_threads(2)
    report = Report()
    sizes = {path: path.stat().st_size for path in MODEL.rglob("*") if path.is_file()}
    total, largest = sum(sizes.values()) / MEBIBYTE, max(sizes.values()) / MEBIBYTE
    report.check("size", total <= 24 and largest <= 16, f"{total:.1f} MiB, the largest file {largest:.1f} MiB")
    types = set()
    for path in MODEL.rglob("*.safetensors"):
        with safe_open(path, "pt") as file:
            types |= {file.get_tensor(name).dtype for name in file.keys()}
            finite = all(file.get_tensor(name).isfinite().all() for name in file.keys())
            report.check(f"{path.parent.name} is finite", finite, f"{len(list(file.keys()))} tensors")
    report.check("stored type", types == {torch.bfloat16}, str(types))

    ours = sentencepiece.SentencePieceProcessor(model_file=str(MODEL / "tokenizer" / "spiece.model"))
    theirs = T5TokenizerFast.from_pretrained(MODEL / "tokenizer")
    prompts = (pathlib.Path(__file__).parent / "held_out_prompts.txt").read_text().splitlines()
    prompts += ["", "A Red CIRCLE moves right, on a blue background!", "zebra \u00df \u65e5"]
    different = [p for p in prompts if theirs(p).input_ids != ours.encode(p) + [1]]
    report.check("tokenizer", not different, f"{len(prompts)} prompts give sentencepiece's tokens and the end mark")
    longest = max(len(theirs(p).input_ids) for p in prompts)
    letters = [p for p in prompts[:200] if len(ours.encode(p)) != len(p.split())]
    report.check("whole words", not letters, f"a token for each word of the grammar, at most {longest}")

    pipeline = WanPipeline.from_pretrained(MODEL, torch_dtype=torch.float32)
    pipeline.set_progress_bar_config(disable=True)
    frames = pipeline(vocabulary.DEMO_PROMPT, negative_prompt="", height=32, width=32, num_frames=5, num_inference_steps=2,
                      guidance_scale=3.0, generator=torch.Generator().manual_seed(0), output_type="np").frames
    report.check("diffusers", frames.shape == (1, 5, 32, 32, 3), f"WanPipeline loads the folder and gives {frames.shape}")
    report.finish()


if __name__ == "__main__":
    main()
