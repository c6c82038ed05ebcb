#!/usr/bin/env bash
# transformers 5: T5Tokenizer ignores what a tokenizer's own files say of unknown text. A SentencePiece model with byte
# fallback, or one whose <unk> is not id 2 (as where 2 is <s>), gives id 2 for every unknown character; the
# sentencepiece package gives the bytes or the model's own <unk>, and so does the generic class for a tokenizer.json that
# says so. Prompts with rare scripts or emoji then read differently from how a model was trained, without a word.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install transformers==5.23.0 sentencepiece==0.2.3 protobuf==7.36.2
cd "$folder"
TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import io
import json
import pathlib
import sys

import sentencepiece
import transformers
from transformers import PreTrainedTokenizerFast, T5TokenizerFast


def train(folder, **options):
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(["the quick brown fox jumps over the lazy dog"] * 200), model_writer=model,
        model_type="unigram", vocab_size=400, hard_vocab_limit=False, pad_id=0, eos_id=1, num_threads=1, minloglevel=2,
        **options)
    path = pathlib.Path(folder)
    path.mkdir()
    (path / "spiece.model").write_bytes(model.getvalue())
    (path / "tokenizer_config.json").write_text('{"extra_ids": 0}')
    return sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()), path


text = "fox \N{SNOWMAN}"
print("transformers", transformers.__version__, "sentencepiece", sentencepiece.__version__)
processor, path = train("bytes", unk_id=2, bos_id=-1, byte_fallback=True)
t5 = T5TokenizerFast.from_pretrained(path)
ids, theirs = processor.encode(text), t5(text)["input_ids"][:-1]
print("byte fallback: expected", ids[-3:], "(three bytes); seen", theirs[-1:])
seen = ids[-3:] == [processor.piece_to_id(f"<0x{b:02X}>") for b in "\N{SNOWMAN}".encode()] and theirs[-1] == 2

processor, path = train("umt5_ids", unk_id=3, bos_id=2)
ids, theirs = processor.encode(text), T5TokenizerFast.from_pretrained(path)(text)["input_ids"][:-1]
print("<unk> is 3, <s> is 2: expected", ids[-1:], "seen", theirs[-1:])
seen = seen and ids[-1] == 3 and theirs[-1] == 2

# The same for a tokenizer.json that says unk_id 3: the generic class honours it, T5Tokenizer does not.
saved = pathlib.Path("saved")
T5TokenizerFast.from_pretrained(path).save_pretrained(saved)
document = json.loads((saved / "tokenizer.json").read_text())
document["model"]["unk_id"] = 3
(saved / "tokenizer.json").write_text(json.dumps(document))
generic = PreTrainedTokenizerFast.from_pretrained(saved)(text)["input_ids"][-2]
named = T5TokenizerFast.from_pretrained(saved)(text)["input_ids"][-2]
print("tokenizer.json with unk_id 3: generic class", generic, "T5Tokenizer", named)
seen = seen and generic == 3 and named == 2
print("behaviour as described" if seen else "behaviour has CHANGED")
sys.exit(0 if seen else 1)
PYTHON
