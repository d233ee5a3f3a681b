"""Every notebook of the book keeps every rule of hygiene.py, and every rule can be broken."""

import re

import nbformat
import pytest
import yaml
from hygiene import LABELS, ROOT, RULES, chapters_are_of_a_length, form
from nbformat.v4 import new_output
from prose_numbers import numbers_in_prose_are_computed
from sample import code, notebook, save, shown, text

from blockbyblock.figures.chapters import CHAPTERS
from book._tools.lengths import A_CHAPTER, lengths, limits
from book._tools.notebooks import all_notebooks, name_in_book

# A picture whose words are missing, of one pixel's size.
PIXEL = "iVBORw0KGgo="
CHECKED = "assert True"
MOVES = '<bbb-x><script type="application/json">{}</script><table></table></bbb-x>'

GOOD = {
    "what was compared": [code("1 + 1", new_output("execute_result", data={"text/plain": "2"}, execution_count=1))],
    "announced error": [code("1 / 0", new_output("error", ename="E", evalue=""), tags="raises-exception")],
    "plot": [code(CHECKED, shown(image_png=PIXEL, text_plain="the loss falls from 9 to 2"))],
    "plot with its check after it": [
        code("show()", shown(image_svg="<svg/>", text_plain="the loss falls")),
        code(CHECKED, cell_id="its-check", count=2),
    ],
    "timing": [code(CHECKED, "0.123456789 s", tags="nbval-ignore-output")],
    "clock": [code(CHECKED, "1.5", tags="nbval-ignore-output timing")],
    "tolerance": [code(CHECKED, "1.5", tags="nbval-ignore-output tolerance-30")],
    "checked by torch": [code("torch.testing.assert_close(a, b)", tags="nbval-ignore-output")],
    "exercise": [
        code("def f(): ...", tags="exercise-stub"),
        code("check('f', f)", cell_id="its-check", tags="exercise-check nbval-ignore-output", count=2),
        code("check('f', g).require()", cell_id="its-solution", tags="exercise-solution hide-cell", count=3),
    ],
    "live": [code("interact(f)", tags="live nbval-skip")],
    "figure that moves": [code("figure", shown(text_html=MOVES, text_plain="cat looks at mat"))],
    "numbers": [code("1", "0.1235 1234.5 100000.0 1e-10 2.13.0\ntorch-2.1234567.1 0.000012345 12345.0 1234567")],
    "exact number": [code("1", "0.1234567", tags="exact")],
    "prose": [text('Say `a != b`, $n!$ and ![a map](map.svg "a map").\n\n```\nsimply!\n```\n<!-- ! -->\nDone.')],
    "bold": [text("A **Head**, the\n**output\nprojections**, `2**3` and `4**5`.\n\n**Why so?** **By hand.** So.")],
    "35 lines, 29 of code": [code("\n".join(["x = 1"] * 29 + ["# why", ""] * 3))],
    "79 columns": [code("x" * 79, "y" * 79)],
}


def experiment(heading):
    """The five parts of an experiment, in three cells."""
    labels = [f"**{label}** Text." for label in LABELS]
    return [text(f"## {heading}\n\n{labels[0]}\n\n{labels[1]}"), text("\n\n".join(labels[2:]), cell_id="read")]


BAD = {
    "runs_top_to_bottom": [
        [code("1", count=None)],
        [code("1"), code("2", cell_id="other", count=1)],
        [code("2", count=2), code("1", cell_id="other", count=1)],
    ],
    "prints_no_error": [
        [code("1", new_output("stream", name="stderr", text="a warning"))],
        [code("1", new_output("error", ename="ValueError", evalue=""))],
    ],
    "names_no_machine": [
        [code("1", "/home/ann/book")],
        [code("open('/tmp/x')")],
        [code("1", shown(text_html="<p>C:\\Users\\ann"))],
        [text("See /Users/ann/book.")],
        [code("1", str(ROOT))],
        [code("1", new_output("error", ename="E", evalue="", traceback=["/root/x.py"]), tags="raises-exception")],
    ],
    "asserts_what_is_not_compared": [
        [code("print(time())", "1", tags="nbval-ignore-output")],
        [code("print('assert')", "assert", tags="nbval-ignore-output")],
        [code("# NBVAL_IGNORE_OUTPUT\nassert True", "1")],
    ],
    "asserts_what_a_picture_shows": [[code("show()", shown(image_png=PIXEL, text_plain="the loss falls"))]],
    "tags_are_known": [
        [code("1", tags="nbval-ignore-outputs")],
        [code("check('f', f)", tags="exercise-check")],
        [code("interact(f)", tags="live")],
        [code("interact(f)", "1", tags="live nbval-skip")],
        [code("check('f', g).require()", tags="exercise-solution")],
        [code(CHECKED, tags="timing")],
        [code(CHECKED, tags="tolerance-30")],
        [code(CHECKED, tags="nbval-ignore-output tolerance-x")],
        [code(CHECKED, tags="nbval-skip")],
    ],
    "prints_few_digits": [
        [code("1", "0.123456")],
        [code("1", "loss 1234.56")],
        [code("1", shown(text_plain="tensor([12.3457])"))],
        [code("1", shown(text_html="<table><td>0.123456</td></table>", text_plain="a table"))],
    ],
    "pictures_have_words": [
        [code(CHECKED, shown(image_png=PIXEL))],
        [code(CHECKED, shown(image_png=PIXEL, text_plain="<Figure size 640x480 with 1 Axes>"))],
        [code(CHECKED, shown(image_svg="<svg/>", text_plain="a plot"))],
        [text("![](map.svg)")],
        [text('<img src="map.svg">')],
        [text('<img alt="" src="map.svg">')],
    ],
    "figures_that_move_can_stand_still": [
        [code("figure", shown(text_html=MOVES.replace("{}", "{"), text_plain="cat looks at mat"))],
        [code("figure", shown(text_html=MOVES.replace("script", "p"), text_plain="cat looks at mat"))],
        [code("figure", shown(text_html=MOVES.replace("table", "p"), text_plain="cat looks at mat"))],
        [code("figure", shown(text_html=MOVES, text_plain="<XFigure object>"))],
    ],
    "prose_is_plain": [[text("Done!")], [text("It is simply so.")], [text("Obviously.")], [text("We delve.")]],
    "terms_stand_in_the_glossary": [[text("A **flux** is")], [text("Some **very important\nthing**, and")]],
    "cells_are_short": [[code("\n".join(["x = 1"] * 31))], [code("\n".join(["x = 1"] + ["# why"] * 35))]],
    "lines_fit_the_page": [[code("x" * 80)], [code("x", "y" * 80)]],
    "numbers_in_prose_are_computed": [
        [text("On 128 positions.")],
        [text("On 128 positions.", cell_id="cost-read"), code("1", "100", cell_id="cost"), code("128")],
        [text("About 0.26.", cell_id="cost-read"), code("1", "0.254", cell_id="cost")],
        [text("About 3 million.", cell_id="cost-read"), code("1", "3,600,000", cell_id="cost")],
        [text("On 128 positions. <!-- elsewhere: 1,128 -->")],
    ],
    "chapters_are_of_a_length": [
        [code("1", count=index, cell_id=f"cell-{index}") for index in range(46)],
        [*(code("1", count=index, cell_id=f"cell-{index}") for index in range(30)), text("word " * 3501)],
    ],
    "experiments_have_five_parts": [
        [text("# Laboratory\n\n## Two heads subtract\n\n**Question.** Do they?")],
        [text("## Two heads subtract\n\n" + "\n\n".join(f"**{label}** Yes." for label in reversed(LABELS)))],
        [*experiment("It falls"), text("## It rises", cell_id="next")],
    ],
    "cells_have_names": [
        [text("1", cell_id="1f3a9c2e")],
        [text("1", cell_id="af8fad5b-d9cb-469f-a165-70867728950e")],
        [text("1", cell_id="Why")],
        [text("1", cell_id="x1")],
        [text("1"), text("2")],
    ],
    "stores_no_more_than_it_must": [
        [code("1", shown(text_html="x" * 100_001))],
        [code("1", new_output("display_data", data={"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}))],
    ],
}


@pytest.mark.parametrize("path", all_notebooks(), ids=name_in_book)
def test_every_notebook_keeps_every_rule(path):
    content = nbformat.read(path, as_version=nbformat.NO_CONVERT)
    nbformat.validate(content)
    assert (content.nbformat, content.nbformat_minor) == (4, 5)
    complaints = [*form(path.read_bytes()), *(each for rule in RULES for each in rule(content, name_in_book(path)))]
    assert not complaints, "\n".join([name_in_book(path), *complaints])


@pytest.mark.parametrize("cells", GOOD.values(), ids=GOOD)
def test_what_is_right_breaks_no_rule(cells):
    assert [complaint for rule in RULES for complaint in rule(notebook(*cells), "notation.ipynb")] == []


@pytest.mark.filterwarnings("ignore::nbformat.warnings.DuplicateCellId")
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_every_rule_can_be_broken(rule):
    for cells in BAD[rule.__name__]:
        names = "01_linear_projections.ipynb", "laboratory/01_linear_projections.ipynb"
        assert any(list(rule(notebook(*cells), name)) for name in names), f"{rule.__name__} accepts {cells}"


def test_an_experiment_of_five_parts_is_right_and_a_chapter_needs_none():
    [rule] = [rule for rule in RULES if rule.__name__ == "experiments_have_five_parts"]
    assert not list(rule(notebook(*experiment("It falls"), text("## Exercises", cell_id="x")), "laboratory/01.ipynb"))
    assert not list(rule(notebook(text("## It falls")), "01_linear_projections.ipynb"))


LONG = [code("1", count=index, cell_id=f"cell-{index}") for index in range(46)]


@pytest.mark.parametrize("name", ["notation.ipynb", "25_our_own.ipynb", "01_our_own.ipynb", "our_own.ipynb"])
@pytest.mark.parametrize("cells", [[code("1")], [*LONG, text("word " * 3501)]], ids=["short", "long"])
def test_only_chapters_of_the_book_have_a_length(name, cells):
    assert not list(chapters_are_of_a_length(notebook(*cells), name))


def test_a_chapter_may_be_short_and_its_exercises_do_not_count():
    name = CHAPTERS[3].file_name
    exercise = [
        text("word " * 100, cell_id="exercise"),
        code("...", cell_id="stub", tags="exercise-stub"),
        code("check()", cell_id="its-check", tags="exercise-check nbval-ignore-output"),
        code("check()", cell_id="solution", tags="exercise-solution hide-cell"),
    ]
    assert not list(chapters_are_of_a_length(notebook(*exercise), name))
    assert not list(chapters_are_of_a_length(notebook(text("word " * 3450), *LONG[1:], *exercise), name))
    assert len(list(chapters_are_of_a_length(notebook(text("word " * 3501), *LONG, *exercise), name))) == 2


def a_chapter(lines, cells=1, **outputs):
    each = "\n".join(["x = 1", *["assert x"] * 8, "# why", "", *["y = 2"] * (lines - 10)])
    return [code(each if i == 0 else "x = 1", *outputs.values(), cell_id=f"cell-{i}", count=i) for i in range(cells)]


def test_a_chapter_with_a_laboratory_is_read_in_half_an_hour():
    numbers = shown(text_html="<table>" + "<td>1.5</td>" * 40 + "</table>", text_plain="a table")
    framed = [code("import torch\n" * 300, cell_id="setup"), code("Map()", cell_id="map")]
    longest = [text("word " * 1900), *framed, *a_chapter(147, 24, numbers=numbers)]
    assert lengths(notebook(*longest)).over(A_CHAPTER) == []
    assert lengths(notebook(*longest)).minutes == round(1900 / 200 + 170 * 4 / 60 + 24 * 6 / 60)
    for more, said in (
        ([text("word", cell_id="more")], "words: 1901, at most 1900"),
        ([code("x", cell_id="more", tags="hide-input")], "cells: 25, at most 24"),
        ([code("# why\n\nx", cell_id="more")], "lines: 172, at most 170"),
        ([code("assert x", cell_id="more")], "assertions: 9, at most 8"),
        ([code("x\n" * 121, cell_id="more", tags="hide-cell")], "folded: 121, at most 120"),
        ([code("x", " ".join(["-1.5e-3"] * 41), cell_id="more")], "numbers: 41, at most 40"),
    ):
        assert said in lengths(notebook(*longest, *more)).over(A_CHAPTER)
        of_exercise = [text("## Exercises", cell_id="exercises"), *more, text("## Recap", cell_id="end")]
        counted = lengths(notebook(*longest, *of_exercise)).over(A_CHAPTER)
        assert counted == ["words: 1901, at most 1900"], "of the exercises nothing counts; the recap's heading does"


def test_the_new_lengths_hold_for_chapters_that_have_a_laboratory():
    written = [chapter.file_name for chapter in CHAPTERS if chapter.written]
    laboratories = {path.name for path in (ROOT / "book" / "laboratory").glob("*.ipynb")}
    assert laboratories <= set(written)
    for name in written:
        assert (limits(name).words == A_CHAPTER.words) == (name in laboratories)


COST = code("cost(100)", "100 positions, 0.254 s, 65,536 weights, 12.5 %\n", cell_id="cost")


@pytest.mark.parametrize(
    "words",
    [
        "On 100 positions 65,536 weights.",
        "A quarter (0.25), 25 %, 12.5% and 66 thousand.",
        "See section 5.4, chapter 13, Table 99 and `k = 17`, $n = 18$, [a link](20.md), of 2017. Seven, 7 or 12.",
        "The paper has 4,000. <!-- elsewhere: 4,000, 9.5 --> And 9.5.",
    ],
)
def test_a_number_of_the_cell_or_said_to_come_from_elsewhere_may_stand_in_prose(words):
    for cell_id in ("cost-read", "cost-intro", "recap"):
        assert not list(numbers_in_prose_are_computed(notebook(text(words, cell_id=cell_id), COST), "x.ipynb"))


def test_a_stale_number_is_seen_though_another_cell_prints_it():
    """128 became 100 in code and assertion, and the paragraph kept 128."""
    path = ROOT / "book" / "03_multi_head_attention.ipynb"
    chapter = nbformat.read(path, as_version=4)
    paragraph, cell = [each for each in chapter.cells if each.id in ("cost-intro", "cost")]
    assert "on 128 positions" in paragraph.source
    assert not list(numbers_in_prose_are_computed(chapter, path.name))
    for place in (cell, *cell.outputs):
        key = "source" if place is cell else "text"
        place[key] = place[key].replace("128", "100")
    [said] = numbers_in_prose_are_computed(chapter, path.name)
    assert said.startswith("cost-intro: 128 is not in the cells named cost: is it stale?")


def test_foreign_metadata_is_refused():
    [rule] = [rule for rule in RULES if rule.__name__ == "stores_no_more_than_it_must"]
    content = notebook(code("1"))
    content.metadata["widgets"] = {"state": {}}
    content.cells[0].metadata["execution"] = {}
    assert len(list(rule(content, "notation.ipynb"))) == 2


def test_the_form_is_that_of_make_run(tmp_path):
    raw = save(tmp_path / "sample.ipynb", text("Some text.")).read_bytes()
    assert not list(form(raw))
    for broken in (raw.replace(b"\n", b"\r\n"), raw.rstrip(), raw + b"\n", raw.replace(b"\n ", b"\n  ")):
        assert list(form(broken))


def entries(part):
    """Every file that a part of the table of contents names."""
    here = [part[key] for key in ("root", "file") if key in part]
    return here + [
        each for key in ("parts", "chapters", "sections") for sub in part.get(key, []) for each in entries(sub)
    ]


def test_the_table_of_contents_names_what_is_there_and_every_notebook():
    named = entries(yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8")))
    pages = [*(ROOT / "book").glob("*.*"), *(ROOT / "book" / "laboratory").glob("*.*")]
    there = {path.relative_to(ROOT).with_suffix("").as_posix() for path in pages}
    assert {entry.removesuffix(".md").removesuffix(".ipynb") for entry in named} <= there
    assert {f"book/{name_in_book(path).removesuffix('.ipynb')}" for path in all_notebooks()} <= set(named)
    assert len(named) == len(set(named))


ENTRY = r'^- <a id="([a-z0-9-]+)"></a>\*\*(.+?)\*\* (.+?): (.+?)\\\n  ([^\n]*[\u4e00-\u9fff][^\n]*。)\n(?=- |\Z)'
"""Anchor, term, Chinese name, meaning, and after a hard break one line of Chinese that says it again."""


def test_the_glossary_is_in_order_and_bilingual_and_links_what_is_written():
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    entries = [each[:4] for each in re.findall(ENTRY, text, re.MULTILINE | re.DOTALL)]
    for line in re.findall(r"^- .*", text, re.MULTILINE):
        assert any(f"**{term}**" in line for _, term, *_ in entries), f"not of the form of an entry: {line}"
    assert len(entries) == text.count("\n- ")
    anchors = [anchor for anchor, *_ in entries]
    assert len(set(anchors)) == len(anchors)
    terms = [re.sub(r"\W+", " ", term).strip().lower() for _, term, *_ in entries]
    assert terms == sorted(terms)
    for _, term, chinese, meaning in entries:
        assert re.search(r"[\u4e00-\u9fff]", chinese), term
        for number in re.findall(r"(?<![\[\w(])(\d\d)(?![\]\w])", meaning):
            assert not CHAPTERS[int(number)].written, f"{term}: link chapter {number}"


@pytest.mark.parametrize(
    "entry",
    [
        '- <a id="head"></a>**head** 注意力头: one attention.\n',
        '- <a id="head"></a>**head** 注意力头: one attention.\\\n  One attention.\n',
        '- <a id="head"></a>**head** 注意力头: one attention.\n  一次注意力计算。\n',
        '- <a id="head"></a>**head** one attention.\\\n  一次注意力计算。\n',
    ],
    ids=["no Chinese line", "no Chinese in it", "no hard break", "no Chinese name"],
)
def test_an_entry_without_its_chinese_is_none(entry):
    good = '- <a id="head"></a>**head** 注意力头: one attention.\\\n  一次注意力计算。\n'
    assert re.findall(ENTRY, good, re.MULTILINE | re.DOTALL)
    assert not re.findall(ENTRY, entry, re.MULTILINE | re.DOTALL)
