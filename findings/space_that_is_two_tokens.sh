#!/usr/bin/env bash
# tokenizers (the Rust library of transformers 5): white space can be encoded twice. An added token with `rstrip` takes the
# white space behind it into itself; where that white space is, or holds, an added token of its own (an ideographic
# space, a run of spaces), the second token is emitted as well, with offsets inside the first one's. Three characters
# become tokens of (0, 4) and (3, 4), and what follows is split from the end of the second token on, so that white space
# behind it counts once more. One expects every character in one token at most: the offsets then map text to tokens.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install tokenizers==0.23.3
"$folder/venv/bin/python" - <<'PYTHON'
import sys

import tokenizers
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers

tokenizer = Tokenizer(models.WordLevel({"\u2581": 0, "b": 1, "\u2581b": 2, "[UNK]": 3}, unk_token="[UNK]"))
tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
tokenizer.add_tokens([AddedToken("<x>", rstrip=True, normalized=False), AddedToken("\u3000", normalized=False)])
print("tokenizers", tokenizers.__version__)
expected = {"<x>\u3000b": [("<x>\u3000", (0, 4)), ("\u3000", (3, 4)), ("\u2581b", (4, 5))],
            "<x> \u3000 b": [("<x> \u3000 ", (0, 6)), ("\u3000", (4, 5)), ("\u2581b", (5, 7))]}
as_described = True
for text, tokens in expected.items():
    encoding = tokenizer.encode(text)
    seen = list(zip(encoding.tokens, encoding.offsets))
    print(f"{text!a}: {seen!a}")
    as_described &= seen == tokens
print("behaviour as described" if as_described else "behaviour has CHANGED")
sys.exit(0 if as_described else 1)
PYTHON
