"""One build, one server, one browser and one visit to each page, shared by all tests of the site."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import building
import chromium
import pytest
import serving
import torch
import visiting
from filelock import FileLock
from playwright.sync_api import Browser, Page
from tiny_translator import taught, write

from book_site.live import write_modules

WEIGHTS: dict[str, int] = {}


@pytest.fixture(scope="session")
def html(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of the built pages. Under pytest-xdist the workers share one build.

    BUILT_SITE names a build that is there already: a copy of it is given the modules of this package. tests/faults.py
    plants a fault in a module so, without a build of the book for each.
    """
    if built := os.environ.get("BUILT_SITE"):
        pages = shutil.copytree(built, tmp_path_factory.mktemp("built") / "html")
        write_modules(pages)
        return pages
    if worker_id == "master":
        return building.build(tmp_path_factory.mktemp("site"))
    shared = tmp_path_factory.getbasetemp().parent / "site"
    with FileLock(f"{shared}.lock"):
        pages = shared / "_build" / "html"
        return pages if (pages / "index.html").is_file() else building.build(shared)


@pytest.fixture(scope="session")
def address(html: Path) -> Iterator[str]:
    """Where the built pages are served, as a project of GitHub Pages."""
    with serving.serve(html, building.PREFIX) as url:
        yield url


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium. Without one the test is skipped, or fails where REQUIRE_BROWSER=1."""
    with chromium.launched() as found:
        if found is None:
            (pytest.fail if chromium.required() else pytest.skip)(chromium.REMEDY)
        yield found


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    """A fresh window of the width of a laptop."""
    width, height = visiting.WIDE
    with browser.new_context(viewport={"width": width, "height": height}) as context:
        context.set_default_timeout(30_000)  # of a page on a busy machine
        yield context.new_page()


@pytest.fixture(scope="session")
def taught_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny model that has learned a few sentences; to teach it takes some seconds."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # as `one_thread`, which a fixture of the session cannot use
    try:
        return write(tmp_path_factory.mktemp("taught") / "tiny.safetensors", taught())
    finally:
        torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def visit(browser: Browser, address: str) -> Callable[[str], visiting.Visit]:
    """Visit a page of the site, given without its ending; each is visited once."""
    visits: dict[str, visiting.Visit] = {}

    def once(name: str) -> visiting.Visit:
        if name not in visits:
            visits[name] = visiting.visit(browser, f"{address}{name}.html", whole=name in visiting.AUDITED_WHOLE)
            WEIGHTS[name] = visits[name].weight
        return visits[name]

    return once


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print what the first load of each page weighs."""
    if WEIGHTS:
        terminalreporter.section("compressed bytes of the first load")
        for name, weight in sorted(WEIGHTS.items(), key=lambda item: -item[1]):
            terminalreporter.write_line(f"{weight:9,d}  {name}")
