"""The map and the other drawings: complete, linked, readable, and something to see in every viewer."""

import itertools
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import TextPath

from blockbyblock.figures import (
    BLOCKS,
    PALETTE,
    architecture_map,
    attention_figure,
    encoder_decoder_figure,
    multi_head_figure,
    residual_stream_figure,
    themed,
)
from blockbyblock.figures.svg import FONT_SIZE, Figure

SVG = "{http://www.w3.org/2000/svg}"
PHONE = 335  # px left for a figure on a page 375 px wide
DRAWINGS = {
    **{f"map-{lit}": lambda lit=lit: architecture_map(lit) for lit in (None, *BLOCKS)},
    "attention": attention_figure,
    "multi-head": multi_head_figure,
    "encoder-decoder": encoder_decoder_figure,
    "residual-stream": residual_stream_figure,
}
# How often each block stands in the drawing.
INSTANCES = {
    "linear-projections": 1,
    "scaled-dot-product-attention": 1,
    "multi-head-attention": 3,  # the frame around its inside, the last step in it, and the encoder's self-attention
    "embedding": 2,
    "positional-encoding": 2,
    "add-and-norm": 5,
    "feed-forward": 2,
    "encoder": 1,
    "masking": 2,  # masked self-attention, and the shifted outputs
    "encoder-decoder-attention": 1,
    "decoder": 1,
    "linear-and-softmax": 2,
}
LABELS = {
    "Inputs": 1,
    "Input embedding": 1,
    "Output embedding": 1,
    "Positional": 2,
    "Encoder": 1,
    "Decoder": 1,
    "N ×": 2,
    "Multi-head": 1,
    "Masked": 1,
    "Encoder-decoder": 1,
    "Add & Norm": 5,
    "Feed-forward": 2,
    "Linear": 1,
    "Softmax": 1,
    "probabilities": 1,
    "(shifted right)": 1,
    "Linear projections": 1,
    "Scaled dot-product": 1,
    "Concat, linear": 1,
    "Q": 4,
    "K": 4,
    "V": 4,
}
each_drawing = pytest.mark.parametrize("draw", DRAWINGS.values(), ids=DRAWINGS)

Extent = tuple[float, float, float, float]  # left, top, right, bottom


def parsed(figure: Figure) -> ElementTree.Element:
    return ElementTree.fromstring(figure.svg)


def numbers(element: ElementTree.Element, *names: str) -> list[float]:
    return [float(element.attrib[name]) for name in names]


def extent_of_text(text: ElementTree.Element) -> Extent:
    """Where a text reaches in DejaVu Sans, the widest of the fonts that a reader is likely to have."""
    font = FontProperties(family="DejaVu Sans", weight=text.get("font-weight", "normal"))
    width = TextPath((0, 0), text.text, size=FONT_SIZE, prop=font).get_extents().width
    x, y = numbers(text, "x", "y")
    left = x - {"start": 0.0, "middle": width / 2, "end": width}[text.attrib["text-anchor"]]
    return left, y - 0.75 * FONT_SIZE, left + width, y + 0.2 * FONT_SIZE


def extent_of_box(box: ElementTree.Element) -> Extent:
    x, y, width, height = numbers(box, "x", "y", "width", "height")
    return x, y, x + width, y + height


def inside(inner: Extent, outer: Extent) -> bool:
    return inner[0] >= outer[0] and inner[1] >= outer[1] and inner[2] <= outer[2] and inner[3] <= outer[3]


@each_drawing
def test_svg_is_well_formed_named_and_without_ids(draw):
    root = parsed(draw())
    assert len(root.attrib["aria-label"]) > 100
    # No id, so that no two figures on a page can clash; no script, no style from elsewhere, no picture.
    assert not [element for element in root.iter() if "id" in element.attrib]
    assert {element.tag.removeprefix(SVG) for element in root.iter()} <= {
        "svg",
        "a",
        "title",
        "rect",
        "text",
        "path",
        "circle",
    }


@each_drawing
def test_drawing_is_the_same_each_time(draw):
    assert draw() == draw()


@each_drawing
def test_every_colour_is_themed(draw):
    markup = draw().html
    assert re.findall("#[0-9a-f]{3,8}", markup)
    assert not re.findall("#[0-9a-f]{3,8}", re.sub(r"var\([^)]*\)", "", themed(markup)))


@each_drawing
def test_text_is_at_least_11_px_on_a_phone(draw):
    root = parsed(draw())
    width = float(root.attrib["viewBox"].split()[2])
    assert float(root.attrib["font-size"]) * PHONE / width >= 11
    assert not [text for text in root.iter(f"{SVG}text") if "font-size" in text.attrib]


@each_drawing
def test_text_stays_in_its_box_and_clear_of_other_text(draw):
    root = parsed(draw())
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    boxes: list[Extent] = []
    texts: list[tuple[str, Extent]] = []
    for element in root.iter():  # in the order of painting: a text belongs to the last box around it
        if element.tag == f"{SVG}rect" and "rx" in element.attrib:
            boxes.append(extent_of_box(element))
        elif element.tag == f"{SVG}text":
            extent = extent_of_text(element)
            x, y = (extent[0] + extent[2]) / 2, (extent[1] + extent[3]) / 2
            around = [box for box in boxes if box[0] < x < box[2] and box[1] < y < box[3]]
            room = around[-1] if around else (0, 0, width, height)
            assert inside(extent, room), f"{element.text!r} leaves its box"
            texts.append((element.text, extent))
    for (one, a), (other, b) in itertools.combinations(texts, 2):
        apart = a[2] <= b[0] or b[2] <= a[0] or a[3] <= b[1] or b[3] <= a[1]
        assert apart, f"{one!r} touches {other!r}"


@each_drawing
def test_boxes_and_lines_stay_in_the_drawing(draw):
    root = parsed(draw())
    width, height = map(float, root.attrib["viewBox"].split()[2:])
    for box in root.iter(f"{SVG}rect"):
        assert inside(extent_of_box(box), (0, 0, width, height))


def test_every_label_stands_as_often_as_in_the_paper():
    labels = [text.text for text in parsed(architecture_map()).iter(f"{SVG}text")]
    assert {label: labels.count(label) for label in LABELS} == LABELS


def lit_boxes(figure: Figure) -> list[ElementTree.Element]:
    return [box for box in parsed(figure).iter(f"{SVG}rect") if box.get("fill") == PALETTE["highlight"].light]


@pytest.mark.parametrize("block", BLOCKS)
def test_a_lit_block_has_another_fill_a_thick_outline_and_bold_text(block):
    figure, plain = architecture_map(block), architecture_map()
    lit = lit_boxes(figure)
    assert len(lit) == INSTANCES[block]
    assert not lit_boxes(plain)
    assert all(float(box.attrib["stroke-width"]) >= 2 for box in lit)
    bold, usual = (
        {text.text for text in parsed(each).iter(f"{SVG}text") if text.get("font-weight")} for each in (figure, plain)
    )
    assert usual <= bold
    assert bold > usual or block in ("encoder", "decoder")  # the title of a frame is always bold
    # Nothing else changes: what is not lit is as readable as before.
    texts = [[text.text for text in parsed(each).iter(f"{SVG}text")] for each in (figure, plain)]
    assert texts[0] == texts[1]


def test_an_unknown_block_is_refused_with_the_closest():
    with pytest.raises(ValueError, match="no block 'multi-head'; closest: multi-head-attention"):
        architecture_map("multi-head")


def test_written_chapters_and_no_others_are_links(some_written):
    root = parsed(architecture_map("encoder"))
    links = list(root.iter(f"{SVG}a"))
    assert {link.attrib["href"] for link in links} == set(some_written)
    assert len(links) == sum(
        INSTANCES[b] for b in ("linear-projections", "multi-head-attention", "add-and-norm", "encoder")
    )
    for link in links:
        title, box = link.find(f"{SVG}title"), link.find(f"{SVG}rect")
        assert re.fullmatch(r"Chapter \d+: .+", title.text)
        assert box is not None  # what the focus ring is drawn around
        assert int(link.attrib["href"][:2]) == int(re.search(r"\d+", title.text)[0])
    assert root.attrib["role"] == "group"


def test_without_links_a_drawing_is_an_image(monkeypatch):
    monkeypatch.setattr("blockbyblock.figures.blocks.CHAPTERS", ())
    assert parsed(architecture_map()).attrib["role"] == "img"
    assert parsed(attention_figure()).attrib["role"] == "img"


def test_focus_shows_on_a_lit_block_too():
    focused = re.search(r"a:focus-visible rect { stroke: (#\w+); stroke-width: (\d)", architecture_map().html)
    assert focused is not None
    assert focused[1] == PALETTE["ink"].light != PALETTE["accent"].light
    assert int(focused[2]) >= 2


class Sanitised(HTMLParser):
    """What is left where SVG and styles are removed: the links and the text outside them."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.text, self.links, self._inside = "", [], []
        self.feed(markup)

    def handle_starttag(self, tag, attributes):
        if tag in ("svg", "style"):
            self._inside.append(tag)
        elif tag == "a" and not self._inside:
            self.links.append(dict(attributes)["href"])

    def handle_endtag(self, tag):
        if self._inside and tag == self._inside[-1]:
            self._inside.pop()

    def handle_data(self, data):
        if not self._inside:
            self.text += data


def test_without_svg_the_blocks_and_links_remain_as_a_list(some_written):
    figure = architecture_map("add-and-norm")
    left = Sanitised(figure.html)
    drawn = [link.attrib["href"] for link in parsed(figure).iter(f"{SVG}a")]
    assert sorted(left.links) == sorted(drawn)
    assert left.text.count("Add & Norm, chapter 6 (lit)") == 5
    for name in ("Inputs", "Masked self-attention", "Encoder-decoder attention", "Softmax", "Output probabilities"):
        assert name in left.text
    # The list must not hang on an attribute that survives where the drawing does not.
    assert "hidden" not in figure.words
    assert "style=" not in figure.words


@each_drawing
def test_a_bundle_has_html_and_text(draw):
    bundle = draw()._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert len(bundle["text/plain"]) > 100
    assert "<" not in bundle["text/plain"].replace("->", "")
    assert len(Sanitised(bundle["text/html"]).text.strip()) > 100


def test_the_text_map_is_readable_by_itself():
    lines = architecture_map("feed-forward")._repr_mimebundle_()["text/plain"].splitlines()
    assert [line.strip() for line in lines if line.lstrip().startswith(">")] == ["> Feed-forward [7]"] * 2
    order = [line.strip(" >").split(" [")[0] for line in lines]
    for earlier, later in itertools.pairwise(["Input embedding", "Feed-forward", "Masked self-attention", "Softmax"]):
        assert order.index(earlier) < order.index(later)


@pytest.mark.parametrize(
    ("draw", "shapes"),
    [
        (attention_figure, ["[batch, query, d_k]", "[batch, key, d_k]", "[batch, key, d_v]", "[batch, query, d_v]"]),
        (multi_head_figure, ["[batch, query, h*d_v]", "[batch, query, d_model]", "h × [batch, query, d_v]"]),
        (
            encoder_decoder_figure,
            ["[batch, source]", "[batch, source, d_model]", "[batch, target, d_model]", "[batch, target, vocab]"],
        ),
    ],
)
def test_shapes_stand_beside_the_arrows(draw, shapes):
    labels = {text.text for text in parsed(draw()).iter(f"{SVG}text")}
    assert set(shapes) <= labels
