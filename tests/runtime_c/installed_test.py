"""The program of docs/embedding.md, built against an installation that was moved and run with it: `cmake` or `pkg-config`."""

import argparse
import ctypes
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
HERE = pathlib.Path(__file__).resolve().parent
MODEL = HERE.parents[1] / "models" / "shapes"
PROJECT = """cmake_minimum_required(VERSION 3.25)
project(minimal LANGUAGES C)
find_package(FastVideo {newer} QUIET)
if(FastVideo_FOUND)
  message(FATAL_ERROR "{version} passes for {newer}")
endif()
find_package(FastVideo {version} REQUIRED)
add_executable(minimal minimal.c)
target_link_libraries(minimal PRIVATE fastvideo::runtime)
"""


def environment(**changes):
    """Nothing that could lend the compiler or the program more than the installation has."""
    return {"PATH": os.environ["PATH"], "OMP_NUM_THREADS": "2", "GOMP_SPINCOUNT": "1000", **changes}


def call(command, expected=0, **variables):
    done = subprocess.run([str(part) for part in command], capture_output=True, env=environment(**variables))
    said = done.stderr.decode()
    if done.returncode != expected:
        sys.exit(f"{shlex.join(map(str, command))}\nexit code {done.returncode}\n{done.stdout.decode(errors='replace')}{said}")
    return done.stdout, " ".join(said.split())


def install(arguments, folder):
    """Installs what embedding needs, and moves it."""
    first, prefix = folder / "first", folder / "moved"
    for component in ("sdk", "runtime"):
        call([arguments.cmake, "--install", arguments.build, "--component", component, "--prefix", first])
    first.rename(prefix)
    library = ctypes.CDLL(str(prefix / "lib" / "libfastvideo.so"))
    library.fvr_version.restype = ctypes.c_char_p
    return prefix, library.fvr_version().decode()


def with_cmake(arguments, folder, prefix, version):
    major, minor = map(int, version.split(".")[:2])
    source = folder / "source"
    source.mkdir()
    shutil.copy(HERE / "minimal.c", source)
    (source / "CMakeLists.txt").write_text(PROJECT.format(version=version, newer=f"{major}.{minor + 1}"))
    configure = [arguments.cmake, "-S", source, f"-DCMAKE_C_COMPILER={arguments.compiler}", f"-DCMAKE_PREFIX_PATH={prefix}", "-B"]

    # Headers without the library, as the component sdk has them alone.
    runtime = prefix / "lib" / f"libfastvideo.so.{version}"
    runtime.rename(folder / "away")
    _, said = call([*configure, folder / "incomplete"], expected=1)
    assert f"libfastvideo.so.{version} is not there: install FastVideo's component runtime" in said, said
    (folder / "away").rename(runtime)

    call([*configure, folder / "build"])
    call([arguments.cmake, "--build", folder / "build"])
    return folder / "build" / "minimal"


def with_pkg_config(arguments, folder, prefix, version):
    def ask(*what):
        return shlex.split(call(["pkg-config", *what, "fastvideo"], PKG_CONFIG_PATH=str(prefix / "lib" / "pkgconfig"))[0].decode())

    assert ask("--modversion") == [version], ask("--modversion")
    (libraries,) = ask("--variable=libdir")
    program = folder / "minimal"
    call([arguments.compiler, "-std=c11", HERE / "minimal.c", *ask("--cflags", "--libs"), f"-Wl,-rpath,{libraries}", "-o", program])
    return program


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("cmake", "pkg-config"))
    parser.add_argument("--build", type=pathlib.Path, required=True, help="our build folder")
    parser.add_argument("--cmake", required=True)
    parser.add_argument("--compiler", required=True, help="for C")
    arguments = parser.parse_args()
    if shutil.which(arguments.way) is None and arguments.way == "pkg-config":
        print("skipped: no pkg-config in PATH (Debian: apt-get install pkg-config)")
        sys.exit(SKIPPED)
    with tempfile.TemporaryDirectory(prefix="fastvideo_installed_") as name:
        folder = pathlib.Path(name)
        prefix, version = install(arguments, folder)
        build = with_cmake if arguments.way == "cmake" else with_pkg_config
        program = build(arguments, folder, prefix, version)
        linked = call(["ldd", program])[0].decode()
        assert os.path.realpath(linked.split("libfastvideo.so")[1].split("=> ")[1].split(" (")[0]).startswith(str(prefix)), linked
        video, said = call([program, MODEL, "a red circle"], HOME=name)
        assert len(video) == 5 * 32 * 32 * 3, f"{len(video)} bytes of frames: {said}"
        print(f"fastvideo {version} found by {arguments.way}: {said}")


if __name__ == "__main__":
    main()
