"""Chapter 08: a treasure hunt of several steps, with encoders of one to four layers."""

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from blockbyblock.config import BlockConfig
from blockbyblock.encoder import Encoder

from .tagging import Ids, Tagger, fit

PLACES = 8
HOPS = (2, 3, 4, 5)
SMALL = BlockConfig(d_model=32, heads=4, d_ff=64, dropout=0.0)
WIDE = BlockConfig(d_model=64, heads=8, d_ff=128, dropout=0.0)  # one layer has about as many parameters as four small


def hunt(generator: torch.Generator, batch: int = 64) -> tuple[Ids, Ids]:
    """Each place holds the number of the next place, all in one ring. Where is one after 2, 3, 4 and 5 steps?

    Returns:
        The numbers, `[batch, position]`, and the answers, `[batch, position * hops]`.
    """
    ring = torch.rand(batch, PLACES, generator=generator).argsort(-1)
    step = torch.empty_like(ring).scatter_(1, ring, ring.roll(-1, dims=1))
    place, answers = step, []
    for _ in range(max(HOPS) - 1):
        place = step.gather(1, place)
        answers.append(place)
    return step, torch.stack(answers, dim=-1).flatten(1)


class Hunter(Tagger):
    """A small encoder that answers for every number of steps at once."""

    def __init__(self, layers: int, kind: str = "own") -> None:
        super().__init__(PLACES, PLACES * len(HOPS), WIDE if kind == "wide" else SMALL, layers)
        if kind in ("copied", "shared"):
            self.encoder = stack(kind, layers)

    def forward(self, ids: Ids) -> Tensor:
        """Logits, `[batch, position * hops, place]`."""
        return super().forward(ids).unflatten(-1, (len(HOPS), PLACES)).flatten(1, 2)


def stack(kind: str, layers: int) -> Encoder:
    """An encoder whose layers all start as copies of the first ("copied") or all are the first ("shared")."""
    encoder = Encoder(SMALL, layers)
    first = encoder.layers[0]
    if kind == "copied":
        encoder.layers = nn.ModuleList(copy.deepcopy(first) for _ in range(layers))
    else:
        encoder.layers = nn.ModuleList([first] * layers)
    return encoder


def by_hops(model: nn.Module, seed: int = 1_000_000) -> dict[int, float]:
    """The share of right answers after each number of steps, on hunts that no training has seen."""
    ids, answers = hunt(torch.Generator().manual_seed(seed), batch=512)
    model.eval()
    with torch.inference_mode():
        right = model(ids).argmax(-1) == answers
    shares = right.float().unflatten(1, (PLACES, len(HOPS))).mean((0, 1))
    return {hops: round(share, 4) for hops, share in zip(HOPS, shares.tolist(), strict=True)}


def trained(layers: int, kind: str, seed: int, steps: int) -> dict[int, float]:
    """Train one hunter and try it."""
    torch.manual_seed(seed)
    model = Hunter(layers, kind)
    fit(model, hunt, steps=steps, seed=seed, rate=0.005, warmup=100)
    return by_hops(model)


def depths(seeds: int = 5) -> Iterator[dict[str, Any]]:
    """One to four layers; one wide layer; one layer trained for longer; three layers that start equal, or are one."""
    stacks = [(layers, "own", 800) for layers in (1, 2, 3, 4)] + [(1, "wide", 800)]
    stacks += [(1, "own", 2400), (1, "wide", 2400), (3, "copied", 800), (3, "shared", 800)]
    for layers, kind, steps in stacks:
        parameters = sum(part.numel() for part in Hunter(layers, kind).encoder.parameters())
        for seed in range(seeds):
            right = trained(layers, kind, seed, steps)
            about = {"layers": layers, "kind": kind, "parameters": parameters, "steps": steps}
            yield {**about, "seed": seed, "right": right}


if __name__ == "__main__":
    from .record import record

    record("encoder", lambda: list(depths()))
