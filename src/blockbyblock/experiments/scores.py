"""Chapter 02: many seeds of the treasure hunt, with scores of other kinds, starts and divisors.

Each of six tokens carries its name and a partner's, and must say whom the partner looks for. What the chapter's cells
train with twenty seeds is trained here with forty, and one thing is changed at a time.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from math import sqrt
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

NAMES, LENGTH, BATCH = 8, 6, 12


@dataclass(frozen=True)
class Setting:
    """One way to train.

    Args:
        d_k: width of queries and keys.
        divided: the scores are divided by the root of d_k.
        saturated: the scores start with a spread of the root of d_k, else of 1, divided or not.
        rate: Adam's.
        steps: number of updates.
        kind: "dot"; "additive", whose v starts with variance 1 / d_k; or "additive, v 1", with variance 1.
        over: what the softmax runs over: "keys", "queries", or "nothing", where scores are divided by six instead.
        ring: everybody is looked for once; else partners are drawn independently.
    """

    d_k: int
    divided: bool = True
    saturated: bool = False
    rate: float = 0.01
    steps: int = 200
    kind: str = "dot"
    over: str = "keys"
    ring: bool = True


SETTINGS = (
    *(Setting(64, divided, saturated) for divided in (True, False) for saturated in (False, True)),
    *(Setting(512, divided, saturated) for divided in (True, False) for saturated in (False, True)),
    *(Setting(512, False, saturated, rate=0.002, steps=600) for saturated in (False, True)),
    *(Setting(64, kind=kind) for kind in ("additive", "additive, v 1")),
    *(Setting(64, over=over) for over in ("queries", "nothing")),
    *(Setting(64, over=over, ring=False) for over in ("keys", "queries", "nothing")),
)


def hunt(count: int, generator: torch.Generator, ring: bool = True) -> tuple[Tensor, Tensor]:
    """Wish and name of each token, one-hot, `[count, 6, 16]`, and the wish of its partner, `[count, 6]`."""
    own = torch.rand(count, NAMES, generator=generator).argsort(-1)[:, :LENGTH]
    if ring:
        place = torch.rand(count, LENGTH, generator=generator).argsort(-1)
        partner = torch.empty_like(place).scatter_(1, place, place.roll(-1, dims=1))
    else:
        further = torch.randint(1, LENGTH, (count, LENGTH), generator=generator)
        partner = (torch.arange(LENGTH) + further) % LENGTH
    wish = own.gather(1, partner)
    tokens = torch.cat((F.one_hot(wish, NAMES), F.one_hot(own, NAMES)), -1)
    return tokens.float(), wish.gather(1, partner)


def start(setting: Setting, seeds: int) -> list[Tensor]:
    """W_Q, W_K, v, W_V, W_O, for each seed."""
    generator, d_k = torch.Generator().manual_seed(1), setting.d_k
    root = 2**-0.5  # a token has two ones: its query gets variance 1
    spread = (sqrt(d_k) if setting.saturated else 1.0) * (sqrt(d_k) if setting.divided else 1.0)
    factor = root if setting.kind != "dot" else root * sqrt(spread / sqrt(d_k))
    v = 1.0 if setting.kind == "additive, v 1" else d_k**-0.5
    shapes = ((16, d_k, factor), (16, d_k, factor), (d_k, 1, v), (16, 16, root), (16, 8, 0.25))
    drawn = [torch.randn(seeds, rows, columns, generator=generator) * std for rows, columns, std in shapes]
    return [tensor.requires_grad_() for tensor in drawn]


def project(
    tokens: Float[Tensor, "seed batch position features"], matrices: Float[Tensor, "seed features width"]
) -> Float[Tensor, "seed batch position width"]:
    """One matrix for each seed."""
    return torch.einsum("sbpi,sio->sbpo", tokens, matrices)


def scored(setting: Setting, tokens: Tensor, query: Tensor, key: Tensor, v: Tensor) -> Tensor:
    """Scores `[seed, batch, query, key]`."""
    if setting.kind == "dot":
        divisor = sqrt(setting.d_k) if setting.divided else 1.0
        return project(tokens, query @ key.mT / divisor) @ tokens.mT
    sums = project(tokens, query).unsqueeze(-2) + project(tokens, key).unsqueeze(-3)
    return torch.einsum("sbqkd,sdo->sbqk", sums.tanh(), v)


def normalised(setting: Setting, scores: Tensor) -> Tensor:
    """Weights, over the keys, over the queries, or not normalised at all."""
    if setting.over == "nothing":
        return scores / LENGTH
    return scores.softmax(-1 if setting.over == "keys" else -2)


def accuracies(setting: Setting, seeds: int) -> Float[Tensor, " seed"]:
    """The share of right answers on fresh sequences, of each seed; all seeds have the same lessons in all settings."""
    query, key, v, value, output = parameters = start(setting, seeds)
    optimizer = torch.optim.Adam(parameters, lr=setting.rate)
    generator = torch.Generator().manual_seed(0)
    for step in range(setting.steps + 1):
        size = BATCH if step < setting.steps else 100  # the last is the test
        drawn = hunt(seeds * size, generator, setting.ring)
        tokens, answers = (part.unflatten(0, (seeds, size)) for part in drawn)
        weights = normalised(setting, scored(setting, tokens, query, key, v))
        logits = weights @ project(tokens, value @ output)
        if step == setting.steps:
            break
        loss = F.cross_entropy(logits.flatten(0, 2), answers.flatten())
        optimizer.zero_grad()
        (loss * seeds).backward()  # each seed has a mean of its own
        optimizer.step()
    right: Int[Tensor, "seed batch position"] = logits.argmax(-1) == answers
    return right.float().mean((1, 2))


def run(seeds: int = 40) -> Iterator[dict[str, Any]]:
    """Each setting, with the accuracy of each seed."""
    for setting in SETTINGS:
        found = [round(accuracy, 4) for accuracy in accuracies(setting, seeds).tolist()]
        print(asdict(setting), sum(accuracy < 0.9 for accuracy in found), flush=True)
        yield from (asdict(setting) | {"seed": seed, "accuracy": accuracy} for seed, accuracy in enumerate(found))


if __name__ == "__main__":
    from .record import record

    record("scores", lambda: list(run()))
