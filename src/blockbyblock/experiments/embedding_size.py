"""Chapter 04: is it the size of what enters the first layer, or the balance of token and position?

A table that starts with variance 1 and is multiplied by the root of d_model changes both. Here only one changes.
"""

from collections.abc import Iterator
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from .input_embedding import SMALL, TASKS, started
from .tagging import Tagger, accuracy, fit

ROOT = SMALL.d_model**0.5
# Which of the chapter's starts, and what the sum of token and position is multiplied by.
SUMS = {
    "times root, both": ("N(0, 1)", ROOT),
    "times root, then sum / root": ("N(0, 1), times root", 1 / ROOT),
}


class Scaled(nn.Module):
    """Multiplies the sum of token and position."""

    def __init__(self, positions: nn.Module, factor: float) -> None:
        super().__init__()
        self.positions, self.factor = positions, factor

    def forward(self, x: Float[Tensor, "batch position d_model"]) -> Float[Tensor, "batch position d_model"]:
        """The sum, longer or shorter, with the same balance."""
        return self.positions(x) * self.factor


def scaled(start: str, seed: int) -> Tagger:
    """A small encoder whose table starts with variance 1 and whose sum is multiplied."""
    of, factor = SUMS[start]
    model = started(of, seed)
    model.positions = Scaled(model.positions, factor)
    return model


def run(seeds: int = 5, steps: int = 600) -> Iterator[dict[str, Any]]:
    """Each task with either sum; and three of the starts with more steps, and at a third of the rate."""
    for task, draw in TASKS.items():
        for start in SUMS:
            for seed in range(seeds):
                model = scaled(start, seed)
                fit(model, draw, steps=steps, seed=seed)
                row = {"task": task, "start": start, "seed": seed, "steps": steps, "rate": 3e-3}
                yield row | {"accuracy": accuracy(model, draw)}
    for start in ("N(0, 1), times root", *SUMS):
        for seed in range(3):
            for more, rate in ((4 * steps, 3e-3), (steps, 1e-3)):
                model = scaled(start, seed) if start in SUMS else started(start, seed)
                fit(model, TASKS["two before"], steps=more, seed=seed, rate=rate)
                row = {"task": "two before", "start": start, "seed": seed, "steps": more, "rate": rate}
                yield row | {"accuracy": accuracy(model, TASKS["two before"])}


if __name__ == "__main__":
    from .record import record

    record("embedding_size", lambda: list(run()))
