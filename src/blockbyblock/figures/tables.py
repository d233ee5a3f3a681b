"""Rows of data as a table that a page, a notebook and a screen reader can read."""

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any


class Table:
    """Rows under named columns, shown as HTML where that can be shown and as aligned text elsewhere.

    Arguments:
        caption: what the table shows, one sentence.
        columns: the headings.
        rows: one text per column. The first of a row is its heading.
        numeric: for each column, whether it is aligned to the right.
    """

    def __init__(
        self, caption: str, columns: Sequence[str], rows: Sequence[Sequence[str]], numeric: Sequence[bool]
    ) -> None:
        self.caption, self.columns, self.rows, self.numeric = caption, tuple(columns), tuple(rows), tuple(numeric)

    def _repr_html_(self) -> str:
        classes = [' class="number"' if numeric else "" for numeric in self.numeric]
        head = "".join(
            f'<th scope="col"{style}>{escape(name)}</th>' for name, style in zip(self.columns, classes, strict=True)
        )
        body = ""
        for first, *rest in self.rows:
            cells = (f"<td{style}>{escape(text)}</td>" for text, style in zip(rest, classes[1:], strict=True))
            body += f'<tr><th scope="row"{classes[0]}>{escape(first)}</th>{"".join(cells)}</tr>\n'
        return (
            f'<table class="bbb-rows"><caption>{escape(self.caption)}</caption>\n'
            f"<thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table>"
        )

    def __repr__(self) -> str:
        lines = [self.columns, *self.rows]
        widths = [max(len(line[place]) for line in lines) for place in range(len(self.columns))]
        text = [
            "  ".join(
                cell.rjust(width) if numeric else cell.ljust(width)
                for cell, width, numeric in zip(line, widths, self.numeric, strict=True)
            ).rstrip()
            for line in lines
        ]
        return "\n".join([self.caption, *text])


def table(rows: Sequence[Mapping[str, Any]], caption: str, *, formats: Mapping[str, str] | None = None) -> Table:
    """Lay rows of data out as a table; the last expression of a cell shows it.

    A whole number is written with commas, another one with three significant digits, True and False as yes and no,
    None as an empty cell. A tensor of one element is its number.

    Arguments:
        rows: one mapping per row, from the heading of a column to its value; the same columns in each, in one order.
            The first column names the rows.
        caption: what the table shows, one sentence.
        formats: for a column its format instead, as `format` takes it: {"share": ".0%"}.

    Raises:
        ValueError: there is no row, a row has other columns, the caption is empty, or a format names no column.
    """
    if not rows:
        raise ValueError("a table has at least one row")
    if not caption.strip():
        raise ValueError("the table has no caption: say in a sentence what it shows")
    formats = formats or {}
    columns = tuple(rows[0])
    for number, row in enumerate(rows):
        if tuple(row) != columns:
            raise ValueError(f"row {number} has the columns {', '.join(row)}; the first has {', '.join(columns)}")
    if unknown := set(formats) - set(columns):
        raise ValueError(f"formats for {', '.join(sorted(unknown))}; the columns are {', '.join(columns)}")
    texts = [[_text(value, formats.get(name, "")) for name, value in row.items()] for row in rows]
    numeric = [
        {type(_value(row[name])) for row in rows} - {type(None)} <= {int, float}
        and any(row[name] is not None for row in rows)
        for name in columns
    ]
    return Table(caption, columns, texts, numeric)


def _value(value: Any) -> Any:
    """Return the number in a tensor or array of one element, and anything else as it is."""
    return value.item() if hasattr(value, "item") else value


def _text(value: Any, form: str) -> str:
    value = _value(value)
    if value is None:
        return ""
    if form:
        return _minus(format(value, form)) if isinstance(value, int | float) else format(value, form)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return _minus(f"{value:,}")
    return _minus(f"{value:.3g}") if isinstance(value, float) else str(value)


def _minus(number: str) -> str:
    """Write a minus sign where a number is negative, and nothing where zero is."""
    unsigned = number.lstrip("-")
    if unsigned != number and not any(digit in unsigned for digit in "123456789"):
        return unsigned
    return number if unsigned == number else f"−{unsigned}"
