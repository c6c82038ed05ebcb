"""The Hugging Face cache is where huggingface_hub itself has it, whatever the variables say.

Run as: hub_cache_parity.py DRIVER
"""

import itertools
import os
import random
import subprocess
import sys

VALUES = {
    "HOME": [None, "/home/a", "/home/a/", "/", ""],
    "XDG_CACHE_HOME": [None, "/x", "/x/", "~/x", "$HOME/x", ""],
    "HF_HOME": [None, "/f", "~/f", "~", "${HOME}/f", "$NOT_SET/f", "~root/f", "~nobody_of_that_name/f", "relative", ""],
    "HF_HUB_CACHE": [None, "/c", "~/c", "$XDG_CACHE_HOME/c$", "${HF_HOME}/${NOT_SET}/c", "$HOMEx/${", "$é/$$HOME", ""],
    "HUGGINGFACE_HUB_CACHE": [None, "/g", "~/g", "$HF_HOME/g", "a~/g", ""],
    "HUGGINGFACE_CO_STAGING": [None, "1"],
}
ASK = """
import importlib, json, os, sys
from huggingface_hub import constants
for line in sys.stdin:
    os.environ.clear()
    os.environ.update(json.loads(line))
    print(importlib.reload(constants).HF_HUB_CACHE, flush=True)
"""


def main():
    import json
    driver = sys.argv[1]
    cases = [dict(zip(VALUES, case)) for case in itertools.product(*VALUES.values())]
    random.Random(0).shuffle(cases)
    alone = [{**dict.fromkeys(VALUES), "HOME": "/home/a", name: value} for name, values in VALUES.items() for value in values]
    cases = alone + cases[:400]
    cases = [{name: value for name, value in case.items() if value is not None} for case in cases]
    asked = subprocess.run([sys.executable, "-c", ASK], input="".join(json.dumps(case) + "\n" for case in cases), text=True,
                           capture_output=True, env={**os.environ, "PYTHONUTF8": "1"})
    assert asked.returncode == 0, asked.stderr
    expected = asked.stdout.split("\n")[:-1]
    assert len(set(expected)) > 40, "the cases must tell answers apart"
    wrong = []
    for case, theirs in zip(cases, expected, strict=True):
        ours = subprocess.run([driver], capture_output=True, text=True, env=case).stdout.removesuffix("\n")
        if ours != theirs:
            wrong.append(f"{case}\n  ours     {ours!r}\n  expected {theirs!r}")
    assert not wrong, "\n".join([*wrong[:10], f"{len(wrong)} of {len(cases)} differ"])
    print(f"{len(cases)} environments: equal")


if __name__ == "__main__":
    main()
