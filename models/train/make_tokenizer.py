"""Builds the SentencePiece model of the embedded model, and writes the tokenizer folder.

SentencePiece trains a unigram model on captions: that gives the alphabet and the normalisation table. On so small a language it prunes most
words, so the pieces are then set here: every word of the grammar is one piece, and every letter, digit and mark is one for other words.

Usage: make_tokenizer.py FOLDER
"""

import json
import pathlib
import random
import sys

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

import vocabulary

# Log probabilities of the pieces. Any word as one piece scores higher than the same word as letters.
WORD_SCORE, LETTER_SCORE = -4.0, -9.0


def words() -> list:
    """Every word of the grammar, in a fixed order."""
    texts = ["a an and background"]
    texts += [*vocabulary.BACKGROUND_WORDS, *vocabulary.COLOURS, *vocabulary.SHAPES, *filter(None, vocabulary.SIZES)]
    texts += [way for ways in vocabulary.MOTION_WORDS.values() for way in ways]
    return list(dict.fromkeys(" ".join(texts).split()))


def build(folder: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    rng = random.Random(1)
    captions = [vocabulary.caption(vocabulary.random_scene(rng, 1 + i % 2), rng) for i in range(20000)]
    # The alphabet, so that a word outside the grammar becomes letters and not one unknown token.
    captions += ["the quick brown fox jumps over the lazy dog", "0 1 2 3 4 5 6 7 8 9", ", ; : ! ? - ' \" ( )"] * 20
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(captions),
        model_prefix=str(folder / "spiece"),
        model_type="unigram",
        vocab_size=160,
        hard_vocab_limit=False,
        character_coverage=1.0,
        # Case-folding NFKC: "A Red Circle" and "a red circle" are the same tokens.
        normalization_rule_name="nmt_nfkc_cf",
        pad_id=0,
        eos_id=1,
        unk_id=2,
        bos_id=-1,
        pad_piece="<pad>",
        eos_piece="</s>",
        unk_piece="<unk>",
        num_threads=1,
        minloglevel=2,
    )
    model = sentencepiece_model_pb2.ModelProto.FromString((folder / "spiece.model").read_bytes())
    special = list(model.pieces[:3])
    letters = sorted({letter for piece in model.pieces[3:] for letter in piece.piece})
    del model.pieces[:]
    model.pieces.extend(special)
    for i, word in enumerate(words()):
        model.pieces.add(piece="\u2581" + word, score=WORD_SCORE - 0.01 * i)
    for i, letter in enumerate(letters):
        model.pieces.add(piece=letter, score=LETTER_SCORE - 0.01 * i)
    # The trainer's settings are no part of the model; the sizes and ids are.
    model.trainer_spec.vocab_size = len(model.pieces)
    model.trainer_spec.ClearField("model_prefix")
    (folder / "spiece.model").write_bytes(model.SerializeToString())
    (folder / "spiece.vocab").unlink()
    config = {
        "tokenizer_class": "T5Tokenizer",
        "extra_ids": 0,
        "additional_special_tokens": [],
        "pad_token": "<pad>",
        "eos_token": "</s>",
        "unk_token": "<unk>",
        "model_max_length": 512,
        "legacy": False,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n")


def load(folder: pathlib.Path) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "spiece.model"))


if __name__ == "__main__":
    build(pathlib.Path(sys.argv[1]))
