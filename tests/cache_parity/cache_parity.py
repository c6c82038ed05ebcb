"""Each caching strategy beside a statement of its algorithm in Python that drives diffusers' transformer.

Run as: cache_parity.py DRIVER PLUGIN_FOLDER. On the same random weights the same steps of the same branches are left out,
and the latents agree within 1e-4 in float32: over thresholds, numbers of steps, both variants of TeaCache, with guidance
and without. (Batches of several rows, which Wan's pipeline does not make: tests/mmdit_cache.)
"""

import argparse
import json
import math
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import diffusers
import numpy
import torch
import transformers
from diffusers import WanPipeline

import make_tiny_model
from parity import relative_l2

# Relative L2. float32 sums in another order move a step's latents by some 1e-7, and a score of steps adds that up.
LATENTS_BAR = 1e-4
REQUEST = dict(prompt="a red circle moves right", height=32, width=48, num_frames=5)
MODEL_KEY = "wan-t2v-3x64"  # what the pipeline calls the tiny model below


def mean_abs(x):
    return float(x.double().abs().mean())


class Left:
    """Counts the passes that a strategy leaves out; `passes` in all so far."""

    def __init__(self, branches):
        self.branches, self.passes, self.skipped = branches, 0, []

    def here(self):
        return divmod(self.passes, self.branches)  # step, branch

    def advance(self, skipped):
        if skipped:
            self.skipped.append(self.here())
        self.passes += 1


class BlocksUnder(torch.nn.Module):
    """Stands in for all blocks of the transformer; `policy` says what becomes of them."""

    def __init__(self, blocks, policy):
        super().__init__()
        self.real, self.policy = blocks, policy

    def run(self, first, last, hidden, rest):
        for block in self.real[first:last]:
            hidden = block(hidden, *rest)
        return hidden

    def forward(self, hidden, *rest):
        return self.policy(self, hidden, rest)


class TeaCache:
    """Liu et al. 2024: the residual of all blocks while the rescaled change of the time embedding adds up to little."""

    def __init__(self, left, steps, threshold, polynomial, ret):
        self.left, self.threshold, self.polynomial = left, threshold, numpy.poly1d(polynomial)
        self.first, self.last = (5, steps) if ret else (1, steps - 1)
        self.sum, self.before, self.residual, self.signal = {}, {}, {}, None
        self.ret = ret

    def embedded(self, module, inputs, outputs):
        self.signal = outputs[1] if self.ret else outputs[0]

    def __call__(self, blocks, hidden, rest):
        step, branch = self.left.here()
        skip = False
        if self.first <= step < self.last:
            before = self.before[branch]
            self.sum[branch] += self.polynomial(mean_abs(self.signal - before) / mean_abs(before))
            skip = self.sum[branch] < self.threshold
        self.before[branch] = self.signal
        self.left.advance(skip)
        if skip:
            return hidden + self.residual[branch]
        self.sum[branch] = 0.0
        out = blocks.run(0, None, hidden, rest)
        self.residual[branch] = out - hidden
        return out


class MagCache:
    """Ma et al. 2025: the residual of all blocks while the product of the known ratios stays near 1."""

    def __init__(self, left, steps, threshold, most, ratios):
        self.left, self.threshold, self.most, self.ratios = left, threshold, most, ratios
        self.retained = int(0.2 * steps + 0.5)
        self.state, self.residual = {}, {}

    def __call__(self, blocks, hidden, rest):
        step, branch = self.left.here()
        ratio, error, count = self.state.get(branch, (1.0, 0.0, 0))
        skip = False
        if step >= self.retained:
            ratio *= self.ratios[step * self.left.branches + branch]
            error += abs(1 - ratio)
            count += 1
            skip = error < self.threshold and count <= self.most
            if not skip:
                ratio, error, count = 1.0, 0.0, 0
        self.state[branch] = (ratio, error, count)
        self.left.advance(skip)
        if skip:
            return hidden + self.residual[branch]
        out = blocks.run(0, None, hidden, rest)
        self.residual[branch] = out - hidden
        return out


class FirstBlock:
    """ParaAttention's first-block cache: the residual of the later blocks while that of the first has hardly changed."""

    def __init__(self, left, threshold):
        self.left, self.threshold, self.first, self.tail = left, threshold, {}, {}

    def __call__(self, blocks, hidden, rest):
        _, branch = self.left.here()
        after = blocks.run(0, 1, hidden, rest)
        first = after - hidden
        last = self.first.get(branch)
        skip = last is not None and mean_abs(first - last) / mean_abs(last) <= self.threshold
        self.left.advance(skip)
        if skip:
            return after + self.tail[branch]
        out = blocks.run(1, None, after, rest)
        self.first[branch], self.tail[branch] = first, out - after
        return out


class TaylorSeer:
    """Liu et al. 2025: divided differences of the residual, kept as diffusers keeps its Taylor factors."""

    def __init__(self, left, steps, interval, order, kept):
        self.left, self.steps, self.interval, self.order, self.kept = left, steps, interval, order, kept
        self.factors, self.updated = {}, {}

    def __call__(self, blocks, hidden, rest):
        step, branch = self.left.here()
        since = step - (self.kept - 1)
        compute = since <= 0 or since % self.interval == 0 or step == self.steps - 1
        self.left.advance(not compute)
        if not compute:
            ahead = step - self.updated[branch]
            return hidden + sum(f * ahead**i / math.factorial(i) for i, f in enumerate(self.factors[branch]))
        out = blocks.run(0, None, hidden, rest)
        factors = [out - hidden]
        for previous in self.factors.get(branch, [])[: self.order]:
            factors.append((factors[-1] - previous) / (step - self.updated[branch]))
        self.factors[branch], self.updated[branch] = factors, step
        return out


class EasyCache:
    """Zhou et al. 2025, around the whole transformer: output minus input of the last computed step."""

    def __init__(self, left, steps, threshold, kept):
        self.left, self.steps, self.threshold, self.kept = left, steps, threshold, kept
        self.error, self.rate, self.skip = 0.0, math.nan, False
        self.input_before, self.computed, self.residual = None, None, {}

    def __call__(self, forward, hidden_states, **arguments):
        step, branch = self.left.here()
        if branch == 0:
            self.skip = False
            if self.kept <= step < self.steps - 1:
                self.error += self.rate * mean_abs(hidden_states - self.input_before) / mean_abs(self.computed[1])
                self.skip = self.error < self.threshold
            self.input_before = hidden_states
        self.left.advance(self.skip)
        if self.skip:
            return (hidden_states + self.residual[branch],)
        out = forward(hidden_states=hidden_states, **arguments)[0]
        if branch == 0:
            self.error = 0.0
            if self.computed is not None:
                self.rate = mean_abs(out - self.computed[1]) / mean_abs(hidden_states - self.computed[0])
            self.computed = (hidden_states, out)
        self.residual[branch] = out - hidden_states
        return (out,)


class GuidanceGate:
    """Castillo et al. 2023: late, the difference of the branches stays."""

    def __init__(self, left, steps, share):
        self.left, self.first = left, max(1, math.ceil(share * steps))
        self.conditional = self.difference = None

    def __call__(self, forward, **arguments):
        step, branch = self.left.here()
        skip = branch == 1 and step >= self.first
        self.left.advance(skip)
        if skip:
            return (self.conditional + self.difference,)
        out = forward(**arguments)[0]
        if branch == 0:
            self.conditional = out
        else:
            self.difference = out - self.conditional
        return (out,)


class Reference:
    """diffusers' pipeline, in which one policy after the other takes hold of the transformer."""

    def __init__(self, folder):
        self.pipeline = WanPipeline.from_pretrained(folder)
        self.pipeline.set_progress_bar_config(disable=True)
        self.blocks = self.pipeline.transformer.blocks

    def run(self, settings, policy_of):
        """Latents under a policy, and what it left out."""
        left = Left(2 if settings.get("guidance_scale", 5.0) > 1 else 1)
        policy = policy_of(left, settings["num_inference_steps"])
        transformer, hook = self.pipeline.transformer, None
        if isinstance(policy, (EasyCache, GuidanceGate)):
            forward = transformer.forward
            transformer.forward = lambda **arguments: policy(forward, **arguments)
        else:
            transformer.blocks = torch.nn.ModuleList([BlocksUnder(self.blocks, policy)])
            if isinstance(policy, TeaCache):
                hook = transformer.condition_embedder.register_forward_hook(policy.embedded)
        try:
            latents = self.pipeline(**settings, generator=torch.Generator("cpu").manual_seed(1),
                                    output_type="latent").frames
        finally:
            transformer.__dict__.pop("forward", None)
            transformer.blocks = self.blocks
            if hook is not None:
                hook.remove()
        return latents, left


class Ours:
    """The driver, one process for all runs."""

    def __init__(self, driver, plugin_folders, folder, out):
        install = os.path.join(plugin_folders[-1], os.pardir, "install.toml")
        self.driver = subprocess.Popen([driver, install, *map(str, plugin_folders)], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)
        self.folder, self.out = folder, out

    def run(self, settings, cache):
        """Latents, and the steps that were left out, for each branch."""
        given = {"request.model_path": self.folder, "request.seed": 1, "run.device": "cpu", "run.threads": 1,
                 "attention.self_test": False,
                 **{f"request.{name}": value for name, value in settings.items()},
                 **{f"cache.{name}": value for name, value in cache.items()}}
        job = {"settings": {name: str(value).lower() if value in (True, False) else str(value)
                            for name, value in given.items()}, "output": str(self.out)}
        self.driver.stdin.write(json.dumps(job) + "\n")
        self.driver.stdin.flush()
        answer = self.driver.stdout.readline()
        if not answer:
            sys.exit(f"the driver ended with {self.driver.wait()} at {job}")
        answer = json.loads(answer)
        latents = torch.from_numpy(numpy.fromfile(self.out, "float32")).reshape(answer["shape"])
        return latents, answer["left_out"]


def by_branch(left):
    """What a policy left out, as ours tells it: steps for each branch."""
    return [[step for step, branch in left.skipped if branch == one] for one in range(left.branches)]


def add_rows(source, plugins, ratios):
    """Copies of the data-driven plugins with rows for the tiny model: who adds a row needs no compiler."""
    for name in ("teacache", "magcache"):
        shutil.copytree(os.path.join(source, name), plugins / name)
    polynomials = {True: [0.3, -0.4, 0.2, 0.9, 0.002], False: [-0.1, 0.2, -0.1, 0.8, 0.001]}
    with open(plugins / "teacache" / "coefficients.toml", "a") as rows:
        for ret, polynomial in polynomials.items():
            rows.write(f'\n[[model]]\nmodel = "{MODEL_KEY}"\nuse_ret_steps = {str(ret).lower()}\n'
                       f'signal = "{"time.proj" if ret else "time.embed"}"\ncoefficients = {polynomial}\n')
    with open(plugins / "magcache" / "ratios.toml", "a") as rows:
        rows.write(f'\n[[model]]\nmodel = "{MODEL_KEY}"\nbranches = 2\nratios = {ratios}\n')
    return polynomials


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("driver")
    parser.add_argument("plugins")
    arguments = parser.parse_args()
    torch.set_num_threads(1)  # the model is tiny
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    failed = []
    with tempfile.TemporaryDirectory() as temporary:
        temporary = pathlib.Path(temporary)
        folder, plugins = temporary / "model", temporary / "plugins"
        make_tiny_model.make(folder, seed=3, num_layers=3)
        ratios = [round(1 - 0.002 * (i // 2) - 0.001 * (i % 2), 4) for i in range(24)]
        polynomials = add_rows(arguments.plugins, plugins, ratios)

        guided, unguided = (lambda steps: dict(num_inference_steps=steps)), (
            lambda steps: dict(num_inference_steps=steps, guidance_scale=1.0))
        cases = {}
        for request, steps in ((guided, 6), (guided, 12), (guided, 21), (unguided, 9), (unguided, 16)):
            how = f"{steps} steps, {'guidance' if request is guided else 'no guidance'}"
            for ret in (False, True):
                for threshold in (0.9, 1.7):
                    cases[f"teacache {threshold}, ret {ret}, {how}"] = (
                        request(steps), {"strategy": "teacache", "teacache.threshold": threshold,
                                         "teacache.use_ret_steps": ret},
                        lambda left, steps, t=threshold, r=ret: TeaCache(left, steps, t, polynomials[r], r))
            if steps not in (9, 12):
                continue
            for threshold in (0.1, 0.13):
                cases[f"first_block {threshold}, {how}"] = (
                    request(steps), {"strategy": "first_block", "first_block.threshold": threshold},
                    lambda left, steps, t=threshold: FirstBlock(left, t))
            for threshold in (0.3, 0.6):
                cases[f"easycache {threshold}, {how}"] = (
                    request(steps), {"strategy": "easycache", "easycache.threshold": threshold,
                                     "easycache.kept_first_steps": 3},
                    lambda left, steps, t=threshold: EasyCache(left, steps, t, 3))
            for order in (0, 2):
                cases[f"taylorseer of order {order}, {how}"] = (
                    request(steps), {"strategy": "taylorseer", "taylorseer.interval": 3, "taylorseer.max_order": order},
                    lambda left, steps, o=order: TaylorSeer(left, steps, 3, o, 3))
        for threshold, most in ((0.03, 2), (0.2, 4)):
            cases[f"magcache {threshold}, {most}"] = (
                guided(12), {"strategy": "magcache", "magcache.threshold": threshold, "magcache.max_skip_steps": most},
                lambda left, steps, t=threshold, m=most: MagCache(left, steps, t, m, ratios))
        cases["guidance_gate"] = (guided(12), {"strategy": "guidance_gate", "guidance_gate.gate_step": 0.5},
                                  lambda left, steps: GuidanceGate(left, steps, 0.5))

        theirs = Reference(folder)
        ours = Ours(arguments.driver, [plugins, arguments.plugins], folder, temporary / "latents")
        exact, shown = {}, 0
        for name, (request, cache, policy_of) in cases.items():
            settings = {**REQUEST, **request}
            expected, left = theirs.run(settings, policy_of)
            latents, left_out = ours.run(settings, cache)
            key = tuple(request.items())
            if key not in exact:
                exact[key] = theirs.run(settings, lambda l, s: FirstBlock(l, -1.0))[0]
            distance, moved = relative_l2(latents, expected), relative_l2(exact[key], expected)
            passed = left_out == by_branch(left) and distance <= LATENTS_BAR
            # Where nothing is left out, or what is does not show, anything of ours would pass: few cases may be so.
            shows = len(left.skipped) > 0 and moved >= 10 * LATENTS_BAR
            shown += shows
            if not passed:
                failed.append(name)
            print(f"{'ok  ' if passed else 'FAIL'} {name}: latents {distance:.1e} apart, from the exact run {moved:.1e}; "
                  f"left out {len(left.skipped)} of {left.passes} passes{'' if shows else ' (shows nothing)'}"
                  + ("" if passed else f"; ours {left_out}, theirs {by_branch(left)}"), flush=True)
        ours.driver.stdin.close()
        if ours.driver.wait() != 0:
            failed.append(f"the driver ended with {ours.driver.returncode}")
        if shown < 0.75 * len(cases):
            failed.append(f"only {shown} of {len(cases)} cases show anything")
    sys.exit(f"{len(failed)} failed: {failed}" if failed else 0)


if __name__ == "__main__":
    main()
