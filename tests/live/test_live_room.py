"""The room of the figures that move: what Python shows of each, where it shows it, and the text of its module."""

import json
import re

import pytest
from traitlets import link

from blockbyblock import live
from blockbyblock.figures.palette import PALETTE
from blockbyblock.live.figure import STATIC, LiveFigure, palette_css, rounded, table, visible
from blockbyblock.live.modules import FOLDER, joined, module_names
from book._tools.notebooks import KERNEL_ENVIRONMENT

WIDGET = "application/vnd.jupyter.widget-view+json"
HOSTILE = "</script><b>&amp; <!-- 'x' \"y\""
CLASSES = [each for each in vars(live).values() if isinstance(each, type) and issubclass(each, LiveFigure)]
TOP_LEVEL = re.compile(r"^(?:export )?(?:async )?(?:function\*?|class|const|let) ([\w$]+)", re.MULTILINE)


@pytest.fixture
def still(monkeypatch):
    monkeypatch.setenv(STATIC, "1")


def test_a_stored_figure_opens_no_channel_and_holds_no_widget(still):
    figure = live.MasksFigure("the cat")
    bundle = figure._repr_mimebundle_()
    assert figure.comm is None
    assert set(bundle) == {"text/html", "text/plain"}


def test_the_notebooks_of_the_book_are_run_to_be_stored():
    assert KERNEL_ENVIRONMENT[STATIC] == "1"


def test_a_running_figure_is_a_widget_and_brings_its_still_version_along(monkeypatch):
    monkeypatch.delenv(STATIC, raising=False)
    figure = live.MasksFigure("the cat")
    bundle, _ = figure._repr_mimebundle_()
    assert figure.comm is not None
    assert bundle[WIDGET]["model_id"] == figure.model_id
    assert bundle["text/html"] == figure.markup()
    assert bundle["text/plain"] == figure.caption()


def test_values_are_those_of_the_figure_and_none_of_the_widget(still):
    figure = live.SplitConcatFigure(["a", "b"], step=2)
    assert figure.state() == {"cut": "right", "step": 2, "tokens": ["a", "b"]}


def test_a_value_can_be_linked_with_another_widgets(still):
    one, other = live.PositionsFigure(), live.PositionsFigure()
    link((one, "offset"), (other, "offset"))
    other.offset = 9
    assert one.offset == 9


def test_the_element_holds_its_values_and_survives_any_text(still):
    markup = live.MasksFigure(HOSTILE).markup()
    [data] = re.findall(r'<script type="application/json">(.*?)</script>', markup)
    assert json.loads(data)["sentence"] == HOSTILE
    assert "<b>" not in markup
    assert "&lt;b&gt;" in markup
    assert markup.startswith('<bbb-masks class="bbb-live" style="--room: ')
    assert markup.endswith("</bbb-masks>")
    assert "make serve" in markup


def test_floats_are_stored_with_six_digits_and_nothing_else_is_touched():
    values = {"a": [1 / 3, (2e-9, 123456.789)], "b": "0.123456789", "c": True, "d": 10**9}
    assert rounded(values) == {"a": [0.333333, [2e-9, 123457.0]], "b": "0.123456789", "c": True, "d": 10**9}


def test_a_table_names_its_rows_and_columns_and_escapes_its_texts():
    markup = table("a < b", ("", "k"), [("q", "<i>")])
    assert "<caption>a &lt; b</caption>" in markup
    assert "<th scope=col>k</th>" in markup
    assert "<th scope=row>q</th><td>&lt;i&gt;</td>" in markup


def test_every_colour_is_there_in_a_notebook_too_in_light_and_in_dark():
    light, dark = palette_css().split("}\n", 1)
    for name, pair in PALETTE.items():
        assert f"--bbb-{name}: {pair.light};" in light
        assert f"--bbb-{name}: {pair.dark};" in dark


def test_no_figure_has_a_colour_of_its_own():
    for path in FOLDER.glob("*.mjs"):
        assert re.findall(r"#[0-9a-fA-F]{3,8}\b|\brgba?\(|\bhsla?\(", path.read_text(encoding="utf-8")) == [], path.name


@pytest.mark.parametrize("name", module_names())
def test_a_module_is_one_text_in_which_each_name_stands_once(name):
    text = joined(name)
    assert not re.search(r"^import\b|\bfrom \"\./", text, re.MULTILINE)
    names = TOP_LEVEL.findall(text)
    assert len(set(names)) == len(names)


def test_a_module_is_joined_with_what_it_imports_first_and_once():
    text = joined("masks")
    assert text.count("export function softmax") == 0
    assert text.count("function softmax") == 1
    assert text.index("function softmax") < text.index("function masked")
    assert text.count("export default") == 1


def test_a_module_that_is_not_there_is_an_error():
    with pytest.raises(FileNotFoundError):
        joined("nothing")


@pytest.mark.parametrize("kind", CLASSES, ids=lambda kind: kind.__name__)
def test_each_figure_has_its_module_its_element_and_says_what_to_try(kind):
    assert kind.module in module_names()
    own = (FOLDER / f"{kind.module}.mjs").read_text(encoding="utf-8")
    assert f'figure({{ name: "bbb-{kind.module.replace("_", "-")}"' in re.sub(r"\(\{\s+name", "({ name", own)
    assert 'hint("' in re.sub(r"hint\(\s+", "hint(", joined(kind.module).split("export default")[0])
    assert kind._esm == joined(kind.module)


def test_the_classes_are_all_here():
    assert {live.AttentionFigure, live.MasksFigure, live.PositionsFigure, live.SplitConcatFigure} <= set(CLASSES)


@pytest.mark.parametrize(
    "piece, shown",
    [
        (" cat", "cat"),
        ("  ", "␣␣"),
        ("", "␣"),
        ("\t\n", "␉␊"),
        ("\x00\x7f\x85", "␀␡U+0085"),
        ("\u202eodd", "U+202Eodd"),
        ("a\u200db\u00a0", "aU+200DbU+00A0"),
        ("\u2028\ufeff\ufe0f\u115f", "U+2028U+FEFFU+FE0FU+115F"),
        ("\U000e0041", "U+E0041"),
        ("<end>", "<end>"),
        ("ß\u0301 שלום 👩 \ufffd", "ß\u0301 שלום 👩 \ufffd"),
    ],
)
def test_what_cannot_be_seen_of_a_token_is_named(piece, shown):
    assert visible(piece) == shown
