"""The exercises of chapter 09: weights under two masks, the decoder's side of a batch, a window, a row without keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake, NotUsable

# The third of four tokens, of which the first is padding: it may look at the second and at itself.
_SCORES = torch.tensor([1.0, 0.0, 2.0, 3.0])


def _over(*keys: int) -> list[float]:
    """The weights by hand, if these keys are allowed."""
    allowed = torch.tensor([key in keys for key in range(4)])
    weights: list[float] = _SCORES.masked_fill(~allowed, -math.inf).softmax(-1).tolist()
    return weights


def decoder_side(target: Tensor, start_id: int, pad_id: int) -> dict[str, Tensor]:
    """What the decoder reads, and which of its answers count, both `[batch, position]`."""
    return {"reads": _shifted(target, start_id), "counts": target != pad_id}


def _shifted(target: Tensor, start_id: int) -> Tensor:
    return torch.cat((torch.full_like(target[:, :1], start_id), target[:, :-1]), 1)


def _instead(change: Callable[[Tensor, int, int], dict[str, Tensor]]) -> Callable[[Tensor, int, int], Any]:
    """The right answer, with the parts that `change` gives put in their place."""
    return lambda target, start_id, pad_id: decoder_side(target, start_id, pad_id) | change(target, start_id, pad_id)


def _decoder_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"target": torch.tensor([[5, 6, 2, 0], [7, 8, 9, 2]]), "start_id": 1, "pad_id": 0}
    for batch, position, start_id, pad_id in ((3, 6, 1, 0), (2, 5, 0, 1), (3, 7, 3, 4)):
        target = torch.randint(5, 20, (batch, position), generator=generator)
        lengths = torch.randint(2, position - 1, (batch, 1), generator=generator)
        lengths[0] = position
        yield {
            "target": target.masked_fill(torch.arange(position) >= lengths, pad_id),
            "start_id": start_id,
            "pad_id": pad_id,
        }


def window_bias(query: int, key: int, width: int) -> Tensor:
    """0 at the `width` newest keys that are not later than the query, minus infinity elsewhere: to be added to scores.

    The last query stands at the last key.
    """
    behind = _behind(query, key)
    return _bias(behind.ge(0) & behind.lt(width))


def _behind(query: int, key: int) -> Tensor:
    """How many places each key stands behind each query, `[query, key]`; negative where it is later."""
    return torch.arange(key - query, key)[:, None] - torch.arange(key)


def _bias(allowed: Tensor) -> Tensor:
    return torch.zeros(allowed.shape).masked_fill(~allowed, -math.inf)


def _from_the_left(query: int, key: int, width: int) -> Tensor:
    behind = torch.arange(query)[:, None] - torch.arange(key)
    return _bias(behind.ge(0) & behind.lt(width))


def _window_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"query": 4, "key": 4, "width": 2}
    yield {"query": 1, "key": 5, "width": 3}
    yield {"query": 3, "key": 7, "width": 2}
    yield {"query": 6, "key": 6, "width": 4}


def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Tensor:
    """Attention in which a query that may look nowhere gets an output of zero, and NaN stands nowhere."""
    scores = _scores(query, key).masked_fill(~mask, torch.finfo(query.dtype).min)
    return scores.softmax(-1).masked_fill(~mask, 0.0) @ value


def _scores(query: Tensor, key: Tensor) -> Tensor:
    return query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])


def _infinite(query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    return _scores(query, key).masked_fill(~mask, -math.inf).softmax(-1)


def _added(query: Tensor, key: Tensor, mask: Tensor) -> Tensor:
    return (_scores(query, key) + torch.zeros(mask.shape).masked_fill(~mask, -math.inf)).softmax(-1)


def _with_gradient(answer: Any, /, query: Tensor, key: Tensor, value: Tensor, mask: Tensor) -> Any:
    """The output, and the gradients at query, key and value of a loss that reads the rows with a key, and no other."""
    if not callable(answer):
        return answer
    leaves = [tensor.requires_grad_() for tensor in (query, key, value)]
    output = answer(*leaves, mask)
    if not isinstance(output, Tensor):
        return output
    expected = (query.shape[0], value.shape[1])
    if output.shape != expected:
        raise NotUsable(f"Your output has the shape {tuple(output.shape)}; [query, d_v] = {expected} is expected.")
    if output.grad_fn is None:
        raise NotUsable("Your output does not depend on its inputs in a way that torch can differentiate.")
    gradients = torch.autograd.grad(output[mask.any(-1)].square().sum(), leaves, allow_unused=True)
    for leaf in leaves:
        leaf.requires_grad_(False)
    filled = (torch.zeros_like(leaf) if found is None else found for leaf, found in zip(leaves, gradients, strict=True))
    return output.detach(), *filled


def _attend_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "query": torch.tensor([[1.0, 0.0], [0.0, 2.0]]),
        "key": torch.tensor([[1.0, 1.0], [2.0, 0.0]]),
        "value": torch.tensor([[1.0, 0.0], [0.0, 3.0]]),
        "mask": torch.tensor([[False, False], [True, False]]),
    }
    for queries, keys, d_k, d_v in ((4, 4, 3, 2), (3, 5, 4, 6)):
        mask = torch.rand(queries, keys, generator=generator) > 0.4
        mask[0], mask[1:, 0], mask[1:, 1] = False, True, False
        yield {
            "query": torch.randn(queries, d_k, generator=generator),
            "key": torch.randn(keys, d_k, generator=generator),
            "value": torch.randn(keys, d_v, generator=generator),
            "mask": mask,
        }


EXERCISES = (
    Exercise(
        name="09-weights-by-hand",
        title="Work out a row of weights under a causal and a padding mask",
        solution=_over(1, 2),
        mistakes=(
            Mistake(
                "there is no mask",
                _over(0, 1, 2, 3),
                "Two of the four keys are hidden: the padding before, and the token after.",
            ),
            Mistake(
                "the padding is not hidden",
                _over(0, 1, 2),
                "The causal mask alone shows the third token all three up to itself. The first is padding.",
            ),
            Mistake(
                "the future is not hidden",
                _over(1, 2, 3),
                "The padding mask alone shows the third token the fourth, which comes later.",
            ),
            Mistake(
                "the third token does not see itself",
                _over(1),
                "A causal mask allows the diagonal: a position may look at what stands in its own place.",
            ),
            Mistake(
                "the hidden keys are allowed, and the allowed ones hidden",
                _over(0, 3),
                "These are the weights over the two keys that are hidden. True means allowed.",
            ),
            Mistake(
                "hidden scores were set to 0",
                torch.tensor([0.0, 0.0, 2.0, 0.0]).softmax(-1).tolist(),
                "A score of 0 has the exponential 1. A hidden score is minus infinity, and its exponential is 0.",
            ),
            Mistake(
                "hidden weights were set to 0 after the softmax",
                (_SCORES.softmax(-1) * torch.tensor([0.0, 1.0, 1.0, 0.0])).tolist(),
                "They no longer sum to one: the hidden keys still stand in the denominator. Mask before the softmax.",
            ),
        ),
        hint="Which keys are allowed? Only their exponentials are added up.",
    ),
    Exercise(
        name="09-decoder-side",
        title="Say what the decoder reads, and which of its answers count",
        solution=decoder_side,
        cases=_decoder_cases,
        mistakes=(
            Mistake(
                "the target is read as it is",
                _instead(lambda target, start_id, pad_id: {"reads": target}),
                "Then each position reads the very token that it is asked for. Move the target one place to the right.",
            ),
            Mistake(
                "the target is moved to the left",
                _instead(
                    lambda target, start_id, pad_id: {
                        "reads": torch.cat((target[:, 1:], torch.full_like(target[:, :1], pad_id)), 1)
                    }
                ),
                "Each position then reads the token after the one that it is asked for. The start token comes first.",
            ),
            Mistake(
                "the last token came round to the front",
                _instead(lambda target, start_id, pad_id: {"reads": target.roll(1, 1)}),
                "`roll` puts the last token of each row in front. The start token belongs there.",
            ),
            Mistake(
                "the start token has replaced the first token",
                _instead(
                    lambda target, start_id, pad_id: {
                        "reads": torch.cat((torch.full_like(target[:, :1], start_id), target[:, 1:]), 1)
                    }
                ),
                "The start token is put before the first token, and everything moves one place. Nothing but the last "
                "token is dropped.",
            ),
            Mistake(
                "the last token is not dropped",
                _instead(
                    lambda target, start_id, pad_id: {
                        "reads": torch.cat((torch.full_like(target[:, :1], start_id), target), 1)
                    }
                ),
                "The decoder then reads one position more than it is asked for: no answer belongs to the last one.",
            ),
            Mistake(
                "padding counts",
                _instead(lambda target, start_id, pad_id: {"counts": torch.ones_like(target, dtype=torch.bool)}),
                "Nobody asks for a translation of padding. The loss leaves those positions out.",
            ),
            Mistake(
                "what counts was taken from what is read",
                _instead(
                    lambda target, start_id, pad_id: {"counts": _shifted(target, start_id) != pad_id},
                ),
                "What is read stands one place further right: the position that reads the last real token is asked for "
                "padding. Look at what is asked for.",
            ),
        ),
        hint="Position 0 reads the start token and is asked for token 0.",
    ),
    Exercise(
        name="09-window",
        title="Build an additive causal mask that looks back only so far",
        solution=window_bias,
        cases=_window_cases,
        mistakes=(
            Mistake(
                "the first query stands at the first key",
                _from_the_left,
                "With a cache the few new queries are the last positions: line the last query up with the last key.",
            ),
            Mistake(
                "the future is allowed",
                lambda query, key, width: _bias(_behind(query, key).abs() < width),
                "The window lies behind the query only. It is a causal mask with one more condition.",
            ),
            Mistake(
                "the window is one too wide",
                lambda query, key, width: _bias(_behind(query, key).ge(0) & _behind(query, key).le(width)),
                "The query's own place is one of the `width` keys: the furthest stands width - 1 places behind.",
            ),
            Mistake(
                "a position does not see itself",
                lambda query, key, width: _bias(_behind(query, key).gt(0) & _behind(query, key).le(width)),
                "The query's own place is the first of the `width` keys. Here the first query may see nothing at all.",
            ),
            Mistake(
                "there is no window",
                lambda query, key, width: _bias(_behind(query, key) >= 0),
                "That is the causal mask. Keys that stand `width` or more places behind are hidden too.",
            ),
            Mistake(
                "what is allowed is hidden",
                lambda query, key, width: _bias(window_bias(query, key, width) < 0),
                "Minus infinity hides. It belongs where attention is forbidden, and 0 where it is allowed.",
            ),
            Mistake(
                "this is a mask of 0 and 1",
                lambda query, key, width: window_bias(query, key, width).exp(),
                "Added to the scores, ones and zeros hide nothing. Allowed is 0, forbidden is minus infinity.",
            ),
        ),
        hint="Query i stands at place key - query + i. How many places behind it is key j?",
    ),
    Exercise(
        name="09-safe-attention",
        title="Write attention that survives a row in which everything is hidden",
        solution=attend,
        cases=_attend_cases,
        use=_with_gradient,
        mistakes=(
            Mistake(
                "a row without a key is NaN",
                lambda query, key, value, mask: _infinite(query, key, mask) @ value,
                "The softmax of a row of minus infinities is 0 / 0. Such a row shall give zeros.",
            ),
            Mistake(
                "the output was cleaned, and the gradient is NaN",
                lambda query, key, value, mask: (_infinite(query, key, mask) @ value).nan_to_num(),
                "The output is right. But the gradient at the values is the transposed weights times what comes back, "
                "and 0 times NaN is NaN. Clean the weights, not the output.",
            ),
            Mistake(
                "the weights were cleaned, and the gradient is NaN",
                lambda query, key, value, mask: _added(query, key, mask).nan_to_num() @ value,
                "The output is right. But the derivative of the softmax multiplies by its own result, which is NaN. "
                "Fill the scores with a finite number, and set the weights to zero afterwards.",
            ),
            Mistake(
                "a row without a key is the mean of everything hidden",
                lambda query, key, value, mask: _scores(query, key).masked_fill(~mask, -1e9).softmax(-1) @ value,
                "Equal scores give equal weights, however low they are. Set the hidden weights to zero after the "
                "softmax as well.",
            ),
            Mistake(
                "the mask comes after the softmax alone",
                lambda query, key, value, mask: _scores(query, key).softmax(-1).masked_fill(~mask, 0.0) @ value,
                "The hidden keys still stand in the denominator, and the rows sum to less than one.",
            ),
            Mistake(
                "True hides",
                lambda query, key, value, mask: attend(query, key, value, ~mask),
                "True is where attention is allowed: fill where the mask is False, `~mask`.",
            ),
            Mistake(
                "the mask is not used",
                lambda query, key, value, mask: _scores(query, key).softmax(-1) @ value,
                "A hidden key must get a weight of exactly zero.",
            ),
        ),
        hint="Two fills: one before the softmax, one after it.",
    ),
)
