"""Writes a whole tiny Wan text-to-video model, with random weights, as a folder in diffusers' format.

Run as: make_tiny_model.py FOLDER [--seed N] [--dtype float32|bfloat16] [--shard-size SIZE]
"""

import argparse
import io
import pathlib
import tempfile

import sentencepiece
import torch
from diffusers import WanPipeline
from transformers import T5TokenizerFast

import tiny_wan

SENTENCES = """a red circle moves to the right over a blue background
a green square moves up, then a yellow triangle falls down
two birds fly over the sea while the sun sets behind the hill
the cat sits on the old wooden ship; its tail moves slowly
a small white fish swims to the left under a large grey boat
three people walk in the rain, a dog runs past them
worst quality, blurry, static, overexposed, low contrast
A slow camera pans across the city at night. "Lights" glow!
full width letters and numbers 0123456789 & some signs: (a) [b] <c>
snow falls on the mountain; the river is frozen - it's quiet
""".splitlines()


def train_tokenizer(path, vocab_size=256):
    """A sentencepiece unigram model with T5's special ids: <pad> 0, </s> 1, <unk> 2, no <s>."""
    model = io.BytesIO()  # with a file name, the model would contain it
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(SENTENCES * 4), model_writer=model, model_type="unigram", vocab_size=vocab_size,
        hard_vocab_limit=False, character_coverage=1.0, pad_id=0, eos_id=1, unk_id=2, bos_id=-1, num_threads=1,
        minloglevel=2)
    pathlib.Path(path).write_bytes(model.getvalue())


def make(folder, seed=0, dtype=torch.float32, max_shard_size="10GB", scheduler=None, **transformer_changes):
    """Writes the model to `folder`. Same arguments, same files."""
    folder = pathlib.Path(folder)
    with tempfile.TemporaryDirectory() as temporary:
        spiece = pathlib.Path(temporary) / "spiece.model"
        train_tokenizer(spiece)
        pieces = sentencepiece.SentencePieceProcessor(model_file=str(spiece)).get_piece_size()
        models = dict(text_encoder=tiny_wan.text_encoder(seed, vocab_size=max(256, pieces)),
                      transformer=tiny_wan.transformer(seed, **transformer_changes), vae=tiny_wan.vae(seed))
        if dtype != torch.float32:
            models = {name: model.to(dtype) for name, model in models.items()}
        pipeline = WanPipeline(tokenizer=T5TokenizerFast.from_pretrained(temporary, extra_ids=0),
                               scheduler=scheduler or tiny_wan.scheduler(), **models)
        pipeline.save_pretrained(folder, max_shard_size=max_shard_size)
        (folder / "tokenizer").mkdir(exist_ok=True)
        (folder / "tokenizer" / "spiece.model").write_bytes(spiece.read_bytes())


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--dtype", choices=["float32", "bfloat16"], default="float32")
    parser.add_argument("--shard-size", default="10GB", help="a small one gives sharded weights")
    arguments = parser.parse_args()
    make(arguments.folder, arguments.seed, getattr(torch, arguments.dtype), arguments.shard_size)


if __name__ == "__main__":
    main()
