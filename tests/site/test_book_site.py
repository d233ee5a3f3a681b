"""The parts of the local extension, without a build."""

import json
from types import SimpleNamespace

import nbformat
import pytest
from docutils.core import publish_doctree

from blockbyblock.figures.palette import colour
from blockbyblock.practice import overview
from book_site import address, assets, docstrings, drawings, exercises, maths, meta, outputs
from book_site.address import Address

PLOT = '<?xml version="1.0"?>\n<!DOCTYPE svg>\n<svg width="10pt" height="20pt" viewBox="0 0 10 20">'
PLOT += '<g id="a" fill="{}"/>'
PLOT += '<use href="#a"/><g clip-path="url(#a)"/></svg>'


def test_local_build_has_no_address() -> None:
    assert Address.from_environment({}) == Address("", "main", "")
    assert Address.from_environment({}).path == "/"


@pytest.mark.parametrize(
    "environment, site, path",
    [
        ({"GITHUB_REPOSITORY": "Someone/Book"}, "https://someone.github.io/Book/", "/Book/"),
        ({"GITHUB_REPOSITORY": "someone/someone.github.io"}, "https://someone.github.io/", "/"),
        ({"GITHUB_REPOSITORY": "a/b", "BOOK_URL": "https://book.example"}, "https://book.example/", "/"),
        ({"BOOK_URL": "https://example.org/x/y"}, "https://example.org/x/y/", "/x/y/"),
    ],
)
def test_site_address(environment: dict[str, str], site: str, path: str) -> None:
    found = Address.from_environment(environment)
    assert (found.site, found.path) == (site, path)
    assert bool(found.repository) == ("GITHUB_REPOSITORY" in environment)


def test_fork_on_another_server() -> None:
    environment = {"GITHUB_REPOSITORY": "a/b", "GITHUB_SERVER_URL": "https://git.example", "BOOK_BRANCH": "draft"}
    found = Address.from_environment(environment)
    assert (found.repository, found.branch) == ("https://git.example/a/b", "draft")


def test_buttons_only_with_a_repository(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    config = SimpleNamespace(html_theme_options={})
    address.configure(None, config)  # type: ignore[arg-type]
    assert config.html_theme_options == {}
    monkeypatch.setenv("GITHUB_REPOSITORY", "a/b")
    address.configure(None, config)  # type: ignore[arg-type]
    assert config.html_theme_options["use_issues_button"]
    assert config.html_theme_options["repository_url"].endswith("/a/b")


def test_plot_becomes_a_named_figure_in_the_themes_colours() -> None:
    bundle = {"image/svg+xml": PLOT.format(colour("query")), "image/png": "x", "text/plain": 'a "plot"'}
    shown = outputs.page_bundle(bundle, "cell-0")
    assert set(shown) == {"text/html"}
    markup = shown["text/html"]
    assert markup.startswith('<figure class="plot" role="img" aria-label="a &quot;plot&quot;"><svg aria-hidden="true"')
    assert f"var(--bbb-query, {colour('query')})" in markup
    assert 'height="' not in markup
    assert "viewBox" in markup


def test_ids_of_a_plot_are_prefixed_where_they_are_used_too() -> None:
    markup = outputs.figure(PLOT.format("red"), "a plot", "cell-0")
    assert 'id="cell-0-a"' in markup
    assert 'href="#cell-0-a"' in markup
    assert "url(#cell-0-a)" in markup


@pytest.mark.parametrize("plain", ["", "<Figure size 640x480 with 1 Axes>"])
def test_plot_without_alternative_is_a_warning(plain: str, monkeypatch: pytest.MonkeyPatch) -> None:
    warnings: list[str] = []
    monkeypatch.setattr(outputs.logger, "warning", lambda text, *rest, **more: warnings.append(text % rest))
    outputs.page_bundle({"image/svg+xml": PLOT, "text/plain": plain}, "cell-3")
    assert len(warnings) == 1
    assert "cell-3" in warnings[0]


@pytest.mark.parametrize(
    "link, target",
    [
        ('href="03_heads.ipynb"', 'href="03_heads.html"'),
        ("href='03_heads.ipynb'", "href='03_heads.html'"),
        ('href="03_heads.ipynb#why"', 'href="03_heads.html#why"'),
        ('href="https://example.org/a.ipynb"', 'href="https://example.org/a.ipynb"'),
        ('title="a.ipynb"', 'title="a.ipynb"'),
    ],
)
def test_links_to_notebooks_lead_to_pages(link: str, target: str) -> None:
    assert outputs.page_html(f"<a {link}>x</a>") == f"<a {target}>x</a>"


def test_drawing_in_html_is_themed_and_a_table_gets_its_box() -> None:
    assert "--bbb-key" in outputs.page_html(f'<svg fill="{colour("key")}"></svg>')
    assert outputs.page_html("<table></table>").startswith('<div class="pst-scrollable-table-container">')


def test_controls_that_need_a_kernel_become_a_note() -> None:
    view = {outputs.WIDGET: {"model_id": "1"}, "text/plain": "interactive(children=...)"}
    assert outputs.page_bundle(view, "cell-0") == {"text/html": outputs.WIDGET_NOTE}
    own = view | {"text/html": "<bbb-figure></bbb-figure>"}
    assert outputs.page_bundle(own, "cell-0")["text/html"] == "<bbb-figure></bbb-figure>"


def test_notebook_is_prepared_and_a_text_is_not() -> None:
    app = SimpleNamespace(env=SimpleNamespace(doc2path=lambda name, base: name))
    output = {"output_type": "display_data", "data": {"text/html": ["<a href='01_x.ipynb'>", "x</a>"]}}
    solution = {"cell_type": "code", "id": "s", "metadata": {"tags": ["exercise-solution"]}, "outputs": [output]}
    source = [json.dumps({"cells": [solution], "metadata": {"widgets": {"state": "large"}}})]
    outputs.prepare(app, "a.ipynb", source)  # type: ignore[arg-type]
    assert json.loads(source[0])["metadata"] == {}
    cell = json.loads(source[0])["cells"][0]
    assert cell["metadata"]["mystnb"]["code_prompt_show"] == "Solution"
    assert cell["outputs"][0]["data"]["text/html"] == "<a href='01_x.html'>x</a>"
    text = ["# Title"]
    outputs.prepare(app, "a.md", text)  # type: ignore[arg-type]
    assert text == ["# Title"]


@pytest.mark.parametrize(
    "prose, description",
    [
        ("Short and *clear* `code`.", "Short and clear code."),
        ("Root :math:`\\sqrt{d_k}`, then.", "Root √d_k, then."),
        ("A first sentence of a good length for this. " + "word " * 60, "A first sentence of a good length for this."),
        ("word " * 60, "word " * 38 + "word…"),
    ],
)
def test_description_is_the_first_paragraph(prose: str, description: str) -> None:
    text = f"Title\n=====\n\n- a list\n\n{prose}\n\nSecond.\n"
    document = publish_doctree(text, settings_overrides={"doctitle_xform": False})
    found = meta.describe(document)
    assert found == description
    assert len(found) <= meta.LONGEST


# Sizes drawn by MathJax 3.2.2 in Chromium, in em. The estimates may be 15 % or half an em off: a shift of that size
# moves the text of a page by less than a line.
@pytest.mark.parametrize(
    "tex, drawn",
    [
        (r"d_k", 0.97),
        (r"\sqrt{d_k}", 1.82),
        (r"q \in \mathbb{R}^{d_k}", 3.17),
        (r"w_{ij} = \exp(s_{ij}) / \sum_l \exp(s_{il})", 11.54),
        (r"\frac{1}{\sqrt{d_k}}", 1.73),
        (r"\text{head}_i = \text{Attention}(QW_i^Q, KW_i^K, VW_i^V)", 17.36),
    ],
)
def test_width_kept_for_an_inline_formula(tex: str, drawn: float) -> None:
    assert maths.width(tex) == pytest.approx(drawn, rel=0.15, abs=0.5)


@pytest.mark.parametrize(
    "tex, drawn",
    [
        (r"x = y + 1", 1.47),
        (r"\mathrm{softmax}\left(\frac{QK^\top}{\sqrt{d_k}}\right)V", 3.14),
        (r"\sum_{i=1}^{n} x_i", 3.40),
        (r"\begin{pmatrix} 1 & 0 \\ 0 & 1 \\ 2 & 3 \end{pmatrix}", 4.40),
        (r"\begin{aligned} a &= \frac{1}{b} \sum_{c=1}^d e \\ w &= \frac{e^s}{\sum_l e^s} \end{aligned}", 6.26),
    ],
)
def test_height_kept_for_a_display_formula(tex: str, drawn: float) -> None:
    assert maths.height(tex) == pytest.approx(drawn, rel=0.15, abs=0.5)


def test_only_the_icon_script_is_dropped() -> None:
    kept = '<script defer src="../_static/scripts/bootstrap.js?digest=1"></script>'
    dropped = '\n<script defer src="../_static/scripts/fontawesome.js?digest=1"></script>'
    assert assets.without_icon_script(kept + dropped) == kept


def test_a_page_that_is_no_notebook_may_hold_the_figure_that_looks_inside() -> None:
    found = drawings.markup("inside")
    assert found.startswith("<bbb-inside ")
    assert "<table>" in found
    assert "Die Katze saß auf dem Stuhl." in found


@pytest.mark.parametrize(
    "name, words", [("writing", "What may follow “The cat”"), ("classifying", "Where [CLS] looks")]
)
def test_the_cover_may_hold_the_figures_of_the_other_two_models(name: str, words: str) -> None:
    found = drawings.markup(name)
    assert found.startswith(f"<bbb-{name} ")
    assert words in found


def test_drawing_on_a_page_is_the_figure_of_the_package() -> None:
    shown = drawings.markup("architecture_map")
    assert shown.startswith('<figure class="bbb-figure')
    assert ".ipynb" not in shown
    assert "01_linear_projections.html" in shown
    with pytest.raises(LookupError, match="no figure 'the_map'; it has"):
        drawings.markup("the_map")


def test_every_exercise_stands_in_the_appendix_below_its_chapter() -> None:
    text = "\n".join(exercises.lines())
    chapter = ""
    places = {}
    for line in text.splitlines():
        if line.startswith("- ["):
            chapter = line
        elif line.startswith("  - "):
            places[line.removeprefix("  - ").removesuffix(".")] = chapter
    assert list(places) == [row.title for row in overview()]
    assert all(f"]({row.chapter}_" in places[row.title] for row in overview() if row.chapter.isdigit())
    assert text.count("<li>") == sum(len(row.mistakes) for row in overview())


def test_the_exercises_of_a_chapter_that_a_fork_has_added_stand_below_its_title(tmp_path, monkeypatch) -> None:
    row = overview()[0]._replace(exercise="music-scale", chapter="music")
    monkeypatch.setattr(exercises, "overview", lambda: [row])
    monkeypatch.setattr(exercises, "BOOK", tmp_path)
    with pytest.raises(LookupError, match=r"exercises music-\.\.\., and no notebook music\.ipynb"):
        list(exercises.lines())
    heading = nbformat.v4.new_markdown_cell("# Attention in music\n\nA question.")
    nbformat.write(nbformat.v4.new_notebook(cells=[heading]), tmp_path / "music_scores.ipynb")
    assert next(exercises.lines()) == "- [Attention in music](music_scores.ipynb)"


def test_a_mistake_is_text_and_not_markup() -> None:
    row = overview()[0]._replace(mistakes=("a < b", "`<pad>` is counted"))
    assert "<li>a &lt; b</li><li>`&lt;pad&gt;` is counted</li>" in exercises.folded(row)


def test_code_in_a_docstring_becomes_a_block_of_code() -> None:
    lines = ["One line.", "", "    ```python", "    a = 1", "", "    b = 2", "    ```", "More."]
    expected = ["One line.", "", "    .. code-block:: python", "", "        a = 1", "", "        b = 2", "", "More."]
    assert docstrings.fences_to_directives(lines) == expected
