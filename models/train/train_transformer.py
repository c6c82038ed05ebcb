"""Trains the transformer by flow matching, on latents of drawn clips and the frozen text encoder's output.

What it sees is what the pipeline gives it: the stored (bfloat16) autoencoder and text encoder, text padded with zeros to 512 rows, and the
empty prompt for guidance. Part of the clips is replaced by new ones all the time.
"""

import argparse
import pathlib
import subprocess
import sys

import torch
import torch.nn.functional as F

import clips
import common
import configs
import fast_transformer
import fast_vae
import train_vae

SHIFT = configs.SCHEDULER["flow_shift"]
EMPTY_SHARE = 0.1  # Captions dropped, for classifier-free guidance.


class Bank:
    """Normalised latents and text of many clips on the GPU."""

    def __init__(self, model_folder: pathlib.Path, size: int, device: torch.device):
        from diffusers import AutoencoderKLWan
        from transformers import UMT5EncoderModel

        self.device, self.size, self.next = device, size, 0
        self.vae = AutoencoderKLWan.from_pretrained(model_folder / "vae", torch_dtype=torch.float32).to(device).requires_grad_(False)
        self.text_encoder = UMT5EncoderModel.from_pretrained(model_folder / "text_encoder", dtype=torch.float32).to(device).requires_grad_(False)
        self.mean = torch.tensor(self.vae.config.latents_mean, device=device).view(1, -1, 1, 1, 1)
        self.std = torch.tensor(self.vae.config.latents_std, device=device).view(1, -1, 1, 1, 1)
        half = torch.bfloat16 if device.type == "cuda" else torch.float32
        frames, height, width = 1 + (clips.FRAMES - 1) // 4, clips.HEIGHT // 8, clips.WIDTH // 8
        self.latents = torch.zeros(size, 16, frames, height, width, device=device, dtype=half)
        self.text = torch.zeros(size, fast_transformer.TEXT_ROWS, configs.TRANSFORMER["text_dim"], device=device, dtype=half)
        self.length = torch.ones(size, device=device, dtype=torch.long)
        self.empty, _ = self.encode_text(torch.tensor([[1] + [0] * (common.TEXT_LENGTH - 1)], device=device))

    @torch.no_grad()
    def encode_text(self, tokens: torch.Tensor) -> tuple:
        there = tokens != 0
        hidden = self.text_encoder(input_ids=tokens, attention_mask=there.long()).last_hidden_state * there[..., None]
        return F.pad(hidden, (0, 0, 0, fast_transformer.TEXT_ROWS - common.TEXT_LENGTH)), there.sum(1)

    @torch.no_grad()
    def put(self, codes: torch.Tensor, tokens: torch.Tensor, chunk: int = 128) -> None:
        """Draws and encodes clips of the scenes, in place of the oldest ones."""
        for part, words in zip(codes.split(chunk), tokens.split(chunk)):
            rows = (torch.arange(len(part), device=self.device) + self.next) % self.size
            self.next = (self.next + len(part)) % self.size
            video = clips.draw(clips.place(part.to(self.device)))
            with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
                mean = fast_vae.encode(self.vae, video).float().chunk(2, 1)[0]
            self.latents[rows] = ((mean - self.mean) / self.std).to(self.latents.dtype)
            text, length = self.encode_text(words.to(self.device))
            self.text[rows], self.length[rows] = text.to(self.text.dtype), length


def start_weights(model) -> None:
    """Every block starts as the identity for the video (gates at 0), and attention to the text is sharp enough to beat its padding."""
    for module in model.modules():
        if isinstance(module, torch.nn.Linear):
            torch.nn.init.xavier_uniform_(module.weight)
            torch.nn.init.zeros_(module.bias)
    torch.nn.init.xavier_uniform_(model.patch_embedding.weight.flatten(1))
    torch.nn.init.zeros_(model.patch_embedding.bias)
    torch.nn.init.zeros_(model.condition_embedder.time_proj.weight)
    torch.nn.init.zeros_(model.proj_out.weight)
    torch.nn.init.zeros_(model.scale_shift_table)
    for block in model.blocks:
        torch.nn.init.zeros_(block.scale_shift_table)
        torch.nn.init.constant_(block.attn2.norm_q.weight, 2.0)
        torch.nn.init.constant_(block.attn2.norm_k.weight, 2.0)


def loss_of(model, bank: Bank, batch: int, dtype: torch.dtype) -> torch.Tensor:
    device = bank.device
    rows = torch.randint(bank.size, (batch,), device=device)
    clean, text, length = bank.latents[rows].float(), bank.text[rows].float(), bank.length[rows]
    dropped = torch.rand(batch, device=device) < EMPTY_SHARE
    text = torch.where(dropped[:, None, None], bank.empty, text)
    length = torch.where(dropped, 1, length)
    # Times as the sampler uses them (shifted), from a logit-normal distribution; one in five uniform, for the ends.
    time = torch.sigmoid(torch.randn(batch, device=device))
    time = SHIFT * time / (1 + (SHIFT - 1) * time)
    time = torch.where(torch.rand(batch, device=device) < 0.2, torch.rand(batch, device=device), time)
    noise = torch.randn_like(clean)
    sigma = time.view(-1, 1, 1, 1, 1)
    velocity = fast_transformer.forward(
        model, torch.lerp(clean, noise, sigma), 1000 * time, text, fast_transformer.text_bias(length), dtype
    )
    return F.mse_loss(velocity, noise - clean)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=pathlib.Path, required=True, help="the model's folder; tokenizer/, text_encoder/ and vae/ are there")
    parser.add_argument("--seconds", type=float, default=430, help="of training; compiling and the first clips come on top")
    parser.add_argument("--batch", type=int, default=192)
    parser.add_argument("--clips", type=int, default=32768, help="clips held at a time")
    parser.add_argument("--fresh", type=int, default=128, help="clips replaced every 50 iterations, at most 2048")
    parser.add_argument("--rate", type=float, default=1.5e-3)
    parser.add_argument("--start", type=float, default=1.0, help="part of the rate to start with")
    parser.add_argument("--end", type=float, default=0.01, help="part of the rate to end with")
    parser.add_argument("--state", type=pathlib.Path, help="file to go on from if it exists, and to keep the state in")
    parser.add_argument("--weights", type=pathlib.Path, help="transformer folder to start from if there is no state")
    parser.add_argument("--evaluate", type=float, nargs="*", default=[], help="parts of the time at which to save and score 100 prompts")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--log", type=pathlib.Path, default=pathlib.Path("transformer_log.csv"))
    options = parser.parse_args()

    source = common.SceneSource(options.model / "tokenizer", seed=31 + int(bool(options.state and options.state.exists())), workers=6)
    source.waiting[-1].wait()
    device = common.pick_device()
    torch.manual_seed(3)
    setup = common.Clock(1)
    if device.type == "cuda" and not options.no_compile:
        fast_transformer.functions["block"] = torch.compile(fast_transformer.block_forward, fullgraph=True, dynamic=False)
        train_vae.compile_pieces()
    bank = Bank(options.model, options.clips, device)
    for start in range(0, options.clips, source.CHUNK):
        codes, tokens = source.take()
        if start == 0:
            try:
                bank.put(codes[:8], tokens[:8])
            except Exception as error:
                print(f"compiled pieces failed ({error}), encoding without", flush=True)
                fast_vae.functions["norm_silu"] = fast_vae.norm_silu
            bank.next = 0
        bank.put(codes[: options.clips - start], tokens[: options.clips - start])
    if device.type == "cuda":
        torch.cuda.synchronize()
    print(f"{options.clips} clips drawn and encoded after {setup.elapsed():.0f} s", flush=True)

    state, average = None, None
    if options.weights and not (options.state and options.state.exists()):
        from diffusers import WanTransformer3DModel

        model = WanTransformer3DModel.from_pretrained(options.weights, torch_dtype=torch.float32).to(device)
    else:
        model = configs.make_transformer().to(device)
        start_weights(model)
    iteration = 0
    if options.state and options.state.exists():
        kept = torch.load(options.state, map_location=device)
        model.load_state_dict(kept["model"])
        average = configs.make_transformer().to(device).requires_grad_(False)
        average.load_state_dict(kept["average"])
        state, iteration = kept["optimizer"], kept["iteration"]
    first_iteration = iteration
    dtype = torch.bfloat16 if device.type == "cuda" else torch.float32
    # The average reaches back a thousandth part of what a short run takes: 0.9995 is 2,000 iterations.
    trainer = common.Trainer(model, lambda m: loss_of(m, bank, options.batch, dtype), options.rate, 0.9995, average=average, state=state)
    try:
        trainer.capture()
    except Exception as error:  # Compiling is a convenience: train without it rather than not at all.
        print(f"compiled blocks failed ({error}), training without", flush=True)
        fast_transformer.functions["block"] = fast_transformer.block_forward
        torch.cuda.synchronize()
        trainer.capture()
    print(f"training starts after {setup.elapsed():.0f} s", flush=True)

    def save() -> None:
        configs.save(trainer.average, options.model / "transformer")
        if options.state:
            kept = {"model": model.state_dict(), "average": trainer.average.state_dict(), "optimizer": trainer.optimizer.state_dict()}
            torch.save({**kept, "iteration": iteration}, options.state)

    log = common.Log(options.log, ["seconds", "iteration", "loss", "gradient", "rate"])
    clock, shown, losses, judges = common.Clock(options.seconds), 0.0, [], []
    pending = sorted(options.evaluate)
    while clock.progress() < 1:
        factor = min(1.0, (iteration - first_iteration + 1) / 500) * common.cosine(clock.progress(), options.start, options.end)
        trainer.step(factor)
        iteration += 1
        if iteration % 50 == 0:
            losses.append(trainer.loss.item())  # Waits for the GPU, so that the clock is right.
            if options.fresh:
                codes, tokens = source.take()
                bank.put(codes[: options.fresh], tokens[: options.fresh])
        if losses and clock.elapsed() - shown >= min(10.0, options.seconds / 20):
            shown = clock.elapsed()
            log.row(shown, iteration, sum(losses) / len(losses), trainer.norm.item(), trainer.rate.item())
            losses = []
        if pending and clock.progress() >= pending[0]:
            save()
            tag = f"at{int(100 * pending.pop(0)):03d}"
            command = [sys.executable, str(common.HERE / "evaluate.py"), "--model", str(options.model), "--every", "2"]
            judges.append(subprocess.Popen([*command, "--out", str(options.log.parent / tag)]))
    log.row(clock.elapsed(), iteration, trainer.loss.item(), trainer.norm.item(), trainer.rate.item())
    source.close()
    save()
    print(f"{iteration} iterations", flush=True)
    for judge in judges:
        judge.wait()


if __name__ == "__main__":
    main()
