"""What bad input gets from the program with the real pipeline: exit code 2, what is wrong, the number, what to do; and
the video that was there before is still there, byte for byte. One row a kind of bad input."""

import argparse
import itertools
import json
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile

SOURCE = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(SOURCE / "tests" / "documents"))
import refusals_page  # noqa: E402

BEFORE = b"what was here before"


class Case:
    """One bad input: flags, a change of the model folder, a configuration file, and the parts of the message."""

    def __init__(self, name, *flags, says, model=None, config=None, output="video.y4m", environment=None, explained=False):
        self.name, self.flags, self.says, self.model, self.explained = name, flags, says, model, explained
        self.config, self.output, self.environment = config, output, environment or {}


def header_of(file):
    """The header and the data of a safetensors file."""
    bytes_ = file.read_bytes()
    (length,) = struct.unpack("<Q", bytes_[:8])
    return json.loads(bytes_[8:8 + length]), bytes_[8 + length:]


def change_header(path, change):
    """A model change that rewrites the header of a safetensors file."""
    def apply(model):
        header, data = header_of(model / path)
        change(header)
        text = json.dumps(header).encode()
        (model / path).write_bytes(struct.pack("<Q", len(text)) + text + data)
    return apply


def change_json(path, **values):
    def apply(model):
        (model / path).write_text(json.dumps({**json.loads((model / path).read_text()), **values}))
    return apply


def remove(path):
    return lambda model: (model / path).unlink()


def move(path, to):
    return lambda model: (model / path).rename(model / to)


def dangle(path):
    def apply(model):
        (model / path).unlink()
        (model / path).symlink_to("../blobs/0a1b")
    return apply


def wrap(header):
    for name in [name for name in header if name != "__metadata__"]:
        header["_orig_mod." + name] = header.pop(name)


def seven_layers(model):
    """A transformer of another depth, for which nothing is measured."""
    header, data = header_of(model / WEIGHTS)
    kept, whole = b"", {name: entry for name, entry in header.items() if not name.startswith("blocks.7.")}
    for name, entry in sorted(whole.items(), key=lambda item: item[1].get("data_offsets", [0])):
        if name != "__metadata__":
            begin, end = entry["data_offsets"]
            entry["data_offsets"] = [len(kept), len(kept) + end - begin]
            kept += data[begin:end]
    text = json.dumps(whole).encode()
    (model / WEIGHTS).write_bytes(struct.pack("<Q", len(text)) + text + kept)
    change_json("transformer/config.json", num_layers=7)(model)


def add_token(model):
    """To the tokenizer, and not to the table of the text encoder."""
    (model / "tokenizer" / "added_tokens.json").write_text('{"sks": 93}')


def truncate(path, bytes_):
    def apply(model):
        with open(model / path, "r+b") as file:
            file.truncate(bytes_)
    return apply


WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
FIRST = "patch_embedding.bias"


def rename_first(header):
    header["renamed"] = header.pop(FIRST)


def flatten_first(header):
    header[FIRST]["shape"] = [1, *header[FIRST]["shape"]]


def caching_cases():
    """What a strategy is told that cannot be. The embedded model has 30 steps by default; here they are named."""
    teacache = ("--cache-strategy", "teacache")
    yield Case("strategy without coefficients", *teacache, "--num-inference-steps", "9",
               model=seven_layers,
               says=["no TeaCache coefficients for the model 'wan-t2v-7x256'", "fastvideo calibrate teacache"])
    yield Case("strategy without ratios", "--cache-strategy", "magcache", "--num-inference-steps", "9",
               model=seven_layers,
               says=["no MagCache ratios for the model 'wan-t2v-7x256'", "fastvideo calibrate magcache"])
    for name in ("teacache", "magcache", "first-block", "easycache"):
        strategy = ("--cache-strategy", name.replace("-", "_"), "--num-inference-steps", "20")
        for wrong in ("-0.1", "nan", "inf", "high"):
            yield Case(f"{name} threshold {wrong}", *strategy, f"--{name}-threshold", wrong,
                       says=[f"--{name}-threshold", re.escape(wrong)])
        section = f'[cache]\nstrategy = "{strategy[1]}"\n[cache.{strategy[1]}]\nthreshold = '
        for wrong in ("-0.1", "nan", "-inf"):
            yield Case(f"{name} threshold {wrong} in a file", "--num-inference-steps", "20", config=section + wrong + "\n",
                       says=[r"c\.toml:4:", re.escape(wrong)])
    yield Case("more kept steps than there are", *teacache, "--num-inference-steps", "10",
               "--teacache-kept-first-steps", "15",
               says=["10 steps leave nothing to skip", "the first 15 and the last 1", "ask for 17 steps or more"])
    yield Case("kept steps at both ends", *teacache, "--num-inference-steps", "10", "--teacache-kept-first-steps", "6",
               "--teacache-kept-last-steps", "4",
               says=["10 steps leave nothing to skip", "the first 6 and the last 4", "ask for 11 steps or more"])
    yield Case("no kept step", *teacache, "--teacache-kept-first-steps", "0", "--num-inference-steps", "10",
               says=["--teacache-kept-first-steps", "0", "1"])
    nothing = "3 steps leave nothing to skip"
    yield Case("three steps, use_ret_steps", *teacache, "--num-inference-steps", "3", "--teacache-use-ret-steps=true",
               says=[nothing, "ask for 6 steps or more"])
    yield Case("two steps", *teacache, "--num-inference-steps", "2",
               says=["2 steps leave nothing to skip", "ask for 3 steps or more"])
    for name, more in (("easycache", "12"), ("taylorseer", "5")):
        yield Case(f"three steps of {name}", "--cache-strategy", name, "--num-inference-steps", "3",
                   says=[nothing, f"ask for {more} steps or more"])
    yield Case("gate behind the end", "--cache-strategy", "guidance_gate", "--guidance-gate-step", "1",
               "--num-inference-steps", "3", says=["gate_step 1", "of 3 steps leaves no step to gate", "lower it"])
    yield Case("gate without guidance", "--cache-strategy", "guidance_gate", "--guidance-scale", "1",
               "--num-inference-steps", "8", says=["one branch and nothing to gate", "--guidance-scale above 1"])
    yield Case("two strategies by flags", "--cache-strategy", "magcache", "--enable-teacache=true",
               says=["two caching strategies are asked for", "magcache by --cache-strategy",
                     "teacache by --enable-teacache", "a run has one"])
    yield Case("two strategies in a file",
               config='[cache]\nstrategy = "first_block"\n[cache.teacache]\nenable = true\n',
               says=["two caching strategies are asked for", r"first_block by .*c\.toml:2:", r"teacache by .*c\.toml:4:"])
    yield Case("a list of strategies", config='[cache]\nstrategy = ["teacache", "magcache"]\n',
               says=[r"c\.toml:2:", "cache.strategy", "string"])
    yield Case("threshold of a strategy that is not used", "--cache-strategy", "first_block",
               "--teacache-threshold", "0.1", says=["--teacache-threshold", "would have no effect", "first_block"])


CASES = [
    Case("unknown key", config='[attention]\nbackand = "X"\n',
         says=[r"c\.toml:2:1", "backand", r"did you mean '[a-z.]*backend'"]),
    Case("wrong type", config="[run]\nthreads = \"many\"\n", says=[r"c\.toml:2:1", "run.threads", "int"]),
    Case("out of range", config="[run]\nthreads = -3\n", says=[r"c\.toml:2:1", "-3", "0"]),
    Case("not TOML", config="[run\n", says=[r"c\.toml:1:"]),
    Case("wrong type of a flag", "--height", "tall", says=["--height", "tall"]),
    Case("out of range of a flag", "--num-inference-steps", "0", says=["--num-inference-steps", "0", "1"]),
    Case("impossible height", "--height", "100", says=["height", "100", "96|112"]),
    Case("impossible width", "--width", "161", says=["width", "161", "160|176"]),
    Case("impossible frames", "--num-frames", "6", says=["frames", "6", "5|9"]),
    Case("empty prompt", "--prompt", "", says=["prompt"]),
    Case("blank prompt", "--prompt", "\u3000\u00a0", says=["the prompt is empty"]),
    Case("seed of -1", "--seed", "-1", says=["--seed", "-1", "18446744073709551615", "leave the seed out"]),
    Case("seed beyond 64 bits", "--seed", "18446744073709551616", says=["--seed", "18446744073709551615"]),
    Case("weights of a variant", model=move(WEIGHTS, WEIGHTS.replace(".safetensors", ".fp16.safetensors")),
         says=["fp16", "--variant fp16"]),
    Case("no such variant", "--variant", "fp16", says=["variant 'fp16'", "--variant"]),
    Case("GGUF", model=move(WEIGHTS, "transformer/wan.gguf"), says=["wan.gguf", "GGUF", "bfloat16"]),
    Case("dangling link", model=dangle(WEIGHTS), says=[re.escape(WEIGHTS), "a link to ../blobs/0a1b", "copy the file"]),
    Case("dangling tokenizer", model=dangle("tokenizer/spiece.model"), says=["a link to ../blobs/0a1b"]),
    Case("wrapped names", model=change_header(WEIGHTS, wrap), says=["its names begin with '_orig_mod.'", "removeprefix"], explained=True),
    Case("fewer layers of text", model=change_json("text_encoder/config.json", num_layers=2), explained=True,
         says=["text_encoder: config.json says that num_layers is 2, and the weights have 3 layers 'encoder.block.N'"]),
    Case("more layers of text", model=change_json("text_encoder/config.json", num_layers=4), says=["num_layers is 4", "3 layers"]),
    Case("layers of another transformer", model=change_json("transformer/config.json", num_layers=9), explained=True,
         says=["transformer: config.json says that num_layers is 9, and the weights have 8 layers 'blocks.N'"]),
    Case("heads of another text encoder", model=change_json("text_encoder/config.json", d_kv=32), explained=True,
         says=[r"SelfAttention.q.weight' has shape \[192, 192\], and the model needs \[96, 192\]", r"config.json: num_heads \* d_kv = 96"]),
    Case("another vocabulary", model=change_json("text_encoder/config.json", vocab_size=80), says=["vocab_size = 80"]),
    Case("patches of another size", "--height", "64", "--width", "64",
         model=change_json("transformer/config.json", patch_size=[1, 4, 4]), says=[r"patch_size\[1\] = 4"]),
    Case("levels of another VAE", model=change_json("vae/config.json", num_res_blocks=2), explained=True,
         says=["vae: config.json says that num_res_blocks is 2", "the weights have 2 layers"]),
    Case("a token without a row", "--prompt", "a sks circle", model=add_token, explained=True,
         says=["/tokenizer: the prompt \"a sks circle\" has a token of id 93", "text_encoder/config.json says vocab_size 93"]),
    Case("a damaged tokenizer", model=lambda m: (m / "tokenizer/spiece.model").write_bytes(b"\xff" * 100), explained=True,
         says=["spiece.model", "not a sentencepiece model"]),
    Case("a link to itself", model=lambda m: (shutil.rmtree(m / "vae"), (m / "vae").symlink_to("vae")),
         says=["/model/vae: is a link that leads back to itself"]),
    Case("a part of the model alone", model=lambda m: shutil.rmtree(m / "vae"), says=["these folders are not: vae", "hf download"]),
    Case("unknown backend", "--attention-backend", "TORCH_SPDA", says=["TORCH_SPDA", "did you mean 'TORCH_SDPA'"]),
    Case("unknown strategy", "--cache-strategy", "teecache", says=["teecache", "did you mean 'teacache'"]),
    *caching_cases(),
    Case("missing weights", model=remove(WEIGHTS), says=["transformer"]),
    Case("missing configuration", model=remove("vae/config.json"), says=["vae/config.json"]),
    Case("missing vocabulary", model=remove("tokenizer/spiece.model"), says=["tokenizer"]),
    Case("truncated weights", model=truncate(WEIGHTS, 1000000), says=[re.escape(WEIGHTS), "1000000|bytes"]),
    Case("no weights but text", model=lambda m: (m / WEIGHTS).write_text("hello, I am no tensor"),
         says=[re.escape(WEIGHTS), "not a safetensors file"]),
    Case("missing tensor", model=change_header(WEIGHTS, rename_first), says=[re.escape(FIRST)], explained=True),
    Case("tensor of another shape", model=change_header(WEIGHTS, flatten_first),
         says=[re.escape(FIRST), r"\[1, \d+\]", r"\[\d+\]"]),
    Case("torn configuration", model=lambda m: (m / "transformer/config.json").write_text('{"num_layers": '),
         says=["transformer/config.json"]),
    Case("configuration of another type", model=change_json("transformer/config.json", num_layers="two"),
         says=["transformer/config.json", "num_layers"]),
    Case("another model class", model=change_json("model_index.json", _class_name="OtherPipeline"),
         says=["OtherPipeline", "WanPipeline"]),
    Case("more memory than there is", "--height", "16384", "--width", "16384", "--num-frames", "9997",
         says=["needs about", "available", "smaller or shorter", r"these would fit: --height \d+ --width \d+"]),
    Case("no folder for the output", output="none/video.y4m", says=["none"]),
    Case("unknown kind of video", output="video.avi", says=["avi", "mp4"]),
    Case("no ffmpeg", output="video.mp4", environment={"PATH": "/nowhere"}, says=["ffmpeg", "y4m"]),
]


def run_case(program, folder, case):
    """Returns what went wrong, or an empty list."""
    here = folder / case.name.replace(" ", "_")
    here.mkdir()
    model = SOURCE / "models" / "shapes"
    if case.model is not None:
        shutil.copytree(model, here / "model")
        model = here / "model"
        case.model(model)
    output = here / case.output
    if output.parent.is_dir():
        output.write_bytes(BEFORE)
    command = [program, "generate", "--model-path", model, "--output-path", output, "--device", "cpu",
               "--num-inference-steps", "1", "--height", "32", "--width", "32", "--num-frames", "5"]
    command += [] if "--prompt" in case.flags else ["--prompt", "a red circle"]
    if case.config is not None:
        (here / "c.toml").write_text(case.config)
        command += ["--config", here / "c.toml"]
    for flag, value in itertools.zip_longest(case.flags[::2], case.flags[1::2]):
        if value is None:  # --flag=value at the end
            command.append(flag)
        elif flag in command:
            command[command.index(flag) + 1] = value
        else:
            command += [flag, value]
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(here), "OMP_NUM_THREADS": "2", **case.environment}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, env=environment, timeout=120)
    wrong = []
    if case.explained:  # what headers and the tokenizer show is found without a run, and in the same words
        at = command.index("--output-path")
        asked = [program, "explain", *command[2:at], *command[at + 2:]]
        said = subprocess.run([str(part) for part in asked], capture_output=True, text=True, env=environment, timeout=120)
        if (said.returncode, said.stderr) != (done.returncode, done.stderr):
            wrong.append(f"explain ends with {said.returncode} and says: {said.stderr.strip()[-300:]}")
    if done.returncode != 2:
        wrong.append(f"exit code {done.returncode}, not 2")
    wrong += [f"the message has no '{part}'" for part in case.says if not re.search(part, done.stderr)]
    if refusals_page.unlisted(done.stderr.split("fastvideo: ", 1)[-1]):
        wrong.append("docs/refusals.md does not list the message")
    if output.parent.is_dir() and output.read_bytes() != BEFORE:
        wrong.append("the earlier video was written over")
    left = [entry.name for entry in here.iterdir() if ".partial" in entry.name]
    wrong += [f"{name} was left behind" for name in left]
    return [f"{case.name}: {one}\n    {done.stderr.strip()[-600:]}" for one in wrong]


def memory_that_is_not_there(program, folder):
    """Exit code 1, and one line: what LibTorch says has a line for each of forty callers."""
    output = folder / "video.y4m"
    output.write_bytes(BEFORE)
    command = [program, "generate", "--model-path", SOURCE / "models" / "shapes", "--prompt", "a", "--height", "16384", "--width",
               "16384", "--num-frames", "9997", "--num-inference-steps", "1", "--set", "run.memory_check=false", "--device",
               "cpu", "--log-level", "ERROR", "--no-progress", "--output-path", output]
    limited = ["/bin/sh", "-c", 'ulimit -v 4000000; exec "$@"', "sh", *map(str, command)]
    for words, advice in ((limited, "limited to 3906 MiB"), (list(map(str, command)), "a smaller or shorter video")):
        done = subprocess.run(words, capture_output=True, text=True, timeout=120)
        right = (done.returncode == 1 and re.search(r"out of memory: [0-9.]+ MiB were asked for", done.stderr) and
                 advice in done.stderr and done.stderr.count("\n") == 1 and output.read_bytes() == BEFORE)
        if not right:
            yield f"memory that is not there: exit code {done.returncode}: {done.stderr[:2000]}"
    checked = [word for word in limited if word not in ("--set", "run.memory_check=false")]
    done = subprocess.run(checked, capture_output=True, text=True, timeout=120)
    if done.returncode != 2 or not re.search(r"has [0-9.]+ [GM]iB available \(the address space of this process is limited to 3906 MiB",
                                             done.stderr) or output.read_bytes() != BEFORE:
        yield f"memory beyond a limit: exit code {done.returncode}: {done.stderr[:2000]}"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    program = parser.parse_args().program.resolve()
    wrong = []
    with tempfile.TemporaryDirectory(prefix="fastvideo_refusals_") as folder:
        for case in CASES:
            wrong += run_case(program, pathlib.Path(folder), case)
        wrong += memory_that_is_not_there(program, pathlib.Path(folder))
    print("\n".join(wrong) or f"{len(CASES)} kinds of bad input are refused")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
