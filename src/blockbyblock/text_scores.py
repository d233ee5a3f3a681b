"""How good are a language model and a classifier: perplexity, accuracy, and how sure one can be of either."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from blockbyblock.data import EncodedText
from blockbyblock.decoding import evaluating
from blockbyblock.evaluation import Interval, TokenLoss, resample
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator


@torch.inference_mode()
def text_losses(generator: TextGenerator, texts: Sequence[str]) -> list[TokenLoss]:
    """Cross-entropy of each text's tokens and of its end, each predicted from the true tokens before it.

    Args:
        generator: the model.
        texts: in any order of length.

    Returns:
        One for each text, in the same order; their sum is the loss of all.

    Raises:
        ValueError: there is no text, or one is over the model's longest sequence.
    """
    if not texts:
        raise ValueError("there is no text to score")
    # <start> is put in front again where a batch is made; white space around a text is left out, as in training.
    examples = [EncodedText([*ids, generator.tokenizer.end_id]) for _, *ids in generator.encode_each(texts)]
    device = next(generator.model.parameters()).device
    found: dict[int, TokenLoss] = {}
    with evaluating(generator.model):
        for places, _ in generator.batches([example.ids for example in examples]):
            batch = examples[0].batch([examples[place] for place in places]).to(device)
            logits = generator.model(*batch.inputs).float().transpose(1, 2)
            nats = F.cross_entropy(logits, batch.target, ignore_index=batch.ignored, reduction="none").double().sum(1)
            tokens = (batch.target != batch.ignored).sum(1)
            found |= zip(places, map(TokenLoss, nats.tolist(), tokens.tolist()), strict=True)
    return [found[place] for place in range(len(texts))]


def total_loss(losses: Sequence[TokenLoss]) -> TokenLoss:
    """The loss of several texts together: each token counts the same, whatever text it is in."""
    return TokenLoss(sum(loss.total for loss in losses), sum(loss.tokens for loss in losses))


def perplexity_interval(
    losses: Sequence[TokenLoss], *, samples: int = 1000, confidence: float = 0.95, seed: int = 0
) -> Interval:
    """The bootstrap interval of a perplexity: how far it moves if the texts are drawn anew.

    Args:
        losses: from `text_losses`.
        samples: how many sets of texts to draw, each as large as the given one, with replacement.
        confidence: share of the samples that lie inside.
        seed: of the draws.

    Raises:
        ValueError: `samples` or `confidence` is out of range.
    """
    counts = torch.tensor([[loss.total, loss.tokens] for loss in losses], dtype=torch.float64)
    drawn = [counts[rows].sum(0) for rows in resample(len(losses), samples, confidence, seed)]
    perplexities = [math.exp(total / tokens) for total, tokens in (each.tolist() for each in drawn)]
    return Interval.of(total_loss(losses).perplexity, perplexities, confidence)


@dataclass(frozen=True)
class Accuracy:
    """How many texts were given their own class.

    Attributes:
        correct: their number.
        texts: of all.
        confusions: how often a class was taken for another, (own, given) to a count, the most frequent first.
    """

    correct: int
    texts: int
    confusions: dict[tuple[str, str], int]

    @property
    def share(self) -> float:
        """correct / texts."""
        return self.correct / self.texts

    def interval(self, z: float = 1.96) -> tuple[float, float]:
        """Where the share lies by chance of the texts alone (Wilson 1927); 1.96 for 95 %."""
        n, share = self.texts, self.share
        middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
        half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
        return middle - half, middle + half

    def __str__(self) -> str:
        low, high = self.interval()
        return f"{self.correct:,} of {self.texts:,} right ({self.share:.1%}; 95% by Wilson {low:.1%} to {high:.1%})"


def accuracy(classifier: TextClassifier, texts: Sequence[str], labels: Sequence[str]) -> Accuracy:
    """Classify texts whose class is known.

    Args:
        classifier: the model.
        texts: any.
        labels: the class of each.

    Raises:
        ValueError: there is no text, the numbers differ, or a label is none of the classifier's.
    """
    if not texts or len(texts) != len(labels):
        raise ValueError(f"{len(texts)} texts, labels for {len(labels)}")
    if unknown := sorted({*labels} - {*classifier.labels}):
        raise ValueError(f"the label {unknown[0]!r} is not one of {', '.join(classifier.labels)}")
    return count_confusions(labels, [decision.label for decision in classifier.classify(texts)])


def count_confusions(own: Sequence[str], given: Sequence[str]) -> Accuracy:
    """The same for decisions that somebody else has made."""
    wrong = Counter(pair for pair in zip(own, given, strict=True) if pair[0] != pair[1])
    return Accuracy(len(own) - wrong.total(), len(own), dict(wrong.most_common()))
