"""The training loss: cross-entropy with label smoothing (paper, section 5.4), padding left out."""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from blockbyblock.checks import check_positive, check_probability
from blockbyblock.data import Batch


class LossSums(NamedTuple):
    """Sums over the predictions of a batch; divide by their number to report them.

    A prediction is a target token that is no padding, or a text of a classifier. Sums and not means, so that batches
    can be joined: the mean over several is the sum of the sums over the sum of the predictions.

    Attributes:
        smoothed: with label smoothing, in nats; what training differentiates.
        plain: without smoothing, in nats; what is reported. exp(plain / predictions) is the perplexity.
    """

    smoothed: Float[Tensor, ""]
    plain: Float[Tensor, ""]


def smoothed_cross_entropy(
    logits: Float[Tensor, "batch target vocab"],
    target: Int[Tensor, "batch target"],
    *,
    pad_id: int,
    smoothing: float = 0.1,
) -> LossSums:
    """Cross-entropy with the smoothed target: -sum over the vocabulary of q(v) log p(v), for each target token.

    The smoothed target q gives 1 - smoothing to the right token, and shares `smoothing` out over the whole vocabulary:
    smoothing / vocab to each token, the right one and padding among them. This is what `torch.nn.CrossEntropyLoss`
    does. (Some implementations share it among the other tokens only, which changes the loss by a constant factor of
    its second part.)

    Args:
        logits: `[batch, target, vocab]`, before the softmax; in any precision, the loss is taken in float32 at least.
        target: ids, `[batch, target]`.
        pad_id: positions whose target has this id count for nothing.
        smoothing: the share of the probability that is taken from the right token; 0.1 in the paper.

    Raises:
        ValueError: `smoothing` is outside [0, 1).
    """
    check_probability(smoothing=smoothing)
    logits = logits.flatten(0, 1)
    logits = logits.float() if logits.dtype in (torch.bfloat16, torch.float16) else logits
    target = target.flatten()
    smoothed = F.cross_entropy(logits, target, ignore_index=pad_id, label_smoothing=smoothing, reduction="sum")
    with torch.no_grad():
        # Both losses hold the logarithm of the softmax's denominator once. It cancels in their difference, so the
        # plain loss needs no second softmax: smoothed - plain = smoothing * (logit of the right token - mean logit).
        right = logits.gather(-1, target[:, None]).squeeze(-1)
        lead = (right - logits.mean(-1)).masked_fill(target == pad_id, 0.0)
        plain = smoothed - smoothing * lead.sum()
    return LossSums(smoothed, plain)


def batch_loss(logits: Float[Tensor, "batch *target_and_outputs"], batch: Batch, smoothing: float) -> LossSums:
    """The same for what a model has said about a batch: a distribution for each target token, or one for each text.

    Args:
        logits: `[batch, target, vocab]`, or a classifier's `[batch, classes]`.
        batch: what was asked for.
        smoothing: as for `smoothed_cross_entropy`, with its errors.
    """
    each = logits.view(*batch.target.shape, logits.shape[-1])
    return smoothed_cross_entropy(each, batch.target, pad_id=batch.ignored, smoothing=smoothing)


def smoothing_floor(vocab: int, smoothing: float = 0.1) -> float:
    """The least smoothed loss per token, in nats: the entropy of the smoothed target, reached when p equals q.

    A model that is always right and always certain pays more than this, not less.

    Args:
        vocab: number of tokens.
        smoothing: as for `smoothed_cross_entropy`.

    Raises:
        ValueError: there is no token, or `smoothing` is outside [0, 1).
    """
    check_positive(vocab=vocab)
    check_probability(smoothing=smoothing)
    other = smoothing / vocab
    right = 1 - smoothing + other
    return 0.0 - right * math.log(right) - ((vocab - 1) * other * math.log(other) if other else 0.0)
