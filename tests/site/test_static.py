"""The built pages as files: every link, anchor, alternative and description, without a browser."""

import re
import tomllib
from functools import cache
from html import escape
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urljoin, urlsplit

import building
import nbformat
import pytest
import specimen
from building import PAGES, ROOT, WITHOUT_SOURCE

from blockbyblock.figures.chapters import CHAPTERS
from book._tools.lengths import exercises, lengths
from book._tools.notebooks import all_notebooks, name_in_book

every_page = pytest.mark.parametrize("name", [*PAGES, *WITHOUT_SOURCE])
every_document = pytest.mark.parametrize("name", PAGES)
LOADING = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "audio": "src"}


class Pages(HTMLParser):
    """Collects the tags of a page with their attributes."""

    def __init__(self, markup: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(markup)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {key: value or "" for key, value in attrs}))

    def all(self, *names: str) -> list[dict[str, str]]:
        return [attributes for tag, attributes in self.tags if tag in names]

    def meta(self, name: str) -> str:
        found = [tag["content"] for tag in self.all("meta") if name in (tag.get("name"), tag.get("property"))]
        assert len(found) == 1, f"{name}: {found}"
        return found[0]


@cache
def parsed(file: Path) -> Pages:
    return Pages(file.read_text(encoding="utf-8"))


def read(html: Path, name: str) -> Pages:
    return parsed(html / f"{name}.html")


def test_build_holds_these_pages_and_no_other(html: Path) -> None:
    built = {file.relative_to(html).with_suffix("").as_posix() for file in html.rglob("*.html")}
    templates = {"_static/webpack-macros", "_static/sbt-webpack-macros"}
    assert built - templates == {*PAGES, *WITHOUT_SOURCE, "index"}


def test_cover_is_reached_from_the_root(html: Path) -> None:
    assert 'url=book/index.html"' in (html / "index.html").read_text(encoding="utf-8")


def text(html: Path, name: str) -> str:
    return (html / f"{name}.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", all_notebooks(), ids=name_in_book)
def test_a_notebook_says_below_its_title_how_long_it_is_to_read(html: Path, path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    page = text(html, f"book/{name_in_book(path).removesuffix('.ipynb')}")
    [(minutes, count)] = re.findall(
        r'</h1>\s*<p class="reading-time">(\d+) minutes? to read(?:, (\d+) exercises?)?</p>', page
    )
    assert (int(minutes), int(count or 0)) == (lengths(notebook).minutes, exercises(notebook))


def test_the_minutes_of_all_chapters_are_in_one_table(html: Path) -> None:
    page = text(html, "book/before_you_start")
    rows = re.findall(r'<th scope="row">(.+?)</th><td class="number">(\d+)</td><td class="number">(\d+)</td>', page)
    written = [chapter for chapter in CHAPTERS if chapter.written]
    assert [name for name, *_ in rows] == [*(escape(chapter.heading) for chapter in written), "all"]
    assert sum(int(minutes) for _, minutes, _ in rows[:-1]) == int(rows[-1][1])


def test_a_laboratory_is_below_its_chapter_in_the_sidebar(html: Path) -> None:
    sidebar = text(html, "book/06_add_and_norm")
    chapter = re.search(r'<li class="toctree-l1 current[^"]*"><a[^>]*>06 Add .*?</li>\s*</ul>', sidebar, re.DOTALL)
    assert chapter
    assert 'class="toctree-l2"><a class="reference internal" href="laboratory/06_add_and_norm.html"' in chapter[0]


def test_the_page_of_questions_holds_each_of_them_with_its_answer(html: Path) -> None:
    questions = tomllib.loads((ROOT / "book" / "questions.toml").read_text(encoding="utf-8"))["question"]
    page = text(html, "book/questions")
    assert page.count("<dt>") == page.count("<dd>") == len(questions)
    assert all(escape(address) in page for question in questions for address in question["asked"])


@every_page
def test_every_internal_link_and_anchor_resolves(html: Path, name: str) -> None:
    here = f"{building.PREFIX}{name}.html"
    broken = []
    for link in read(html, name).all("a", "link", "script", "img"):
        target = link.get("href") or link.get("src") or ""
        if not target or urlsplit(target).scheme in ("https", "http", "mailto", "data"):
            continue
        path, _, anchor = urljoin(here, target).partition("#")
        file = html / unquote(path.partition("?")[0].removeprefix(building.PREFIX))
        inside = path.startswith(building.PREFIX) and file.is_file()
        if not inside or (anchor and anchor not in anchors(file)):
            broken.append(target)
    assert broken == []


def anchors(file: Path) -> set[str]:
    return {tag["id"] for _, tag in parsed(file).tags if "id" in tag}


@every_page
def test_nothing_is_loaded_from_another_host(html: Path, name: str) -> None:
    loaded = [tag[LOADING[kind]] for kind in LOADING for tag in read(html, name).all(kind) if LOADING[kind] in tag]
    loaded += [tag["href"] for tag in read(html, name).all("link") if tag.get("rel") != "canonical"]
    assert [url for url in loaded if urlsplit(url).netloc] == []


@every_page
def test_every_picture_has_an_alternative(html: Path, name: str) -> None:
    page = read(html, name)
    silent = [tag for tag in page.all("img") if not tag.get("alt", "").strip()]
    silent += [tag for _, tag in page.tags if tag.get("role") == "img" and not tag.get("aria-label", "").strip()]
    named = ("aria-hidden", "aria-label", "aria-labelledby")
    silent += [tag for tag in page.all("svg") if not any(tag.get(key) for key in named)]
    assert silent == []


@every_document
def test_page_has_title_description_and_preview(html: Path, name: str) -> None:
    page = read(html, name)
    assert 20 <= len(page.meta("description")) <= 200
    assert page.meta("description") == page.meta("og:description")
    assert page.meta("og:title")
    assert page.meta("og:url") == f"{building.SITE}{name}.html"
    image = page.meta("og:image").removeprefix(building.SITE)
    assert (html / image).read_bytes().startswith(b"\x89PNG")
    assert "\\" not in page.meta("description")
    assert re.search(r"<title>\s*\S", (html / f"{name}.html").read_text(encoding="utf-8"))


def test_descriptions_differ(html: Path) -> None:
    descriptions = [read(html, name).meta("description") for name in PAGES]
    assert len(set(descriptions)) == len(descriptions)
    assert descriptions[-1] == specimen.DESCRIPTION


def test_citation_leads_to_its_entry(html: Path) -> None:
    links = [tag.get("href") for tag in read(html, f"book/{specimen.NAME}").all("a")]
    assert "references.html#vaswani2017" in links
    assert "vaswani2017" in anchors(html / "book" / "references.html")


def test_link_inside_a_drawing_leads_to_the_page(html: Path) -> None:
    links = [tag.get("href", "") for tag in read(html, f"book/{specimen.NAME}").all("a")]
    assert f"{specimen.NAME}.html" in links


def test_two_plots_share_no_id(html: Path) -> None:
    ids = [tag["id"] for _, tag in read(html, f"book/{specimen.NAME}").tags if "id" in tag]
    assert len(ids) > 20, "the plots have not been inlined"
    assert len(set(ids)) == len(ids)


def test_formulas_engine_only_where_there_are_formulas(html: Path) -> None:
    with_engine = {name for name in PAGES if any("mathjax" in t.get("src", "") for t in read(html, name).all("script"))}
    assert f"book/{specimen.NAME}" in with_engine
    assert {"book/references", "book/index"}.isdisjoint(with_engine)  # the cover is the parent of every page


def test_buttons_lead_to_the_fork(html: Path) -> None:
    links = {tag.get("href", "") for tag in read(html, "book/index").all("a")}
    home = f"https://github.com/{building.OWNER}/{building.PROJECT}"
    assert {home, f"{home}/edit/main/book/index.md"} <= links


def test_cover_links_exactly_the_chapters_that_are_written() -> None:
    cover = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    linked = set(re.findall(r"\]\((\d\d_\w+\.ipynb)\)", cover))
    assert linked == {chapter.file_name for chapter in CHAPTERS if chapter.written}


def test_cover_names_every_chapter() -> None:
    cover = (ROOT / "book" / "index.md").read_text(encoding="utf-8")
    assert [c.title for c in CHAPTERS if f"{c.number:02} {c.title}" not in cover] == []
