"""Trains the text encoder alone: every token's output must tell the whole scene, through one linear layer.

The transformer then finds who has which colour in any row it looks at. A text encoder that learns together with the transformer learns
the words long before their order, and swaps the colours of object and background (docs/embedded_model.md).
"""

import argparse
import pathlib

import torch
import torch.nn.functional as F

import common
import configs
import vocabulary

# What a token must tell: the background, then colour, shape, size and motion of each object; one class more for "nothing there".
CLASSES = [len(vocabulary.COLOURS)] + 2 * [len(vocabulary.COLOURS), len(vocabulary.SHAPES), len(vocabulary.SIZES), len(vocabulary.MOTIONS)]


class Reader(torch.nn.Module):
    def __init__(self, encoder):
        super().__init__()
        self.encoder = encoder
        self.head = torch.nn.Linear(configs.TEXT_ENCODER["d_model"], sum(CLASSES) + len(CLASSES))

    def forward(self, tokens: torch.Tensor) -> list:
        hidden = self.encoder(input_ids=tokens, attention_mask=(tokens != 0).long()).last_hidden_state
        return self.head(hidden).split([n + 1 for n in CLASSES], -1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="the model's folder; its tokenizer/ is there")
    parser.add_argument("--seconds", type=float, default=40)
    parser.add_argument("--batch", type=int, default=1024)
    parser.add_argument("--captions", type=int, default=131072)
    parser.add_argument("--log", type=pathlib.Path, default=pathlib.Path("text_log.csv"))
    options = parser.parse_args()

    source = common.SceneSource(options.model / "tokenizer", seed=11, empty_share=0.02)
    codes, tokens = source.take_many(options.captions + 4096)
    source.close()
    device = common.pick_device()
    torch.manual_seed(1)
    codes, tokens = codes.to(device), tokens.to(device)
    test_codes, test_tokens = codes[-4096:], tokens[-4096:]
    reader = Reader(configs.make_text_encoder()).to(device)

    def read_loss(model, codes, tokens):
        there = (tokens != 0).float()
        losses = 0
        for i, scores in enumerate(model(tokens)):
            # -1, "nothing there", is the last class.
            target = torch.where(codes[:, i] < 0, CLASSES[i], codes[:, i])[:, None].expand(tokens.shape)
            losses = losses + F.cross_entropy(scores.transpose(1, 2), target, reduction="none")
        return (losses * there).sum() / there.sum()

    def loss_of(model):
        rows = torch.randint(options.captions, (options.batch,), device=device)
        return read_loss(model, codes[rows], tokens[rows])

    @torch.no_grad()
    def accuracy(model) -> float:
        right = torch.ones(test_tokens.shape, dtype=torch.bool, device=device)
        for i, scores in enumerate(model(test_tokens)):
            target = torch.where(test_codes[:, i] < 0, CLASSES[i], test_codes[:, i])[:, None]
            right &= scores.argmax(-1) == target
        return right[test_tokens != 0].float().mean().item()

    trainer = common.Trainer(reader, loss_of, rate=1e-3, decay=0.99)
    log = common.Log(options.log, ["seconds", "iteration", "loss", "all_right"])
    clock, iteration = common.Clock(options.seconds), 0
    while clock.progress() < 1:
        trainer.step(min(1.0, (iteration + 1) / 100) * common.cosine(clock.progress(), 1.0, 0.02))
        iteration += 1
        if iteration % 100 == 0:
            log.row(clock.elapsed(), iteration, trainer.loss.item(), accuracy(trainer.average))
    log.row(clock.elapsed(), iteration, trainer.loss.item(), accuracy(trainer.average))
    configs.save(trainer.average.encoder, options.model / "text_encoder")


if __name__ == "__main__":
    main()
