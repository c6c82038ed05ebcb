"""What files that nobody means well with get from the program: exit code 2 at once, the file, the line, the number.

Too deeply nested, no regular file, leading in circles, of wrong types; text that would steer a terminal or pass for a
line of ours; and times that grow with the size and not with its square."""

import argparse
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import struct
import subprocess
import tempfile
import time

SOURCE = pathlib.Path(__file__).resolve().parents[2]
SHAPES = SOURCE / "models" / "shapes"
DEEP = {"arrays": lambda n: "[" * n + "]" * n, "objects": lambda n: '{"a": ' * n + "1" + "}" * n}
MANIFEST = 'manifest = 1\nid = "org.example.{0}"\nversion = "1.0"\nabi = "0.1"\n'
ITEM = '[[item]]\nkind = "attention"\nname = "{0}"\nimplementation = "cpu"\nlibrary = "liba.so"\nsummary = {1}\n'


class Bench:
    """Runs the program, in a folder of its own for each question."""

    def __init__(self, program, folder):
        self.program, self.folder, self.count, self.wrong = program, folder, 0, []

    def room(self):
        self.count += 1
        room = self.folder / str(self.count)
        room.mkdir()
        return room

    def run(self, *arguments, timeout=60, **environment):
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(self.folder), "OMP_NUM_THREADS": "2", **environment}
        return subprocess.run([str(self.program), *map(str, arguments)], capture_output=True, env=environment,
                              timeout=timeout, stdin=subprocess.DEVNULL)

    def refused(self, name, parts, *arguments, **environment):
        try:
            done = self.run(*arguments, timeout=20, **environment)
        except subprocess.TimeoutExpired:
            self.wrong.append(f"{name}: still waits after 20 s")
            return
        said = (done.stdout + done.stderr).decode(errors="replace")
        if done.returncode != 2:
            self.wrong.append(f"{name}: exit code {done.returncode}, not 2: {said[-400:]}")
        for part in parts:
            if not re.search(part, said):
                self.wrong.append(f"{name}: no '{part}' in: {said[-400:]}")
        if "json.exception" in said or "filesystem error" in said:
            self.wrong.append(f"{name}: the words of a library: {said[-400:]}")

    def expect(self, truth, what):
        if not truth:
            self.wrong.append(what)


def copy_of_the_model(room):
    shutil.copytree(SHAPES, room / "model")
    return room / "model"


def request(model, *more, prompt="a circle"):
    return ("explain", "--model-path", model, "--prompt", prompt, "--device", "cpu", *more)


def without_single_file(model, name):
    """An index of shards is read where no file holds all the weights."""
    if name.endswith(".index.json"):
        (model / name.replace(".index.json", "")).unlink()


def replace_with(make):
    def apply(file):
        file.unlink(missing_ok=True)
        make(file)
    return apply


NO_FILES = {
    "FIFO": (replace_with(os.mkfifo), "is a FIFO and not a regular file"),
    "device": (replace_with(lambda file: file.symlink_to("/dev/zero")), "is a device and not a regular file"),
    "folder": (replace_with(lambda file: file.mkdir()), "is a folder"),
    "circle of links": (replace_with(lambda file: file.symlink_to(file.name)), "link that leads back to itself"),
    "dangling link": (replace_with(lambda file: file.symlink_to("gone")), "is a link to gone, that is .*which is not there"),
}

# The files of a model, and which of them are read by the host, before LibTorch is opened.
MODEL_FILES = ["model_index.json", "scheduler/scheduler_config.json", "text_encoder/config.json", "tokenizer/tokenizer.json",
               "transformer/diffusion_pytorch_model.safetensors.index.json", "vae/diffusion_pytorch_model.safetensors"]


def no_regular_files(bench):
    for kind, (change, says) in NO_FILES.items():
        room = bench.room()
        (room / "plugin").mkdir()
        for name in ("c.toml", "prompts.txt", "matrix.toml", "data.json", "plugin/plugin.toml"):
            change(room / name)
        bench.refused(f"{kind} as configuration", ["c.toml: .*" + says], "plugins", "--config", room / "c.toml")
        bench.refused(f"{kind} in FASTVIDEO_CONFIG", ["c.toml: .*" + says], "plugins", FASTVIDEO_CONFIG=str(room / "c.toml"))
        bench.refused(f"{kind} as prompt file", ["prompts.txt: .*" + says], "generate", "--model-path", SHAPES,
                      "--prompt-file", room / "prompts.txt", "--output-path", room / "x.y4m")
        bench.refused(f"{kind} as matrix", ["matrix.toml: .*" + says], "bench", "--model-path", SHAPES, "--prompt", "x",
                      "--matrix", room / "matrix.toml")
        bench.refused(f"{kind} as manifest", [says], "plugins", "check", room / "plugin")
        done = bench.run("plugins", "--plugin-dir", room / "plugin")
        bench.expect(done.returncode == 0 and re.search(says, done.stdout.decode(errors="replace")), f"{kind} as manifest takes other commands with it")
        hub = room / "hub" / "models--a--b"
        (hub / "snapshots" / "1").mkdir(parents=True)
        (hub / "refs").mkdir()
        change(hub / "refs" / "main")
        bench.refused(f"{kind} as ref of the hub", ["refs/main: .*" + says], *request("a/b"), HF_HUB_CACHE=str(room / "hub"))
        bench.refused(f"{kind} as data file", ["data.json: .*" + says],
                      *request(SHAPES, "--cache-strategy", "magcache", "--magcache-ratios-file", room / "data.json"))
    for at, name in enumerate(MODEL_FILES):  # each with one kind: all are opened by one function
        kind, (change, says) = list(NO_FILES.items())[at % len(NO_FILES)]
        model = copy_of_the_model(bench.room())
        if name.endswith("tokenizer.json"):
            (model / "tokenizer" / "spiece.model").unlink()
        without_single_file(model, name)
        change(model / name)
        command = request(model) if name != "tokenizer/tokenizer.json" else (
            "generate", "--model-path", model, "--prompt", "x", "--output-path", model / "x.y4m", "--num-inference-steps", "1",
            "--device", "cpu")
        bench.refused(f"{kind} as {name}", [re.escape(name) + ": .*" + says], *command)


LEADS_NOWHERE = {"loop": "is a link that leads back to itself", "gone": "is a link to nothing, that is .*, which is not there"}


def links(bench):
    """A link that leads nowhere is called that, whichever path it is, and never replaced."""
    for name, says in LEADS_NOWHERE.items():
        room = bench.room()
        (room / name).symlink_to("loop" if name == "loop" else "nothing")
        link, video = room / name, ("generate", "--model-path", SHAPES, "--prompt", "x", "--device", "cpu")
        bench.refused(f"{name} as model", ["the model folder .*" + says], *request(link))
        bench.refused(f"{name} around a model", [f"lies behind {link}, a link"], *request(link / "model"))
        bench.refused(f"{name} as folder of plugins", ["the folder of plugins .*" + says], "plugins", "--plugin-dir", link)
        bench.refused(f"{name} as plugin", [says], "plugins", "check", link)
        bench.refused(f"{name} around a configuration", [f"lies behind {link}, a link"], "plugins", "--config", link / "c.toml")
        bench.refused(f"{name} around prompts", [f"lies behind {link}, a link"], *video[:3], "--prompt-file", link / "p.txt")
        for output in ("x.y4m", "x.mp4", "frames/"):
            bench.refused(f"{name} as folder of {output}", [f"the folder {link} " + says], *video, "--output-path", link / output)
        bench.refused(f"{name} as folder of --perf-json", ["--perf-json: the folder .*" + says], *video, "--output-path", room / "v.y4m",
                      "--perf-json", link / "p.json")
    room = bench.room()
    for name in ("l.json", "l.toml", "l.y4m", "l.svg", "l"):
        (room / name).symlink_to(name)
    outputs = {"--perf-json": (*video, "--output-path", room / "v.y4m", "--perf-json", room / "l.json"),
               "a video": (*video, "--output-path", room / "l.y4m"), "frames": (*video, "--output-path", room / "l"),
               "--json": ("bench", *video[1:], "--attention", "TORCH_SDPA,FLASH_ATTN", "--json", room / "l.json"),
               "--plot": ("bench", *video[1:], "--attention", "TORCH_SDPA,FLASH_ATTN", "--plot", room / "l.svg"),
               "--output": ("calibrate", "magcache", *video[1:], "--output", room / "l.toml")}
    for name, command in outputs.items():
        bench.refused(f"a link to itself as {name}", ["leads back to itself"], *command)
    bench.expect(all((room / name).is_symlink() for name in ("l.json", "l.toml", "l.y4m", "l.svg", "l")), "a link was replaced")
    # Inputs of a model are known behind a link that leads nowhere, or round in a circle.
    model = copy_of_the_model(bench.room())
    (model / "a_loop").symlink_to("a_loop")
    (model / "b_circle").symlink_to(".")
    bench.refused("a file of the model as output", ["is read by this run"], "generate", *request(model)[1:], "--output-path",
                  model / "vae" / "config.json.y4m", "--perf-json", model / "vae" / "config.json")
    gone = bench.room() / "gone"
    gone.mkdir()
    done = subprocess.run(["/bin/sh", "-c", 'cd "$0" && rmdir "$0" && shift 0 && exec "$@"', gone, bench.program, *map(str, video),
                           "--output-path", "v.y4m"], capture_output=True, text=True)
    bench.expect(done.returncode == 2 and "the working directory" in done.stderr and "cannot be told" in done.stderr,
                 f"a working directory that is gone: {done.returncode} {done.stderr[-300:]}")


def two_runs_at_one_output(bench):
    """Each video is whole, and neither run takes away what the other is making."""
    room = bench.room()

    def command(seed, output):
        return [str(part) for part in (bench.program, "generate", *request(SHAPES)[1:], "--seed", seed, "--height", "32", "--width", "32",
                                       "--num-frames", "5", "--num-inference-steps", "2", "--no-metadata", "--output-path", output)]

    def made(output):
        return [(file.name, file.read_bytes()) for file in sorted(output.iterdir())] if output.is_dir() else output.read_bytes()

    for name in ("v.y4m", "frames"):
        alone = []
        for seed in (1, 2):
            subprocess.run(command(seed, room / f"alone{seed}{name}"), check=True, capture_output=True)
            alone.append(made(room / f"alone{seed}{name}"))
        both = room / "both"
        both.mkdir()
        runs = [subprocess.Popen(command(seed, both / name), stdout=subprocess.PIPE, stderr=subprocess.PIPE) for seed in (1, 2)]
        for run in runs:
            _, said = run.communicate(timeout=60)
            bench.expect(run.returncode == 0, f"two runs at {name}: {run.returncode} {said[-300:]}")
        bench.expect(alone[0] != alone[1] and made(both / name) in alone, f"two runs at {name} mix their videos")
        bench.expect([file.name for file in both.iterdir()] == [name], f"two runs at {name} leave {list(both.iterdir())}")
        shutil.rmtree(both)


def header(text):
    return struct.pack("<Q", len(text)) + text.encode()


def deep_files(bench):
    says = r"\d+:\d+: nested more than 64 deep"
    for depth in (80, 100000):
        for kind, nested in DEEP.items():
            room = bench.room()
            (room / "data.json").write_text("\n" + nested(depth))
            bench.refused(f"{depth} {kind} in data", [r"data\.json:2:\d+: nested"],
                          *request(SHAPES, "--cache-strategy", "magcache", "--magcache-ratios-file", room / "data.json"))
            model = copy_of_the_model(bench.room())
            (model / "model_index.json").write_text('{"_class_name": "WanPipeline", "x": ' + nested(depth) + "}")
            bench.refused(f"{depth} {kind} in model_index.json", ["model_index.json:" + says], *request(model))
        for name, text in (("array", "a = " + "[" * depth + "]" * depth), ("key", ".".join("a" * (depth + 1)) + " = 1"),
                           ("header", "[" + ".".join("a" * depth) + "]"), ("table", "a = " + "{a=" * depth + "1" + "}" * depth)):
            room = bench.room()
            (room / "deep").mkdir()
            (room / "c.toml").write_text("# \n" + text + "\n")
            (room / "deep" / "plugin.toml").write_text(MANIFEST.format("deep") + text + "\n")
            bench.refused(f"{depth} deep {name} in a configuration", [r"c\.toml:2:\d+: .*nested more than 64 deep"], "plugins",
                          "--config", room / "c.toml")
            done = bench.run("plugins", "--plugin-dir", room)
            bench.expect(done.returncode == 0 and re.search(rb"plugin\.toml:5:\d+: .*nested more than 64 deep", done.stdout),
                         f"{depth} deep {name} in a manifest: {done.returncode} {done.stderr[-300:]}")
    for name, text in (("transformer/config.json", '{"x": ' + "[" * 80 + "]" * 80 + "}"),
                       ("transformer/diffusion_pytorch_model.safetensors.index.json", '{"weight_map": ' + '{"a":' * 80 + "1" + "}" * 81),
                       ("vae/diffusion_pytorch_model.safetensors", '{"a": ' + '{"b": ' * 100000 + "1" + "}" * 100001)):
        model = copy_of_the_model(bench.room())
        without_single_file(model, name)
        (model / name).write_bytes(header(text) if name.endswith(".safetensors") else text.encode())
        bench.refused(f"deep {name}", [re.escape(name) + ".*:1:\\d+: nested more than 64 deep"], *request(model))
    room = bench.room()
    (room / "c.toml").write_text("a = " + "[" * 64 + "]" * 64 + "\n")
    bench.refused("64 deep, which may be", ["unknown key 'a'"], "plugins", "--config", room / "c.toml")


def wrong_types(bench):
    for name, text, says in (
            ("model_index.json", '{"_class_name": 1e999}', ":1:17: the number 1e999 is larger than a double holds"), ("model_index.json", "[1]", "no text under _class_name"),
            ("model_index.json", '{"_class_name": ["WanPipeline"]}', "no text under _class_name"),
            ("transformer/config.json", "[]", "not a JSON object"), ("transformer/config.json", '{"num_layers": 1e999}', ":1:16: the number 1e999"), ("vae/config.json", '{"a": 1,}', r":1:\d+: is not JSON: syntax error"),
            ("vae/config.json", '{"z_dim": {"a": [1]}}', "z_dim"), ("vae/config.json", '{"latents_mean": "x"}', "latents_mean"),
            ("transformer/diffusion_pytorch_model.safetensors.index.json", '{"weight_map": {"a": 7}}', "has no file name"),
            ("transformer/diffusion_pytorch_model.safetensors.index.json", '{"weight_map": [1, 2]}', "no weight_map"),
            ("transformer/diffusion_pytorch_model.safetensors.index.json", '7', "no weight_map")):
        model = copy_of_the_model(bench.room())
        without_single_file(model, name)
        (model / name).write_text(text)
        bench.refused(f"{name} {text}", [re.escape(name) + ".*" + says], *request(model))


STEER = "\x1b[31mred\x07\x7f\u009b2J\u0085\u202eback\u2069\nfastvideo: forged\rWARNING 01-01 forged"
RAW = re.compile("[\x00-\x08\x0b-\x1f\x7f\u0080-\u009f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def steering_text(bench):
    room = bench.room()
    (room / "evil").mkdir()
    quoted = '"' + "".join(c if 32 <= ord(c) < 127 else f"\\u{ord(c):04x}" for c in STEER) + '"'
    option = f'[[item.option]]\nname = "x"\ntype = "string"\nflag = "--evil-x"\nchoices = [{quoted}]\nhelp = {quoted}\n'
    (room / "evil" / "plugin.toml").write_text(MANIFEST.format("evil").replace('"1.0"', quoted) + f"{quoted} = 1\n" +
                                               ITEM.format("EVIL", quoted) + option +
                                               ITEM.format("OTHER", quoted).replace('"attention"', quoted))
    (room / "torn").mkdir()
    (room / "torn" / "plugin.toml").write_text(MANIFEST.format("torn").replace('"0.1"', quoted))
    (room / "c.toml").write_text(f"{quoted} = {quoted}\n")
    evil = ("--plugin-dir", room / "evil", "--plugin-dir", room / "torn")
    outputs = {
        "plugins": bench.run("plugins", *evil), "plugins show": bench.run("plugins", "show", "EVIL", *evil),
        "help": bench.run("generate", "--help", *evil), "reference": bench.run("--print-config-reference", *evil),
        "check": bench.run("plugins", "check", room / "evil"), "doctor": bench.run("doctor", *evil, HF_HOME=STEER),
        "explain": bench.run(*request(SHAPES, *evil, "--attention-backend", "EVIL", prompt=STEER)),
        "configuration": bench.run("plugins", "--config", room / "c.toml"), "flag": bench.run("plugins", "--" + STEER),
        "command": bench.run(STEER), "value": bench.run(*request(SHAPES, "--seed", STEER)),
        "variable": bench.run("plugins", FASTVIDEO_LOGGING_LEVEL=STEER), "setting": bench.run("plugins", "--set", STEER + "=1"),
        "model": bench.run(*request(STEER)), "prompt": bench.run(*request(SHAPES, prompt=STEER)),
    }
    for name, done in outputs.items():
        for stream in (done.stdout, done.stderr):
            text = stream.decode()  # UTF-8, whatever came in
            found = RAW.search(text)
            bench.expect(not found, f"{name} prints {found and found[0]!r} raw: {text[max(0, found.start() - 60):found.end() + 20]!r}"
                         if found else "")
            forged = [line for line in text.splitlines() if re.match("(fastvideo: forged|WARNING 01-01 forged)", line)]
            bench.expect(not forged, f"{name} has a forged line: {forged}")
    bench.expect(rb"\x1b[31mred\x07\x7f\u009b2J\u0085\u202eback\u2069\nfastvideo: forged\rWARNING" in outputs["plugins"].stdout,
                 f"plugins does not show what the summary holds: {outputs['plugins'].stdout}")
    bytes_ = subprocess.run([str(bench.program).encode(), b"plugins", b"--set", b"a\xff\x9b\xc3=1"], capture_output=True)
    bench.expect(rb"a\xff\x9b\xc3" in bytes_.stderr, f"bytes that are no UTF-8: {bytes_.stderr}")


def long_texts(bench):
    long = "x" * 120000
    room = bench.room()
    (room / "c.toml").write_text(long + " = 1\n")
    (room / "d.toml").write_text(f'[run]\nthreads = "{long}"\n')
    (room / "model").mkdir()
    (room / "model" / "model_index.json").write_text(json.dumps({"_class_name": long}))
    for name, arguments in {"flag": ("plugins", "--" + long), "value": request(SHAPES, "--seed", long), "command": (long,),
                            "key": ("plugins", "--config", room / "c.toml"), "setting": ("plugins", "--set", long + "=1"),
                            "value in a file": ("plugins", "--config", room / "d.toml"), "show": ("plugins", "show", long),
                            "backend": request(SHAPES, "--attention-backend", long), "model": request(long),
                            "class": request(room / "model")}.items():
        done = bench.run(*arguments)
        bench.expect(done.returncode == 2, f"long {name}: exit code {done.returncode}: {done.stderr[:300]}")
        bench.expect(len(done.stderr) < 6000 and re.search(rb"12\d\d\d\d(\)| bytes)", done.stderr),
                     f"long {name}: {len(done.stderr)} bytes of message, {done.stderr[:300]} ... {done.stderr[-300:]}")


def processor_seconds(bench, *arguments):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = bench.run(*arguments, timeout=110)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, done


def grows_with_the_size(bench, name, size, arguments, code):
    """Twice the size takes at most 2.5 times the processor's time. `arguments(n)` makes the command of a size."""
    for attempt in range(3):  # caches and neighbours
        half, _ = processor_seconds(bench, *arguments(size // 2))
        whole, done = processor_seconds(bench, *arguments(size))
        bench.expect(done.returncode == code, f"{name}: exit code {done.returncode}: {done.stderr[-300:]}")
        if whole <= 2.5 * half + 0.05:
            return
    bench.wrong.append(f"{name}: {size // 2} take {half:.2f} s, {size} take {whole:.2f} s")


def times(bench):
    def manifest(n):
        room = bench.room()
        (room / "many").mkdir()
        (room / "many" / "plugin.toml").write_text(
            MANIFEST.format("many") + "".join(ITEM.format(f"A{i}", '"s"') + '[[item.option]]\nname = "x"\ntype = "int"\n' for i in range(n)))
        return "plugins", "--plugin-dir", room / "many"

    def flags(n):
        room = bench.room()
        (room / "many").mkdir()
        (room / "many" / "plugin.toml").write_text(
            MANIFEST.format("many") + ITEM.format("A", '"s"')
            + "".join(f'[[item.option]]\nname = "x{i}"\ntype = "int"\nflag = "--x{i}"\n' for i in range(n)))
        return "generate", "--help", "--plugin-dir", room / "many"

    def keys(n):
        room = bench.room()
        (room / "many").mkdir()
        (room / "many" / "plugin.toml").write_text(
            MANIFEST.format("many") + "".join(f"key{i} = 1\n" for i in range(n)) + ITEM.format("A", '"s"'))
        return "plugins", "--plugin-dir", room / "many"

    def key(n):
        room = bench.room()
        (room / "c.toml").write_text("k" * n + " = 1\n")
        return "plugins", "--config", room / "c.toml"

    def tensors(n):
        model = copy_of_the_model(bench.room())
        entries = ",".join(f'"t{i}":{{"dtype":"F32","shape":[1],"data_offsets":[{4 * i},{4 * i + 4}]}}' for i in range(n))
        with open(model / "transformer" / "diffusion_pytorch_model.safetensors", "wb") as file:
            file.write(header("{" + entries + ',"bad":{"dtype":"?","shape":[],"data_offsets":[0,0]}}'))
            file.truncate(file.tell() + 4 * n)
        return request(model)

    def prompts(n):
        room = bench.room()
        # The last one is longer than a video file can carry: found when everything has been checked.
        (room / "p.txt").write_text("".join(f"a circle of size {i}\n" for i in range(n)) + "x" * 110000 + "\n")
        return ("generate", "--model-path", SHAPES, "--prompt-file", room / "p.txt", "--device", "cpu", "--output-path",
                room / "x.y4m", "--height", "32", "--width", "32", "--num-frames", "5")

    grows_with_the_size(bench, "items of a manifest", 30000, manifest, 0)
    grows_with_the_size(bench, "flags of a manifest in the help", 20000, flags, 0)
    grows_with_the_size(bench, "unknown keys of a manifest", 60000, keys, 0)
    grows_with_the_size(bench, "the length of an unknown key", 1 << 20, key, 2)
    grows_with_the_size(bench, "tensors of a header", 500000, tensors, 2)
    grows_with_the_size(bench, "prompts", 20000, prompts, 2)


def stops_at_control_c(bench):
    room = bench.room()
    (room / "p.txt").write_text("".join(f"a circle of size {i}\n" for i in range(200000)))
    command = [bench.program, "generate", "--model-path", SHAPES, "--prompt-file", room / "p.txt", "--device", "cpu",
               "--output-path", room / "x.y4m"]
    run = subprocess.Popen([str(part) for part in command], stderr=subprocess.PIPE, stdout=subprocess.PIPE,
                           env={"PATH": "/usr/bin:/bin", "HOME": str(room)})
    time.sleep(1.5)
    run.send_signal(signal.SIGINT)
    try:
        _, said = run.communicate(timeout=15)
        bench.expect(run.returncode in (130, -signal.SIGINT), f"Ctrl-C: exit code {run.returncode}: {said[-300:]}")
    except subprocess.TimeoutExpired:
        run.kill()
        bench.wrong.append("Ctrl-C does not end the checks of 200,000 prompts")


def asks_ffmpeg_once(bench):
    room = bench.room()
    (room / "bin").mkdir()
    fake = room / "bin" / "ffmpeg"
    fake.write_text(f"#!/bin/sh\ncase \"$*\" in *-encoders*) echo x >> {room}/asked;; esac\necho ' V....D libx264 H.264'\n")
    fake.chmod(0o755)
    (room / "p.txt").write_text("".join(f"prompt {i}\n" for i in range(50)))
    bench.refused("50 prompts", ["frames"], "generate", "--model-path", SHAPES, "--prompt-file", room / "p.txt", "--device", "cpu",
                  "--output-path", room / "x.mp4", "--num-frames", "6", PATH=f"{room}/bin:/usr/bin:/bin")
    asked = (room / "asked").read_text().count("x") if (room / "asked").exists() else 0
    bench.expect(asked == 1, f"ffmpeg was asked {asked} times for its encoders")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("only", nargs="*", help="some of the questions")
    arguments = parser.parse_args()
    questions = [no_regular_files, links, two_runs_at_one_output, deep_files, wrong_types, steering_text, long_texts, times, stops_at_control_c, asks_ffmpeg_once]
    with tempfile.TemporaryDirectory(prefix="fastvideo_hostile_") as folder:
        bench = Bench(arguments.program.resolve(), pathlib.Path(folder))
        for question in questions:
            if not arguments.only or question.__name__ in arguments.only:
                question(bench)
    assert not bench.wrong, f"{len(bench.wrong)} wrong:\n" + "\n".join(bench.wrong)
    print("hostile files are refused")


if __name__ == "__main__":
    main()
