"""What the Wan pipeline says of a backend that gives NaN once, of NaN in weights, of a transformer that patches over time,
and of a strategy that leaves out nothing."""

import json
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile
import unittest

import safetensors.torch

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PROGRAM, PLUGINS = sys.argv[1:3]
SMALL = ["--height", "32", "--width", "32", "--num-frames", "5", "--seed", "1", "--prompt", "a red circle moves right"]


def run(command, *flags, model=SOURCE / "models" / "shapes", **environment):
    return subprocess.run([PROGRAM, command, "--model-path", str(model), "--device", "cpu", *flags], text=True,
                          capture_output=True, timeout=120, env={**os.environ, **environment})


class WithFolder(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.output = self.folder / "video.y4m"

    def generate(self, *flags, **more):
        return run("generate", *SMALL, "--output-path", str(self.output), *flags, **more)

    def model_with(self, path, change):
        model = self.folder / "model"
        shutil.copytree(SOURCE / "models" / "shapes", model)
        change(model / path)
        return model


class NaN(WithFolder):
    def test_of_a_backend_that_gives_it_once_is_blamed_on_that_site(self):
        for role in ["dit.self", "dit.cross", "text.self"]:
            with self.subTest(role=role):
                self.output.write_bytes(b"before")
                done = self.generate("--num-inference-steps", "2", "--plugin-dir", PLUGINS, "--attention-backend",
                                     f"{role}=RECORDER/cpu", "--set", "attention.self_test=false",
                                     FAKE_DOES=f"attention.nan={role}")
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(f"{role} of layer 1, served by RECORDER/cpu", done.stderr)
                self.assertIn("different results for equal inputs", done.stderr)
                self.assertIn(f"--attention-backend {role}=NAME", done.stderr)
                self.assertNotIn("weights", done.stderr)
                self.assertEqual(self.output.read_bytes(), b"before")

    def test_of_weights_is_blamed_on_them(self):
        for path, words in [("transformer/diffusion_pytorch_model.safetensors", "the weights or what runs before it"),
                            ("text_encoder/model.safetensors", "the text embeddings hold NaN or infinity")]:
            with self.subTest(path=path):
                shutil.rmtree(self.folder / "model", ignore_errors=True)
                done = self.generate("--num-inference-steps", "2", model=self.model_with(path, fill_with_nan))
                self.assertEqual(done.returncode, 1, done.stderr)
                self.assertIn(words, done.stderr)
                self.assertIn("weights", done.stderr)
                self.assertNotIn("equal inputs", done.stderr)


def fill_with_nan(file):
    """The whole first tensor of weights becomes NaN."""
    data = bytearray(file.read_bytes())
    (length,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + length])
    names = [n for n in header if n in ("patch_embedding.weight", "shared.weight",
                                        "encoder.block.0.layer.0.SelfAttention.q.weight")]
    begin, end = header[names[0]]["data_offsets"]
    data[8 + length + begin:8 + length + end] = b"\xff" * (end - begin)
    file.write_bytes(data)


def thicken(file):
    """Weights for patches over two latent frames."""
    weights = safetensors.torch.load_file(file)
    weights["patch_embedding.weight"] = weights["patch_embedding.weight"].repeat(1, 1, 2, 1, 1)
    weights["proj_out.weight"] = weights["proj_out.weight"].repeat(2, 1)
    weights["proj_out.bias"] = weights["proj_out.bias"].repeat(2)
    file.unlink()
    safetensors.torch.save_file(weights, file)


class PatchesOverTime(WithFolder):
    def explain(self, frames, patch):
        def change(file):
            file.write_text(json.dumps({**json.loads(file.read_text()), "patch_size": [patch, 2, 2]}))
            if patch == 2:
                thicken(file.parent / "diffusion_pytorch_model.safetensors")
        shutil.rmtree(self.folder / "model", ignore_errors=True)
        small = [str(frames) if flag == "5" else flag for flag in SMALL]
        return run("explain", *small, "--num-inference-steps", "2",
                   model=self.model_with("transformer/config.json", change))

    def test_take_the_numbers_of_frames_that_divide_into_them(self):
        # Latents are 1 + (frames - 1) / 4, and patches of 2 divide them.
        for frames in [5, 13, 21]:
            self.assertEqual(self.explain(frames, 2).returncode, 0, self.explain(frames, 2).stderr)
        for frames, nearest in [(1, "possible: 5"), (4, "possible: 5"), (9, "possible: 5 or 13"), (17, "possible: 13 or 21")]:
            done = self.explain(frames, 2)
            self.assertEqual(done.returncode, 2, done.stdout)
            self.assertIn(f"num_frames {frames} is not 5 plus a multiple of 8", done.stderr)
            self.assertIn(nearest, done.stderr)
            self.assertNotIn("self-test", done.stderr)
        self.assertIn("num_frames 6 is not 1 plus a multiple of 4, the VAE's temporal stride", self.explain(6, 1).stderr)


class Strategy(WithFolder):
    def test_says_when_there_is_nothing_to_leave_out(self):
        two = self.generate("--num-inference-steps", "2", "--enable-teacache", "--set", "cache.teacache.use_ret_steps=false")
        self.assertEqual(two.returncode, 2, two.stderr)
        self.assertIn("2 steps leave nothing to skip: the first 1 and the last 1 are always computed", two.stderr)
        three = self.generate("--num-inference-steps", "3", "--enable-teacache", "--set",
                              "cache.teacache.use_ret_steps=false", "--teacache-threshold", "0.0001")
        self.assertEqual(three.returncode, 0, three.stderr)
        self.assertIn("left out nothing of 6 passes", three.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
