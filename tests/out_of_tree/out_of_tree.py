"""What the out-of-tree tests share: the SDK installed alone, a plugin built against it, and the program run with it."""

import argparse
import json
import os
import pathlib
import re
import shlex
import subprocess
import tempfile

import numpy

SOURCE = pathlib.Path(__file__).resolve().parents[2]


def call(command, **changes):
    """Runs a command and returns what it printed; its output comes with the error if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **changes)
    if done.returncode != 0:
        raise SystemExit(f"{shlex.join(map(str, command))}\nexit code {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def clean_environment(**changes):
    """The environment without anything that could lend a compiler or the program more than it is given."""
    kept = {name: value for name, value in os.environ.items()
            if not name.startswith(("FASTVIDEO_", "CMAKE_")) and name not in
            ("CPATH", "C_INCLUDE_PATH", "CPLUS_INCLUDE_PATH", "LIBRARY_PATH", "LD_LIBRARY_PATH", "CXXFLAGS")}
    return {**kept, "OMP_NUM_THREADS": "2", **changes}


class Workshop:
    """A temporary folder with the installed SDK, the plugins built against it, and a tiny model."""

    def __init__(self, description):
        parser = argparse.ArgumentParser(description=description)
        parser.add_argument("--build", type=pathlib.Path, required=True, help="our build folder")
        parser.add_argument("--program", type=pathlib.Path, required=True, help="the fastvideo program")
        parser.add_argument("--cmake", default="cmake")
        parser.add_argument("--compiler", default="c++")
        arguments = parser.parse_args()
        self.build, self.program = arguments.build.resolve(), arguments.program.resolve()
        self.cmake, self.compiler = arguments.cmake, arguments.compiler
        self._temporary = tempfile.TemporaryDirectory(prefix="fastvideo_out_of_tree_")
        self.folder = pathlib.Path(self._temporary.name)
        self.prefix = self.folder / "sdk"
        call([self.cmake, "--install", self.build, "--component", "sdk", "--prefix", self.prefix])

    def build_plugin(self, source):
        """Copies a plugin's sources away from the repository, builds them there, and returns its folder."""
        copy = self.folder / f"{source.name}_source"
        call(["cp", "-r", source, copy])
        build = self.folder / f"{source.name}_build"
        environment = clean_environment()
        call([self.cmake, "-S", copy, "-B", build, f"-DCMAKE_PREFIX_PATH={self.prefix}", "-DCMAKE_BUILD_TYPE=Release",
              "-DCMAKE_EXPORT_COMPILE_COMMANDS=ON", f"-DCMAKE_CXX_COMPILER={self.compiler}"], env=environment)
        call([self.cmake, "--build", build], env=environment)
        self._check_include_path(build)
        (folder,) = {manifest.parent for manifest in (build / "plugins").glob("*/plugin.toml")}
        (library,) = folder.glob("*.so")
        assert library.stat().st_mtime > self.program.stat().st_mtime, "the program must be older than the plugin"
        return folder

    def _check_include_path(self, build):
        for entry in json.loads((build / "compile_commands.json").read_text()):
            command = entry["command"]
            assert str(SOURCE) not in command and str(self.build) not in command, command
            folders = re.findall(r"-(?:I|isystem) ?(\S+)", command)
            assert folders == [str(self.prefix / "include")], f"more than the SDK on the include path: {folders}"

    def tiny_model(self):
        """A tiny Wan model with random weights, in diffusers' format."""
        import make_tiny_model
        folder = self.folder / "model"
        make_tiny_model.make(folder)
        return folder

    def generate(self, output, model, settings, plugins=(), options=(), **environment):
        """Runs `fastvideo generate` and returns its summary."""
        flags = [part for name, value in settings.items() for part in (f"--{name.replace('_', '-')}", value)]
        sets = [part for option in options for part in ("--set", option)]
        return call([self.program, "generate", "--model-path", model, "--output-path", output, *flags, *sets],
                    env=clean_environment(FASTVIDEO_PLUGIN_PATH=":".join(map(str, plugins)), **environment),
                    cwd=self.folder)


def read_frames(path):
    """The frames of a video as ffmpeg decodes them: uint8 [frames, height, width, 3]."""
    size = call(["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "stream=width,height", "-of",
                 "csv=p=0", path]).strip().split(",")
    width, height = map(int, size[:2])
    raw = subprocess.run(["ffmpeg", "-v", "error", "-i", str(path), "-f", "rawvideo", "-pix_fmt", "rgb24", "-"],
                         capture_output=True, check=True).stdout
    return numpy.frombuffer(raw, numpy.uint8).reshape(-1, height, width, 3)


def read_png_frames(folder):
    """The frames of a folder of PNG files, exactly."""
    return numpy.concatenate([read_frames(path) for path in sorted(pathlib.Path(folder).glob("frame_*.png"))])


def runs_on(summary, role):
    """The backend that the summary names for a role, and its number of calls."""
    found = re.search(rf"^\s*{re.escape(role)}\s+(\S+).*?(\d+) calls", summary, re.MULTILINE)
    assert found, f"no {role} in the summary:\n{summary}"
    return found[1], int(found[2])


def compare_frames(ours, reference):
    """The share of values that are equal, and the largest difference in 8-bit levels."""
    assert ours.shape == reference.shape, f"{ours.shape} is not {reference.shape}"
    difference = numpy.abs(ours.astype(int) - reference.astype(int))
    return float((difference == 0).mean()), int(difference.max())
