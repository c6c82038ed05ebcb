"""What the training scripts share: time budget, log, scenes in bulk, whole iterations as a CUDA graph, averaged weights."""

import copy
import csv
import math
import multiprocessing
import pathlib
import random
import time

import numpy
import torch

import clips
import make_tokenizer
import vocabulary

TEXT_LENGTH = 31  # Tokens of a caption with its end mark; the grammar's longest has 26.
HERE = pathlib.Path(__file__).resolve().parent


class Clock:
    """A wall-clock budget in seconds."""

    def __init__(self, budget: float):
        self.start, self.budget = time.monotonic(), budget

    def elapsed(self) -> float:
        return time.monotonic() - self.start

    def progress(self) -> float:
        return min(1.0, self.elapsed() / self.budget)


class Log:
    """Rows of a CSV file, also printed."""

    def __init__(self, path: pathlib.Path, columns: list):
        path.parent.mkdir(parents=True, exist_ok=True)
        self.file = open(path, "w", newline="")
        self.writer = csv.writer(self.file)
        self.columns = columns
        self.writer.writerow(columns)

    def row(self, *values) -> None:
        values = [f"{v:.5g}" if isinstance(v, float) else str(v) for v in values]
        self.writer.writerow(values)
        self.file.flush()
        print("  ".join(f"{c} {v}" for c, v in zip(self.columns, values)), flush=True)


def cosine(progress: float, start: float, end: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * progress))


def some_scenes(task: tuple) -> tuple:
    """(codes [N, 9] int64, tokens [N, TEXT_LENGTH] int64, 0 behind the end): random scenes that are not held out."""
    seed, count, tokenizer_folder, empty_share = task
    rng, tokenizer = random.Random(seed), make_tokenizer.load(pathlib.Path(tokenizer_folder))
    scenes = [vocabulary.random_scene(rng, 1 if rng.random() < 0.45 else 2) for _ in range(count)]
    codes = clips.encode_scenes(scenes)
    tokens = numpy.zeros((count, TEXT_LENGTH), numpy.int64)
    for i, scene in enumerate(scenes):
        if rng.random() < empty_share:
            codes[i], ids = -1, []
        elif i % 50 == 0 and not vocabulary.held_out("blue", vocabulary.parse(vocabulary.DEMO_PROMPT).objects[0]):
            # The prompt of the README is one of 2,434 of its kind; it is drawn more often than the others.
            scene = vocabulary.parse(vocabulary.DEMO_PROMPT)
            codes[i], ids = clips.encode_scenes([scene])[0], tokenizer.encode(vocabulary.caption(scene))
        else:
            ids = tokenizer.encode(vocabulary.caption(scene, rng))
        tokens[i, : len(ids) + 1] = [*ids, 1]
    return codes, tokens


class SceneSource:
    """Random scenes from worker processes. Make it before the GPU is touched: the workers are forks."""

    CHUNK = 2048

    def __init__(self, tokenizer_folder: pathlib.Path, seed: int, empty_share: float = 0.0, workers: int = 4):
        self.pool = multiprocessing.get_context("fork").Pool(workers)
        self.tasks = ((seed * 1000003 + i, self.CHUNK, str(tokenizer_folder), empty_share) for i in range(10**9))
        self.waiting = [self.pool.apply_async(some_scenes, (next(self.tasks),)) for _ in range(4 * workers)]

    def take(self) -> tuple:
        """(codes, tokens) of the next CHUNK scenes, as tensors."""
        self.waiting.append(self.pool.apply_async(some_scenes, (next(self.tasks),)))
        codes, tokens = self.waiting.pop(0).get()
        return torch.from_numpy(codes), torch.from_numpy(tokens)

    def take_many(self, count: int) -> tuple:
        parts = [self.take() for _ in range(-(-count // self.CHUNK))]
        return tuple(torch.cat(part)[:count] for part in zip(*parts))

    def close(self) -> None:
        self.pool.terminate()


class Trainer:
    """AdamW with gradient clipping and averaged weights; on a GPU the whole iteration is one CUDA graph.

    `loss_of(model)` draws its own batch and returns the loss, with no value read back on the way.
    """

    def __init__(self, model, loss_of, rate: float, decay: float, betas=(0.9, 0.99), weight_decay=0.01, average=None, state=None):
        self.model, self.loss_of, self.decay = model, loss_of, decay
        self.parameters = [p for p in model.parameters() if p.requires_grad]
        self.device = self.parameters[0].device
        self.on_gpu = self.device.type == "cuda"
        self.base_rate, self.rate = rate, torch.tensor(rate, device=self.device)
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=self.rate, betas=betas, weight_decay=weight_decay, fused=self.on_gpu, capturable=self.on_gpu
        )
        if state is not None:
            self.optimizer.load_state_dict(state)
            for group in self.optimizer.param_groups:
                group["lr"] = self.rate
        self.average = average if average is not None else copy.deepcopy(model).requires_grad_(False)
        self.averaged = [p for p in self.average.parameters()][: len(self.parameters)]
        self.loss = torch.zeros((), device=self.device)
        self.norm = torch.zeros((), device=self.device)
        self.graph = None

    def iteration(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        loss = self.loss_of(self.model)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
        self.optimizer.step()
        with torch.no_grad():
            torch._foreach_lerp_(self.averaged, self.parameters, 1 - self.decay)
            self.loss.copy_(loss)
            self.norm.copy_(norm)

    def capture(self) -> None:
        """Records one iteration as a CUDA graph; without a GPU it does nothing. Again after loss_of changes."""
        if not self.on_gpu:
            return
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                self.iteration()
        torch.cuda.current_stream().wait_stream(stream)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self.iteration()

    def step(self, factor: float) -> None:
        """One iteration at `factor` times the base rate."""
        self.rate.fill_(self.base_rate * factor)
        if self.graph is not None:
            self.graph.replay()
        else:
            self.iteration()


def pick_device() -> torch.device:
    if not torch.cuda.is_available():
        return torch.device("cpu")
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.backends.cudnn.allow_tf32 = True
    torch.backends.cudnn.benchmark = True
    return torch.device("cuda")
