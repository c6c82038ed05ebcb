"""Tokenizer against transformers: one tokenizer, saved in each of the ways found in model folders.

The oracle is transformers' own class, run on the same folder. docs/decisions/0010-tokenizer.md says where transformers
differs from the sentencepiece package.

Run as: tokenizer_parity.py DRIVER
"""

import io
import json
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile
import unicodedata

import sentencepiece
import transformers
from sentencepiece import sentencepiece_model_pb2
from transformers import AddedToken, PreTrainedTokenizerFast, T5TokenizerFast

transformers.utils.logging.set_verbosity_error()

WORDS = ("a red blue green yellow circle square triangle moves to the left right up down over black white gradient "
         "background slowly and two videos of it's don't Ünïcödé naïve café 日本語 の 動画 видео кошка (x) [y] 3.14 #1 & "
         "http://a.b/c?d=e").split()

HAND_WRITTEN = [
    "", " ", "a", "a red circle moves to the left", "  leading and   inner    spaces  ", "tabs\tand\nlines\r\n",
    "Ünïcödé naïve café", "日本語の動画", "ﬁne ﬂow ﬀ", "ＦＵＬＬ ｗｉｄｔｈ ｶﾞｷﾞ", "e\u0301 combining a\u030a\u0323", "emoji 🎉👩‍👩‍👧 🇩🇪",
    "</s>", "a </s> b", "a</s>b", "<pad>", "<unk> x", "▁ literal ▁meta", "unknown 𐍈𐍈𐍈 runs 𐍈a𐍈", "<0x41> bytes", "<s> x<s>",
    "\u00a0nbsp\u3000wide\u200bzero", "½ ² ℃ ™ …", "control \x01\x07 chars", "a" * 3000, "red " * 700, "xyz-_=+/\\|~`^",
    "½\u0301 ²\u0302 X\u0302 Q\u0301e", "か\u3099 は\u309a", "\u0301alone", "Ä\u0308\u0308", "a\u200db c\ufe0fd", "\r\n a\r\n",
    "<extra_id_0> red <extra_id_9>circle", "<extra_id_10> none", "</s></s>", "blue <unk> up", "</ s>", "<extra_id_1",
    "sks", "a sks dog", "asks", "SKS", "sks.", "sks_", "sks\u00e9", " sks", "sks sks", "a  <lora>  b", "a<lora>b", "ﬁsh-tok ﬁsh-tok2",
    "fish-tok fish-tok2", "<cls> <mask>", "éclair-tok", "e\u0301clair-tok", "\u3000<lora>\u2003x", "ⓐsks ⓐ", "sks\u200d",
]


def train(byte_fallback, rule, control=(), user=(), unk_id=2):
    rng = random.Random(0)
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(" ".join(rng.choices(WORDS, k=12)) for _ in range(2000)), model_writer=model,
        model_type="unigram", vocab_size=420, hard_vocab_limit=False, byte_fallback=byte_fallback, pad_id=0, eos_id=1,
        unk_id=unk_id, bos_id=2 if unk_id == 3 else -1, normalization_rule_name=rule, num_threads=1, minloglevel=2,
        control_symbols=list(control), user_defined_symbols=list(user))
    return model.getvalue()


def random_texts(count, seed=1):
    rng = random.Random(seed)
    tokens = ["sks", "<lora>", "</s>", "<extra_id_3>", "fish-tok", "ﬁsh-tok", " ", "  ", "\u3000", "\t", "▁", "."]

    def character():
        pool = rng.random()
        if pool < 0.6:
            return rng.choice("abcdefghijklmnopqrstuvwxyz   .,;'-()<>/&")
        if pool < 0.7:
            return rng.choice(tokens)
        if pool < 0.75:
            return chr(rng.randrange(0x300, 0x370))
        code_point = rng.randrange(0x20, 0x3100) if pool < 0.95 else rng.randrange(0x10000, 0x20000)
        # Only characters that this Python's Unicode assigns: newer versions make other characters combine.
        return chr(code_point) if unicodedata.category(chr(code_point)) not in ("Cs", "Cn") else " "

    for _ in range(count):
        if rng.random() < 0.5:
            yield rng.choice([" ", "", "  "]).join(rng.choices(WORDS + tokens, k=rng.randrange(1, 30)))
        else:
            yield "".join(character() for _ in range(rng.randrange(1, 60)))


def run(driver, folder, texts, max_length, mode="encode"):
    lines = "".join(json.dumps(text) + "\n" for text in texts)
    done = subprocess.run([driver, mode, folder, str(max_length)], input=lines, text=True, capture_output=True)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


class Comparison:
    def __init__(self, driver):
        self.driver, self.folders, self.failed = driver, 0, []

    def folder(self, what, folder, texts, max_length=512, kind=T5TokenizerFast):
        """One folder: ours beside transformers' class. Returns the ids."""
        mode = "encode" if kind is T5TokenizerFast else "encode-backend"
        tokenizer = kind.from_pretrained(folder)
        expected = [tokenizer(text, truncation=True, max_length=max_length)["input_ids"] for text in texts]
        ours = run(self.driver, folder, texts, max_length, mode)
        wrong = [(text, a, b) for text, a, b in zip(texts, ours, expected, strict=True) if a != b]
        for text, a, b in wrong[:4]:
            print(f"{what}: {text!a}\n  ours     {a[:40]}\n  expected {b[:40]}")
        self.folders += 1
        if wrong:
            self.failed.append(f"{what}: {len(wrong)} of {len(texts)} texts differ")
        return expected


def write(folder, **files):
    folder.mkdir(parents=True)
    for name, content in files.items():
        name = {"spiece": "spiece.model"}.get(name, name + ".json")
        (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return folder


def check_rules(compare, base, texts):
    """Model files of every kind, alone and converted by transformers."""
    cases = [dict(byte_fallback=False, rule="nmt_nfkc"), dict(byte_fallback=True, rule="nmt_nfkc"),
             dict(byte_fallback=False, rule="identity"), dict(byte_fallback=False, rule="nfkc_cf"),
             dict(byte_fallback=False, rule="nmt_nfkc", unk_id=3),
             dict(byte_fallback=False, rule="nmt_nfkc_cf", control=["<cls>"], user=["<lora>", "sks"])]
    for case in cases:
        name = str(case)
        spiece = write(base / f"spiece{compare.folders}", spiece=train(**case))
        for max_length in (1, 2, 16, 512):
            compare.folder(f"{name}, spiece.model, {max_length} tokens", spiece, texts, max_length)
        for extra_ids in (0, 10):
            folder = write(base / f"extra{compare.folders}", spiece=(spiece / "spiece.model").read_bytes(),
                           tokenizer_config={"extra_ids": extra_ids})
            compare.folder(f"{name}, {extra_ids} extra ids", folder, texts)
            saved = base / f"saved{compare.folders}"
            T5TokenizerFast.from_pretrained(folder).save_pretrained(saved)
            compare.folder(f"{name}, {extra_ids} extra ids, saved", saved, texts)
            compare.folder(f"{name}, {extra_ids} extra ids, saved, generic class", saved, texts,
                           kind=PreTrainedTokenizerFast)
            (saved / "tokenizer_config.json").unlink()
            compare.folder(f"{name}, {extra_ids} extra ids, tokenizer.json alone", saved, texts)
            compare.folder(f"{name}, {extra_ids} extra ids, tokenizer.json alone, generic class", saved, texts,
                           kind=PreTrainedTokenizerFast)
            shutil.copy(spiece / "spiece.model", saved)
            compare.folder(f"{name}, {extra_ids} extra ids, tokenizer.json beside spiece.model", saved, texts)


ADDED = [AddedToken("sks", normalized=True), AddedToken("<lora>", lstrip=True, rstrip=True, normalized=False),
         AddedToken("fish-tok", single_word=True, normalized=True), AddedToken("<mask>", special=True),
         AddedToken("éclair-tok", normalized=True)]


def check_added(compare, base, texts):
    """Added tokens, in each of the files where they are kept."""
    for rule in ("nmt_nfkc", "nmt_nfkc_cf"):
        spiece = train(False, rule)
        plain = write(base / f"plain_{rule}", spiece=spiece, tokenizer_config={"extra_ids": 10})
        before = T5TokenizerFast.from_pretrained(plain)
        size = len(before)
        grown = T5TokenizerFast.from_pretrained(plain)
        assert grown.add_tokens(ADDED) == len(ADDED)
        saved = base / f"grown_{rule}"
        grown.save_pretrained(saved)
        tokenizer_json = json.loads((saved / "tokenizer.json").read_text())
        decoder = {str(i): dict(content=t.content, lstrip=t.lstrip, rstrip=t.rstrip, normalized=t.normalized,
                                single_word=t.single_word, special=t.special)
                   for i, t in grown.added_tokens_decoder.items()}
        config = {"extra_ids": 10}
        assert [size] == [i for i, t in grown.added_tokens_decoder.items() if t.content == "sks"]

        expected = compare.folder(f"{rule}: saved", saved, texts)
        assert expected == [grown(text, truncation=True, max_length=512)["input_ids"] for text in texts]
        assert size in expected[HAND_WRITTEN.index("a sks dog")], "the oracle must find added tokens"
        shutil.copy(plain / "spiece.model", saved)
        assert expected == compare.folder(f"{rule}: saved, beside spiece.model", saved, texts)
        compare.folder(f"{rule}: saved, generic class", saved, texts, kind=PreTrainedTokenizerFast)
        for name, files in {
            "tokenizer.json": dict(tokenizer_json=tokenizer_json),
            "tokenizer.json, extra ids in the configuration": dict(tokenizer_json=tokenizer_json, config=config),
            "decoder": dict(config={**config, "added_tokens_decoder": decoder}),
            "decoder beside tokenizer.json": dict(config={**config, "added_tokens_decoder": decoder},
                                                  tokenizer_json={**tokenizer_json, "added_tokens": []}),
            "decoder that knows less than tokenizer.json": dict(
                config={**config, "added_tokens_decoder": {str(size): decoder[str(size)]}},
                tokenizer_json=tokenizer_json),
            "decoder with a gap": dict(config={**config, "added_tokens_decoder": {str(size + 40): decoder[str(size)]}}),
            "tokenizer.json with a gap": dict(config=config, tokenizer_json={**tokenizer_json, "added_tokens": [
                {**t, "id": t["id"] + (1000 if t["id"] >= size else 0)} for t in tokenizer_json["added_tokens"]]}),
            "added_tokens.json": dict(config=config, added_tokens={"sks": size, "<lora>": size + 1}),
            "added_tokens.json with special_tokens_map.json": dict(
                config=config, added_tokens={"sks": size, "<cls>": size + 1, "<lora>": size + 2},
                special_tokens_map={"cls_token": "<cls>", "mask_token": {"content": "<mask>", "lstrip": True},
                                    "additional_special_tokens": ["<lora>"]}),
            "all of them": dict(config={**config, "mask_token": "<mask>", "image_token": "sks"},
                                tokenizer_json=tokenizer_json, added_tokens={"<cls>": size + 9},
                                special_tokens_map={"cls_token": "<cls>"}),
            "extra special tokens": dict(config={**config, "extra_special_tokens": ["<lora>", "sks"]}),
            "extra special tokens by name": dict(config={**config, "extra_special_tokens": {"lora_token": "<lora>"}}),
            "additional special tokens": dict(config={**config, "additional_special_tokens": ["<lora>", "<extra_id_0>"]}),
            "no special tokens in text": dict(config={**config, "split_special_tokens": True},
                                              tokenizer_json=tokenizer_json),
            "cut on the left": dict(config={**config, "truncation_side": "left"}, tokenizer_json=tokenizer_json),
        }.items():
            names = {"config": "tokenizer_config", "tokenizer_json": "tokenizer"}
            files = {names.get(key, key): value for key, value in files.items()}
            for with_spiece in (True, False):
                if not with_spiece and "tokenizer" not in files:
                    continue
                folder = write(base / f"added{compare.folders}", **files, **(dict(spiece=spiece) if with_spiece else {}))
                what = f"{rule}: {name}" + (", beside spiece.model" if with_spiece and "tokenizer" in files else "")
                compare.folder(what, folder, texts)
                compare.folder(what + ", 12 tokens", folder, texts, 12)
                if "tokenizer" in files:
                    compare.folder(what + ", generic class", folder, texts, kind=PreTrainedTokenizerFast)


# A name that everybody has, a combining mark, a word, and a mark behind its letter: with flags other than their own.
REFLAGGED = ["<pad>", "</s>", "<unk>", "\u0301", "sks", "e\u0301"]
FLAGS = [dict(special=False), dict(special=False, normalized=True), dict(normalized=True), dict(single_word=True), dict(lstrip=True),
         dict(rstrip=True), dict(lstrip=True, rstrip=True, normalized=True, special=False),
         dict(single_word=True, normalized=True, special=False)]


def check_flags(compare, base, texts):
    """Special tokens that are added again with other flags, with and without split_special_tokens."""
    plain = write(base / "flags", spiece=train(False, "nmt_nfkc"), tokenizer_config={"extra_ids": 10})
    saved = base / "flags_saved"
    T5TokenizerFast.from_pretrained(plain).save_pretrained(saved)
    document = json.loads((saved / "tokenizer.json").read_text())
    size = len(document["model"]["vocab"])
    texts = texts + ["a <pad> b", "a<pad>b", "  <pad>  x", "e\u0301x", "a\u0301", "x\u0301\u0301y", "e \u0301", "sks sksks", "</s> b  </s>c"]
    for place, content in enumerate(REFLAGGED):
        others = [token for token in document["added_tokens"] if token["content"] != content]
        for number, flags in enumerate(FLAGS):
            token = {**dict(content=content, single_word=False, lstrip=False, rstrip=False, normalized=False, special=True), **flags}
            number_of = place if place < 3 else size + place
            decoder = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in others} | {str(number_of): token}
            again = {**document, "added_tokens": sorted([*others, {"id": number_of, **token}], key=lambda t: t["id"])}
            config = {"extra_ids": 10, "split_special_tokens": number % 2 == 0}
            both = dict(tokenizer=again, tokenizer_config={**config, "added_tokens_decoder": decoder})
            for where, files in {"tokenizer.json": dict(tokenizer=again, tokenizer_config=config),
                                 "the decoder": {**both, "tokenizer": document}, "both": both}.items():
                folder = write(base / f"flags{compare.folders}", **files)
                for kind in (T5TokenizerFast, PreTrainedTokenizerFast):
                    for split in (True, False) if content == "<pad>" else (config["split_special_tokens"],):
                        changed = {**files["tokenizer_config"], "split_special_tokens": split}
                        (folder / "tokenizer_config.json").write_text(json.dumps(changed))
                        compare.folder(f"{kind.__name__}: {content!a} with {flags} in {where}, split {split}", folder, texts, kind=kind)


def check_old_forms(compare, base, texts):
    """tokenizer.json as earlier versions of transformers wrote it."""
    folder = write(base / "old", spiece=train(False, "nmt_nfkc"), tokenizer_config={"extra_ids": 10})
    saved = base / "old_saved"
    T5TokenizerFast.from_pretrained(folder).save_pretrained(saved)
    document = json.loads((saved / "tokenizer.json").read_text())
    rules = document["normalizer"]
    metaspace = {"type": "Metaspace", "replacement": "▁", "prepend_scheme": "always", "split": True}
    strip = {"type": "Strip", "strip_left": False, "strip_right": True}
    runs = {"type": "Replace", "pattern": {"Regex": " {2,}"}, "content": "▁"}
    for normalizer, pre_tokenizer in [
            (rules, metaspace), ({"type": "Sequence", "normalizers": [rules, strip, runs]}, metaspace),
            ({"type": "Sequence", "normalizers": [rules, {**runs, "content": " "}]}, {**metaspace, "prepend_scheme": "first"}),
            (rules, {**metaspace, "prepend_scheme": "never"}), (None, {**metaspace, "split": False}),
            (rules, {"type": "Sequence", "pretokenizers": [{"type": "WhitespaceSplit"}, metaspace]})]:
        form = write(base / f"form{compare.folders}",
                     tokenizer={**document, "normalizer": normalizer, "pre_tokenizer": pre_tokenizer})
        for kind in (T5TokenizerFast, PreTrainedTokenizerFast):
            compare.folder(f"{kind.__name__}: normalizer {str(normalizer)[-90:]}, pre-tokenizer {pre_tokenizer}", form, texts,
                           kind=kind)
    for byte_fallback, unk_id in [(True, 2), (False, 5)]:
        model = {**document["model"], "byte_fallback": byte_fallback, "unk_id": unk_id}
        form = write(base / f"form{compare.folders}", tokenizer={**document, "model": model})
        for kind in (T5TokenizerFast, PreTrainedTokenizerFast):
            compare.folder(f"{kind.__name__}: byte fallback {byte_fallback}, unknown {unk_id}", form, texts, kind=kind)


def check_beside_sentencepiece(driver, base):
    """Texts on which the two libraries agree: all characters are in the model."""
    model = train(False, "nmt_nfkc")
    processor = sentencepiece.SentencePieceProcessor(model_proto=model)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model)
    assert len(proto.pieces) > 50
    rng = random.Random(3)
    texts = [" ".join(rng.choices(WORDS, k=20)) for _ in range(200)]
    texts = [text for text in texts if 2 not in processor.encode(text)]
    ours = run(driver, write(base / "agree", spiece=model), texts, 512)
    assert ours == [processor.encode(text) + [1] for text in texts] and len(texts) > 50


def main():
    compare = Comparison(sys.argv[1])
    texts = HAND_WRITTEN + list(random_texts(250))
    with tempfile.TemporaryDirectory() as temporary:
        base = pathlib.Path(temporary)
        check_beside_sentencepiece(sys.argv[1], base)
        check_rules(compare, base, texts)
        check_added(compare, base, texts)
        check_flags(compare, base, texts[:90])
        check_old_forms(compare, base, texts)
    if compare.failed:
        sys.exit("\n".join([*compare.failed, f"{len(compare.failed)} of {compare.folders} folders differ"]))
    print(f"{compare.folders} folders, {len(texts)} texts each: equal")


if __name__ == "__main__":
    main()
