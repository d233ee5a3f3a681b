"""The figure of masks: who sees whom, by derivative; the weights, by the package; the trap; any sentence."""

import math

import pytest
import torch
from traitlets import TraitError

from blockbyblock import scaled_dot_product_attention
from blockbyblock.live import MasksFigure
from blockbyblock.live.masks import shared_letters

SENTENCE = "The cat sat on the mat"


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setenv("BLOCKBYBLOCK_STATIC", "1")


def letters(figure):
    """For each token a row with a one for each letter that it has: the dot product of two rows is their score."""
    rows = [[float(letter in token.lower()) for letter in "acehmnost"] for token in figure.tokens()]
    return torch.tensor(rows).double() * torch.tensor([[token != "<pad>"] for token in figure.tokens()])


@pytest.mark.parametrize("side", ["right", "left"])
@pytest.mark.parametrize("causal", [True, False])
@pytest.mark.parametrize("hide_padding", [True, False])
def test_weights_equal_the_packages(side, causal, hide_padding):
    figure = MasksFigure(SENTENCE, 2, side=side, causal=causal, hide_padding=hide_padding)
    figure.flipped = [[3, 0], [0, 3]]
    found, rows = figure.masked(), letters(figure)
    root = math.sqrt(rows.shape[-1])  # the package divides by it, the figure does not
    _, expected = scaled_dot_product_attention(rows * root, rows, rows, found.allowed)
    torch.testing.assert_close(found.weights, expected, rtol=1e-12, atol=1e-12)  # float64, few roundings


@pytest.mark.parametrize("causal", [True, False])
def test_heard_of_is_what_a_derivative_through_two_layers_says(causal):
    figure = MasksFigure(SENTENCE, 2, causal=causal)
    figure.flipped = [[4, 1], [5, 1], [2, 0]]
    found = figure.masked()
    scores = torch.randn(2, 8, 8, dtype=torch.float64)

    def two_layers(x):
        for each in scores:
            x = x + each.masked_fill(~found.allowed, -math.inf).softmax(-1) @ x
        return x

    slope = torch.autograd.functional.jacobian(two_layers, torch.randn(8, dtype=torch.float64))
    assert torch.equal(slope.abs() > 1e-9, found.heard)
    assert torch.equal(found.layers[2] > 0, found.heard)


def test_a_row_without_any_key_is_nan_and_spoils_every_output_one_layer_later():
    figure = MasksFigure(SENTENCE, 2, side="left", infinite=True)
    found = figure.masked()
    assert found.weights.isnan().any(-1).tolist() == [True, True] + [False] * 6
    assert found.layers.isnan().any(-1).sum(-1).tolist() == [0, 2, 8]
    assert "after one layer 2 of 8, after two 8" in figure.caption()
    figure.infinite = False
    assert figure.masked().weights[:2].eq(0).all()


def test_a_single_cell_is_the_opposite_of_what_the_masks_say():
    figure = MasksFigure("a b c")
    figure.flipped = [[0, 2], [2, 0], [7, 7]]  # the last lies outside: the sentence has become shorter
    assert figure.masked().allowed.tolist() == [[True, False, True], [True, True, False], [False, True, True]]
    assert "<th scope=row>c</th><td>–</td>" in figure.still()


@pytest.mark.parametrize(
    "sentence, tokens",
    [
        ("", ["<pad>"]),
        ("  a   b ", ["a", "b", "<pad>"]),
        ("1 2 3 4 5 6 7 8 9", ["1", "2", "3", "4", "5", "6", "7", "<pad>"]),
        ("日本 🙂", ["日本", "🙂", "<pad>"]),
    ],
)
def test_any_sentence_has_tokens(sentence, tokens):
    figure = MasksFigure(sentence, 1)
    assert figure.tokens() == tokens
    assert figure.masked().weights.shape == (len(tokens), len(tokens))
    assert figure.markup()


def test_no_token_at_all_is_an_empty_table():
    figure = MasksFigure("")
    assert figure.masked().weights.shape == (0, 0)
    assert "<table>" in figure.markup()


def test_letters_count_once_and_in_either_case():
    assert shared_letters("The", "tHeThe") == 3
    assert shared_letters("cat", "sat") == 2
    assert shared_letters("<pad>", "pad") == 0


@pytest.mark.parametrize("name, value", [("padding", 4), ("side", "top"), ("causal", "yes"), ("selected", -1)])
def test_a_value_that_no_control_has_is_refused(name, value):
    with pytest.raises(TraitError):
        setattr(MasksFigure("a"), name, value)
