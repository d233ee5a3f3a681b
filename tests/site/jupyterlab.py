"""Figures of the book in JupyterLab, in a real browser: the mouse sets a value, and Python reads it. Run by hand.

It opens a copy of the page on masks, runs the cell of the figure, hides one cell of the mask with a click, and has the
kernel print what it sees. Then it makes a figure that looks inside the model, opens blocks, has Python send a sentence
and a part of a matrix, and ends the kernel. Too slow for the tests: a few minutes.
Usage: python tests/site/jupyterlab.py [picture.png]
"""

import os
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import chromium
import nbformat
from nbformat.v4 import new_code_cell, new_notebook
from playwright.sync_api import Page, expect

ROOT = Path(__file__).parents[2]
NOTEBOOK = "09_masking.ipynb"
EXPECTED = "Python reads [[5, 1]], and the weight is 0.0"
QUESTION = 'print("Python reads", f"{masks.flipped}, and the weight is {masks.masked().weights[5, 1]}")'
INSIDE = "inside.ipynb"
FIGURE = "from blockbyblock.live import InsideFigure\nfigure = InsideFigure()\nfigure"
CHOSEN = 'print("Python reads", figure.at, figure.step, figure.head)'
END = """async path => {
  const sessions = await (await fetch("/api/sessions")).json()
  const { kernel } = sessions.find(each => each.path === path)
  const headers = { "X-XSRFToken": /_xsrf=([^;]*)/.exec(document.cookie)[1] }
  const { ok, status } = await fetch(`/api/kernels/${kernel.id}`, { method: "DELETE", headers })
  if (!ok) throw new Error(`the kernel lives on: ${status}`)
}"""
HOMES = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR")
SECONDS = 120


def copy(folder: Path) -> None:
    """Write the notebook with one more cell, which asks the kernel what the figure's values are."""
    notebook = nbformat.read(ROOT / "book" / NOTEBOOK, as_version=4)
    notebook.cells.append(new_code_cell(QUESTION, id="question"))
    nbformat.write(notebook, folder / NOTEBOOK)
    cells = [new_code_cell(FIGURE, id="figure"), new_code_cell(CHOSEN, id="chosen")]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(new_notebook(cells=cells, metadata=kernel), folder / INSIDE)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Start JupyterLab in a folder, with settings of its own; yields its address."""
    with socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--no-browser", "--allow-root", f"--port={port}", f"--ServerApp.root_dir={folder}"]
    options += ["--IdentityProvider.token=", "--LabApp.news_url="]  # only this machine reaches it; no news are fetched
    environment = {**os.environ, **{name: str(folder / "home" / name.lower()) for name in HOMES}}
    server = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", *options],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        address, deadline = f"http://127.0.0.1:{port}/", time.monotonic() + SECONDS
        while not answers(f"{address}api"):
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError("JupyterLab did not start")
            time.sleep(0.3)
        yield address
    finally:
        server.terminate()
        server.wait()


def answers(url: str) -> bool:
    """Whether a server is there."""
    try:
        with urllib.request.urlopen(url):
            return True
    except OSError:
        return False


def use(page: Page, address: str) -> None:
    """Run the figure, click one of its cells, and ask the kernel."""
    page.set_default_timeout(1000 * SECONDS)
    expect.set_options(timeout=1000 * SECONDS)
    page.goto(f"{address}lab/tree/{NOTEBOOK}")
    expect(page.get_by_text("| Idle")).to_be_visible()  # a cell that is run before the kernel is there does nothing
    figure = page.locator(".jp-CodeCell", has_text="MasksFigure(").first
    figure.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    cell = figure.locator(".bbb-live").get_by_role("button", name="mat looks at cat: weight 0.18")
    cell.click()
    expect(figure.get_by_role("button", name="mat looks at cat: hidden")).to_have_text("2")
    question = page.locator(".jp-CodeCell", has_text="Python reads").last
    question.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(question.locator(".jp-OutputArea-output")).to_contain_text(EXPECTED)


def look_inside(page: Page, address: str) -> None:
    """Open blocks of the figure that looks inside: Python sends the sentences and the matrices, until it is gone."""
    page.goto(f"{address}lab/tree/{INSIDE}")
    expect(page.get_by_text("| Idle")).to_be_visible()
    cell = page.locator(".jp-CodeCell", has_text="InsideFigure").first
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    figure = cell.locator(".bbb-live")
    expect(figure.locator(".scene[aria-busy=false]")).to_be_attached()
    figure.get_by_role("button", name="Decoder, layer 2: masked self-attention", exact=True).click()
    figure.get_by_label("q, k, v").check()
    figure.get_by_label("Head").select_option(index=4)
    expect(figure.locator(".body")).to_contain_text("Head 5's 32 rows of W_Q; the row of feature 1 is framed.")
    chosen = page.locator(".jp-CodeCell", has_text="Python reads").last
    chosen.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    expect(chosen.locator(".jp-OutputArea-output")).to_contain_text(
        "Python reads decoder.layers.1.self_attention projections 4"
    )
    field = figure.get_by_role("textbox")
    for text, words in (("Where is the cat?", "Wo ist die Katze?"), ("cat " * 400, "limit of")):
        field.fill(text)
        field.press("Enter")
        expect(figure.locator(".asked")).to_contain_text(words)
    expect(figure.locator(".typed strong")).to_have_text("Wo ist die Katze?")
    page.evaluate(END, INSIDE)
    figure.get_by_label("W_K").check()
    expect(figure.locator(".body")).to_contain_text("Python has not sent the matrix yet")
    figure.get_by_label("scores").check()  # needs no matrix
    expect(figure.locator(".body")).to_contain_text("The keys")


def main(picture: str = "") -> None:
    """Do it, say that it worked, and take a picture where a name is given for one."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name, chromium.launched() as browser:
        if browser is None:
            sys.exit(chromium.REMEDY)
        copy(Path(name))
        with served(Path(name)) as address:
            page = browser.new_page(viewport={"width": 1280, "height": 1000})
            use(page, address)
            look_inside(browser.new_page(viewport={"width": 1280, "height": 1000}), address)
            if picture:
                page.locator(".bbb-live").first.scroll_into_view_if_needed()
                page.screenshot(path=picture)
    print(f"JupyterLab: {EXPECTED}; the figure that looks inside opens its blocks")


if __name__ == "__main__":
    main(*sys.argv[1:])
