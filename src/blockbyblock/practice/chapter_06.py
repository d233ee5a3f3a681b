"""The exercises of chapter 06: a layer norm by hand and in code, pre-norm, and the gradient."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake


def layer_norm(x: Tensor, gain: Tensor, bias: Tensor, eps: float) -> Tensor:
    """gain * (x - mean) / sqrt(variance + eps) + bias, each position by itself: `[..., d_model]`."""
    return gain * _normed(x, (-1,), eps) + bias


def _normed(x: Tensor, dims: tuple[int, ...], eps: float) -> Tensor:
    mean = x.mean(dims, keepdim=True)
    return (x - mean) / (x.var(dims, correction=0, keepdim=True) + eps).sqrt()


def _over(*dims: int) -> Callable[[Tensor, Tensor, Tensor, float], Tensor]:
    """A norm over the wrong dimensions."""
    return lambda x, gain, bias, eps: gain * _normed(x, dims, eps) + bias


def _divided_by(divisor: Callable[[Tensor, float], Tensor]) -> Callable[[Tensor, Tensor, Tensor, float], Tensor]:
    """A norm whose deviations are divided by the wrong number."""
    return lambda x, gain, bias, eps: gain * (x - x.mean(-1, keepdim=True)) / divisor(x, eps) + bias


def _variance(x: Tensor, correction: int = 0) -> Tensor:
    return x.var(-1, correction=correction, keepdim=True)


def _norm_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "x": torch.tensor([[[1.0, 2.0, 3.0, 6.0], [0.0, 0.0, 2.0, 2.0]]]),
        "gain": torch.tensor([1.0, 1.0, 2.0, 1.0]),
        "bias": torch.tensor([0.0, 0.0, 0.0, 1.0]),
        "eps": 0.5,  # so large that its place can be seen
    }
    for batch, position, d_model in ((2, 3, 5), (3, 4, 8), (1, 2, 16)):
        yield {
            "x": 1 + 2 * torch.randn(batch, position, d_model, generator=generator),
            "gain": torch.rand(d_model, generator=generator) + 0.5,
            "bias": torch.randn(d_model, generator=generator),
            "eps": 0.1,
        }


def _plain(x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:])


def pre_norm(x: Tensor, weight: Tensor) -> Tensor:
    """x + Sublayer(LayerNorm(x)), where the sublayer is a product with `weight`."""
    return x + _plain(x) @ weight


def _pre_norm_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {"x": torch.tensor([[[1.0, 3.0], [6.0, 2.0]]]), "weight": torch.tensor([[1.0, 0.0], [2.0, 1.0]])}
    for batch, position, d_model in ((2, 3, 4), (1, 5, 6), (3, 2, 8)):
        yield {
            "x": 1 + 2 * torch.randn(batch, position, d_model, generator=generator),
            "weight": torch.randn(d_model, d_model, generator=generator),
        }


def gradient(x: Tensor, arriving: Tensor, eps: float) -> Tensor:
    """(a - mean(a) - n mean(a n)) / sigma for the gradient a that arrives at the norm's output n: `[..., d_model]`."""
    normed = _normed(x, (-1,), eps)
    return _across(arriving, normed) / (_variance(x) + eps).sqrt()


def _across(arriving: Tensor, normed: Tensor) -> Tensor:
    along = (arriving * normed).mean(-1, keepdim=True)
    return arriving - arriving.mean(-1, keepdim=True) - normed * along


def _sigma(x: Tensor, eps: float) -> Tensor:
    return (_variance(x) + eps).sqrt()


def _gradient_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "x": torch.tensor([[1.0, 2.0, 3.0, 6.0]]),
        "arriving": torch.tensor([[1.0, 0.0, 0.0, 0.0]]),
        "eps": 1e-5,
    }
    for position, d_model in ((3, 4), (5, 8), (2, 6)):
        yield {
            "x": 1 + 3 * torch.randn(position, d_model, generator=generator),
            "arriving": torch.randn(position, d_model, generator=generator),
            "eps": 1e-5,
        }


_DEVIATIONS = torch.tensor([-2.0, -1.0, 0.0, 3.0])  # of 1, 2, 3, 6 from their mean, 3

EXERCISES = (
    Exercise(
        name="06-by-hand",
        title="Normalise one vector by hand",
        solution=(_DEVIATIONS / math.sqrt(3.5)).tolist(),
        mistakes=(
            Mistake(
                "the variance was divided by d_model - 1",
                (_DEVIATIONS / math.sqrt(14 / 3)).tolist(),
                "Layer norm uses the biased variance: the squares sum to 14, and 14 / 4 = 3.5.",
            ),
            Mistake(
                "the deviations were divided by the variance",
                (_DEVIATIONS / 3.5).tolist(),
                "Divide by the standard deviation, the root of 3.5.",
            ),
            Mistake(
                "the deviations were divided by their length",
                (_DEVIATIONS / math.sqrt(14)).tolist(),
                "This vector has length 1. A layer norm's has length sqrt(d_model) = 2: divide the squares by 4 first.",
            ),
            Mistake(
                "these are the deviations from the mean",
                _DEVIATIONS.tolist(),
                "The mean is right. Now divide by the standard deviation.",
            ),
            Mistake(
                "the mean was not subtracted",
                ((_DEVIATIONS + 3) / math.sqrt(3.5)).tolist(),
                "The standard deviation is right. Subtract the mean, 3, before you divide.",
            ),
            Mistake(
                "the root mean square was taken, without a mean",
                ((_DEVIATIONS + 3) / math.sqrt(12.5)).tolist(),
                "This is RMS norm, of later models. Layer norm subtracts the mean first.",
            ),
        ),
        hint="The mean is 3. Then the four deviations, their squares, a quarter of the sum, its root.",
        tolerance=0.006,
    ),
    Exercise(
        name="06-layer-norm",
        title="Write a layer norm",
        solution=layer_norm,
        cases=_norm_cases,
        mistakes=(
            Mistake(
                "the variance is unbiased",
                _divided_by(lambda x, eps: (_variance(x, 1) + eps).sqrt()),
                "torch's `var` and `std` divide by d_model - 1 unless told otherwise: pass `correction=0`.",
            ),
            Mistake(
                "eps stands outside the root",
                _divided_by(lambda x, eps: _variance(x).sqrt() + eps),
                "eps is added to the variance, and then the root is taken.",
            ),
            Mistake(
                "eps stands outside the root, and the variance is unbiased",
                _divided_by(lambda x, eps: _variance(x, 1).sqrt() + eps),
                "`x.std(-1) + eps`, as in The Annotated Transformer. The paper's norm is sqrt(var + eps), with "
                "`correction=0`.",
            ),
            Mistake(
                "the root was taken twice",
                _divided_by(lambda x, eps: (_variance(x).sqrt() + eps).sqrt()),
                "The root of the standard deviation is the fourth root of the variance. Add eps to the variance.",
            ),
            Mistake(
                "there is no root",
                _divided_by(lambda x, eps: _variance(x) + eps),
                "Divide by the standard deviation: the root of variance + eps.",
            ),
            Mistake(
                "eps is missing",
                _divided_by(lambda x, eps: _variance(x).sqrt()),
                "Add eps to the variance: a vector whose entries are all equal would give 0 / 0.",
            ),
            Mistake(
                "the statistics are taken over the whole sequence",
                _over(-2, -1),
                "One mean and one variance for each position: over the last dimension alone. Yours lets each token "
                "change all others.",
            ),
            Mistake(
                "the statistics are taken over the positions",
                _over(-2),
                "The last dimension holds the features of one position. -2 counts the positions.",
            ),
            Mistake(
                "this is a batch norm",
                _over(0, 1),
                "Over batch and positions there is one mean for each feature. Layer norm has one for each position: "
                "the last dimension.",
            ),
            Mistake(
                "the gain is missing",
                lambda x, gain, bias, eps: _normed(x, (-1,), eps) + bias,
                "Multiply each feature by its gain before the bias is added.",
            ),
            Mistake(
                "the bias is missing",
                lambda x, gain, bias, eps: gain * _normed(x, (-1,), eps),
                "Add the bias at the end.",
            ),
            Mistake(
                "the gain also multiplies the bias",
                lambda x, gain, bias, eps: gain * (_normed(x, (-1,), eps) + bias),
                "Gain first, bias second: gain * normed + bias.",
            ),
            Mistake(
                "the mean is not subtracted",
                lambda x, gain, bias, eps: gain * x / _sigma(x, eps) + bias,
                "Subtract each position's mean before you divide.",
            ),
        ),
    ),
    Exercise(
        name="06-pre-norm",
        title="Put the norm before the sublayer",
        solution=pre_norm,
        cases=_pre_norm_cases,
        mistakes=(
            Mistake(
                "this is post-norm",
                lambda x, weight: _plain(x + x @ weight),
                "LayerNorm(x + Sublayer(x)) is the paper's order. Pre-norm normalises what the sublayer reads, and "
                "nothing else.",
            ),
            Mistake(
                "the residual connection starts after the norm",
                lambda x, weight: _plain(x) + _plain(x) @ weight,
                "Keep the x that came in, and add that: `x = norm(x)` loses it.",
            ),
            Mistake(
                "the sublayer reads x, and the norm stands on the residual",
                lambda x, weight: _plain(x) + x @ weight,
                "The other way round: the sublayer reads LayerNorm(x), and x itself is added.",
            ),
            Mistake(
                "the residual connection is missing",
                lambda x, weight: _plain(x) @ weight,
                "Add the x that came in.",
            ),
            Mistake(
                "the norm is missing",
                lambda x, weight: x + x @ weight,
                "The sublayer reads LayerNorm(x).",
            ),
            Mistake(
                "the norm stands after the sublayer, before the sum",
                lambda x, weight: x + _plain(x @ weight),
                "Some models do this. Pre-norm normalises what goes into the sublayer.",
            ),
            Mistake(
                "there are two norms",
                lambda x, weight: _plain(pre_norm(x, weight)),
                "The sum is right and is left as it is. A pre-norm stack has one more norm, at its very end.",
            ),
        ),
    ),
    Exercise(
        name="06-gradient",
        title="Work out the gradient of a layer norm",
        solution=gradient,
        cases=_gradient_cases,
        mistakes=(
            Mistake(
                "mean and variance are taken for constants",
                lambda x, arriving, eps: arriving / _sigma(x, eps),
                "Both depend on x. Through the mean the average of what arrives is lost, and through the variance "
                "what lies along the normed vector.",
            ),
            Mistake(
                "the variance is taken for a constant",
                lambda x, arriving, eps: (arriving - arriving.mean(-1, keepdim=True)) / _sigma(x, eps),
                "The path through the mean is right. Through the variance the part along the normed vector is lost "
                "too.",
            ),
            Mistake(
                "the mean is taken for a constant",
                lambda x, arriving, eps: (
                    (arriving - _normed(x, (-1,), eps) * (arriving * _normed(x, (-1,), eps)).mean(-1, keepdim=True))
                    / _sigma(x, eps)
                ),
                "The path through the variance is right. The mean depends on x too: the average of what arrives is "
                "lost.",
            ),
            Mistake(
                "the result is not divided by the standard deviation",
                lambda x, arriving, eps: _across(arriving, _normed(x, (-1,), eps)),
                "The projection is right. The norm divides by sigma, and so does its gradient.",
            ),
            Mistake(
                "the result is multiplied by the standard deviation",
                lambda x, arriving, eps: _across(arriving, _normed(x, (-1,), eps)) * _sigma(x, eps),
                "The norm divides by sigma, and so does its gradient.",
            ),
            Mistake(
                "sums stand where means belong",
                lambda x, arriving, eps: (
                    (
                        arriving
                        - arriving.sum(-1, keepdim=True)
                        - _normed(x, (-1,), eps) * (arriving * _normed(x, (-1,), eps)).sum(-1, keepdim=True)
                    )
                    / _sigma(x, eps)
                ),
                "The normed vector has length sqrt(d_model), not 1: a projection on it divides by d_model. Take means.",
            ),
        ),
    ),
)
