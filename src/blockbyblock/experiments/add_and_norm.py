"""Chapter 06: where the norm stands, how deep, with and without warm-up; and Add & Norm with a part taken away."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor, nn

from blockbyblock.config import BlockConfig
from blockbyblock.sublayers import AddNorm

from .tagging import Ids, Tagger, accuracy, fit

VOCAB, LENGTH = 8, 8
SMALL = BlockConfig(d_model=32, heads=4, d_ff=64, dropout=0.0)
Sublayer = Callable[[Tensor], Tensor]
Vectors = Float[Tensor, "batch position d_model"]
Placement = Literal["post-norm", "pre-norm"]
DEPTHS = (2, 6, 12, 24)


def one_before(generator: torch.Generator, size: int = 32) -> tuple[Ids, Ids]:
    """Name the token one place to the left; nothing is asked at the first position."""
    ids = torch.randint(VOCAB, (size, LENGTH), generator=generator)
    return ids, torch.cat([torch.full((size, 1), -100), ids[:, :-1]], dim=1)


class NoResidual(AddNorm):
    """The norm without the sum."""

    def forward(self, x: Vectors, sublayer: Sublayer) -> Vectors:
        """Norm(Sublayer(x))."""
        return self.norm(sublayer(x))


class NoNorm(AddNorm):
    """The sum without the norm."""

    def forward(self, x: Vectors, sublayer: Sublayer) -> Vectors:
        """The input and what the sublayer makes of it."""
        return x + sublayer(x)


class Neither(AddNorm):
    """Neither sum nor norm."""

    def forward(self, x: Vectors, sublayer: Sublayer) -> Vectors:
        """What the sublayer makes of its input."""
        return sublayer(x)


class NoGain(AddNorm):
    """Post-norm without the learned gain and bias."""

    def __init__(self, d_model: int) -> None:
        super().__init__(d_model, dropout=0.0)
        self.norm = nn.LayerNorm(d_model, elementwise_affine=False)


class Batched(AddNorm):
    """Post-norm with a batch norm: statistics of each feature over all sequences and positions."""

    def __init__(self, d_model: int) -> None:
        super().__init__(d_model, dropout=0.0)
        self.batch_norm = nn.BatchNorm1d(d_model)
        del self.norm

    def forward(self, x: Vectors, sublayer: Sublayer) -> Vectors:
        """BatchNorm(x + Sublayer(x)); torch wants the features in dimension 1."""
        return self.batch_norm((x + sublayer(x)).mT).mT


PARTS: dict[str, Callable[[int], AddNorm]] = {
    "no residual": partial(NoResidual, dropout=0.0),
    "no norm": partial(NoNorm, dropout=0.0),
    "neither": partial(Neither, dropout=0.0),
    "no gain and bias": NoGain,
    "batch norm": Batched,
}


def arranged(arrangement: str, layers: int, seed: int, config: BlockConfig = SMALL) -> Tagger:
    """A tagger with Add & Norm in one arrangement; equal seeds give equal matrices whatever the arrangement."""
    torch.manual_seed(seed)
    pre_norm = arrangement == "pre-norm"
    model = Tagger(VOCAB, VOCAB, BlockConfig(**{**vars(config), "pre_norm": pre_norm}), layers=layers)
    if arrangement in PARTS:
        for layer in model.encoder.layers:  # type: ignore[union-attr]
            for place in ("self_attention_add_norm", "feed_forward_add_norm"):
                setattr(layer, place, PARTS[arrangement](config.d_model))
    return model


def difference_of_positions(x: Vectors) -> float:
    """The share of the squared length of the vectors that differs from position to position within a sequence."""
    x = x.detach()
    return float((x - x.mean(1, keepdim=True)).square().sum() / x.square().sum())


def shrink(model: Tagger, factor: float) -> None:
    """Multiply what each sublayer puts out by a factor, at the start of training."""
    with torch.no_grad():
        for layer in model.encoder.layers:  # type: ignore[union-attr]
            layer.self_attention.output_projection.weight *= factor
            layer.feed_forward.output_projection.weight *= factor


def trained(
    arrangement: str, layers: int, seed: int, *, rate: float, steps: int, warmup: int, factor: float = 1.0
) -> dict[str, Any]:
    """Train one model, and say how it ended."""
    model = arranged(arrangement, layers, seed)
    shrink(model, factor)
    losses = fit(model, one_before, steps=steps, seed=seed, rate=rate, warmup=warmup)
    row = {
        "arrangement": arrangement,
        "layers": layers,
        "rate": rate,
        "steps": steps,
        "warmup": warmup,
        "seed": seed,
        "loss": sum(losses[-20:]) / 20,
        "accuracy": accuracy(model, one_before),
    }
    ids, _ = one_before(torch.Generator().manual_seed(seed))
    with torch.inference_mode():
        row["difference"] = difference_of_positions(model.encoder(model.positions(model.embedding(ids))))
        if arrangement == "batch norm":
            row |= {f"batch of {size}": own_statistics(model, size) for size in (32, 1)}
    return {key: float(f"{value:.4g}") if isinstance(value, float) else value for key, value in row.items()}


def own_statistics(model: Tagger, size: int) -> float:
    """The share of right answers when the batch's own statistics are used, for batches of that many sequences."""
    generator = torch.Generator().manual_seed(1_000_000)
    model.train()
    right = []
    for _ in range(256 // size):
        ids, answer = one_before(generator, size)
        right.append((model(ids).argmax(-1) == answer)[:, 1:].float().mean())
    return float(torch.stack(right).mean())


def placements(seeds: int = 5, steps: int = 300, rate: float = 0.01) -> Iterator[dict[str, Any]]:
    """Each placement of the norm at each depth, with and without warm-up."""
    for placement in get_args(Placement):
        for layers in DEPTHS:
            for warmup in (0, steps // 4):
                for seed in range(seeds):
                    row = trained(placement, layers, seed, rate=rate, steps=steps, warmup=warmup)
                    yield {"part": "placements", **row}


def slower(seeds: int = 5, steps: int = 500, rate: float = 0.003) -> Iterator[dict[str, Any]]:
    """Post-norm at six layers and a lower rate, with and without warm-up."""
    for warmup in (0, steps // 4):
        for seed in range(seeds):
            yield {"part": "slower", **trained("post-norm", 6, seed, rate=rate, steps=steps, warmup=warmup)}


def smaller(seeds: int = 5, steps: int = 200, rate: float = 0.01, factor: float = 0.1) -> Iterator[dict[str, Any]]:
    """Post-norm at 24 layers whose sublayers put out a tenth at the start, with and without warm-up."""
    for warmup in (0, steps // 4):
        for seed in range(seeds):
            row = trained("post-norm", 24, seed, rate=rate, steps=steps, warmup=warmup, factor=factor)
            yield {"part": "smaller", **row}


def without(seeds: int = 5, steps: int = 400, rate: float = 0.005) -> Iterator[dict[str, Any]]:
    """Add & Norm with a part taken away, always with warm-up."""
    for arrangement in ("post-norm", *PARTS):
        for layers in (2, 6) if arrangement in ("post-norm", "no residual", "no norm", "neither") else (2,):
            for seed in range(seeds):
                row = trained(arrangement, layers, seed, rate=rate, steps=steps, warmup=steps // 4)
                yield {"part": "without", **row}


if __name__ == "__main__":
    from .record import record

    record("add_and_norm", lambda: [*without(), *slower(), *smaller(), *placements()])
