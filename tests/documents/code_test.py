"""The code of pages is that of files that are built: line by line of sdk/template, whole of an embedder."""

import pathlib
import re
import sys

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PAGES = {
    "writing_a_backend.md": {"cpp": "sdk/template/naive_attention.cpp", "toml": "sdk/template/plugin.toml", "cmake": "sdk/template/CMakeLists.txt"},
    "embedding.md": {"c": "tests/runtime_c/minimal.c"},
}


def main():
    wrong, count = [], 0
    for name, files in PAGES.items():
        page = (SOURCE / "docs" / name).read_text()
        blocks = re.findall(r"^```(cpp|toml|cmake|c)\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
        assert {kind for kind, _ in blocks} == set(files), f"docs/{name}: a kind of block is missing"
        wrong += [f"docs/{name} shows what {files[kind]} does not have:\n```{kind}\n{text}```" for kind, text in blocks
                  if text not in (SOURCE / files[kind]).read_text()]
        count += len(blocks)
    if wrong:
        sys.exit("\n".join(wrong))
    print(f"{count} blocks are those of the files")


if __name__ == "__main__":
    main()
