"""A table of rows: what it says in HTML and in text, and what it refuses."""

import pytest
import torch

from blockbyblock.figures import table

ROWS = [
    {"layers": "2, post-norm", "right": 0.5, "runs": 12000, "learned": True},
    {"layers": "6 & more", "right": torch.tensor(-0.0123456), "runs": None, "learned": False},
]


def test_html_has_a_caption_and_headings_of_rows_and_columns():
    html = table(ROWS, "Runs <that> learned.")._repr_html_()
    assert "<caption>Runs &lt;that&gt; learned.</caption>" in html
    assert html.count('<th scope="col"') == 4
    assert '<th scope="row">6 &amp; more</th><td class="number">−0.0123</td><td class="number"></td><td>no</td>' in html
    assert '<th scope="row">2, post-norm</th><td class="number">0.5</td><td class="number">12,000</td>' in html


def test_text_is_aligned():
    assert repr(table(ROWS, "Runs.", formats={"right": ".0%"})).splitlines() == [
        "Runs.",
        "layers        right    runs  learned",
        "2, post-norm    50%  12,000  yes",
        "6 & more        −1%          no",
    ]


def test_a_format_is_that_of_the_language():
    shown = table([{"vocabulary": 36, "loss": 4.0712}], "x", formats={"loss": ".2f"})
    assert shown.rows == (["36", "4.07"],)


def test_zero_has_no_sign():
    shown = table([{"x": "a", "score": -0.001}, {"x": "b", "score": -1e-5}], "x", formats={"score": ".2f"})
    assert [score for _, score in shown.rows] == ["0.00", "0.00"]
    assert table([{"x": "a", "score": -1e-5}], "x").rows == (["a", "−1e-05"],)


@pytest.mark.parametrize(
    ("rows", "arguments", "message"),
    [
        ([], {"caption": "x"}, "at least one row"),
        (ROWS, {"caption": " "}, "no caption"),
        ([{"a": 1}, {"b": 1}], {"caption": "x"}, "row 1 has the columns b; the first has a"),
        ([{"a": 1}], {"caption": "x", "formats": {"b": ".0%"}}, "formats for b; the columns are a"),
    ],
)
def test_what_is_no_table_is_refused(rows, arguments, message):
    with pytest.raises(ValueError, match=message):
        table(rows, **arguments)
