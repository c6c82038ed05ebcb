"""docs/refusals.md as a list of messages, and the messages that the sources can say."""

import pathlib
import re

SOURCE = pathlib.Path(__file__).resolve().parents[2]
LITERAL = r'"((?:[^"\\\n]|\\.)*)"'


def rows():
    """The messages of the page, `…` for what varies."""
    found = re.findall(r"^\| `(.*?)` \|", (SOURCE / "docs" / "refusals.md").read_text(), re.MULTILINE)
    assert len(found) > 50, "the tables of docs/refusals.md are not where they were"
    return found


def fragments(row):
    return [part.strip() for part in row.split("…") if len(part.strip()) > 2]


def pattern(row):
    return re.compile(".*".join(re.escape(part.strip()) for part in row.split("…")), re.DOTALL)


def literals():
    """Every string of the sources, neighbours joined as the compiler joins them."""
    found = []
    for folder in ("host", "tools", "pipelines", "plugins", "sdk"):
        for file in (SOURCE / folder).rglob("*.[ch]pp"):
            if file.name.endswith("_test.cpp") or ("testing" in file.parts and folder != "sdk"):
                continue
            code = re.sub(r"^\s*//.*$|\s//[^\"\n]*$", "", file.read_text(), flags=re.MULTILINE)
            for run in re.findall(r'(?:"(?:[^"\\\n]|\\.)*"\s*)+', code):
                found.append("".join(re.findall(LITERAL, run)).replace('\\"', '"').replace("\\n", "\n"))
    return found


def unlisted(message):
    """Whether no row of the page has the message."""
    return not any(pattern(row).search(message) for row in rows())
