"""Token embeddings and positions."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock import LearnedPositionalEncoding, SinusoidalPositionalEncoding, TokenEmbedding
from blockbyblock.embedding import sinusoids


def test_lookup_is_scaled_by_the_square_root_of_d_model():
    embedding = TokenEmbedding(10, 16)
    ids = torch.tensor([[3, 0, 9]])
    assert torch.equal(embedding(ids), embedding.table.weight[ids] * 4)


def test_lookup_equals_one_hot_times_matrix():
    embedding = TokenEmbedding(10, 16).double()
    ids = torch.tensor([[3, 0, 9]])
    one_hot = torch.nn.functional.one_hot(ids, 10).double()
    torch.testing.assert_close(embedding(ids), one_hot @ embedding.table.weight * 4, rtol=0, atol=1e-12)


def test_embeddings_leave_with_unit_variance():
    _ = torch.manual_seed(0)
    embedding = TokenEmbedding(1000, 256)
    # 256,000 draws: the standard error of the standard deviation is 0.0014; 0.01 is seven of them.
    assert embedding(torch.arange(1000)[None]).std().item() == pytest.approx(1.0, abs=0.01)


def test_whole_numbers_of_any_width_are_ids():
    embedding = TokenEmbedding(10, 4)
    assert torch.equal(embedding(torch.tensor([[1, 9]], dtype=torch.int32)), embedding(torch.tensor([[1, 9]])))


def test_ids_without_values_give_vectors_without_values():
    with torch.device("meta"):
        embedded = TokenEmbedding(7, 4)(torch.zeros(2, 3, dtype=torch.long))
    assert embedded.is_meta
    assert embedded.shape == (2, 3, 4)


def test_sinusoids_by_the_formula():
    table = sinusoids(50, 8)
    for pos in (0, 1, 7, 49):
        for i in range(4):
            angle = pos / 10_000 ** (2 * i / 8)
            # The table is float32: half a unit in the last place of a number below one.
            assert table[pos, 2 * i].item() == pytest.approx(math.sin(angle), abs=6e-8)
            assert table[pos, 2 * i + 1].item() == pytest.approx(math.cos(angle), abs=6e-8)


def test_late_positions_are_as_exact_as_early_ones():
    """Computed in float32, sin(5000 * frequency) would be off by about 1e-4."""
    expected = math.sin(5000 / 10_000 ** (2 / 512))
    assert sinusoids(5001, 512)[5000, 2].item() == pytest.approx(expected, abs=6e-8)


@given(offset=st.integers(0, 30), start=st.integers(0, 30))
def test_a_shift_is_a_rotation(offset, start):
    """Each sine-cosine pair at pos + k is the pair at pos turned by k times its frequency, whatever pos is."""
    table = sinusoids(61, 8).double().unflatten(-1, (4, 2))
    angle = offset * 10_000.0 ** (-torch.arange(0, 8, 2, dtype=torch.float64) / 8)
    rotation = torch.stack((angle.cos(), angle.sin(), -angle.sin(), angle.cos()), -1).unflatten(-1, (2, 2))
    turned = (rotation @ table[start][..., None])[..., 0]
    # Two rounded table entries, each off by at most 6e-8, and two products.
    torch.testing.assert_close(turned, table[start + offset], rtol=0, atol=3e-7)


@pytest.mark.parametrize("encoding_class", [SinusoidalPositionalEncoding, LearnedPositionalEncoding])
def test_positions_are_added_from_start_on(encoding_class):
    encoding = encoding_class(8, 20)
    x = torch.randn(2, 6, 8)
    whole = encoding(x)
    assert whole.shape == x.shape
    table = encoding(torch.zeros(1, 20, 8))
    torch.testing.assert_close(whole, x + table[:, :6])
    step_by_step = torch.cat([encoding(x[:, i : i + 1], start=i) for i in range(6)], dim=1)
    assert torch.equal(whole, step_by_step)
    assert encoding(x, start=14).shape == x.shape  # the last six of twenty


def test_sinusoids_are_neither_learned_nor_saved_and_move_with_the_module():
    encoding = SinusoidalPositionalEncoding(8, 20)
    assert not list(encoding.parameters())
    assert not encoding.state_dict()
    assert encoding.double().table.dtype == torch.float64


def test_learned_positions_are_learned():
    encoding = LearnedPositionalEncoding(8, 20)
    encoding(torch.zeros(1, 3, 8)).sum().backward()
    gradient = encoding.table.weight.grad
    assert (gradient[:3] == 1).all()
    assert (gradient[3:] == 0).all()


@pytest.mark.parametrize("encoding_class", [SinusoidalPositionalEncoding, LearnedPositionalEncoding])
def test_each_row_may_have_places_of_its_own(encoding_class):
    """As texts padded on their left do; equal to each row by itself from its own start on."""
    encoding = encoding_class(8, 20)
    x = torch.randn(3, 4, 8)
    starts = (0, 7, 16)
    places = torch.tensor([[start + step for step in range(4)] for start in starts])
    expected = torch.cat([encoding(x[row : row + 1], start) for row, start in enumerate(starts)])
    assert torch.equal(encoding(x, places), expected)
    assert torch.equal(encoding(x, places.flip(1)), encoding(x.flip(1), places).flip(1))


@pytest.mark.unhooked
@pytest.mark.parametrize("encoding_class", [SinusoidalPositionalEncoding, LearnedPositionalEncoding])
def test_places_beyond_the_table_are_refused(encoding_class):
    encoding, x = encoding_class(8, 20), torch.zeros(2, 2, 8)
    with pytest.raises(ValueError, match="positions 3 to 20 do not lie within max_length=20"):
        encoding(x, torch.tensor([[3, 4], [19, 20]]))
    with pytest.raises(ValueError, match="positions -1 to 1 do not lie"):
        encoding(x, torch.tensor([[-1, 0], [0, 1]]))


def test_a_scale_of_ones_own():
    ids = torch.tensor([[3, 0, 9]])
    for scale in (1.0, 2.5):
        embedding = TokenEmbedding(10, 16, scale)
        torch.testing.assert_close(embedding(ids), embedding.table.weight[ids] * scale, rtol=0, atol=0)
