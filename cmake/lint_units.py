"""What clang-tidy is given: its time goes to reading headers, so sources that are compiled alike are read together.

    lint_units.py BUILD              one unit a folder (host, pipelines, a plugin), with LibTorch and without
    lint_units.py BUILD tests        the sources of tests, each alone
    lint_units.py BUILD SOURCE ...   those, each alone

Prints the files to be linted; puts BUILD/compile_commands.json in order for them."""

import collections
import json
import pathlib
import re
import sys

OF_TESTS = re.compile(r"_test[.]cpp$|_driver[.]cpp$|_benchmark[.]cpp$|(?<!sdk)/testing/|(^|/)tests/|test_support")
NOT_OURS = re.compile(r"cmake/pch|[.]cu$")  # copies for precompiled headers; what nvcc alone reads
ENTRY = re.compile(r"^(FASTVIDEO_PLUGIN\(|int main\()", re.MULTILINE)  # of these a unit holds one
NEEDED = re.compile(r"-I\S+|-isystem \S+|-D\S+|-std=\S+|-fopenmp")
ALIAS = re.compile(r"^ *namespace (\w+) = ", re.MULTILINE)


def refuse_unused_aliases(source):
    """What misc-unused-alias-decls does, which looks at the file alone that it is given."""
    text = source.read_text()
    for alias in ALIAS.findall(text):
        if not re.search(rf"\b{alias}::", text):
            sys.exit(f"{source}: nothing uses the namespace alias '{alias}'")


def unit_name(source, command):
    parts = source.parts
    name = "_".join(parts[:1] if parts[0] != "plugins" else source.parent.parts)
    if ENTRY.search(source.read_text()):
        name = "_".join(source.with_suffix("").parts)
    return name + ("_torch" if "libtorch" in command else "") + source.suffix


def joined(build, commands):
    units = collections.defaultdict(list)
    for source in commands:
        refuse_unused_aliases(source)
        units[unit_name(source, commands[source])].append(source)
    (build / "units").mkdir(exist_ok=True)
    made = {}
    for name, sources in units.items():
        unit = build.resolve() / "units" / name
        # NOLINT: that a source includes a source is our doing here; in a source itself it is found.
        unit.write_text("".join(f'#include "{source.resolve()}"  // NOLINT\n' for source in sources))
        flags = dict.fromkeys(flag for source in sources for flag in NEEDED.findall(commands[source]))
        made[unit] = f"c++ {' '.join(flag for flag in flags if not flag.endswith('_EXPORTS'))} -c {unit}"
    return made


def main():
    build, chosen = pathlib.Path(sys.argv[1]), sys.argv[2:]
    database = build / "compile_commands.json"
    # Once however often a source is compiled, without an option that clang does not know.
    commands = {pathlib.Path(entry["file"]).resolve().relative_to(pathlib.Path.cwd()):
                entry["command"].replace(" -fno-gnu-unique", "") for entry in json.loads(database.read_text())}
    commands = {source: command for source, command in sorted(commands.items()) if not NOT_OURS.search(str(source))}
    if chosen and chosen != ["tests"]:
        units = [pathlib.Path(source) for source in chosen]
        known = {source.resolve() for source in commands}
        for source in units:
            if source.resolve() not in known:
                print(f"{source}: this build compiles no such source; headers are linted with what includes them", file=sys.stderr)
                sys.exit(2)
    elif chosen:
        units = [source for source in commands if OF_TESTS.search(str(source))]
    else:
        commands = joined(build, {source: command for source, command in commands.items()
                                  if not OF_TESTS.search(str(source))})
        units = list(commands)
    database.write_text(json.dumps([{"directory": str(build.resolve()), "file": str(pathlib.Path(source).absolute()),
                                     "command": command} for source, command in commands.items()]))
    print(*units, sep="\n")


main()
