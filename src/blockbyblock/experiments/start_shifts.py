"""Chapter 05: which positions, trained from drawn starts, still hold at starts that were never drawn.

The task is `two_before`, on lengths from 4 to 16. Each training batch is counted from a place between 0 and 63, and the
models are then asked at other places too. With a fixed start every kind of table reaches 100 % and nothing is seen.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from blockbyblock.embedding import TokenEmbedding

from .positional_encoding import (
    RATE,
    SMALL,
    VOCAB,
    AnyStart,
    Concatenated,
    From,
    Table,
    added,
    sines,
    two_before,
    with_base,
)
from .tagging import Tagger, accuracy, fit

STARTS = (0, 16, 32, 64, 96, 128, 256)


def beside() -> Tagger:
    """24 features for the token and 8 for its position, side by side, from drawn starts."""
    model = Tagger(VOCAB, VOCAB, SMALL, layers=1, positions=AnyStart(Concatenated(8)))
    model.embedding = TokenEmbedding(VOCAB, 24)
    return model


KINDS: dict[str, Callable[[], Tagger]] = {
    "sines alone": partial(added, lambda: AnyStart(Table(sines(SMALL.d_model)))),
    "beside": beside,
    "base 2": partial(added, lambda: AnyStart(Table(with_base(2.0)))),
    "base 100": partial(added, lambda: AnyStart(Table(with_base(100.0)))),
    "base 1000000": partial(added, lambda: AnyStart(Table(with_base(1_000_000.0)))),
    "sines alone, from 0": partial(added, lambda: Table(sines(SMALL.d_model))),
}


def tried(kind: str, seed: int, steps: int = 1000, rate: float = 0.01) -> Iterator[dict[str, Any]]:
    """Train one model, and ask it for twelve tokens that begin at each of the starts."""
    torch.manual_seed(seed)
    model = KINDS[kind]()
    fit(model, two_before, steps=steps, seed=seed, rate=rate, warmup=int(RATE["warmup"]))
    positions, draw = model.positions, partial(two_before, length=12)
    for start in STARTS:
        model.positions = From(positions, start)
        row = {"kind": kind, "steps": steps, "rate": rate, "seed": seed, "start": start}
        yield row | {"accuracy": accuracy(model, draw)}


def run(seeds: int = 5) -> Iterator[dict[str, Any]]:
    """Each kind; and the loser, sines alone, with more steps and at other rates."""
    for kind in KINDS:
        for seed in range(seeds):
            yield from tried(kind, seed)
    for seed in range(3):
        yield from tried("sines alone", seed, rate=0.003)
        yield from tried("sines alone", seed, rate=0.03)
        yield from tried("sines alone", seed, steps=4000)


if __name__ == "__main__":
    from .record import record

    record("start_shifts", lambda: list(run()))
