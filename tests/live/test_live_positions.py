"""The figure of positions: the encoding as complex numbers, the rotation, the dot product."""

import cmath

import pytest
import torch
from traitlets import TraitError

from blockbyblock.live import PositionsFigure


@pytest.fixture(autouse=True)
def still(monkeypatch):
    monkeypatch.setenv("BLOCKBYBLOCK_STATIC", "1")


@pytest.mark.parametrize(
    "d_model, position, offset, pair", [(32, 10, 4, 2), (32, 47, 24, 15), (6, 0, 24, 0), (2, 5, 0, 0)]
)
def test_a_pair_is_a_complex_number_that_turns(d_model, position, offset, pair):
    figure = PositionsFigure(d_model, position=position, offset=offset, pair=pair)
    found = figure.encoded()
    step = cmath.exp(1j / 10_000 ** (2 * pair / d_model))
    for shown, power in ((found.here, position), (found.there, position + offset), (found.turned, position + offset)):
        expected = torch.tensor([(step**power).imag, (step**power).real])
        torch.testing.assert_close(shown, expected, atol=1e-6, rtol=0)  # float32: 6e-8, a few times


def test_dot_products_depend_on_the_offset_alone():
    figure = PositionsFigure(32)
    first = figure.encoded().products
    figure.position = 47
    # 32 products of float32 numbers that are off by 6e-8
    torch.testing.assert_close(figure.encoded().products, first, atol=1e-5, rtol=0)
    assert first[0].item() == pytest.approx(16)
    assert f"{first[4]:.3f}" in figure.caption()
    assert f"<td>{first[4]:.2f}</td>" in figure.still()


def test_an_odd_width_has_a_sine_without_a_cosine():
    with pytest.raises(ValueError, match="d_model=7 must be even"):
        PositionsFigure(7)


@pytest.mark.parametrize("name, value", [("position", 48), ("offset", 25), ("offset", -1), ("pair", 16), ("pair", -1)])
def test_a_value_outside_the_table_is_refused(name, value):
    with pytest.raises(TraitError):
        setattr(PositionsFigure(32), name, value)
