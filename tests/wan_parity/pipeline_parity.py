"""Whole pipelines beside diffusers: the same folder, prompt, seed and settings give the same frames.

Run as: pipeline_parity.py FASTVIDEO_BINARY. The frames come as PNG files, whose 8-bit values diffusers' own conversion
is compared with.
"""

import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
import diffusers
import transformers
from diffusers import FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanPipeline
from PIL import Image

import make_tiny_model

# Equal on this share of the 8-bit values, and one level apart at most on the rest: float32 sums in another order move
# a value by a few 1e-6, and about that share of them lies so close to a rounding boundary.
EQUAL_SHARE = 0.999
# bfloat16 keeps 8 bits: both implementations are far from float32, ours may not be further than this times diffusers.
BFLOAT16_FACTOR = 1.2

LONG_PROMPT = "a red circle moves over the blue sea while " * 12 + "the sun sets"
CASES = {
    # name: (settings of the request, seed of the weights, scheduler or None for the folder's own)
    "plain": (dict(prompt="a red circle moves right", height=32, width=48, num_frames=9, num_inference_steps=4), 0, None),
    "one frame, odd grid": (dict(prompt="a cat", height=48, width=80, num_frames=1, num_inference_steps=3), 1, None),
    "negative prompt": (
        dict(prompt="two birds", negative_prompt="blurry, grey", height=32, width=32, num_frames=5,
             num_inference_steps=5, guidance_scale=7.5), 2, None),
    "no guidance": (
        dict(prompt="a ship", height=32, width=32, num_frames=5, num_inference_steps=6, guidance_scale=1.0), 3, None),
    "prompt beyond the limit": (
        dict(prompt=LONG_PROMPT, height=32, width=32, num_frames=5, num_inference_steps=2, max_sequence_length=24), 4,
        None),
    "prompt that needs cleaning": (
        dict(prompt="“A ﬁsh” &amp;amp; ｆｕｌｌ   width\n", height=32, width=32, num_frames=5, num_inference_steps=2), 5,
        None),
    "euler": (dict(prompt="a hill", height=32, width=48, num_frames=5, num_inference_steps=4), 6,
              FlowMatchEulerDiscreteScheduler(shift=5.0)),
    "flow shift": (dict(prompt="a hill", height=32, width=48, num_frames=5, num_inference_steps=4, flow_shift=7.0), 7,
                   None),
}


def reference_frames(folder, settings, seed, dtype=torch.float32):
    """uint8 [F, H, W, 3] of diffusers."""
    pipeline = WanPipeline.from_pretrained(folder, torch_dtype=dtype)
    pipeline.set_progress_bar_config(disable=True)
    settings = dict(settings)
    if "flow_shift" in settings:
        pipeline.scheduler = UniPCMultistepScheduler.from_config(
            pipeline.scheduler.config, flow_shift=settings.pop("flow_shift"))
    video = pipeline(**settings, generator=torch.Generator("cpu").manual_seed(seed), output_type="np").frames[0]
    return (video * 255).round().astype("uint8")


def our_frames(binary, folder, settings, seed, out, *flags):
    command = [binary, "generate", "--model-path", folder, "--seed", str(seed), "--output-path", str(out) + "/",
               "--no-progress", *flags]
    for name, value in settings.items():
        command += ["--" + name.replace("_", "-"), str(value)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}\nexit code {done.returncode}\n{done.stderr}")
    return numpy.stack([numpy.asarray(Image.open(f).convert("RGB")) for f in sorted(pathlib.Path(out).glob("*.png"))])


def compare(ours, theirs):
    """Share of equal values, and the largest difference."""
    if ours.shape != theirs.shape:
        sys.exit(f"shapes differ: ours {ours.shape}, diffusers {theirs.shape}")
    difference = numpy.abs(ours.astype(int) - theirs.astype(int))
    return float((difference == 0).mean()), int(difference.max())


def error(frames, truth):
    """Relative L2 error of the deviations from mid grey."""
    truth = truth.astype(float) - 127.5
    return float(numpy.linalg.norm(frames.astype(float) - 127.5 - truth) / numpy.linalg.norm(truth))


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
        for number, (name, (settings, weights, scheduler)) in enumerate(CASES.items()):
            folder = temporary / f"model{number}"
            make_tiny_model.make(folder, seed=weights, scheduler=scheduler)
            theirs = reference_frames(folder, settings, seed=number)
            ours = our_frames(binary, folder, settings, number, temporary / f"frames{number}")
            equal, largest = compare(ours, theirs)
            report(name, equal >= EQUAL_SHARE and largest <= 1,
                   f"{equal:.5%} equal (bar {EQUAL_SHARE:.1%}), largest difference {largest}")
            if theirs.std() < 5:
                report(name, False, "the reference's frames are all but constant: the comparison says nothing")

        folder, (settings, _, _) = temporary / "model0", CASES["plain"]
        truth = reference_frames(folder, settings, seed=0)
        theirs = error(reference_frames(folder, settings, 0, torch.bfloat16), truth)
        ours = error(our_frames(binary, folder, settings, 0, temporary / "bf16", "--dtype", "bfloat16"), truth)
        report("bfloat16", ours <= BFLOAT16_FACTOR * theirs, f"error {ours:.4f}, diffusers' bfloat16 {theirs:.4f}")

        # The bar must see a wrong pipeline: the same comparison with a setting that is slightly off.
        wrong = [("guidance 10 % off", dict(guidance_scale=5.5)), ("another shift", dict(flow_shift=3.3)),
                 ("a word more", dict(prompt=settings["prompt"] + " now"))]
        for name, change in wrong:
            theirs = reference_frames(folder, {**settings, **change}, seed=0)
            equal, _ = compare(truth, theirs)
            report(f"mutation: {name}", 1 - equal >= 10 * (1 - EQUAL_SHARE), f"{1 - equal:.3%} of the values differ")
    sys.exit(f"{len(failed)} failed" if failed else 0)


if __name__ == "__main__":
    main()
