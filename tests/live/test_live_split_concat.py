"""The figure of split and concat: numbers by hand, dependence by derivative."""

import pytest
import torch

from blockbyblock import causal_mask, scaled_dot_product_attention
from blockbyblock.live import SplitConcatFigure

TOKENS = ["The", "cat", "sat", "on", "the", "mat"]


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setenv("BLOCKBYBLOCK_STATIC", "1")


def test_numbers_by_hand():
    figure = SplitConcatFigure(["a", "b"])
    assert figure.numbers(0).tolist() == [[0, 1, 2, 3], [10, 11, 12, 13]]
    assert figure.numbers(1).tolist() == [[[0, 1], [2, 3]], [[10, 11], [12, 13]]]
    assert figure.numbers(2).tolist() == [[[0, 1], [10, 11]], [[2, 3], [12, 13]]]
    assert figure.numbers(3).tolist() == [[[0, 1], [5, 6]], [[2, 3], [7, 8]]]
    assert figure.numbers(4).tolist() == [[0, 1, 2, 3], [5, 6, 7, 8]]
    figure.cut = "direct"
    assert figure.numbers(2).tolist() == [[[0, 1], [2, 3]], [[10, 11], [12, 13]]]
    assert figure.numbers(4).tolist() == [[0, 1, 10, 11], [1, 2, 11, 12]]
    figure.step = 2
    assert torch.equal(figure.numbers(), figure.numbers(2))


@pytest.mark.parametrize("cut", ["right", "direct"])
def test_sources_are_what_a_derivative_says(cut):
    figure = SplitConcatFigure(TOKENS, cut=cut)

    def attended(x):
        heads = x.view(6, 2, 2).transpose(0, 1) if cut == "right" else x.view(2, 6, 2)
        output, _ = scaled_dot_product_attention(heads, heads, heads, causal_mask(6))
        return output.transpose(0, 1).flatten(1)

    slope = torch.autograd.functional.jacobian(attended, torch.randn(6, 4, dtype=torch.float64))
    reached = slope.abs().sum((1, 3)) > 1e-9  # [row, token]
    assert [row.nonzero().flatten().tolist() for row in reached] == figure.sources()
    assert (figure.sources() == [list(range(row + 1)) for row in range(6)]) == (cut == "right")


def test_the_table_shows_both_heads_and_the_caption_whom_a_row_depends_on():
    figure = SplitConcatFigure(TOKENS, cut="direct")
    assert "<th scope=row>cat</th><td>10 11 12 13</td><td>2 3</td><td>32 33</td><td>1 2 31 32</td>" in figure.still()
    assert "cat on The, on" in figure.caption()


@pytest.mark.parametrize("tokens", [[], list("abcdefg")])
def test_too_few_or_too_many_tokens_are_refused(tokens):
    with pytest.raises(ValueError, match=f"not {len(tokens)}"):
        SplitConcatFigure(tokens)
