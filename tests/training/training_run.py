"""A training small enough for a test, and as a process of its own: `python training_run.py FOLDER [CHANGES]`."""

import json
import random
import sys
from pathlib import Path

import torch

from blockbyblock import Transformer, TransformerConfig
from blockbyblock.data import Batches, EncodedPair
from blockbyblock.training import Outcome, Processes, Trainer, TrainingConfig
from blockbyblock.training.update import Updater
from blockbyblock.weights import read_tensors

VOCAB = 23
SMALL = {"steps": 12, "schedule": "constant", "peak": 1e-2, "warmup": 3, "log_every": 2, "checkpoint_every": 4}


def make_pairs(count: int = 24, seed: int = 0) -> list[EncodedPair]:
    """A language whose translation is its own text, backwards."""
    draw = random.Random(seed)
    texts = [[draw.randrange(3, VOCAB) for _ in range(draw.randint(2, 9))] for _ in range(count)]
    return [EncodedPair([*text, 2], [*reversed(text), 2]) for text in texts]


def make_model(dropout: float = 0.2, seed: int = 0, **changes) -> Transformer:
    torch.manual_seed(seed)
    sizes = {"d_model": 16, "heads": 2, "d_ff": 32, "encoder_layers": 1, "decoder_layers": 1}
    config = sizes | {"source_vocab": VOCAB, "target_vocab": VOCAB, "max_length": 32, "dropout": dropout} | changes
    return Transformer(TransformerConfig(**config))


def make_trainer(folder: Path, *, validation: bool = False, processes: Processes | None = None, **changes) -> Trainer:
    processes = Processes(device=torch.device("cpu")) if processes is None else processes
    place = {"rank": processes.rank, "ranks": processes.count}
    return Trainer(
        make_model(),
        Batches(make_pairs(), tokens=40, seed=5, **place),
        TrainingConfig(**SMALL | {"keep": 3, "average": 2} | changes),
        folder,
        validation=Batches(make_pairs(8, seed=1), tokens=40, **place) if validation else None,
        processes=processes,
        progress=False,
    )


def everything(path: Path) -> dict[str, object]:
    """What a checkpoint holds, but for the seconds that it took: weights, optimizer, random numbers, order of data."""
    tensors, values = read_tensors(path)
    del values["state"]["seconds"]
    return {name: tensor.tolist() for name, tensor in tensors.items()} | values


def raise_at(monkeypatch, step, action):
    """Do something in the middle of a step."""
    update, calls = Updater.update, []

    def watched(self, *arguments):
        calls.append(arguments)
        if len(calls) == step:
            action()
        return update(self, *arguments)

    monkeypatch.setattr(Updater, "update", watched)


def main(folder: str, changes: str = "{}") -> Outcome:
    print("ready", flush=True)
    return make_trainer(Path(folder), **json.loads(changes)).train(resume=True)


if __name__ == "__main__":
    print(main(*sys.argv[1:]).reason)
