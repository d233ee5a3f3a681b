"""The exercises of chapter 12: a floor by hand, the loss of a padded batch, label smoothing."""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch
import torch.nn.functional as F
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Forbidden, Inputs, Mistake

CLASSES = 4


def mean_loss(logits: Tensor, target: Tensor, pad_id: int) -> Tensor:
    """Cross-entropy per token of `[batch, target, vocab]` and ids `[batch, target]`, padding left out."""
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=pad_id)


def _each(logits: Tensor, target: Tensor) -> Tensor:
    return -logits.log_softmax(-1).gather(-1, target[..., None]).squeeze(-1)  # [batch, target]


def _by_sentence(logits: Tensor, target: Tensor, pad_id: int) -> Tensor:
    kept = target != pad_id
    return ((_each(logits, target) * kept).sum(1) / kept.sum(1)).mean()


def _loss_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "logits": torch.tensor([[[0.0, 0.0, 2.0], [0.0, 1.0, 0.0]], [[0.0, 3.0, 0.0], [0.0, 0.0, 0.0]]]),
        "target": torch.tensor([[2, 1], [1, 0]]),
        "pad_id": 0,
    }
    for batch, length, vocab, pad_id in ((3, 4, 5, 0), (2, 5, 7, 3), (4, 3, 6, 0)):
        target = torch.randint(1, vocab, (batch, length), generator=generator)
        target[target == pad_id] = pad_id + 1
        target[0, 2:] = pad_id
        target[1, -1:] = pad_id
        yield {"logits": 2 * torch.randn(batch, length, vocab, generator=generator), "target": target, "pad_id": pad_id}


def smoothed_loss(log_probabilities: Tensor, target: Tensor, smoothing: float) -> Tensor:
    """Cross-entropy with the smoothed target, averaged over the tokens; smoothing / vocab goes to every token."""
    vocab = log_probabilities.shape[-1]
    wanted = (1 - smoothing) * F.one_hot(target, vocab) + smoothing / vocab
    return -(wanted * log_probabilities).sum(-1).mean()


def _among_the_others(log_probabilities: Tensor, target: Tensor, smoothing: float) -> Tensor:
    vocab = log_probabilities.shape[-1]
    right = F.one_hot(target, vocab)
    wanted = (1 - smoothing) * right + (1 - right) * smoothing / (vocab - 1)
    return -(wanted * log_probabilities).sum(-1).mean()


def _too_little(log_probabilities: Tensor, target: Tensor, smoothing: float) -> Tensor:
    vocab = log_probabilities.shape[-1]
    right = F.one_hot(target, vocab)
    wanted = (1 - smoothing) * right + (1 - right) * smoothing / vocab
    return -(wanted * log_probabilities).sum(-1).mean()


def _divergence(log_probabilities: Tensor, target: Tensor, smoothing: float) -> Tensor:
    vocab = log_probabilities.shape[-1]
    wanted = (1 - smoothing) * F.one_hot(target, vocab) + smoothing / vocab
    return (torch.special.xlogy(wanted, wanted) - wanted * log_probabilities).sum(-1).mean()


def _smoothing_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "log_probabilities": torch.tensor([[0.5, 0.25, 0.25], [0.8, 0.1, 0.1]]).log(),
        "target": torch.tensor([0, 0]),
        "smoothing": 0.3,
    }
    for tokens, vocab, smoothing in ((5, 4, 0.1), (3, 7, 0.2), (6, 10, 0.1)):
        yield {
            "log_probabilities": torch.randn(tokens, vocab, generator=generator).log_softmax(-1),
            "target": torch.randint(vocab, (tokens,), generator=generator),
            "smoothing": smoothing,
        }


EXERCISES = (
    Exercise(
        name="12-floor",
        title="Work out the least loss that a softmax too many allows",
        solution=math.log(math.e + CLASSES - 1) - 1,
        mistakes=(
            Mistake(
                "the loss was taken to reach zero",
                0.0,
                "It would with logits, which may be as large as you like. Here the largest input of the loss is 1.",
            ),
            Mistake(
                "this is the loss of a guess",
                math.log(CLASSES),
                "ln 4 is where a training begins. The best that can be handed over is 1 for the right class and 0 for "
                "the other three.",
            ),
            Mistake(
                "the right class was counted twice",
                math.log(math.e + CLASSES) - 1,
                "The denominator has four terms: e for the right class, and 1 for each of the three others.",
            ),
            Mistake(
                "the logit of the right class was not subtracted",
                math.log(math.e + CLASSES - 1),
                "The loss is the logarithm of the denominator minus the number of the right class, which is 1.",
            ),
            Mistake(
                "this is a probability",
                math.e / (math.e + CLASSES - 1),
                "That is the largest probability that is left for the right class. The loss is minus its logarithm.",
            ),
            Mistake(
                "the logarithm was taken to base 10",
                (math.log(math.e + CLASSES - 1) - 1) / math.log(10),
                "Cross-entropy is in nats: take the natural logarithm.",
            ),
        ),
        hint="Hand over 1, 0, 0, 0 and take minus the logarithm of the softmax of that.",
    ),
    Exercise(
        name="12-loss",
        title="Compute the loss per token of a padded batch",
        solution=mean_loss,
        cases=_loss_cases,
        mistakes=(
            Mistake(
                "padding is counted",
                lambda logits, target, pad_id: F.cross_entropy(logits.flatten(0, 1), target.flatten()),
                "Positions whose target is pad_id say nothing about the model: leave them out, of the sum and of the "
                "number that it is divided by.",
            ),
            Mistake(
                "the sum is divided by all positions",
                lambda logits, target, pad_id: (_each(logits, target) * (target != pad_id)).mean(),
                "The sum is right. Divide it by the number of real tokens: with the padding in the denominator a batch "
                "looks better the more padding it has.",
            ),
            Mistake(
                "sentences are averaged and not tokens",
                _by_sentence,
                "Each token counts the same. A mean of means gives the tokens of a short sentence more weight.",
            ),
            Mistake(
                "logits and targets are flattened in different orders",
                lambda logits, target, pad_id: mean_loss(logits.transpose(0, 1).reshape(logits.shape), target, pad_id),
                "`flatten(0, 1)` on both goes sentence by sentence. A transpose before one of them pairs each "
                "prediction with a token of another sentence.",
            ),
            Mistake(
                "the softmax is taken twice",
                lambda logits, target, pad_id: mean_loss(logits.softmax(-1), target, pad_id),
                "`F.cross_entropy` wants logits: the softmax is inside of it.",
            ),
            Mistake(
                "the losses are added up",
                lambda logits, target, pad_id: (_each(logits, target) * (target != pad_id)).sum(),
                "Divide by the number of real tokens, so that batches of any size can be compared.",
            ),
            Mistake(
                "the sign is wrong",
                lambda logits, target, pad_id: -mean_loss(logits, target, pad_id),
                "A log-probability is negative or zero. The loss is minus that.",
            ),
        ),
    ),
    Exercise(
        name="12-smoothing",
        title="Write the loss with label smoothing from log-probabilities",
        solution=smoothed_loss,
        cases=_smoothing_cases,
        without=(Forbidden("cross_entropy(label_smoothing=...)", F.cross_entropy, "label_smoothing"),),
        mistakes=(
            Mistake(
                "the smoothing is shared among the other tokens only",
                _among_the_others,
                "This is a variant that some libraries use. Asked for is the one of PyTorch, in which the right token "
                "gets its share too: smoothing / vocab for each token.",
            ),
            Mistake(
                "the target does not sum to one",
                _too_little,
                "With smoothing / vocab for the other tokens, the right one must get its own share as well: "
                "1 - smoothing + smoothing / vocab.",
            ),
            Mistake(
                "the smoothing goes to every token in full",
                lambda log_probabilities, target, smoothing: (
                    -(
                        ((1 - smoothing) * F.one_hot(target, log_probabilities.shape[-1]) + smoothing)
                        * log_probabilities
                    )
                    .sum(-1)
                    .mean()
                ),
                "`smoothing` is the share of all tokens together: divide it by the size of the vocabulary.",
            ),
            Mistake(
                "there is no smoothing",
                lambda log_probabilities, target, smoothing: F.nll_loss(log_probabilities, target),
                "This is the plain cross-entropy. The target gives a little probability to every token.",
            ),
            Mistake(
                "the entropy of the target is subtracted",
                _divergence,
                "This is the divergence of the two distributions, whose least value is 0. It has the same gradient. "
                "Cross-entropy is minus the sum of q ln p.",
            ),
            Mistake(
                "the vocabulary is averaged",
                lambda log_probabilities, target, smoothing: (
                    smoothed_loss(log_probabilities, target, smoothing) / log_probabilities.shape[-1]
                ),
                "Sum over the vocabulary, for q already is a distribution; average over the tokens.",
            ),
        ),
    ),
)
