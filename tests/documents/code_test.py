"""The code of docs/writing_a_backend.md is that of sdk/template, line by line."""

import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
FILES = {"cpp": "naive_attention.cpp", "toml": "plugin.toml", "cmake": "CMakeLists.txt"}


def main():
    page = (SOURCE / "docs" / "writing_a_backend.md").read_text()
    blocks = re.findall(r"^```(cpp|toml|cmake)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert {kind for kind, _ in blocks} == set(FILES), "a kind of block is missing"
    wrong = [f"```{kind}\n{text}```" for kind, text in blocks
             if text not in (SOURCE / "sdk" / "template" / FILES[kind]).read_text()]
    if wrong:
        sys.exit("docs/writing_a_backend.md shows what sdk/template does not have:\n" + "\n".join(wrong))
    print(f"{len(blocks)} blocks are those of the template")


if __name__ == "__main__":
    main()
