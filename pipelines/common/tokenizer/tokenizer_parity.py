"""Tokenizer against the sentencepiece package: a model file, and tokenizer.json converted back into one.

The sentencepiece package is the oracle, because transformers drops byte fallback and takes a literal "</s>" for the
special token where it converts a model file. Where tokenizer.json is given, special tokens are its own: there the
oracle is the tokenizers package.

Run as: tokenizer_parity.py DRIVER
"""

import io
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import unicodedata

import sentencepiece
import tokenizers
from transformers import T5TokenizerFast

WORDS = ("a red blue green yellow circle square triangle moves to the left right up down over black white gradient "
         "background slowly and two videos of it's don't Ünïcödé naïve café 日本語 の 動画 видео кошка (x) [y] 3.14 #1 & "
         "http://a.b/c?d=e").split()

HAND_WRITTEN = [
    "", " ", "a", "a red circle moves to the left", "  leading and   inner    spaces  ", "tabs\tand\nlines\r\n",
    "Ünïcödé naïve café", "日本語の動画", "ﬁne ﬂow ﬀ", "ＦＵＬＬ ｗｉｄｔｈ ｶﾞｷﾞ", "e\u0301 combining a\u030a\u0323", "emoji 🎉👩‍👩‍👧 🇩🇪",
    "</s>", "a </s> b", "<pad>", "<unk> x", "▁ literal ▁meta", "unknown 𐍈𐍈𐍈 runs 𐍈a𐍈", "<0x41> bytes",
    "\u00a0nbsp\u3000wide\u200bzero", "½ ² ℃ ™ …", "control \x01\x07 chars", "a" * 3000, "red " * 700, "xyz-_=+/\\|~`^",
]


def train(byte_fallback, rule):
    rng = random.Random(0)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(" ".join(rng.choices(WORDS, k=12)) for _ in range(2000)), model_writer=model,
        model_type="unigram", vocab_size=420, hard_vocab_limit=False, byte_fallback=byte_fallback, pad_id=0, eos_id=1,
        unk_id=2, bos_id=-1, normalization_rule_name=rule, num_threads=1, minloglevel=2)
    return model.getvalue()


def random_texts(count):
    rng = random.Random(1)

    def character():
        pool = rng.random()
        if pool < 0.6:
            return rng.choice("abcdefghijklmnopqrstuvwxyz   .,;'-()<>/&")
        code_point = rng.randrange(0x20, 0x3100) if pool < 0.9 else rng.randrange(0x10000, 0x20000)
        # nmt_nfkc normalises by a table, and both packages carry it in the model: any assigned character will do.
        return chr(code_point) if unicodedata.category(chr(code_point)) not in ("Cs", "Cn") else " "

    for _ in range(count):
        if rng.random() < 0.5:
            yield " ".join(rng.choices(WORDS, k=rng.randrange(1, 30)))
        else:
            yield "".join(character() for _ in range(rng.randrange(1, 60)))


def run(driver, folder, texts, max_length):
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([driver, "encode", folder, str(max_length)], input=lines, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def compare(what, texts, ours, expected):
    wrong = [(text, a, b) for text, a, b in zip(texts, ours, expected, strict=True) if a != b]
    for text, a, b in wrong[:5]:
        print(f"{what}: {text!r}\n  ours     {a}\n  expected {b}")
    assert not wrong, f"{what}: {len(wrong)} of {len(texts)} texts differ"
    print(f"{what}: {len(texts)} texts equal")


def oracle(processor, text, max_length):
    return processor.encode(text)[:max_length - 1] + [1]


def check_model(driver, byte_fallback, rule, folder):
    model = train(byte_fallback, rule)
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    texts = HAND_WRITTEN + list(random_texts(400))
    name = f"rule {rule}, byte fallback {byte_fallback}"

    spiece = folder / "spiece"
    spiece.mkdir(parents=True)
    (spiece / "spiece.model").write_bytes(model)
    for max_length in (1, 2, 16, 512):
        compare(f"{name}, spiece.model, {max_length} tokens", texts, run(driver, spiece, texts, max_length),
                [oracle(processor, text, max_length) for text in texts])

    # The conversion of transformers, and back: the same model again, but for special tokens in the text.
    converted = folder / "json"
    T5TokenizerFast.from_pretrained(spiece, extra_ids=10).save_pretrained(converted)
    assert not (converted / "spiece.model").exists()
    document = json.loads((converted / "tokenizer.json").read_text())
    document["model"]["byte_fallback"] = byte_fallback  # transformers forgets it
    (converted / "tokenizer.json").write_text(json.dumps(document))
    special = [token["content"] for token in document["added_tokens"]]
    plain = [text for text in texts if not any(token in text for token in special)]
    assert len(plain) > 400
    compare(f"{name}, tokenizer.json", plain, run(driver, converted, plain, 512),
            [oracle(processor, text, 512) for text in plain])

    with_special = ["</s>", "a </s> b", "a</s>b", "<pad>", "<extra_id_0> red <extra_id_9>circle", "<extra_id_10> none",
                    "</s></s>", "blue <unk> up", "</ s>", "<extra_id_1"]
    hugging_face = tokenizers.Tokenizer.from_file(str(converted / "tokenizer.json"))
    expected = [hugging_face.encode(text).ids for text in with_special]
    assert [1, 1] != expected[1] and 1 in expected[1][:-1], "the oracle must find special tokens in the text"
    compare(f"{name}, special tokens of tokenizer.json", with_special, run(driver, converted, with_special, 512),
            expected)


def main():
    driver = sys.argv[1]
    with tempfile.TemporaryDirectory() as temporary:
        for index, (byte_fallback, rule) in enumerate([(False, "nmt_nfkc"), (True, "nmt_nfkc"), (False, "identity"),
                                                       (False, "nfkc_cf")]):
            check_model(driver, byte_fallback, rule, pathlib.Path(temporary) / str(index))


if __name__ == "__main__":
    main()
