"""docs/refusals.md lists what the program says: every message of the page is in the sources, and every fault of the
plugins that tests break on purpose is on the page. (tests/refusals does the same for bad input.)"""

import argparse
import os
import pathlib
import shutil
import subprocess
import tempfile

import refusals_page

# Said by toml++ and by the C library.
FROM_ELSEWHERE = {"Error while parsing", ": No such file or directory"}


def check_sources():
    said = refusals_page.literals()
    missing = [f"'{part}' of `{row}`" for row in refusals_page.rows() for part in refusals_page.fragments(row)
               if part not in FROM_ELSEWHERE and not any(part in one for one in said)]
    assert not missing, "docs/refusals.md lists what no source says:\n  " + "\n  ".join(missing)
    return len(refusals_page.rows())


def findings(program, library, folder):
    """What `fastvideo plugins check` finds in a plugin that is this library."""
    plugin = folder / library.stem
    plugin.mkdir()
    shutil.copy(library, plugin)
    (plugin / "plugin.toml").write_text(
        'manifest = 1\nid = "org.example.fake"\nversion = "1.0.0"\nabi = "0.1"\n[[item]]\nkind = "attention"\n'
        f'name = "FAKE"\nimplementation = "cpu"\nlibrary = "{library.name}"\nsummary = "s"\n')
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder)}
    done = subprocess.run([program, "plugins", "check", plugin], capture_output=True, text=True, env=environment)
    assert done.returncode == 2, f"{library.name} passes\n{done.stdout}{done.stderr}"
    return [line.split("FAILED: ")[1] for line in done.stdout.splitlines() if "FAILED: " in line]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("fake_plugins", type=pathlib.Path, help="where the plugins that break a rule each are")
    arguments = parser.parse_args()
    listed = check_sources()
    unlisted = []
    libraries = sorted(arguments.fake_plugins.glob("*.so"))
    assert len(libraries) > 15, libraries
    with tempfile.TemporaryDirectory(prefix="fastvideo_refusals_") as folder:
        for library in libraries:
            found = findings(arguments.program, library, pathlib.Path(folder))
            assert found, f"{library.name}: nothing found"
            if refusals_page.unlisted(found[0]):
                unlisted.append(f"{library.name}: {found[0]}")
    assert not unlisted, "docs/refusals.md does not list:\n  " + "\n  ".join(unlisted)
    print(f"{listed} messages listed, {len(libraries)} broken plugins among them")


if __name__ == "__main__":
    main()
