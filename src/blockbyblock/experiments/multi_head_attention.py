"""Chapter 03's experiments: a sum and a difference of two places, by one head and by several, with and without W_O.

Several runs are trained side by side, and do not touch each other: the first dimension of every matrix counts them.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from blockbyblock import scaled_dot_product_attention

Split = Callable[[Tensor, int], Tensor]


class Hunt(NamedTuple):
    """Sequences in which each token looks for two others by name, a first and a second.

    Attributes:
        tokens: `[*count, position, 3 * names + width]`: the names looked for, the own name, the numbers carried.
        first: the numbers of the first partner, `[*count, position, width]`.
        second: those of the second.
        links: where the partners stand, `[*count, position, 2]`.
    """

    tokens: Tensor
    first: Tensor
    second: Tensor
    links: Tensor


class Trained(NamedTuple):
    """What runs have learned, and how they do on sequences they have not seen.

    Attributes:
        errors: mean squared error of each run, `[run]`; 1 is as bad as answering zero.
        matrices: W_Q, W_K, W_V and W_O, `[run, 1, in, out]`.
        weights: of attention, `[run, sequence, head, query, key]`.
        links: `[run, sequence, position, 2]`.
    """

    errors: Tensor
    matrices: list[Tensor]
    weights: Tensor
    links: Tensor


def two_links(
    count: tuple[int, ...], generator: torch.Generator, names: int = 8, length: int = 6, width: int = 8
) -> Hunt:
    """Draw sequences in which nobody looks for itself, nor twice for the same one."""

    def random(*shape: int) -> Tensor:
        return torch.rand(*count, *shape, generator=generator)

    own = random(names).argsort(-1)[..., :length]  # distinct names
    steps = 1 + random(length, length - 1).argsort(-1)[..., :2]
    links = (torch.arange(length)[:, None] + steps) % length
    numbers = torch.randn(*count, length, width, generator=generator)
    called = [own.gather(-1, link) for link in links.unbind(-1)]
    first, second = (numbers.gather(-2, link[..., None].expand_as(numbers)) for link in links.unbind(-1))
    features = [F.one_hot(name, names) for name in (*called, own)]
    return Hunt(torch.cat([*features, numbers], dim=-1), first, second, links)


def split_heads(x: Tensor, heads: int) -> Tensor:
    """`[..., position, heads * d_k]` to `[..., heads, position, d_k]`: the package's, with runs before the batch."""
    return x.unflatten(-1, (heads, -1)).transpose(-3, -2)


def multi_head(x: Tensor, matrices: Sequence[Tensor], heads: int, split: Split = split_heads) -> tuple[Tensor, Tensor]:
    """Multi-head self-attention by W_Q, W_K, W_V and W_O as the paper writes them, and each head's weights."""
    W_Q, W_K, W_V, W_O = matrices
    query, key, value = (split(x @ matrix, heads) for matrix in (W_Q, W_K, W_V))
    outputs, weights = scaled_dot_product_attention(query, key, value)
    return outputs.transpose(-3, -2).flatten(-2) @ W_O, weights


def train(
    heads: int, sign: int, split: Split = split_heads, *, steps: int = 150, runs: int = 5, alike: int = 0
) -> Trained:
    """Learn first + sign * second, and try what was learned.

    Args:
        heads: of one layer of attention; the number of parameters does not depend on it.
        sign: 1 for the sum of both partners' numbers, -1 for their difference.
        split: how the projections are cut into heads.
        steps: updates.
        runs: how many are trained.
        alike: in how many of W_Q, W_K, W_V and W_O all heads start with the same numbers.
    """
    generator = torch.Generator().manual_seed(0)
    matrices = []
    for place, width in enumerate((32, 32, 32, 8)):
        matrix = torch.randn(runs, 1, 32, width, generator=generator) / 32**0.5
        if place < alike:
            dim = -2 if place == 3 else -1  # the heads are rows of W_O
            matrix = torch.cat([matrix.chunk(heads, dim)[0]] * heads, dim)
        matrices.append(matrix.requires_grad_())
    optimizer = torch.optim.Adam(matrices, lr=0.04)
    for step in range(steps):
        tokens, first, second, _ = two_links((runs, 16), generator)
        output, _ = multi_head(tokens, matrices, heads, split)
        errors = (output - first - sign * second).square().mean((1, 2, 3))
        optimizer.param_groups[0]["lr"] = 0.04 * min(1, 2 - 2 * step / steps)  # constant, then down to zero
        optimizer.zero_grad()
        errors.sum().backward()
        optimizer.step()
    return evaluated([matrix.detach() for matrix in matrices], heads, sign, split)


def evaluated(matrices: list[Tensor], heads: int, sign: int, split: Split = split_heads) -> Trained:
    """Try matrices, W_Q, W_K, W_V and W_O, on 200 new sequences for each run."""
    generator, runs = torch.Generator().manual_seed(1), len(matrices[0])
    tokens, first, second, links = two_links((runs, 200), generator)
    output, weights = multi_head(tokens, matrices, heads, split)
    errors = (output - first - sign * second).square().mean((1, 2, 3)) / 2  # the answer has variance 2
    return Trained(errors, matrices, weights, links)


def shares(weights: Tensor, links: Tensor) -> Tensor:
    """The weight that each head gives to each partner, its mean over queries: `[run, head, partner]`."""
    heads = weights.shape[2]
    partners = links[:, :, None].expand(-1, -1, heads, -1, -1)
    return weights.gather(-1, partners).mean((1, 3))


def train_block(
    d_model: int, hidden: int, with_output: bool, *, steps: int = 250, runs: int = 10
) -> tuple[Tensor, int]:
    """Train one block, with W_O or without, to return a token's own numbers and those of its first partner.

    Attention with four heads, Add & Norm, feed-forward, Add & Norm, and a linear layer; the tokens come into it through
    a fixed random matrix.

    Args:
        d_model: features between the sublayers.
        hidden: features inside the feed-forward network.
        with_output: whether there is an output projection.
        steps: updates.
        runs: how many are trained; the k-th of every setting meets the same sequences.

    Returns:
        Errors `[run, (own, found)]`, 1 being as bad as answering zero; and the parameters of one run.
    """
    generator = torch.Generator().manual_seed(0)
    shapes = [(22, d_model), *[(d_model, d_model)] * 4, (d_model, 8), (d_model, hidden), (hidden, d_model)]
    matrices = [torch.randn(runs, 1, *shape, generator=generator) / math.sqrt(shape[0]) for shape in shapes]
    embed, W_Q, W_K, W_V, W_O, W_read, W_1, W_2 = matrices
    learned = [*matrices[1:], torch.zeros(runs, 1, 1, hidden)]
    if not with_output:
        W_O = torch.eye(d_model)  # Concat goes straight to the residual connection
        del learned[3]
    optimizer = torch.optim.Adam([parameter.requires_grad_() for parameter in learned], 0.015)
    generator.manual_seed(1)
    for step in range(steps + 1):
        count = (runs, 8 if step < steps else 500)  # the last is the test
        hunt = two_links(count, generator, 6, 5, 4)
        x = 2 * hunt.tokens @ embed
        y, _ = multi_head(x, (W_Q, W_K, W_V, W_O), 4)
        x = F.layer_norm(x + y, (d_model,))
        y = (x @ W_1 + learned[-1]).relu() @ W_2
        x = F.layer_norm(x + y, (d_model,))
        wanted = torch.cat((hunt.tokens[..., -4:], hunt.first), -1)
        errors = (x @ W_read - wanted).square().mean((1, 2))
        optimizer.param_groups[0]["lr"] = 0.015 * min(1, 2 - 2 * step / steps)
        optimizer.zero_grad()
        errors.mean(-1).sum().backward()
        optimizer.step()
    return errors.detach().unflatten(-1, (2, 4)).mean(-1), sum(parameter[0].numel() for parameter in learned)


def differences(runs: int = 200) -> Iterator[dict[str, Any]]:
    """The difference, by two heads and by four, in so many runs that those can be counted which stay stuck."""
    for heads in (2, 4):
        found = train(heads, -1, runs=runs)
        looks = shares(found.weights, found.links)
        for run, (error, look) in enumerate(zip(found.errors.tolist(), looks.tolist(), strict=True)):
            rounded = [[round(share, 3) for share in head] for head in look]
            yield {"heads": heads, "run": run, "error": round(error, 5), "looks": rounded}


if __name__ == "__main__":
    from .record import record

    record("multi_head_attention", lambda: [*differences()])
