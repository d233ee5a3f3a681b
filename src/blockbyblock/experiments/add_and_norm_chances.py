"""Chapter 06: what failed at one rate and one start gets other rates, smaller starts and more steps.

Six layers, as in `add_and_norm`, whose `trained` does the work.
"""

from collections.abc import Iterator
from typing import Any

from .add_and_norm import trained
from .record import record

LAYERS = 6


def no_norm(seeds: int = 5, steps: int = 400) -> Iterator[dict[str, Any]]:
    """The sum without the norm, with warm-up: sublayers that start as usual and ten times smaller, at three rates."""
    for factor in (1.0, 0.1):
        for rate in (0.001, 0.003, 0.005):
            for seed in range(seeds):
                row = trained("no norm", LAYERS, seed, rate=rate, steps=steps, warmup=steps // 4, factor=factor)
                yield {"part": "no norm", "start": factor, **row}


def no_residual(seeds: int = 3, steps: int = 1600) -> Iterator[dict[str, Any]]:
    """The norm without the sum, with warm-up, four times the steps, at three rates."""
    for rate in (0.001, 0.003, 0.005):
        for seed in range(seeds):
            row = trained("no residual", LAYERS, seed, rate=rate, steps=steps, warmup=steps // 4)
            yield {"part": "no residual", "start": 1.0, **row}


def post_norm(seeds: int = 5, steps: int = 1000) -> Iterator[dict[str, Any]]:
    """Post-norm without warm-up, at rates down to a tenth of the highest that chapter 06 tries."""
    for rate in (0.001, 0.003):
        for seed in range(seeds):
            row = trained("post-norm", LAYERS, seed, rate=rate, steps=steps, warmup=0)
            yield {"part": "post-norm", "start": 1.0, **row}


if __name__ == "__main__":
    record("add_and_norm_chances", lambda: [*no_norm(), *post_norm(), *no_residual()])
