"""Chapter 05: a task that needs order, with several kinds of positions, and positions that training has not seen."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from blockbyblock.config import BlockConfig
from blockbyblock.embedding import LearnedPositionalEncoding, SinusoidalPositionalEncoding, TokenEmbedding, sinusoids
from blockbyblock.encoder import Encoder
from blockbyblock.masks import causal_mask

from .tagging import Draw, Ids, Tagger, accuracy, fit

VOCAB = 16
SMALL = BlockConfig(d_model=32, heads=4, d_ff=64, dropout=0.0)
RATE = {"rate": 0.01, "warmup": 30}
TRAINED, LENGTHS = 16, (12, 16, 20, 24, 32, 48)
ROWS = 1024  # of a table: more than any sequence here needs
DRAWN_STARTS = 64  # where a sequence may start in training, from 0
STARTS = (0, 4, 8, 16, 32, 64, 96, 128, 256)
BASES = (2.0, 10.0, 100.0, 10_000.0, 1_000_000.0)


def two_before(generator: torch.Generator, length: int | None = None) -> tuple[Ids, Ids]:
    """Name the token that stands two places to the left; a length of None is drawn from 4 to `TRAINED`."""
    if length is None:
        length = int(torch.randint(4, TRAINED + 1, (), generator=generator))
    ids = torch.randint(VOCAB, (32, length), generator=generator)
    return ids, torch.cat([torch.full((32, 2), -100), ids[:, :-2]], dim=1)


class Concatenated(nn.Module):
    """Puts sines and cosines beside the token's features instead of adding them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width

    def forward(
        self, x: Float[Tensor, "batch position features"], start: int = 0
    ) -> Float[Tensor, "batch position d_model"]:
        """The features, then `width` more for the position."""
        positions = sinusoids(start + x.shape[1], self.width)[start:].expand(x.shape[0], -1, -1)
        return torch.cat([x, positions], dim=-1)


class Table(SinusoidalPositionalEncoding):
    """Adds the rows of a table of one's own; nothing here is learned."""

    def __init__(self, table: Float[Tensor, "position d_model"]) -> None:
        nn.Module.__init__(self)
        self.register_buffer("table", table, persistent=False)


class AnyStart(nn.Module):
    """Positions that are counted, in training, from a place that is drawn anew for each batch."""

    def __init__(self, positions: nn.Module) -> None:
        super().__init__()
        self.positions = positions

    def forward(
        self, x: Float[Tensor, "batch position d_model"], start: int = 0
    ) -> Float[Tensor, "batch position d_model"]:
        """As the positions themselves in evaluation."""
        start = int(torch.randint(DRAWN_STARTS, ())) if self.training else start
        return self.positions(x, start=start)


class From(nn.Module):
    """Positions that are counted from a place of one's choice."""

    def __init__(self, positions: nn.Module, start: int) -> None:
        super().__init__()
        self.positions, self.start = positions, start

    def forward(self, x: Float[Tensor, "batch position d_model"]) -> Float[Tensor, "batch position d_model"]:
        """The positions, counted from there."""
        return self.positions(x, start=self.start)


class Causal(nn.Module):
    """An encoder in which no position sees a later one."""

    def __init__(self, encoder: nn.Module) -> None:
        super().__init__()
        self.encoder = encoder

    def forward(self, x: Float[Tensor, "batch position d_model"]) -> Float[Tensor, "batch position d_model"]:
        """The encoder under a causal mask."""
        return self.encoder(x, causal_mask(x.shape[1]))


def sines(width: int, base: float = 10_000.0) -> Float[Tensor, "position width"]:
    """A table of as many features as the paper's, each a sine of a frequency of its own."""
    frequency = base ** (-torch.arange(width, dtype=torch.float64) / width)
    return (torch.arange(ROWS, dtype=torch.float64)[:, None] * frequency).sin().float()


def with_base(base: float) -> Float[Tensor, "position d_model"]:
    """The paper's table with another number in the place of 10000."""
    frequency = base ** (-torch.arange(0, SMALL.d_model, 2, dtype=torch.float64) / SMALL.d_model)
    angle = torch.arange(ROWS, dtype=torch.float64)[:, None] * frequency
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).float()


def concatenated() -> Tagger:
    """24 features for the token, 8 for its position."""
    model = Tagger(VOCAB, VOCAB, SMALL, layers=1, positions=Concatenated(8))
    model.embedding = TokenEmbedding(VOCAB, 24)
    return model


def added(positions: Callable[[], nn.Module]) -> Tagger:
    """The positions of this kind, added to the token's 32 features."""
    return Tagger(VOCAB, VOCAB, SMALL, layers=1, positions=positions())


def causal(layers: int) -> Tagger:
    """No positions, and no position sees a later one."""
    model = Tagger(VOCAB, VOCAB, SMALL, layers=layers, positions=nn.Identity())
    model.encoder = Causal(Encoder(SMALL, layers))
    return model


def sinusoidal() -> nn.Module:
    """The paper's."""
    return SinusoidalPositionalEncoding(SMALL.d_model, ROWS)


def learned() -> nn.Module:
    """One learned row for each position."""
    return LearnedPositionalEncoding(SMALL.d_model, ROWS)


KINDS: dict[str, Callable[[], Tagger]] = {
    "none": partial(added, nn.Identity),
    "sinusoidal, added": partial(added, sinusoidal),
    "sinusoidal, beside": concatenated,
    "learned, added": partial(added, learned),
    "sines alone, added": partial(added, lambda: Table(sines(SMALL.d_model))),
    "sinusoidal, any start": partial(added, lambda: AnyStart(sinusoidal())),
    "learned, any start": partial(added, lambda: AnyStart(learned())),
    "none, causal, 1 layer": partial(causal, 1),
    "none, causal, 2 layers": partial(causal, 2),
    "none, causal, 3 layers": partial(causal, 3),
}


def trained(kind: str, draw: Draw, *, steps: int, seed: int) -> Tagger:
    """A small encoder with positions of this kind, trained on the task."""
    torch.manual_seed(seed)
    model = KINDS[kind]()
    fit(model, draw, steps=steps, seed=seed, **RATE)  # type: ignore[arg-type]
    return model


def order(seeds: int = 10, steps: int = 400) -> Iterator[dict[str, Any]]:
    """The task at one length, with each kind of positions."""
    draw = partial(two_before, length=12)
    for kind in KINDS:
        if "any start" in kind:
            continue
        for seed in range(seeds):
            model = trained(kind, draw, steps=steps, seed=seed)
            yield {"kind": kind, "seed": seed, "accuracy": accuracy(model, draw)}


def longer(seeds: int = 10, steps: int = 1000) -> Iterator[dict[str, Any]]:
    """Trained on lengths from 4 to 16: tried at other lengths, and at a length of 12 that starts elsewhere."""
    for kind in ("sinusoidal, added", "learned, added", "sinusoidal, any start", "learned, any start"):
        for seed in range(seeds):
            model = trained(kind, two_before, steps=steps, seed=seed)
            for length in LENGTHS:
                draw = partial(two_before, length=length)
                yield {"kind": kind, "seed": seed, "length": length, "accuracy": accuracy(model, draw)}
            positions, draw = model.positions, partial(two_before, length=12)
            for start in STARTS:
                model.positions = From(positions, start)
                yield {"kind": kind, "seed": seed, "start": start, "accuracy": accuracy(model, draw)}


def bases(seeds: int = 10, steps: int = 400, length: int = 32) -> Iterator[dict[str, Any]]:
    """The task with other numbers in the place of 10000."""
    draw = partial(two_before, length=length)
    for base in BASES:
        for seed in range(seeds):
            torch.manual_seed(seed)
            model = added(lambda base=base: Table(with_base(base)))  # type: ignore[misc]
            fit(model, draw, steps=steps, seed=seed, **RATE)  # type: ignore[arg-type]
            yield {"base": base, "seed": seed, "accuracy": accuracy(model, draw)}


if __name__ == "__main__":
    from .record import record

    record("positional_encoding", lambda: [*order(), *longer(), *bases()])
