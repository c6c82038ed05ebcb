"""The two-stream family from a folder to frames, beside a computation of the whole pipeline in PyTorch's float64.

Run as: two_stream_test.py FASTVIDEO LATENTS_DRIVER SITES_TEST PLUGIN_FOLDER TWO_STREAM_FOLDER. Latents agree within 1e-5 and frames in 99.9 %
of their values. Each thing that this family brings (a causal mask, key lengths, heads of two sites of one role, guidance in one batch)
is left out of the computation once, and must then be missed by ten times as much. `explain` shows every site.
"""

import json
import math
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy
import torch
from PIL import Image
from safetensors.torch import save_file
from torch.nn import functional

from parity import FLOAT32_BAR, MUTATION_FACTOR, Report

EQUAL_SHARE = 0.999
PATCH, TIME, SIDE, HIDDEN = 2, 2, 4, 16
TEXTS = [dict(causal=True, width=32, heads=4, kv_heads=2, head_size=8, layers=2, positions=48),
         dict(causal=False, width=24, heads=2, kv_heads=2, head_size=12, layers=2, positions=48)]
MODEL = dict(channels=4, dim=48, text_dim=32, pooled_dim=24, frequencies=32, double_layers=2, double_heads=4, single_layers=2,
             single_heads=6)
REQUEST = dict(prompt="a red circle moves", negative_prompt="grey", height=32, width=48, num_frames=5, num_inference_steps=5,
               guidance_scale=4.0, seed=11, max_sequence_length=32)
SHIFT = 3.0
# TeaCache's estimate of how far the output moves, by how far the modulated input of the first block does.
POLYNOMIAL = [0.3, -0.4, 0.2, 0.9, 0.002]


def random_weights(shapes, seed):
    """Linear maps with a gain of 1.5, biases and norms that are not neutral: every part shows in what comes out."""
    generator = torch.Generator().manual_seed(seed)
    made = {}
    for name, shape in shapes.items():
        x = torch.randn(shape, generator=generator)
        if name.endswith("norm") or name.split(".")[-1].startswith("norm"):
            x = 1 + 0.3 * x
        elif len(shape) > 1 and not name.startswith(("tokens", "positions")):
            x = 1.5 * x / math.sqrt(math.prod(shape[1:]))
        elif name.endswith("bias"):
            x = 0.1 * x
        made[name] = x
    return made


def linear(name, into, out):
    return {f"{name}.weight": (out, into), f"{name}.bias": (out,)}


def text_weights(c, seed):
    shapes = {"tokens": (257, c["width"]), "positions": (c["positions"], c["width"]), "norm": (c["width"],)}
    q, kv = c["heads"] * c["head_size"], c["kv_heads"] * c["head_size"]
    for i in range(c["layers"]):
        name = f"layers.{i}."
        shapes |= {name + "norm_1": (c["width"],), name + "norm_2": (c["width"],)}
        for of, into, out in (("q", c["width"], q), ("k", c["width"], kv), ("v", c["width"], kv), ("out", q, c["width"]),
                              ("up", c["width"], 2 * c["width"]), ("down", 2 * c["width"], c["width"])):
            shapes |= linear(name + of, into, out)
    return random_weights(shapes, seed)


def stream_names(c):
    return [(f"double.{i}.{of}.", c["double_heads"]) for i in range(c["double_layers"]) for of in ("video", "text")] + [
        (f"single.{i}.", c["single_heads"]) for i in range(c["single_layers"])]


def transformer_weights(c, seed):
    dim, patch = c["dim"], c["channels"] * PATCH * PATCH
    shapes = {}
    for name, into, out in (("patches", patch, dim), ("text", c["text_dim"], dim), ("pooled", c["pooled_dim"], dim),
                            ("time_1", c["frequencies"], dim), ("time_2", dim, dim), ("head_modulation", dim, 2 * dim),
                            ("head", dim, patch)):
        shapes |= linear(name, into, out)
    for name, heads in stream_names(c):
        for of, into, out in (("modulation", dim, 6 * dim), ("qkv", dim, 3 * dim), ("out", dim, dim), ("up", dim, 2 * dim),
                              ("down", 2 * dim, dim)):
            shapes |= linear(name + of, into, out)
        shapes |= {name + "q_norm": (dim // heads,), name + "k_norm": (dim // heads,)}
    return random_weights(shapes, seed)


def make_folder(folder):
    """Writes the model and returns its weights in float64."""
    vae = random_weights({"in.weight": (HIDDEN, MODEL["channels"], 3, 3, 3), "in.bias": (HIDDEN,),
                          **linear("out", HIDDEN, TIME * SIDE * SIDE * 3)}, 4)
    parts = {"text_encoder": (TEXTS[0], text_weights(TEXTS[0], 1)), "text_encoder_2": (TEXTS[1], text_weights(TEXTS[1], 2)),
             "transformer": (MODEL, transformer_weights(MODEL, 3)), "vae": ({}, vae)}
    for name, (config, weights) in parts.items():
        (folder / name).mkdir(parents=True)
        (folder / name / "config.json").write_text(json.dumps(config))
        save_file(weights, folder / name / "model.safetensors")
    (folder / "scheduler").mkdir()
    (folder / "scheduler" / "scheduler_config.json").write_text(
        json.dumps({"_class_name": "FlowMatchEulerDiscreteScheduler", "shift": SHIFT, "num_train_timesteps": 1000}))
    (folder / "model_index.json").write_text(json.dumps(
        {"_class_name": "TwoStreamPipeline", "scheduler": ["diffusers", "FlowMatchEulerDiscreteScheduler"],
         "text_encoder": ["two_stream", "CausalText"], "text_encoder_2": ["two_stream", "PaddedText"],
         "transformer": ["two_stream", "TwoStreamTransformer"], "vae": ["two_stream", "PatchVae"]}))
    return {name: {key: x.double() for key, x in weights.items()} for name, (_, weights) in parts.items()}


def attention(q, k, v, seen):
    """q, k, v: [B, L, H, D]. seen: broadcasts to [B, H, Lq, Lk], true where a query sees a key."""
    k, v = (x.repeat_interleave(q.shape[2] // k.shape[2], 2).permute(0, 2, 3, 1) for x in (k, v))
    scores = q.transpose(1, 2) @ k / math.sqrt(q.shape[-1])
    weights = scores.masked_fill(~seen, -math.inf).softmax(-1)
    return (weights @ v.transpose(2, 3)).transpose(1, 2).flatten(2)


def rms(x, weight):
    return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + 1e-6) * weight


def waves(x, channels):
    half = channels // 2
    angles = x.double()[:, None] * torch.exp(torch.arange(half).double() * (-math.log(10000) / half))
    return torch.cat([angles.cos(), angles.sin()], 1)


class Reference:
    """The pipeline. `wrong`: what it leaves out or does otherwise, if anything."""

    def __init__(self, weights, request, wrong=""):
        self.weights, self.request, self.wrong = weights, request, wrong

    def map(self, part, name, x):
        return functional.linear(x, self.weights[part][name + ".weight"], self.weights[part][name + ".bias"])

    def encode(self, part, c, text):
        w, length = self.weights[part], self.request["max_sequence_length"]
        ids = list(text.encode())[:length - 1] + [256]
        count = len(ids)
        ids = torch.tensor(ids + ([] if c["causal"] else [0] * (length - count)))[None]
        places = torch.arange(ids.shape[1])
        if c["causal"]:
            seen = places[None, :] <= places[:, None] if self.wrong != "causal mask" else torch.ones(count, count).bool()
        else:
            seen = (places < count if self.wrong != "key lengths of a text" else places < length)[None, None, None]
        x = w["tokens"][ids] + w["positions"][:ids.shape[1]]
        for i in range(c["layers"]):
            name = f"layers.{i}."
            n = rms(x, w[name + "norm_1"])
            q, k, v = (self.map(part, name + of, n).unflatten(-1, (-1, c["head_size"])) for of in "qkv")
            x = x + self.map(part, name + "out", attention(q, k, v, seen))
            up = functional.gelu(self.map(part, name + "up", rms(x, w[name + "norm_2"])), approximate="tanh")
            x = x + self.map(part, name + "down", up)
        x = rms(x, w["norm"])
        return x if c["causal"] else x[:, :count].mean(1)

    def prepare(self):
        texts = [self.request["prompt"]] + ([self.request["negative_prompt"]] if self.request["guidance_scale"] > 1 else [])
        rows = [self.encode("text_encoder", TEXTS[0], text) for text in texts]
        length = self.request["max_sequence_length"]
        self.pooled = torch.cat([self.encode("text_encoder_2", TEXTS[1], text) for text in texts])
        self.text = torch.cat([functional.pad(x, (0, 0, 0, length - x.shape[1])) for x in rows])
        self.lengths = torch.tensor([x.shape[1] for x in rows])
        if self.wrong == "rows of the batch":
            self.pooled = self.pooled.flip(0)

    def modulated(self, x, m, first):
        return functional.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + m[first + 1]) + m[first]

    def modulations(self, name, count):
        return self.map("transformer", name, functional.silu(self.time)).unsqueeze(1).chunk(count, -1)

    def block(self, names, heads, x):
        w, tokens = self.weights["transformer"], sum(part.shape[1] for part in x)
        places = torch.arange(tokens)
        video = tokens - self.request["max_sequence_length"]
        seen = (places < video + self.lengths[:, None])[:, None, None]
        if self.wrong == "key lengths of the video and text":
            seen = torch.ones_like(seen)
        q, k, v, m = [], [], [], []
        for name, part in zip(names, x):
            m.append(self.modulations(name + "modulation", 6))
            qkv = self.map("transformer", name + "qkv", self.modulated(part, m[-1], 0)).unflatten(-1, (3, heads, -1))
            q.append(rms(qkv[:, :, 0], w[name + "q_norm"]))
            k.append(rms(qkv[:, :, 1], w[name + "k_norm"]))
            v.append(qkv[:, :, 2])
        q, k, v = (torch.cat(parts, 1) for parts in (q, k, v))
        if self.wrong == "heads of the second site" and heads == MODEL["single_heads"]:
            q, k, v = (part.flatten(2).unflatten(-1, (MODEL["double_heads"], -1)) for part in (q, k, v))
        attended = attention(q, k, v, seen).split([part.shape[1] for part in x], 1)
        out = []
        for name, part, y, mod in zip(names, x, attended, m):
            part = part + mod[2] * self.map("transformer", name + "out", y)
            up = functional.gelu(self.map("transformer", name + "up", self.modulated(part, mod, 3)), approximate="tanh")
            out.append(part + mod[5] * self.map("transformer", name + "down", up))
        return out

    def velocity(self, latents, time, cache):
        rows, (_, channels, t, h, w) = len(self.text), latents.shape
        grid = (t, h // PATCH, w // PATCH)
        patches = latents.expand(rows, -1, -1, -1, -1).reshape(rows, channels, t, grid[1], PATCH, grid[2], PATCH)
        patches = patches.permute(0, 2, 3, 5, 1, 4, 6).reshape(rows, math.prod(grid), -1)
        video = self.map("transformer", "patches", patches) + waves(torch.arange(math.prod(grid)), MODEL["dim"])
        text = self.map("transformer", "text", self.text)
        wave = waves(torch.tensor([time]).float(), MODEL["frequencies"])
        self.time = self.map("transformer", "time_2", functional.silu(self.map("transformer", "time_1", wave)))
        self.time = self.time + self.map("transformer", "pooled", self.pooled)

        def blocks(video, text):
            for i in range(MODEL["double_layers"]):
                video, text = self.block([f"double.{i}.video.", f"double.{i}.text."], MODEL["double_heads"], [video, text])
            for i in range(MODEL["single_layers"]):
                both, = self.block([f"single.{i}."], MODEL["single_heads"], [torch.cat([video, text], 1)])
                video, text = both.split([video.shape[1], text.shape[1]], 1)
            return video, text

        signal = self.modulated(video, self.modulations("double.0.video.modulation", 6), 0)
        video, text = cache(signal, (video, text), blocks)
        m = self.modulations("head_modulation", 2)
        out = self.map("transformer", "head", self.modulated(video, m, 0))
        out = out.reshape(rows, *grid, PATCH, PATCH, channels)
        return out.permute(0, 6, 1, 2, 4, 3, 5).reshape(rows, channels, t, h, w)

    def latents(self, cache=lambda signal, x, blocks: blocks(*x)):
        self.prepare()
        r = self.request
        shape = (1, MODEL["channels"], (r["num_frames"] - 1) // TIME + 1, r["height"] // SIDE, r["width"] // SIDE)
        x = torch.randn(shape, generator=torch.Generator().manual_seed(r["seed"])).double()
        # The sigmas of diffusers' FlowMatchEulerDiscreteScheduler; it takes its times in float32.
        steps = r["num_inference_steps"]
        one = SHIFT / 1000 / (1 + (SHIFT - 1) / 1000)
        sigmas = torch.linspace(1.0, one, steps, dtype=torch.float64)
        sigmas = (SHIFT * sigmas / (1 + (SHIFT - 1) * sigmas)).float().double()
        for sigma, following in zip(sigmas, [*sigmas[1:], 0.0]):
            rows = self.velocity(x, sigma.item() * 1000, cache)
            guided = rows[1:] + r["guidance_scale"] * (rows[:1] - rows[1:]) if len(rows) > 1 else rows
            x = x + guided * (following - sigma)
        return x

    def frames(self, latents):
        """uint8 [F, H, W, 3]"""
        x = functional.pad(latents, (1, 1, 1, 1, 2, 0))
        x = functional.silu(functional.conv3d(x, self.weights["vae"]["in.weight"], self.weights["vae"]["in.bias"]))
        x = self.map("vae", "out", x[0].permute(1, 2, 3, 0))  # [T, h, w, 2 * side * side * 3]
        t, h, w, _ = x.shape
        x = x.view(t, h, w, TIME, SIDE, SIDE, 3).permute(0, 3, 1, 4, 2, 5, 6).reshape(t * TIME, h * SIDE, w * SIDE, 3)
        return ((x[TIME - 1:] / 2 + 0.5).clamp(0, 1) * 255).round().to(torch.uint8).numpy()


class TeaCache:
    """Liu et al. 2024, equation 6: a step is left out while the sum of estimated changes, of every row, is below the threshold."""

    def __init__(self, threshold, steps):
        self.threshold, self.steps, self.step, self.left_out = threshold, steps, 0, []
        self.last = self.sums = self.residual = None

    def __call__(self, signal, x, blocks):
        if self.last is None:
            self.sums = [0.0] * len(signal)
        inner = 0 < self.step < self.steps - 1
        if inner:
            for row, (now, last) in enumerate(zip(signal, self.last)):
                change = ((now - last).abs().mean() / last.abs().mean()).item()
                self.sums[row] += sum(c * change ** (4 - i) for i, c in enumerate(POLYNOMIAL))
        self.last = signal
        skip = inner and all(total < self.threshold for total in self.sums)
        if skip:
            self.left_out.append(self.step)
        else:
            self.sums = [0.0] * len(signal)
            self.residual = [after - before for after, before in zip(blocks(*x), x)]
        self.step += 1
        return tuple(before + change for before, change in zip(x, self.residual))


class Program:
    def __init__(self, arguments, folder):
        self.binary, driver, self.sites_test, plugins, ours = arguments
        self.folder, self.ours = folder, ours
        self.environment = {**os.environ, "FASTVIDEO_PLUGIN_PATH": ours}
        self.driver = subprocess.Popen([driver, pathlib.Path(plugins).parent / "install.toml", plugins, ours], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE, text=True)

    def latents(self, request, **settings):
        named = {f"request.{name}": str(value) for name, value in request.items()}
        output = self.folder / "latents"
        job = {"settings": {"request.model_path": str(self.folder / "model"), "run.threads": "2", **named, **settings},
               "output": str(output)}
        self.driver.stdin.write(json.dumps(job) + "\n")
        self.driver.stdin.flush()
        answer = self.driver.stdout.readline()
        if not answer:
            sys.exit("the driver failed; what it said stands above")
        answer = json.loads(answer)
        return torch.from_numpy(numpy.fromfile(output, numpy.float32)).view(answer["shape"]), answer["left_out"]

    def call(self, command, request, *flags):
        words = [self.binary, command, "--model-path", self.folder / "model", "--device", "cpu", "--threads", 2]
        for name, value in request.items():
            words += ["--" + name.replace("_", "-"), value]
        done = subprocess.run([str(word) for word in (*words, *flags)], capture_output=True, text=True, env=self.environment)
        if done.returncode != 0:
            sys.exit(f"{' '.join(map(str, words))}\n{done.stdout}{done.stderr}")
        return done.stdout + done.stderr

    def frames(self, request):
        out = self.folder / "frames"
        self.call("generate", request, "--no-progress", "--output-path", f"{out}/")
        return numpy.stack([numpy.asarray(Image.open(file).convert("RGB")) for file in sorted(out.glob("*.png"))])


def main():
    torch.set_num_threads(2)
    report = Report()
    with tempfile.TemporaryDirectory(prefix="fastvideo_two_stream_") as name:
        folder = pathlib.Path(name)
        weights = make_folder(folder / "model")
        program = Program(sys.argv[1:], folder)
        reference = Reference(weights, REQUEST)
        expected = reference.latents()
        ours, _ = program.latents(REQUEST)
        report.close("latents", ours, expected)
        for wrong in ("causal mask", "key lengths of a text", "key lengths of the video and text", "heads of the second site",
                      "rows of the batch"):
            report.sees(wrong, ours, Reference(weights, REQUEST, wrong).latents())

        alone = {**REQUEST, "guidance_scale": 1.0, "prompt": "x" * 80}  # cut, and one row
        report.close("no guidance, a text that is cut", program.latents(alone)[0], Reference(weights, alone).latents())

        frames = program.frames(REQUEST)
        share = (frames == reference.frames(expected)).mean()
        report.check("frames", share >= EQUAL_SHARE, f"{frames.shape[0]} frames, {100 * share:.3f} % of the values are equal")
        wrong = Reference(weights, REQUEST, "key lengths of the video and text")
        missed = 1 - (frames == wrong.frames(wrong.latents())).mean()
        report.check("mutation: frames", missed > MUTATION_FACTOR * (1 - EQUAL_SHARE), f"{100 * missed:.1f} % differ")

        # A window that holds the whole video is dense attention, over tokens in the order of its tiles.
        tiles = {"attention.roles.dit.joint": "SLIDING_TILE_ATTN", "attention.sliding_tile_attn.tile": "1x2x2",
                 "attention.sliding_tile_attn.window": "9x9x9"}
        report.close("tokens in the order of tiles", program.latents(REQUEST, **tiles)[0], expected)

        rows = folder / "rows.toml"
        rows.write_text("[[model]]\nmodel = \"two-stream-test\"\nuse_ret_steps = false\nsignal = \"block.0.modulated\"\n"
                        f"coefficients = {POLYNOMIAL}\n")
        request = {**REQUEST, "num_inference_steps": 10}
        cache = TeaCache(1.6, 10)
        expected = Reference(weights, request).latents(cache)
        ours, left_out = program.latents(request, **{"cache.strategy": "teacache", "cache.teacache.threshold": "1.6",
                                                     "cache.teacache.coefficients_file": str(rows)})
        report.check("TeaCache leaves out", left_out == [cache.left_out] * 2 and 0 < len(cache.left_out) < 8,
                     f"steps {left_out} of both branches, where {cache.left_out} were expected")
        report.close("latents with TeaCache", ours, expected)
        report.sees("TeaCache", ours, Reference(weights, request).latents())

        said = [line.split() for line in program.call("explain", REQUEST).splitlines()]
        roles = [words[0] for words in said if words[:1] in (["text.self"], ["dit.joint"])]
        heads = [(int(words[6]), int(words[9].strip(","))) for words in said if words[:1] == ["site"]]
        report.check("explain", roles == ["text.self"] * 2 + ["dit.joint"] * 2 and heads == [(4, 8), (2, 12), (4, 12), (6, 8)],
                     f"{roles} with heads and head sizes {heads}")
        walked = subprocess.run([program.sites_test], capture_output=True, text=True,
                                env={**os.environ, "FASTVIDEO_TWO_STREAM_MODEL": str(folder / "model")})
        report.check("declared and made calls", walked.returncode == 0,
                     walked.stdout.splitlines()[-1] if walked.returncode == 0 else walked.stdout + walked.stderr)
        program.driver.stdin.close()
        program.driver.wait()
    report.finish()


if __name__ == "__main__":
    main()
