"""How good is a translation: BLEU, chrF, exact matches, the loss per token, and how sure one can be of a difference.

BLEU and chrF are computed by sacreBLEU (Post 2018) on plain text, as translated and not tokenized beforehand; a score
carries sacreBLEU's signature, without which it cannot be compared with a published one. References are given sentence
by sentence, one or several each.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Int
from sacrebleu.metrics.bleu import BLEU
from sacrebleu.metrics.chrf import CHRF
from torch import Tensor

from blockbyblock.checks import check_positive
from blockbyblock.decoding import evaluating
from blockbyblock.transformer import Transformer, shift_right

References = Sequence[Sequence[str]]


@dataclass(frozen=True)
class Score:
    """A score of a whole corpus, from 0 to 100.

    Attributes:
        name: "BLEU" or "chrF2".
        value: the score.
        signature: sacreBLEU's description of how it was computed.
    """

    name: str
    value: float
    signature: str

    def __str__(self) -> str:
        return f"{self.name} {self.value:.2f} ({self.signature})"


@dataclass(frozen=True)
class Interval:
    """A score of a test set, or a difference of two, and where it lies in resampled test sets.

    Attributes:
        value: on the test set itself.
        low: lower end of the interval.
        high: upper end of the interval.
        confidence: share of the resampled test sets whose value lies between the two.
        samples: number of resampled test sets.
    """

    value: float
    low: float
    high: float
    confidence: float
    samples: int

    @classmethod
    def of(cls, value: float, sampled: list[float], confidence: float) -> "Interval":
        """The interval of a value by what it is in each resampled test set."""
        ends = torch.tensor([(1 - confidence) / 2, (1 + confidence) / 2], dtype=torch.float64)
        low, high = torch.tensor(sampled, dtype=torch.float64).quantile(ends).tolist()
        return cls(value, low, high, confidence, len(sampled))

    def __str__(self) -> str:
        return (
            f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}] "
            f"({self.confidence:.0%} of {self.samples:,} bootstrap samples)"
        )


@dataclass(frozen=True)
class ExactMatches:
    """How many translations are equal to one of their references."""

    matches: int
    sentences: int

    @property
    def share(self) -> float:
        """matches / sentences."""
        return self.matches / self.sentences

    def __str__(self) -> str:
        return f"{self.matches:,} of {self.sentences:,} exactly right ({self.share:.1%})"


@dataclass(frozen=True)
class TokenLoss:
    """Cross-entropy per token, without label smoothing.

    Attributes:
        total: summed over all tokens, in nats (natural logarithm).
        tokens: their number, the end tokens counted and the padding not.
    """

    total: float
    tokens: int

    @property
    def loss(self) -> float:
        """Mean over the tokens, in nats."""
        return self.total / self.tokens

    @property
    def perplexity(self) -> float:
        """exp(loss): among how many equally likely tokens the model would be as unsure."""
        return math.exp(self.loss) if self.loss < 700 else math.inf

    def __str__(self) -> str:
        return f"loss {self.loss:.4f} per token, perplexity {self.perplexity:.2f} ({self.tokens:,} tokens)"


def bleu(translations: Sequence[str], references: References, *, lowercase: bool = False) -> Score:
    """sacreBLEU with the tokenizer 13a (Papineni et al. 2002, Post 2018).

    Args:
        translations: one text per sentence.
        references: for each sentence its references; their number may differ from sentence to sentence.
        lowercase: ignore case.

    Raises:
        ValueError: no sentence, numbers of sentences that differ, or a sentence without a reference.
        TypeError: a sentence's references are one string instead of a sequence of strings.
    """
    return _corpus_score(BLEU(lowercase=lowercase, tokenize="13a", force=True), translations, references)


def chrf(translations: Sequence[str], references: References) -> Score:
    """chrF2: F-score of character n-grams up to six (Popović 2015). Arguments and errors as for `bleu`."""
    return _corpus_score(CHRF(), translations, references)


def bleu_interval(
    translations: Sequence[str],
    references: References,
    *,
    lowercase: bool = False,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """The bootstrap interval of a BLEU score (Koehn 2004): how far it moves if the test sentences are drawn anew.

    Args:
        translations: as for `bleu`.
        references: as for `bleu`.
        lowercase: ignore case.
        samples: how many test sets to draw, each as large as the given one, with replacement.
        confidence: share of the samples that lie inside.
        seed: of the draws.

    Raises:
        ValueError: as for `bleu`; or `samples` or `confidence` is out of range.
        TypeError: as for `bleu`.
    """
    counts = _bleu_counts(translations, references, lowercase)
    drawn = resample(len(counts), samples, confidence, seed)
    return Interval.of(_bleu_of(counts), [_bleu_of(counts[rows]) for rows in drawn], confidence)


def bleu_difference(
    translations: Sequence[str],
    baseline: Sequence[str],
    references: References,
    *,
    lowercase: bool = False,
    samples: int = 1000,
    confidence: float = 0.95,
    seed: int = 0,
) -> Interval:
    """BLEU of `translations` minus BLEU of `baseline`, by paired bootstrap: both are scored on the same samples.

    Sentences that are hard are hard for both, so the difference is known better than either score. If the interval does
    not hold 0, the difference is larger than what the choice of the test sentences explains. Arguments and errors as
    for `bleu_interval`.
    """
    ours, theirs = (_bleu_counts(texts, references, lowercase) for texts in (translations, baseline))
    drawn = resample(len(ours), samples, confidence, seed)
    differences = [_bleu_of(ours[rows]) - _bleu_of(theirs[rows]) for rows in drawn]
    return Interval.of(_bleu_of(ours) - _bleu_of(theirs), differences, confidence)


def exact_matches(translations: Sequence[str], references: References) -> ExactMatches:
    """Count translations that equal one of their references, character by character. Errors as for `bleu`."""
    _check_texts(translations, references)
    matches = sum(text in allowed for text, allowed in zip(translations, references, strict=True))
    return ExactMatches(matches, len(translations))


@torch.inference_mode()
def token_loss(
    model: Transformer, batches: Iterable[tuple[Int[Tensor, "batch source"], Int[Tensor, "batch target"]]]
) -> TokenLoss:
    """Cross-entropy of the target tokens, each predicted from the source and the true tokens before it.

    Each token counts the same, whatever batch it is in. The model is in evaluation mode meanwhile.

    Args:
        model: the model.
        batches: pairs of ids, source and target, padded on the right with `config.pad_id`; the target ends with the end
            token and does not begin with the start token.

    Raises:
        ValueError: there is no token, or ids that the model refuses.
    """
    config = model.config
    total, tokens = 0.0, 0
    with evaluating(model):
        for source, target in batches:
            logits = model(source, shift_right(target, config.start_id)).flatten(0, 1)
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            labels = target.flatten().long()
            total += float(F.cross_entropy(logits, labels, ignore_index=config.pad_id, reduction="sum"))
            tokens += int((labels != config.pad_id).sum())
    if not tokens:
        raise ValueError("the batches hold no target token")
    return TokenLoss(total, tokens)


def _corpus_score(metric: Any, translations: Sequence[str], references: References) -> Score:
    _check_texts(translations, references)
    # sacreBLEU wants a stream per reference; None fills a stream where a sentence has fewer references.
    most = max(map(len, references))
    streams = [[texts[i] if i < len(texts) else None for texts in references] for i in range(most)]
    score = metric.corpus_score(translations, streams)
    return Score(score.name, score.score, metric.get_signature().format())


def _bleu_counts(
    translations: Sequence[str], references: References, lowercase: bool
) -> Int[Tensor, "sentences counts"]:
    """What BLEU adds up, per sentence: matching n-grams (4), n-grams (4), length, closest reference length."""
    _check_texts(translations, references)
    metric = BLEU(lowercase=lowercase, tokenize="13a", force=True, effective_order=True)
    scores = [metric.sentence_score(text, texts) for text, texts in zip(translations, references, strict=True)]
    return torch.tensor([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores])


def _bleu_of(counts: Int[Tensor, "sentences counts"]) -> float:
    *ngrams, length, reference_length = counts.sum(0).tolist()
    return BLEU.compute_bleu(ngrams[:4], ngrams[4:], length, reference_length, smooth_method="exp").score


def resample(sentences: int, samples: int, confidence: float, seed: int) -> Int[Tensor, "samples sentences"]:
    """Which sentences each bootstrap sample holds, `[samples, sentences]`; arguments as for `bleu_interval`."""
    check_positive(samples=samples)
    if not 0 < confidence < 1:
        raise ValueError(f"confidence={confidence} is not in (0, 1)")
    return torch.randint(sentences, (samples, sentences), generator=torch.Generator().manual_seed(seed))


def _check_texts(translations: Sequence[str], references: References) -> None:
    if not translations or len(translations) != len(references):
        raise ValueError(f"{len(translations)} translations, references for {len(references)} sentences")
    for row, texts in enumerate(references):
        if isinstance(texts, str):
            raise TypeError(f"the references of sentence {row} are one string: pass a list of references per sentence")
        if not texts:
            raise ValueError(f"sentence {row} has no reference")
