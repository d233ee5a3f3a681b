"""The figure of attention, one query at a time: its numbers, and errors at its door."""

import math

import pytest
import torch
import torch.nn.functional as F
from traitlets import TraitError

from blockbyblock.live import AttentionFigure
from blockbyblock.live.attention import WIDTHS


@pytest.fixture
def figure(monkeypatch):
    monkeypatch.setenv("BLOCKBYBLOCK_STATIC", "1")
    return AttentionFigure(["a", "b", "c"], torch.tensor([1.0, 2.0]), torch.randn(3, 2), torch.randn(3, 2), asking="b")


def vectors(figure):
    """Query, keys and values of the present width, from the values of the figure."""
    query = torch.tensor([figure.query + figure.further_query], dtype=torch.float64)[:, : figure.d_k]
    rows = [key + further for key, further in zip(figure.key, figure.further_key, strict=True)]
    key = torch.tensor(rows, dtype=torch.float64)[:, : figure.d_k]
    return query, key, torch.tensor(figure.value, dtype=torch.float64)


@pytest.mark.parametrize("d_k", WIDTHS)
@pytest.mark.parametrize("scaled", [True, False])
def test_output_equals_the_fused_kernel(figure, d_k, scaled):
    figure.d_k, figure.scaled = d_k, scaled
    expected = F.scaled_dot_product_attention(*vectors(figure), scale=None if scaled else 1.0)
    # float64, sums of up to 64 products in another order
    torch.testing.assert_close(figure.attended().output, expected[0], rtol=1e-12, atol=1e-12)


def test_entropy_is_zero_for_one_key_and_the_logarithm_for_equal_ones(figure):
    figure.query = [0.0, 0.0]
    assert figure.attended().entropy.item() == pytest.approx(math.log(3))
    figure.key = [[3.0, 3.0], [-3.0, -3.0], [-3.0, 0.0]]
    figure.query, figure.scaled = [3.0, 3.0], False
    assert figure.attended().entropy.item() == pytest.approx(0, abs=1e-10)  # the other scores are 27 and 36 lower


def test_further_entries_are_random_of_variance_one_and_the_same_each_time(figure):
    again = AttentionFigure(["x", "y", "z"], torch.zeros(2), torch.zeros(3, 2), torch.zeros(3, 2), asking="x")
    assert again.further_key == figure.further_key
    entries = torch.tensor([figure.further_query, *figure.further_key])
    assert abs(entries.mean()) < 0.2  # 248 draws: three standard errors of the mean are 0.19
    assert abs(entries.std() - 1) < 0.14  # and of the spread 0.13


@pytest.mark.parametrize("query", [[3.1, 0.0], [0.0, -4.0], [1.0], [1.0, 1.0, 1.0]])
def test_a_query_out_of_the_plane_is_refused(figure, query):
    with pytest.raises(TraitError):
        figure.query = query


def test_a_width_that_the_slider_does_not_have_is_refused(figure):
    with pytest.raises(TraitError):
        figure.d_k = 3


def test_sizes_that_do_not_agree_are_refused():
    with pytest.raises(ValueError, match="not 2, 3 and 3 of them"):
        AttentionFigure(["a", "b"], torch.zeros(2), torch.zeros(3, 2), torch.zeros(3, 2), asking="a")


def test_the_table_shows_the_numbers_and_the_caption_says_them(figure):
    found = figure.attended()
    assert f"<td>{found.weights[0]:.3f}</td>" in figure.still()
    assert f"<td>{found.scores[2]:.2f}</td>" in figure.still()
    assert "<th scope=col>÷ √2</th>" in figure.still()
    assert f"b {found.weights[1]:.2f}" in figure.caption()
    assert f"{found.entropy:.2f} of at most 1.10 nats" in figure.caption()
    figure.scaled = False
    assert "<th scope=col>÷ 1</th>" in figure.still()
