"""Trains the whole embedded model: tokenizer, text encoder, autoencoder, transformer; then scores it on the held-out prompts.

    python3 models/train/train.py            on a GPU, about 15 minutes with the default times on an H200
    python3 models/train/train.py --try      a few iterations of everything, to try the scripts without a GPU; the model is of no use

Needs PyTorch, diffusers, transformers, sentencepiece, protobuf, ftfy and Pillow (tests/requirements.txt has the first of these).
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=pathlib.Path, default=HERE.parent / "shapes", help="the model's folder, written over")
    parser.add_argument("--logs", type=pathlib.Path, default=HERE.parents[1] / "build" / "training", help="logs, scores and pictures")
    parser.add_argument("--text-seconds", type=float, default=40)
    parser.add_argument("--vae-seconds", type=float, default=270)
    parser.add_argument("--transformer-seconds", type=float, default=430)
    parser.add_argument("--from", dest="first", choices=("tokenizer", "text", "vae", "transformer", "score"), default="tokenizer")
    parser.add_argument("--try", dest="tiny", action="store_true", help="a few iterations of everything")
    options = parser.parse_args()
    if options.tiny:
        options.text_seconds = options.vae_seconds = options.transformer_seconds = 5
    model, logs = ["--model", str(options.model)], options.logs
    logs.mkdir(parents=True, exist_ok=True)
    small = {
        "text": ["--batch", "32", "--captions", "2048"],
        "vae": ["--scenes", "64", "--test-clips", "2", "--crop-batch", "1", "--whole-batch", "1"],
        "transformer": ["--batch", "2", "--clips", "4", "--fresh", "1"],
        "score": ["--limit", "2", "--steps", "2", "--batch", "1"],
    }
    steps = {
        "tokenizer": ["make_tokenizer.py", str(options.model / "tokenizer")],
        "text": ["train_text.py", *model, "--seconds", str(options.text_seconds), "--log", str(logs / "text.csv")],
        "vae": ["train_vae.py", *model, "--seconds", str(options.vae_seconds), "--log", str(logs / "vae.csv")],
        "transformer": ["train_transformer.py", *model, "--seconds", str(options.transformer_seconds), "--log", str(logs / "transformer.csv")],
        "score": ["evaluate.py", *model, "--out", str(logs / "scores")],
    }
    names = list(steps)
    for name in names[names.index(options.first) :]:
        if name == "score":
            subprocess.run([sys.executable, "-c", f"import pathlib, configs; configs.write_index(pathlib.Path({str(options.model)!r}))"], cwd=HERE, check=True)
            subprocess.run([sys.executable, str(HERE / "plot.py"), str(logs)], check=True)
        command = [sys.executable, *steps[name], *(small.get(name, []) if options.tiny else [])]
        print(f"== {name}", flush=True)
        subprocess.run([command[0], str(HERE / command[1]), *command[2:]], check=True)


if __name__ == "__main__":
    main()
