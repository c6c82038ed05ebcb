#!/usr/bin/env bash
# tokenizers / transformers 5: the ids that a tokenizer's files give to added tokens are not the ids that it uses. Tokens
# are numbered anew in the order of their ids, from the end of the vocabulary on, so that a gap (a token that somebody
# took out again) closes. A text encoder whose table has a row for id 36 then reads row 32 for that word, without a word
# of warning; saving the tokenizer again writes the new ids and the old ones are gone. The same holds for
# added_tokens_decoder (T5Tokenizer) and for added_tokens of tokenizer.json, in the Rust library itself.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install transformers==5.23.0 tokenizers==0.23.3 sentencepiece==0.2.3 protobuf==7.36.2
cd "$folder"
TRANSFORMERS_VERBOSITY=error "$folder/venv/bin/python" - <<'PYTHON'
import io
import json
import pathlib
import sys

import sentencepiece
import tokenizers
import transformers
from transformers import PreTrainedTokenizerFast, T5TokenizerFast

model = io.BytesIO()
sentencepiece.SentencePieceTrainer.train(
    sentence_iterator=iter(["the quick brown fox jumps over the lazy dog"] * 200), model_writer=model,
    model_type="unigram", vocab_size=60, hard_vocab_limit=False, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1,
    minloglevel=2)
size = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue()).get_piece_size()
wanted = [size, size + 5]


def entry(text):
    return {"content": text, "lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}


first = pathlib.Path("first")
first.mkdir()
(first / "spiece.model").write_bytes(model.getvalue())
(first / "tokenizer_config.json").write_text(json.dumps({
    "tokenizer_class": "T5Tokenizer", "extra_ids": 0,
    "added_tokens_decoder": {str(id): entry(text) for id, text in zip(wanted, ("<one>", "<two>"))}}))
words = ["<one>", "<two>"]
print("transformers", transformers.__version__, "tokenizers", tokenizers.__version__)
by_decoder = T5TokenizerFast.from_pretrained(first)
seen = [by_decoder.convert_tokens_to_ids(words)]
print("added_tokens_decoder says", wanted, "T5Tokenizer uses", seen[-1])

by_decoder.save_pretrained("second")
path = pathlib.Path("second/tokenizer.json")
document = json.loads(path.read_text())
for token in document["added_tokens"]:
    if token["content"] == "<two>":
        token["id"] = size + 5
path.write_text(json.dumps(document))
seen.append(PreTrainedTokenizerFast.from_pretrained("second").convert_tokens_to_ids(words))
print("tokenizer.json says", wanted, "the generic class uses", seen[-1])
library = tokenizers.Tokenizer.from_file(str(path))
seen.append([library.token_to_id(word) for word in words])
print("tokenizer.json says", wanted, "the Rust library uses", seen[-1])
as_described = all(ids == [size, size + 1] for ids in seen)
print("behaviour as described" if as_described else "behaviour has CHANGED")
sys.exit(0 if as_described else 1)
PYTHON
