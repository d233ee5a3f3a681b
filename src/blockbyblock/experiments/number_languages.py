"""Which language is a number name in? The classifier beside a linear model on character n-grams, by training numbers.

Each run draws its numbers anew: 20 to choose by, 30 to report, and 1 to 50 to learn from, each in all 25 languages. For
both models what can be chosen is chosen by the validation part: the linear model's longest n-gram and its weight decay,
the classifier's dropout.
"""

import os
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from blockbyblock.data import LabelledCorpus, LabelledText, number_languages
from blockbyblock.text_scores import Accuracy, accuracy, count_confusions
from blockbyblock.training import carry_out, open_run, read_recipe

NUMBERS = (1, 2, 5, 10, 20, 50)
LONGEST = (3, 5)
DECAYS = (1e-5, 1e-4, 1e-3)
DROPOUTS = (0.2, 0.4)


def ngrams(text: str, longest: int) -> set[str]:
    """The stretches of 1 to `longest` characters of a text between two marks for its ends."""
    marked = f"^{text}$"
    return {marked[start : start + size] for size in range(1, longest + 1) for start in range(len(marked) - size + 1)}


class LinearModel:
    """Multinomial logistic regression on which n-grams a text has, each text's features scaled to length one.

    Args:
        texts: to learn from.
        labels: the names of all classes.
        longest: characters of the longest n-gram.
        decay: what half the sum of the squared weights is multiplied by in the loss.
    """

    def __init__(self, texts: Sequence[LabelledText], labels: Sequence[str], longest: int, decay: float) -> None:
        self.labels, self.longest = labels, longest
        known = sorted({gram for text in texts for gram in ngrams(text.text, longest)})
        self.columns = {gram: column for column, gram in enumerate(known)}
        features = self.features([text.text for text in texts])
        targets = torch.tensor([labels.index(text.label) for text in texts])
        self.weight = torch.zeros(len(known), len(labels), requires_grad=True)
        self.bias = torch.zeros(len(labels), requires_grad=True)
        optimizer = torch.optim.LBFGS([self.weight, self.bias], max_iter=200, line_search_fn="strong_wolfe")

        def loss() -> Tensor:
            optimizer.zero_grad()
            value = F.cross_entropy(features @ self.weight + self.bias, targets)
            value = value + decay * self.weight.square().sum() / 2
            value.backward()
            return value

        optimizer.step(loss)

    def features(self, texts: Sequence[str]) -> Float[Tensor, "texts columns"]:
        """One row for each text; n-grams that no training text has are left out."""
        rows = torch.zeros(len(texts), len(self.columns))
        for row, text in enumerate(texts):
            rows[row, [self.columns[gram] for gram in ngrams(text, self.longest) if gram in self.columns]] = 1
        return F.normalize(rows)

    def classify(self, texts: Sequence[LabelledText]) -> Accuracy:
        """How many of these it gets right."""
        with torch.no_grad():
            best = (self.features([text.text for text in texts]) @ self.weight + self.bias).argmax(1).tolist()
        return count_confusions([text.label for text in texts], [self.labels[place] for place in best])


def reachable(texts: Sequence[LabelledText]) -> int:
    """How many a model can get right at most, that gives one answer to each name: shared names have several labels."""
    by_name: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for text, label in texts:
        by_name[text][label] += 1
    return sum(max(labels.values()) for labels in by_name.values())


def one_run(numbers: int, seed: int, model: str, **setting: Any) -> dict[str, Any]:
    """Train one model with one setting: what it gets right of the validation and of the test part.

    Args:
        numbers: how many numbers to learn from.
        seed: of the numbers drawn, and of the classifier's first weights.
        model: "linear", "[CLS]" or "mean", the last two of the recipe in the box.
        setting: `longest` and `decay`, or `dropout`.
    """
    torch.set_num_threads(1)
    corpus = number_languages(train=numbers, seed=seed)
    if model == "linear":
        linear = LinearModel(corpus.train, corpus.labels, **setting)
        chosen, found = linear.classify(corpus.validation), linear.classify(corpus.test)
    else:
        chosen, found = _classifier(corpus, numbers, seed, model, **setting)
    return {
        "numbers": numbers, "seed": seed, "model": model, **setting, "validation": chosen.correct,
        "validation_texts": chosen.texts, "correct": found.correct, "texts": found.texts,
        "reachable": reachable(corpus.test),
        "confusions": [[own, given, count] for (own, given), count in found.confusions.items()],
    }  # fmt: skip


def _classifier(
    corpus: LabelledCorpus, numbers: int, seed: int, pooling: str, dropout: float
) -> tuple[Accuracy, Accuracy]:
    recipe = read_recipe("number-languages").changed(
        [
            f"seed={seed}",
            f"corpus.seed={seed}",
            f"corpus.train={numbers}",
            f"model.dropout={dropout}",
            f"model.pooling={'cls' if pooling == '[CLS]' else pooling}",
        ]
    )
    with tempfile.TemporaryDirectory() as folder:
        carry_out(recipe, corpus, folder, progress=False)
        classifier = open_run(folder)
    scores = (
        accuracy(classifier, [text for text, _ in part], [label for _, label in part])
        for part in (corpus.validation, corpus.test)
    )
    return next(scores), next(scores)


def settings(seeds: int = 5) -> Iterator[dict[str, Any]]:
    """All runs, the longest first."""
    for numbers in reversed(NUMBERS):
        for seed in range(seeds):
            run = {"numbers": numbers, "seed": seed}
            for dropout in DROPOUTS:
                yield run | {"model": "[CLS]", "dropout": dropout}
                if numbers == NUMBERS[-1]:
                    yield run | {"model": "mean", "dropout": dropout}
            for longest in LONGEST:
                for decay in DECAYS:
                    yield run | {"model": "linear", "longest": longest, "decay": decay}


def run() -> Iterator[dict[str, Any]]:
    """Every run, on all cores: each has one thread, so that its result does not depend on their number."""
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(one_run, **each) for each in settings()]:
            yield future.result()


if __name__ == "__main__":
    from .record import record

    record("number_languages", lambda: list(run()))
