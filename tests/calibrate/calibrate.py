"""`fastvideo calibrate` beside diffusers on the same random weights: the changes and norms that it should have seen.

Run as: calibrate.py FASTVIDEO_BINARY PLUGIN_FOLDER. TeaCache's polynomials are compared with numpy.polyfit, MagCache's
ratios with those of the blocks' residuals; then a run uses the file, and impossible requests are refused.
"""

import argparse
import os
import pathlib
import subprocess
import sys
import tempfile
import tomllib

import diffusers
import numpy
import torch
import transformers
from diffusers import WanPipeline

import make_tiny_model

STEPS = 12
SIZES = dict(height=32, width=48, num_frames=5)
PROMPTS = ["a red circle moves right", "two birds fly over the sea", "snow falls on the mountain"]
MODEL_KEY = "wan-t2v-3x64"  # what the pipeline calls the tiny model below


class Watched:
    """What diffusers' transformer does over one video: the branches take turns."""

    def __init__(self, transformer):
        self.embed, self.proj, self.output, self.residual, self.handles = [], [], [], [], []
        first, last = transformer.blocks[0], transformer.blocks[-1]
        self.handles.append(transformer.condition_embedder.register_forward_hook(self.embedded))
        self.handles.append(first.register_forward_pre_hook(lambda _, inputs: setattr(self, "hidden", inputs[0])))
        self.handles.append(
            last.register_forward_hook(lambda _, inputs, out: self.residual.append((out - self.hidden).double())))
        self.handles.append(transformer.register_forward_hook(lambda _, inputs, out: self.output.append(out[0].double())))

    def embedded(self, module, inputs, outputs):
        self.embed.append(outputs[0].double())
        self.proj.append(outputs[1].double())

    def close(self):
        for handle in self.handles:
            handle.remove()


def watch(folder, guidance):
    pipeline = WanPipeline.from_pretrained(folder)
    pipeline.set_progress_bar_config(disable=True)
    runs = []
    for seed, prompt in enumerate(PROMPTS):
        watched = Watched(pipeline.transformer)
        pipeline(prompt=prompt, num_inference_steps=STEPS, guidance_scale=guidance, output_type="latent",
                 generator=torch.Generator("cpu").manual_seed(seed), **SIZES)
        watched.close()
        runs.append(watched)
    return runs


def changes(values, branches):
    """Relative L1 change from step to step of the conditional branch."""
    values = values[::branches]
    return [float((b - a).abs().mean() / a.abs().mean()) for a, b in zip(values, values[1:])]


def ratios(residuals, branches, norms):
    """[steps][branches] of one run; norms gives one number, or one for each token."""
    rows = [[1.0] * branches]
    for step in range(1, STEPS):
        now, before = residuals[step * branches:(step + 1) * branches], residuals[(step - 1) * branches:step * branches]
        rows.append([float((norms(n) / norms(b)).mean()) for n, b in zip(now, before)])
    return numpy.array(rows)


class Check:
    def __init__(self):
        self.failed = 0

    def __call__(self, passed, what):
        self.failed += not passed
        print(f"{'ok  ' if passed else 'FAIL'} {what}", flush=True)


def check_teacache(check, rows, runs):
    check([row["use_ret_steps"] for row in rows] == [True, False], "teacache: a row for each variant")
    for row, of in zip(rows, (lambda run: run.proj, lambda run: run.embed)):
        x = numpy.concatenate([changes(of(run), 2) for run in runs])
        y = numpy.concatenate([changes(run.output, 2) for run in runs])
        wanted = numpy.polyfit(x, y, 4)
        ours = numpy.polyval(row["coefficients"], x)
        # Coefficients of nearly parallel powers are no measure: values over the points are. The program takes its norms
        # in float32 (1e-6 of a change that is a difference of near neighbours), and a fit hands on what it is given.
        difference = numpy.abs(ours - numpy.polyval(wanted, x)).max() / y.max()
        check(row["model"] == MODEL_KEY and difference < 1e-4, f"teacache, {row['signal']}: polynomial {difference:.1e}")
        check(numpy.ptp(y) / y.max() > 0.05, f"teacache, {row['signal']}: the output's change varies at all")


def check_magcache(check, row, runs, branches):
    whole = numpy.mean([ratios(r.residual, branches, torch.linalg.norm) for r in runs], axis=0)
    token = numpy.mean([ratios(r.residual, branches, lambda x: torch.linalg.norm(x, dim=-1)) for r in runs], axis=0)
    ours = numpy.array(row["ratios"]).reshape(STEPS, branches)
    # Norms are taken in float32 and written with six digits.
    difference, published = numpy.abs(ours - whole).max(), numpy.abs(ours - token).max()
    check(row["branches"] == branches and difference < 1e-5, f"magcache, {branches} branches: ratios {difference:.1e}")
    check(published < 0.02, f"magcache: at most {published:.1e} from the mean over tokens, as its authors take it")


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("plugins")
    arguments = parser.parse_args()
    torch.set_num_threads(2)
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    check = Check()
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        folder = temporary / "model"
        make_tiny_model.make(folder, seed=3, num_layers=3)
        file = temporary / "prompts.txt"
        file.write_text("\n".join(PROMPTS[1:]) + "\n\n")

        def run(command, *words, steps=STEPS):
            sizes = [f"--{name.replace('_', '-')}={value}" for name, value in SIZES.items()]
            return subprocess.run([arguments.binary, *command.split(), "--plugin-dir", arguments.plugins, "--model-path",
                                   folder, "--no-progress", *sizes, f"--num-inference-steps={steps}", *map(str, words)],
                                  capture_output=True, text=True)

        def rows(name, *words):
            out = temporary / f"{name}.toml"
            done = run(f"calibrate {name}", "--prompt", PROMPTS[0], "--prompt-file", file, "--output", out, *words)
            check(done.returncode == 0, f"calibrate {name} {words}: {done.stdout or done.stderr}".strip())
            return tomllib.loads(out.read_text())["model"]

        def refused(what, because, *words, **more):
            done = run(*words, **more)
            check(done.returncode == 2 and because in done.stderr, f"refused: {what}: {done.stderr.strip()[-300:]}")

        guided = watch(folder, 5.0)
        check_teacache(check, rows("teacache"), guided)
        check_magcache(check, rows("magcache")[0], guided, 2)
        check_magcache(check, rows("magcache", "--guidance-scale", 1)[0], watch(folder, 1.0), 1)

        # The file at once, without touching the installation.
        for name, flags in (("teacache", ["--enable-teacache", "--teacache-threshold", 100,
                                          "--teacache-coefficients-file", temporary / "teacache.toml"]),
                            ("magcache", ["--cache-strategy", "magcache", "--magcache-threshold", 10, "--guidance-scale",
                                          1, "--magcache-ratios-file", temporary / "magcache.toml"])):
            done = run("generate", "--prompt", PROMPTS[0], "--output-path", temporary / name, *flags)
            check(done.returncode == 0 and " passes left out" in done.stdout and " 0 of" not in done.stdout,
                  f"{name} uses its file: {done.stderr.strip()[-300:]}")

        kept = temporary / "kept.toml"
        kept.write_text("# kept\n")
        prompt = ["--prompt", PROMPTS[0]]
        teacache = ["calibrate teacache", *prompt, "--output", kept]
        refused("too few steps", "calibrate with 6 steps or more", *teacache, steps=5)
        refused("an item without calibration", "those that do: SLIDING_TILE_ATTN, magcache, teacache", "calibrate easycache", *prompt,
                "--output", kept)
        refused("an unknown item", "did you mean 'teacache'", "calibrate teacach", *prompt, "--output", kept)
        refused("no prompt", "no prompt is given", "calibrate teacache", "--output", kept)
        refused("no output", "--output FILE.toml", "calibrate teacache", *prompt)
        refused("another format", "ends in .toml", "calibrate teacache", *prompt, "--output", temporary / "rows.json")
        refused("no such folder", "--output", "calibrate teacache", *prompt, "--output", temporary / "none" / "rows.toml")
        refused("an option that has no effect", "would have no effect", *teacache, "--teacache-threshold", 0.1)
        refused("a strategy beside it", "would have no effect", *teacache, "--cache-strategy", "magcache")
        empty = temporary / "empty.txt"
        empty.write_text("\n")
        refused("an empty file of prompts", "holds no prompt", "calibrate teacache", "--prompt-file", empty, "--output", kept)
        check(kept.read_text() == "# kept\n", "a refusal leaves the file that was there")
        leftovers = [name for name in os.listdir(temporary) if name.startswith(".")]
        check(not leftovers, f"nothing is left behind {leftovers}")
    sys.exit(f"{check.failed} failed" if check.failed else 0)


if __name__ == "__main__":
    main()
