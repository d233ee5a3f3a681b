"""Perplexity and accuracy, each against another way to reckon it."""

import math

import pytest
import torch
from tiny_applications import LABELS, tiny_classifier, tiny_generator
from tiny_translator import held_out

from blockbyblock.evaluation import TokenLoss
from blockbyblock.text_scores import (
    Accuracy,
    accuracy,
    count_confusions,
    perplexity_interval,
    text_losses,
    total_loss,
)


@pytest.fixture(scope="module")
def generator(one_thread):
    return tiny_generator(max_length=60)


def test_the_loss_of_a_text_is_of_its_tokens_and_its_end_one_by_one(generator):
    texts = [*held_out()[:2], " Go. ", ""]
    for text, loss in zip(texts, text_losses(generator, texts), strict=True):
        ids = [*generator.encode(text), generator.tokenizer.end_id]
        nats = 0.0
        for place in range(1, len(ids)):  # each time only what stands before it
            nats -= generator.model(torch.tensor([ids[:place]]))[0, -1].log_softmax(-1)[ids[place]].item()
        assert loss.tokens == len(ids) - 1
        assert loss.total == pytest.approx(nats, rel=1e-5)


def test_what_cannot_be_scored_is_named(generator):
    with pytest.raises(ValueError, match="there is no text to score"):
        text_losses(generator, [])
    with pytest.raises(ValueError, match=r"text 2: the text has \d+ tokens"):
        text_losses(generator, ["Go.", "cat " * 60])


def test_each_token_counts_the_same_whatever_text_it_is_in():
    losses = [TokenLoss(2.0, 1), TokenLoss(6.0, 7)]
    assert total_loss(losses) == TokenLoss(8.0, 8)
    found = perplexity_interval(losses, samples=200)
    assert found.value == pytest.approx(math.e)  # and not exp of the mean of 2 and 6/7
    assert found.low == pytest.approx(math.exp(6 / 7))
    assert found.high == pytest.approx(math.exp(2))
    middle = perplexity_interval(losses, samples=200, confidence=0.02)  # half of all samples have each text once
    assert (middle.low, middle.high) == (pytest.approx(math.e), pytest.approx(math.e))


def test_equal_texts_leave_no_doubt():
    found = perplexity_interval([TokenLoss(3.0, 3)] * 5, samples=50)
    assert (found.low, found.high) == (pytest.approx(math.e), pytest.approx(math.e))


def test_accuracy_by_hand():
    found = count_confusions(["a", "a", "a", "b", "c"], ["a", "b", "b", "b", "a"])
    assert (found.correct, found.texts, found.share) == (2, 5, 0.4)
    assert [*found.confusions.items()] == [(("a", "b"), 2), (("c", "a"), 1)]


def test_the_interval_is_wilsons():
    for correct, texts in ((0, 10), (5, 10), (700, 750), (10, 10)):
        share, z = correct / texts, 1.96
        for end in Accuracy(correct, texts, {}).interval():  # its ends are where the test of the share just rejects
            assert (share - end) ** 2 == pytest.approx(z**2 * end * (1 - end) / texts, abs=1e-12)
    assert str(Accuracy(5, 10, {})) == "5 of 10 right (50.0%; 95% by Wilson 23.7% to 76.3%)"


def test_a_classifier_is_scored_by_its_own_names():
    classifier = tiny_classifier()
    texts = ["nitti", "einundzwanzig", "halvfems", "tjueen"]
    given = [decision.label for decision in classifier.classify(texts)]
    assert accuracy(classifier, texts, given).correct == 4
    other = [LABELS[LABELS.index(label) - 1] for label in given]
    found = accuracy(classifier, texts, other)
    assert (found.correct, sum(found.confusions.values())) == (0, 4)
    assert next(iter(found.confusions)) in zip(other, given, strict=True)  # its own class first


@pytest.mark.parametrize(
    "texts, labels, message",
    [([], [], "0 texts"), (["x"], [], "1 texts, labels for 0"), (["x"], ["Finnish"], "'Finnish' is not one of Danish")],
)
def test_labels_that_do_not_fit(texts, labels, message):
    with pytest.raises(ValueError, match=message):
        accuracy(tiny_classifier(), texts, labels)
