"""What the card of the classifier of number names tells of it."""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from blockbyblock.data import LabelledCorpus
from blockbyblock.experiments import recorded
from blockbyblock.experiments.number_languages import reachable
from blockbyblock.text_classifier import Decision, TextClassifier
from blockbyblock.text_scores import accuracy
from release.tables import table

FAMILIES = {
    "Germanic": ("en", "de", "nl", "da", "no", "sv", "is"),
    "Romance": ("fr", "es", "ca", "it", "pt", "ro"),
    "Slavic": ("pl", "cs", "sk", "sl", "sr", "ru", "uk", "be"),
    "Uralic": ("fi", "hu"),
    "Turkic": ("tr", "az"),
}
SHOWN = 30
FOREIGN = ("hundred", "Where is the cat?", "xyz")
Row = dict[str, Any]


def languages(name: str) -> dict[str, str]:
    """Nothing besides the labels, which the model has."""
    return {}


def values(exact: TextClassifier, rounded: TextClassifier, corpus: LabelledCorpus) -> dict[str, Any]:
    """Accuracy beside the best reachable one, by training numbers beside a linear model, confusions, first answers."""
    texts, labels = [text for text, _ in corpus.test], [label for _, label in corpus.test]
    decisions = rounded.classify(texts)
    shown = random.Random(0).sample([*zip(texts, labels, decisions, strict=True)], SHOWN)
    answers = ((text, own, found.label, f"{found.probabilities[found.label]:.2f}") for text, own, found in shown)
    rows = best_by_validation(recorded("number_languages")["rows"])
    wrong = [
        f'"{text}" ({own}), {_said(found)}'
        for text, own, found in zip(texts, labels, decisions, strict=True)
        if found.label != own
    ]
    foreign = [f'"{text}", {_said(found)}' for text, found in zip(FOREIGN, rounded.classify(FOREIGN), strict=True)]
    models = (("float32", exact), ("int8", rounded))
    return {
        "scores": "\n".join(f"- {weights}: {accuracy(model, texts, labels)}" for weights, model in models),
        "lost": _lost(rows),
        "wrong": f"{len(wrong)} of {len(texts)}",
        "example": wrong[0],
        "foreign": "; ".join(foreign),
        "reachable": f"{reachable(corpus.test)} of {len(texts)}",
        "curve": _curve(rows),
        "families": _families([row for row in rows if row["numbers"] == 50 and row["model"] == "[CLS]"]),
        "first": table(("name", "language", "answer", "probability"), answers),
        "classes": len(rounded.labels),
    }


def _said(found: Decision) -> str:
    return f"taken for {found.label} with probability {found.probabilities[found.label]:.2f}"


def best_by_validation(rows: Iterable[Row]) -> list[Row]:
    """Of each model's settings for the same numbers the one that is right most often on the validation part."""
    best: dict[tuple[object, ...], Row] = {}
    for row in rows:
        key = (row["model"], row["numbers"], row["seed"])
        if key not in best or row["validation"] > best[key]["validation"]:
            best[key] = row
    return list(best.values())


def _curve(rows: Sequence[Row]) -> str:
    """Right answers of five draws of numbers, for each number of training numbers."""
    counts: defaultdict[tuple[int, str], list[Row]] = defaultdict(list)
    for row in rows:
        counts[row["numbers"], row["model"]].append(row)

    def shown(numbers: int, model: str) -> str:
        found = counts.get((numbers, model), [])
        return ", ".join(str(row["correct"]) for row in sorted(found, key=lambda row: row["seed"])) or "not run"

    head = ("numbers learned from", "texts", "classifier, [CLS]", "classifier, mean", "linear on n-grams", "reachable")
    lines = []
    for numbers in sorted({numbers for numbers, _ in counts}):
        most = ", ".join(
            str(row["reachable"]) for row in sorted(counts[numbers, "linear"], key=lambda row: row["seed"])
        )
        each = [shown(numbers, model) for model in ("[CLS]", "mean", "linear")]
        lines.append((numbers, f"{25 * numbers:,}", *each, most))
    return table(head, lines)


def _lost(rows: Sequence[Row]) -> str:
    """In how many draws the classifier is right less often than the linear model."""
    right = {(row["model"], row["numbers"], row["seed"]): row["correct"] for row in rows}
    draws = [key[1:] for key in right if key[0] == "linear"]
    return f"{sum(right['[CLS]', *draw] < right['linear', *draw] for draw in draws)} of {len(draws)}"


def _families(rows: Sequence[Row]) -> str:
    """Of the texts of each family, how many went to another language of it, and how many to another family."""
    family = {language: name for name, languages in FAMILIES.items() for language in languages}
    inside, outside = dict.fromkeys(FAMILIES, 0), dict.fromkeys(FAMILIES, 0)
    for row in rows:
        for own, given, count in row["confusions"]:
            (inside if family[own] == family[given] else outside)[family[own]] += count
    texts = sum(row["texts"] for row in rows) // len(family)  # of each language
    return table(
        ("family", "languages", "texts", "taken for another of the family", "for one of another family"),
        [(name, len(of), f"{texts * len(of):,}", inside[name], outside[name]) for name, of in FAMILIES.items()],
    )
