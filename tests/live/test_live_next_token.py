"""The figure of the next token: the model's own logits, counted where they have no name, and what is drawn from."""

import math

import pytest
import torch
from small_translator import small_translator
from traitlets import TraitError

from blockbyblock import load_pretrained
from blockbyblock.live import NextTokenFigure
from blockbyblock.live.next_token import EXAMPLES, NAMED, ROWS
from blockbyblock.transformer import shift_right

SENTENCE = "He gave the old book to his friend."


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setenv("BLOCKBYBLOCK_STATIC", "1")


@pytest.fixture(scope="module")
def translator():
    return load_pretrained("en-de")


@pytest.fixture(scope="module")
def own(translator):
    """The model's logits before each token of its greedy translation, without the figure."""
    ids = [*translator.hypotheses([SENTENCE], beam=1)[0].ids, translator.tokenizer.end_id]
    read = shift_right(torch.tensor([ids]), translator.model.config.start_id)
    with torch.inference_mode():
        return translator.model(torch.tensor([translator.encode(SENTENCE)]), read)[0].double()


def test_the_logits_are_the_models_and_in_its_order(translator, own):
    figure = NextTokenFigure(translator, SENTENCE)
    assert len(figure.steps) == len(own) == len(figure.written)
    for step, expected in enumerate(own):
        figure.step = step
        found, ordered = figure.logits(), expected.sort(descending=True)
        assert found.shape == expected.shape
        assert torch.all(found[:-1] >= found[1:])
        torch.testing.assert_close(found[:NAMED], ordered.values[:NAMED], atol=1e-4, rtol=0)  # six digits are kept
        torch.testing.assert_close(found[NAMED:], ordered.values[NAMED:], atol=0.0501, rtol=0)  # one decimal
        names = translator.tokenizer.pieces(ordered.indices[:3].tolist())
        assert figure.steps[step]["tokens"][:3] == names
        assert figure.written[step] == names[0]  # greedy


def test_a_few_tokens_stand_for_the_others_of_their_logit(translator, own):
    figure = NextTokenFigure(translator, SENTENCE)
    rank = {name: own[2][index].item() for index, name in enumerate(translator.tokenizer.pieces(range(own.shape[1])))}
    for value, count, some in figure.steps[2]["others"]:
        assert len(some) == min(count, EXAMPLES) == len(set(some))
        # A piece of bytes that are no text is written as that of others.
        assert all(abs(rank[name] - value) <= 0.0501 for name in some if "\ufffd" not in name)


# What rounding the logits of the others does to their sum: up to 0.05 each, both ways, so far less together.
ROUNDING = 2e-3


@pytest.mark.parametrize("temperature, top_k", [(1, 0), (0.5, 0), (3, 0), (2, 50), (1, 1), (0.1, 1000)])
def test_probabilities_are_those_of_the_whole_vocabulary(translator, own, temperature, top_k):
    figure = NextTokenFigure(translator, SENTENCE, step=2, temperature=temperature, top_k=top_k)
    expected = (own[2].sort(descending=True).values / temperature).softmax(-1)
    if top_k:
        expected = expected[:top_k] / expected[:top_k].sum()
    found = figure.probabilities()
    torch.testing.assert_close(found[:NAMED][: len(expected)], expected[:NAMED], atol=ROUNDING, rtol=0)
    assert found.count_nonzero() == len(expected)
    assert found.sum().item() == pytest.approx(1)


def test_top_p_keeps_the_fewest_tokens_that_reach_it(translator):
    figure = NextTokenFigure(translator, SENTENCE, step=2, top_p=0.9)
    reached = figure.logits().softmax(-1).cumsum(-1)
    kept = int(figure.probabilities().count_nonzero())
    assert reached[kept - 2] < 0.9 <= reached[kept - 1]
    assert kept > NAMED  # so that the cut falls among the tokens that are counted


def test_words_and_table_hold_the_numbers(translator):
    figure = NextTokenFigure(translator, SENTENCE, step=2, temperature=2)
    kept = figure.probabilities()
    assert "It has written “Er gab”. The next token is “ das”" in figure.caption()
    assert f"probability {kept[0]:.3f} at temperature 2; 8,000 of 8,000 tokens can be drawn" in figure.caption()
    assert f"<td>{kept[ROWS:].sum():.3f}</td>" in figure.still()
    assert figure.still().count("<tr>") == ROWS + 2


def test_another_model_and_a_short_vocabulary():
    figure = NextTokenFigure(small_translator(max_length=64), "a b")
    assert math.isclose(figure.probabilities().sum().item(), 1)
    assert len(figure.logits()) == len(figure.probabilities())


@pytest.mark.parametrize(
    "name, value", [("temperature", 0), ("temperature", 7), ("top_k", 4), ("top_p", 0), ("step", 99)]
)
def test_a_value_outside_the_choices_is_refused(translator, name, value):
    with pytest.raises(TraitError):
        setattr(NextTokenFigure(translator, SENTENCE), name, value)


def test_nothing_to_translate():
    with pytest.raises(ValueError, match="the sentence is empty"):
        NextTokenFigure(small_translator(max_length=64), "  ")
