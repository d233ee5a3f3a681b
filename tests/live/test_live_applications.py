"""The figures of the language model and of the classifier in Python: what stands beside them on a page."""

import json
import re
from html import escape
from pathlib import Path
from typing import Any

import pytest
import torch
from tiny_applications import LABELS, taught_classifier, taught_generator

from blockbyblock.live import ClassifyingFigure, WritingFigure
from blockbyblock.live.next_token import NAMED, ROWS
from blockbyblock.portable import save_portable

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("models")
    save_portable(folder / "writes.safetensors", taught_generator(60))
    save_portable(folder / "sorts.safetensors", taught_classifier(60))
    return {name: folder / f"{name}.safetensors" for name in ("writes", "sorts")}


def cells(markup: str) -> list[tuple[str, list[str]]]:
    """The rows of the tables in a figure's markup."""
    rows = re.findall(r"<tr><th scope=row>(.*?)</th>(.*?)</tr>", markup)
    return [(name, re.findall("<td>(.*?)</td>", rest)) for name, rest in rows]


def test_the_still_table_is_what_the_generator_says_comes_next(files: dict[str, Path]) -> None:
    figure = WritingFigure("The cat", file=files["writes"])
    found = figure._generator.next_tokens("The cat", ROWS)
    *rows, (others, _) = cells(figure.still())
    expected = [(piece, f"{each:.3f}") for piece, each in zip(found.pieces, found.probabilities, strict=True)]
    assert [(name, own) for name, (own, _) in rows] == expected
    assert others == f"{len(figure._generator.tokenizer) - 2 - ROWS} others together"  # padding and <start> never come
    assert f"“{found.pieces[0]}” with probability {found.probabilities[0]:.3f}" in figure.caption()


def test_the_table_follows_what_is_chosen_and_how_it_is_drawn(files: dict[str, Path]) -> None:
    figure = WritingFigure("The cat", file=files["writes"], top_k=3, temperature=0.5)
    figure.chosen = [9, 30]
    text = figure._generator.tokenizer.decode([*figure._generator.encode("The cat"), 9, 30])
    assert f"What may follow “{escape(text, quote=False)}”" in figure.still()
    with torch.inference_mode():
        logits = figure._generator.model(torch.tensor([[*figure._generator.encode("The cat"), 9, 30]]))[0, -1]
    assert torch.equal(figure.logits().topk(5).indices, logits.topk(5).indices)
    drawn = [float(now) for _, (_, now) in cells(figure.still())]
    assert sum(drawn[:3]) == pytest.approx(1, abs=2e-3)
    assert drawn[3:] == [0] * (ROWS - 2)
    figure.beginning = "She"
    assert figure.chosen == []


def test_what_is_stored_is_little_and_counts_every_token(files: dict[str, Path]) -> None:
    figure = WritingFigure("The cat", file=files["writes"])
    first = figure.first
    counted = len(first["tokens"]) + sum(count for _, count, _ in first["others"])
    assert len(first["tokens"]) == len(first["logits"]) == NAMED
    assert counted == len(figure._generator.tokenizer) - 2
    assert len(figure.markup()) < 12_000
    json.loads(json.dumps(figure.state(), allow_nan=False))


def test_the_still_tables_are_the_classifiers(files: dict[str, Path]) -> None:
    figure = ClassifyingFigure("neunzig", file=files["sorts"])
    classifier = figure._classifier
    probable, reading = classifier.classify(["neunzig"])[0].probabilities, classifier.reading("neunzig")
    rows = cells(figure.still())
    assert rows[: len(LABELS)] == [(label, [f"{each:.3f}"]) for label, each in probable.items()]
    mean = reading.attention[-1, :, 0].mean(0)  # of all heads of the last layer
    assert rows[len(LABELS) :] == [
        (piece, [f"{each:.2f}"]) for piece, each in zip(reading.pieces, mean.tolist(), strict=True)
    ]
    figure.layer, figure.head = 1, 2
    assert figure.weights() == pytest.approx(reading.attention[0, 1, 0].tolist())
    assert figure.answer == next(iter(probable))
    assert f"“neunzig”: {figure.answer}" in figure.caption()
    assert len(figure.markup()) < 8_000


@pytest.mark.parametrize(
    "figure, name, task", [(WritingFigure, "sorts", "generation"), (ClassifyingFigure, "writes", "classification")]
)
def test_a_model_for_another_task_is_refused(files: dict[str, Path], figure: Any, name: str, task: str) -> None:
    with pytest.raises(ValueError, match=f"one for {task} is needed"):
        figure(file=files[name])
