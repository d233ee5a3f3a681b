"""The palette: contrast, colours that stay apart for every reader, and theming."""

import itertools
import re

import pytest

from blockbyblock.figures import plots, svg
from blockbyblock.figures.palette import PALETTE, colour, css, themed

THINGS = ("query", "key", "value", "weights", "output", "mask", "encoder", "decoder")
BACKGROUNDS = ("paper", "surface", "highlight")
TEXT = (*THINGS, "ink", "muted", "accent")
THEMES = ("light", "dark")

# Machado, Oliveira and Fernandes (2009), severity 1.0, for linear RGB.
SIGHT = {
    "trichromat": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
}
# Oklab distances, times 100: about 2 is just noticeable side by side. 7 is more than three times that.
APART = 7.0

Linear = tuple[float, float, float]


def linear(hex_colour: str) -> Linear:
    def channel(at: int) -> float:
        value = int(hex_colour[at : at + 2], 16) / 255
        return value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4

    return channel(1), channel(3), channel(5)


def luminance(rgb: Linear) -> float:
    return 0.2126 * rgb[0] + 0.7152 * rgb[1] + 0.0722 * rgb[2]


def contrast(one: Linear, other: Linear) -> float:
    """The WCAG 2 contrast ratio."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def product(matrix: tuple[Linear, ...], vector: Linear) -> Linear:
    first, second, third = (sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix)
    return first, second, third


def oklab(rgb: Linear) -> Linear:
    """Ottosson (2020), times 100."""
    to_cones = (
        (0.4122214708, 0.5363325363, 0.0514459929),
        (0.2119034982, 0.6806995451, 0.1073969566),
        (0.0883024619, 0.2817188376, 0.6299787005),
    )
    to_lab = (
        (0.2104542553, 0.7936177850, -0.0040720468),
        (1.9779984951, -2.4285922050, 0.4505937099),
        (0.0259040371, 0.7827717662, -0.8086757660),
    )
    cones = product(to_cones, rgb)
    first, second, third = product(to_lab, tuple(100 * max(cone, 0) ** (1 / 3) for cone in cones))  # type: ignore[arg-type]
    return first, second, third


def blend(name: str, theme: str, opacity: float) -> Linear:
    """A colour over paper, mixed as a browser mixes: in sRGB."""
    top, below = (getattr(PALETTE[each], theme) for each in (name, "paper"))
    parts = ((int(top[at : at + 2], 16), int(below[at : at + 2], 16)) for at in (1, 3, 5))
    return linear("#" + "".join(f"{round(opacity * one + (1 - opacity) * other):02x}" for one, other in parts))


def distance(one: Linear, other: Linear) -> float:
    return sum((a - b) ** 2 for a, b in zip(oklab(one), oklab(other), strict=True)) ** 0.5


def of(name: str, theme: str) -> Linear:
    return linear(getattr(PALETTE[name], theme))


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("background", BACKGROUNDS)
@pytest.mark.parametrize("name", TEXT)
def test_text_is_readable_on_each_background(name, background, theme):
    assert contrast(of(name, theme), of(background, theme)) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("background", BACKGROUNDS)
def test_lines_are_visible_on_each_background(background, theme):
    assert contrast(of("line", theme), of(background, theme)) >= 3


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("name", THINGS)
def test_text_is_readable_on_the_tint_of_a_box(name, theme):
    tint = blend(name, theme, svg.TINT)
    assert contrast(of("ink", theme), tint) >= 4.5
    assert contrast(of("muted", theme), tint) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
def test_numbers_are_readable_on_the_fullest_cell_of_a_heat_map(theme):
    assert contrast(of("ink", theme), blend("weights", theme, plots.FULL_TINT)) >= 4.5


@pytest.mark.parametrize("sight", SIGHT)
@pytest.mark.parametrize("theme", THEMES)
def test_any_two_things_stay_apart_for_every_reader(theme, sight):
    seen = {name: product(SIGHT[sight], of(name, theme)) for name in THINGS}
    distances = {pair: distance(seen[pair[0]], seen[pair[1]]) for pair in itertools.combinations(THINGS, 2)}
    closest = min(distances, key=lambda pair: distances[pair])
    assert distances[closest] >= APART, f"{closest} are {distances[closest]:.1f} apart"


@pytest.mark.parametrize("theme", THEMES)
def test_neighbours_on_the_map_differ_in_greyscale(theme):
    # Oklab lightness; 2 is just noticeable, and no more is asked because each arrow and frame also carries its name.
    for one, other in (("query", "key"), ("key", "value"), ("query", "value"), ("encoder", "decoder")):
        grey = [oklab((luminance(of(name, theme)),) * 3) for name in (one, other)]
        assert abs(grey[0][0] - grey[1][0]) >= 2, (one, other)


def test_colours_are_well_formed_and_distinct():
    for theme in THEMES:
        colours = [getattr(pair, theme).lower() for pair in PALETTE.values()]
        assert all(re.fullmatch("#[0-9a-f]{6}", each) for each in colours)
        assert len(set(colours)) == len(colours)


def test_css_gives_each_colour_in_both_themes():
    light, dark = css().split('html[data-theme="dark"]')
    assert light.startswith(":root {")
    for name, pair in PALETTE.items():
        assert f"--bbb-{name}: {pair.light};" in light
        assert f"--bbb-{name}: {pair.dark};" in dark


def test_themed_makes_variables_of_our_colours_only():
    query = PALETTE["query"].light
    assert themed(f'<path fill="{query}"/>') == f'<path fill="var(--bbb-query, {query})"/>'
    assert (
        themed(f"linear-gradient(red, {query.upper()})") == f"linear-gradient(red, var(--bbb-query, {query.upper()}))"
    )
    for other in ("#123456", f"{query}80", "url(#abcdef)", "page.html" + query, "&" + query):
        assert themed(other) == other


def test_themed_twice_is_themed_once():
    once = themed("".join(f'<rect fill="{pair.light}"/>' for pair in PALETTE.values()))
    assert once.count("var(") == len(PALETTE)
    assert themed(once) == once


def test_an_unknown_colour_is_named_with_the_known_ones():
    with pytest.raises(KeyError, match="no colour 'qwery' in the palette; it has query, key"):
        colour("qwery")
