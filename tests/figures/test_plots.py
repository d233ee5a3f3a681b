"""Plots: one style, a text alternative, and SVG that follows the theme."""

import re
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from blockbyblock.figures import colour, heatmap, plots, show, style, themed

TOKENS = ["The", "cat", "sat", "on", "the", "mat"]


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The bundles that were displayed."""
    bundles: list[dict[str, str]] = []
    monkeypatch.setattr("IPython.display.display", lambda bundle, raw: bundles.append(bundle))
    return bundles


def line_plot(**labels: str) -> Figure:
    with style():
        figure, axes = plt.subplots()
        axes.plot([1, 2, 3], [1, 4, 9], color=colour("query"), marker="o")
        axes.set(**{"xlabel": "d_k", "ylabel": "variance", **labels})
    return figure


def heat_plot(size: int = 6, **options: object) -> Figure:
    weights = torch.randn(size, size, generator=torch.Generator().manual_seed(0)).softmax(-1)
    tokens = [TOKENS[at % len(TOKENS)] for at in range(size)]
    with style():
        figure, axes = plt.subplots(figsize=(4.6, 4.0))
        heatmap(axes, weights, tokens, tokens, **options)
    return figure


def svg_of(figure: Figure, shown: list[dict[str, str]], alt: str = "a plot") -> str:
    with style():
        show(figure, alt)
    return shown[-1]["image/svg+xml"]


def test_show_gives_svg_png_and_the_alternative_and_closes_the_figure(shown):
    show(line_plot(), "The variance grows with d_k.")
    (bundle,) = shown
    assert set(bundle) == {"image/svg+xml", "image/png", "text/plain"}
    assert bundle["text/plain"] == "The variance grows with d_k."
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert plt.get_fignums() == []


@pytest.mark.parametrize("make", [line_plot, heat_plot, lambda: heat_plot(12)], ids=["lines", "numbers", "bar"])
def test_svg_has_no_picture_text_as_text_and_the_palettes_colours_only(make, shown):
    markup = svg_of(make(), shown)
    root = ElementTree.fromstring(markup)
    tags = {element.tag.rpartition("}")[2] for element in root.iter()}
    assert "image" not in tags
    assert "style" not in tags  # a rule of its own would reach the rest of the page
    assert "text" in tags
    assert "DejaVu" not in markup
    assert not re.findall(r"(?<!url\()#[0-9a-f]{6}\b", re.sub(r"var\([^)]*\)", "", themed(markup)))


@pytest.mark.parametrize("make", [line_plot, heat_plot], ids=["lines", "heat"])
def test_svg_is_the_same_each_time(make, shown):
    assert svg_of(make(), shown) == svg_of(make(), shown)


def test_ids_that_are_used_differ_between_figures(shown):
    def used(markup: str) -> set[str]:
        return set(re.findall(r'(?:url\(|href=")#([^")]+)', markup))

    first, second = (used(svg_of(line_plot(), shown, alt)) for alt in ("one plot", "another plot"))
    assert first
    assert not first & second


@pytest.mark.parametrize("alt", ["", "  \n"])
def test_an_empty_alternative_is_refused(alt, shown):
    with pytest.raises(ValueError, match="no text alternative"):
        show(line_plot(), alt)
    assert not shown
    assert plt.get_fignums() == []


@pytest.mark.parametrize("name", ["x", "y"])
def test_an_axis_without_a_label_is_refused(name, shown):
    with pytest.raises(ValueError, match=f"axes 0 of the figure has no {name} label"):
        show(line_plot(**{f"{name}label": ""}), "a plot")
    assert not shown


def test_inner_axes_of_a_shared_grid_and_hidden_ones_need_no_label(shown):
    with style():
        figure, grid = plt.subplots(2, 2, sharex=True, sharey=True)
        for axes in grid.flat:
            axes.plot([1, 2])
            axes.set(xlabel="step", ylabel="loss")
            axes.label_outer()
        show(figure, "four plots")
        figure, axes = plt.subplots()
        axes.set_axis_off()
        show(figure, "no axes")
        figure, grid = plt.subplots(1, 2)
        figure.supxlabel("step")
        figure.supylabel("loss")
        show(figure, "labels of the whole figure")
    assert len(shown) == 3


def test_text_too_small_for_a_phone_is_refused(shown):
    with style():
        figure, axes = plt.subplots(figsize=(9, 4))
        axes.set(xlabel="step", ylabel="loss")
    with pytest.raises(ValueError, match=r"px high on a phone, less than 9: make the figure narrower than 9 inches"):
        show(figure, "wide")


def test_style_ends_with_its_context():
    before = plt.rcParams["axes.spines.top"], plt.rcParams["figure.facecolor"]
    with style():
        assert not plt.rcParams["axes.spines.top"]
        assert plt.rcParams["figure.facecolor"] == colour("paper")
    assert (plt.rcParams["axes.spines.top"], plt.rcParams["figure.facecolor"]) == before


def test_lines_without_a_thing_differ_in_more_than_colour():
    with style():
        cycle = list(plt.rcParams["axes.prop_cycle"])
    assert len({entry["linestyle"] for entry in cycle}) == len(cycle)


def test_heatmap_cells_are_one_colour_whose_opacity_is_the_weight(shown):
    with style():
        figure, axes = plt.subplots()
        mesh = heatmap(axes, [[0.0, 1.0], [0.25, 0.75]], ["a", "b"], ["c", "d"])
        figure.canvas.draw()
    faces = mesh.get_facecolors()
    assert np.ptp(faces[:, :3], axis=0).max() == 0
    # One of 64 levels.
    np.testing.assert_allclose(faces[:, 3], np.array([0, 1, 0.25, 0.75]) * plots.FULL_TINT, atol=plots.FULL_TINT / 64)
    markup = svg_of(figure, shown)
    assert f"fill: {colour('weights')}" in markup


def test_heatmap_has_tokens_at_its_edges_first_query_on_top():
    figure = heat_plot(rows_last := 6)
    axes = figure.axes[0]
    assert [label.get_text() for label in axes.get_yticklabels()] == TOKENS
    assert [label.get_text() for label in axes.get_xticklabels()] == TOKENS
    assert axes.get_ylim() == (rows_last, 0)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("key", "query")
    plt.close(figure)


def test_heatmap_prints_numbers_when_small_and_a_bar_when_large():
    small, large = heat_plot(6), heat_plot(12)
    assert len(small.axes[0].texts) == 36
    assert len(small.axes) == 1
    assert not large.axes[0].texts
    assert large.axes[1].get_ylabel() == "weight"
    plt.close(small)
    plt.close(large)


def test_heatmap_puts_each_number_in_its_cell():
    with style():
        figure, axes = plt.subplots()
        heatmap(axes, [[0.1, 0.2, 0.7]], ["q"], ["a", "b", "c"])
    assert [(text.get_position(), text.get_text()) for text in axes.texts] == [
        ((0.5, 0.5), "0.10"),
        ((1.5, 0.5), "0.20"),
        ((2.5, 0.5), "0.70"),
    ]
    plt.close(figure)


def test_heatmap_hatches_what_is_not_allowed():
    figure = heat_plot(6, allowed=torch.ones(6, 6).tril().bool())
    axes = figure.axes[0]
    hatched = {patch.get_xy() for patch in axes.patches if patch.get_hatch()}
    assert hatched == {(column, row) for row in range(6) for column in range(row + 1, 6)}
    assert len(axes.texts) == 21
    plt.close(figure)


def test_heatmap_takes_a_tensor_that_requires_a_gradient():
    with style():
        figure, axes = plt.subplots()
        heatmap(axes, torch.zeros(2, 2, requires_grad=True).softmax(-1), ["a", "b"], ["a", "b"])
    plt.close(figure)


@pytest.mark.parametrize(
    ("weights", "options", "message"),
    [
        ([[0.5, 0.5]], {}, r"weights have the shape \(1, 2\), but rows and columns name \(2, 2\) tokens"),
        ([[2.0, 0.0], [0.0, 1.0]], {}, "weights go from 0 to 2, outside 0 to 1"),
        ([[-0.5, 0.0], [0.0, 1.0]], {}, "weights go from -0.5 to 1, outside 0 to 1"),
        ([[float("nan"), 0.0], [0.0, 1.0]], {}, "weights go from nan to nan"),
        ([[0.5, 0.5]] * 2, {"allowed": [True, False]}, r"allowed has the shape \(2,\), weights have \(2, 2\)"),
    ],
)
def test_heatmap_refuses_what_is_no_matrix_of_weights(weights, options, message):
    with style():
        figure, axes = plt.subplots()
    with pytest.raises(ValueError, match=message):
        heatmap(axes, weights, ["a", "b"], ["a", "b"], **options)
    plt.close(figure)
