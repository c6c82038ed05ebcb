"""Prompt cleaning against diffusers' own, with ftfy, on texts without mojibake (which is not repaired here).

Run as: clean_prompt_parity.py DRIVER
"""

import html.entities
import json
import random
import subprocess
import sys
import unicodedata

import ftfy
from diffusers.pipelines.wan import pipeline_wan

HAND_WRITTEN = [
    "", " ", "\n", "a plain prompt", "  two  spaces \t\n and lines \r\n", "A \u2018curly\u2019 \u201cquote\u201d \u201alow\u201e",
    "\u02bcokina \u201b\u201f", "\ufb01ne \ufb02ow \ufb00 \ufb03 \ufb04 \ufb05 \ufb06", "\u0132 \u0133 \u0149 \u01c4 \u01c5 \u01c6 \u01c7 \u01c8 \u01c9 \u01ca \u01cb \u01cc \u01f1 \u01f2 \u01f3",
    "\uff2c\uff2f\uff35\uff24\u3000\uff2e\uff2f\uff29\uff33\uff25\uff33", "\uff35\uff80\uff70\uff9d", "\uff76\uff9e\uff77\uff9f", "\uffe3\uffe5\uffe6\uffe8\uffed", "e\u0301 a\u030a o\u0302\u0323",
    "\u1100\u1161\u11a8 \uffa1\uffc2", "\u212b \u2126 \u0958 \ufb1d", "nbsp\u00a0here\u2003em\u200bzero\u202fnarrow\u205f.", "line\u2028para\u2029end",
    "cr\rlf\ncrlf\r\nvt\x0bff\x0c.", "\x1b[31mred\x1b[0m \x1b[1;2;3mx \x1b[ y \x1b]z \x1b[12", "\x1b[\u0661m arabic digit", "\x00\x01\x08\x0e\x1f\x7f gone",
    "\x1c a \x1f", "\u206a\u206f\ufff9\ufffa\ufffb\ufffc\ufeff gone", "\ufeffbyte order mark", "joiner \u200d\u200c marks \u200e\u200f kept",
    "&amp; &lt;b&gt; &quot;q&quot; &#39;a&#39; &apos;", "&amp;amp; &amp;amp;amp; &amp;amp;amp;lt;", "caf&eacute; &EACUTE; &Eacute; &eACUTE; &SZLIG; &NTILDE;",
    "&eacute &amp &notit; &notin; &notanentity; &ampx &AMP &LT", "&#233; &#xe9; &#XE9; &#x1F600; &#128512 &#x", "&#0; &#13; &#128; &#129; &#133; &#150; &#159; &#x80;",
    "&#55296; &#xDFFF; &#1114112; &#99999999999999999999; &#xFFFFFFFFFFFF;", "&#1; &#11; &#12; &#127; &#64976; &#65534; &#x1FFFF;", "&#59; &#38;amp; &#38;#38; &#38;lt;",
    "&#12ab; &#xg; &#; &; &&amp;&", "< &eacute; &EACUTE; &amp;", "first &EACUTE;\n< second &EACUTE;\n third &EACUTE; &eacute;", "a<b &hellip; &nbsp; c",
    "&CounterClockwiseContourIntegral; &CounterClockwiseContourIntegralx;", "&" + "a" * 40 + ";", "&NotEqualTilde; &fjlig; &ThickSpace; &bne;", "&lt;script&gt; &lt;EACUTE;",
    "\x80euro \x85dots \x91q\x92 \x81 \x8d \x9d \x9f", "\u2026 \u2013 \u2014 \u2122 \u00ae \u00bd \u00b2", "\U0001f389\U0001f469\u200d\U0001f467 \U0001f1e9\U0001f1ea",
    "\ufffd replacement", "\u65e5\u672c\u8a9e \u306e \u52d5\u753b \ud55c\uad6d\uc5b4 \u0440\u0443\u0441\u0441\u043a\u0438\u0439", "t\u0142umaczenie \u017c\u00f3\u0142\u0107", "\u00dcn\u00efc\u00f6d\u00e9", "x &LT;b&GT; &QUOT;y&QUOT;",
    "\U000e0067 tag \U0001d173 music", "\u0340\u0341\u0343\u0344\u0374\u037e\u0387", "\uff06amp\uff1b \uff06eacute\uff1b", "&\u200bamp;", "&amp\u3000; &eacute\uff1b",
]


def without_mojibake_repair(text):
    """The text that diffusers would make if ftfy repaired no mojibake."""
    text = ftfy.fix_text(text, fix_encoding=False)
    text = pipeline_wan.html.unescape(pipeline_wan.html.unescape(text)).strip()
    return pipeline_wan.whitespace_clean(text)


def random_texts(count):
    rng = random.Random(0)
    names = sorted(html.entities.html5)
    parts = ["\r\n", "\n", "  ", "\x1b[1m", "\u2019", "\u201c", "\ufb01", "\u3000", "&", "&amp;", ";", "<", "\u0301", "\u0323", "\x85", "\u2028",
             "\uff76", "\uff9e", "\u1100", "\u1161", "&#", "x4", "123"]
    ranges = [(0x20, 0x7F), (0x20, 0x7F), (0x80, 0x250), (0x300, 0x370), (0x370, 0x530), (0x900, 0xE80), (0x1100, 0x1200),
              (0x1E00, 0x2000), (0x2000, 0x2200), (0x3000, 0x3100), (0x4E00, 0x9FFF), (0xF900, 0xFB50), (0xFF00, 0xFFFF),
              (0x1D000, 0x1D200), (0x1F300, 0x1F600), (0x0, 0x110000)]

    def part():
        kind = rng.random()
        if kind < 0.1:
            return "&" + rng.choice(names)
        if kind < 0.15:
            return "&" + rng.choice(names).upper()
        if kind < 0.2:
            return rng.choice(["&#%d;", "&#x%x;", "&#%d"]) % rng.choice([rng.randrange(0, 0x300), rng.randrange(0x120000)])
        if kind < 0.35:
            return rng.choice(parts)
        code_point = rng.randrange(*rng.choice(ranges))
        # Only characters that this Python's Unicode assigns: newer versions give other characters a combining class.
        return chr(code_point) if unicodedata.category(chr(code_point)) not in ("Cn", "Cs") else "."

    return ["".join(part() for _ in range(rng.randrange(1, 40))) for _ in range(count)]


def run(driver, texts):
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([driver, "clean"], input=lines, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(what, texts, ours, expected):
    wrong = [(text, a, b) for text, a, b in zip(texts, ours, expected, strict=True) if a != b]
    for text, a, b in wrong[:10]:
        print(f"{what}: {text!a}\n  ours     {a!a}\n  expected {b!a}")
    assert not wrong, f"{what}: {len(wrong)} of {len(texts)} texts differ"
    print(f"{what}: {len(texts)} texts equal")


def main():
    driver = sys.argv[1]
    entities = [f"a &{name} b" for name in html.entities.html5] + [f"a &{name}x" for name in html.entities.html5]
    entities += [f"&{name.upper()}" for name in html.entities.html5]
    numbers = [f"&#{n};|&#x{n:x}" for n in [*range(0x200), *range(0xD7F0, 0xE010), *range(0xFD00, 0xFE00), 0xFFFE, 0x10FFFF]]
    characters = ["a" + chr(c) + "b" for c in range(0x110000) if unicodedata.category(chr(c)) not in ("Cs", "Cn", "Co")]
    for what, texts in [("by hand", HAND_WRITTEN), ("entities", entities), ("numbers", numbers),
                        ("every character", characters), ("random", random_texts(4000))]:
        expected = [pipeline_wan.prompt_clean(text) for text in texts]
        repaired = [text for text, e in zip(texts, expected) if e != without_mojibake_repair(text)]
        # The oracle is diffusers itself; texts that ftfy takes for mojibake are compared without that repair.
        assert len(repaired) < 0.1 * len(texts), f"{what}: {len(repaired)} of {len(texts)} texts look like mojibake"
        print(f"{what}: {len(repaired)} texts look like mojibake")
        repaired = set(repaired)
        expected = [without_mojibake_repair(text) if text in repaired else e for text, e in zip(texts, expected)]
        compare(what, texts, run(driver, texts), expected)


if __name__ == "__main__":
    main()
