"""What a language model and a classifier are measured against: n-grams of tokens, n-grams of characters."""

import math
import random

import pytest

from blockbyblock.data import LabelledText, TextCorpus
from blockbyblock.experiments.language_model import beginnings, in_training
from blockbyblock.experiments.ngrams import NgramModel
from blockbyblock.experiments.number_languages import LinearModel, ngrams, reachable

START, END, VOCAB = 1, 2, 10


def some_texts(count=200):
    draw = random.Random(0)
    return [[*(draw.randrange(3, 9) for _ in range(draw.randrange(1, 7))), END] for _ in range(count)]


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("context", [[START], [START, 3], [START, 3, 4, 5], [5, 6, 7, 8, 3], [9, 9]])
def test_the_probabilities_after_a_context_sum_to_one(order, context):
    model = NgramModel(some_texts(), order, VOCAB, START)
    assert math.isclose(sum(model.probability(context, token) for token in range(VOCAB)), 1)
    assert all(model.probability(context, token) > 0 for token in range(VOCAB))


def test_a_lower_order_counts_after_how_many_tokens_and_not_how_often():
    """Token 5 comes often, but after 4 alone; token 6 comes after 3, 7 and 8. After a context never seen, 6 leads."""
    texts = [[4, 5, END]] * 6 + [[3, 6, END], [7, 6, END], [8, 6, END]]
    model = NgramModel(texts, 2, VOCAB, START)
    assert model.counts[0][()][5] == 1
    assert model.counts[0][()][6] == 3
    assert model.probability([9], 6) > model.probability([9], 5)
    assert model.probability([4], 5) > 0.5


def test_the_loss_of_a_text_is_that_of_its_tokens_and_its_end():
    model = NgramModel(some_texts(), 3, VOCAB, START)
    by_hand = model.probability([START], 4) * model.probability([START, 4], 5) * model.probability([START, 4, 5], END)
    found = model.loss([4, 5, END])
    assert found.tokens == 3
    assert math.isclose(found.total, -math.log(by_hand))


def test_a_longer_context_tells_more_where_there_is_more_to_tell():
    texts = [[3, 4, 5, END], [6, 4, 7, END]] * 20  # what follows 4 is decided two tokens before
    losses = [NgramModel(texts, order, VOCAB, START).loss([3, 4, 5, END]).total for order in (2, 3)]
    assert losses[1] < losses[0] / 2


def test_a_linear_model_learns_endings_and_says_how_many_it_gets_right():
    texts = [
        LabelledText(f"{stem}{ending}", label) for stem in "abcdef" for ending, label in (("ig", "x"), ("ty", "y"))
    ]
    unseen = [LabelledText("zty", "y"), LabelledText("zig", "x"), LabelledText("zig", "y")]
    found = LinearModel(texts, ["x", "y"], longest=3, decay=1e-4).classify(unseen)
    assert (found.correct, found.texts) == (2, 3)
    assert found.confusions == {("y", "x"): 1}
    assert reachable(unseen) == 2  # one name with two labels
    assert ngrams("ab", 2) == {"^", "a", "b", "$", "^a", "ab", "b$"}


def test_beginnings_are_of_texts_that_go_on_and_a_known_text_is_recognised():
    assert beginnings(["Go on.", "The cat sat.", "I am here."]) == ["The cat", "I am"]
    corpus = TextCorpus("texts", "en", ["The cat sat."], [], [])
    assert in_training(["the cat sat", "The cat ran."], corpus) == [True, False]
