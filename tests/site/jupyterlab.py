"""Figures of the book in JupyterLab, in a real browser: the mouse sets a value, and Python reads it. Run by hand.

It opens a copy of the page on masks, runs the cell of the figure, hides one cell of the mask with a click, and has the
kernel print what it sees. Then it makes a figure that looks inside the model, opens blocks, has Python send a sentence
and a part of a matrix, and ends the kernel. Last it has the two other models sent by Python, writes with one of them,
and asks the other for a language. Too slow for the tests: a few minutes.
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
from playwright.sync_api import Locator, Page, expect

ROOT = Path(__file__).parents[2]
NOTEBOOK = "09_masking.ipynb"
EXPECTED = "Python reads [[5, 1]], and the weight is 0.0"
QUESTION = 'print("Python reads", f"{masks.flipped}, and the weight is {masks.masked().weights[5, 1]}")'
INSIDE = "inside.ipynb"
FIGURE = "from blockbyblock.live import InsideFigure\nfigure = InsideFigure()\nfigure"
CHOSEN = 'print("Python reads", figure.at, figure.step, figure.head)'
MODELS = "models.ipynb"
WRITING = "from blockbyblock.live import WritingFigure\nwriting = WritingFigure()\nwriting"
CLASSIFYING = "from blockbyblock.live import ClassifyingFigure\nclassifying = ClassifyingFigure()\nclassifying"
FOUND = """ids, tokenizer = writing.chosen, writing._generator.tokenizer
print("Python reads", repr(writing.text), repr(classifying.text), classifying.answer)
assert writing.text == tokenizer.decode(tokenizer.encode(writing.beginning) + ids)"""
END = """async path => {
  const sessions = await (await fetch("/api/sessions")).json()
  const { kernel } = sessions.find(each => each.path === path)
  const headers = { "X-XSRFToken": /_xsrf=([^;]*)/.exec(document.cookie)[1] }
  const { ok, status } = await fetch(`/api/kernels/${kernel.id}`, { method: "DELETE", headers })
  if (!ok) throw new Error(`the kernel lives on: ${status}`)
}"""
HOMES = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR")
SECONDS = 120


def write_notebook(path: Path, **cells: str) -> None:
    """Write a notebook of these cells, each under its name."""
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        new_notebook(cells=[new_code_cell(source, id=name) for name, source in cells.items()], metadata=kernel), path
    )


def copy(folder: Path) -> None:
    """Write the notebooks: that of the book with one more cell, which asks the kernel what the figure's values are."""
    notebook = nbformat.read(ROOT / "book" / NOTEBOOK, as_version=4)
    notebook.cells.append(new_code_cell(QUESTION, id="question"))
    nbformat.write(notebook, folder / NOTEBOOK)
    write_notebook(folder / INSIDE, figure=FIGURE, chosen=CHOSEN)
    write_notebook(folder / MODELS, writing=WRITING, classifying=CLASSIFYING, found=FOUND)


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


def open_notebook(page: Page, address: str, name: str) -> None:
    """Open a notebook, and wait for its kernel: a cell that is run before it is there does nothing."""
    page.set_default_timeout(1000 * SECONDS)
    expect.set_options(timeout=1000 * SECONDS)
    page.goto(f"{address}lab/workspaces/{Path(name).stem}/tree/{name}")  # of its own: no other notebook lies above it
    expect(page.get_by_text("| Idle")).to_be_visible()


def run(page: Page, text: str) -> Locator:
    """Run the first cell that holds this text."""
    cell = page.locator(".jp-CodeCell", has_text=text).first
    cell.locator(".cm-content").click()
    page.keyboard.press("Shift+Enter")
    return cell


def use(page: Page, address: str) -> None:
    """Run the figure, click one of its cells, and ask the kernel."""
    open_notebook(page, address, NOTEBOOK)
    figure = run(page, "MasksFigure(")
    cell = figure.locator(".bbb-live").get_by_role("button", name="mat looks at cat: weight 0.18")
    cell.click()
    expect(figure.get_by_role("button", name="mat looks at cat: hidden")).to_have_text("2")
    question = run(page, "Python reads")
    expect(question.locator(".jp-OutputArea-output")).to_contain_text(EXPECTED)


def look_inside(page: Page, address: str) -> None:
    """Open blocks of the figure that looks inside: Python sends the sentences and the matrices, until it is gone."""
    open_notebook(page, address, INSIDE)
    figure = run(page, "InsideFigure").locator(".bbb-live")
    expect(figure.locator(".scene[aria-busy=false]")).to_be_attached()
    figure.get_by_role("button", name="Decoder, layer 2: masked self-attention", exact=True).click()
    figure.get_by_label("q, k, v").check()
    figure.get_by_label("Head").select_option(index=4)
    expect(figure.locator(".body")).to_contain_text("Head 5's 32 rows of W_Q; the row of feature 1 is framed.")
    chosen = run(page, "Python reads")
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


def write_and_ask(page: Page, address: str) -> None:
    """Write with the language model and ask the classifier: Python sends the models and reads what was made of them."""
    open_notebook(page, address, MODELS)
    writing = run(page, "WritingFigure").locator(".bbb-live")
    writing.get_by_role("button", name="Load the model").click()
    writing.get_by_role("button", name="␣is", exact=True).click()
    writing.get_by_role("slider", name="temperature").fill("0")
    writing.get_by_role("button", name="draw to the end").click()
    expect(writing.get_by_role("button", name="draw to the end")).to_be_disabled()
    classifying = run(page, "ClassifyingFigure").locator(".bbb-live")
    classifying.get_by_role("button", name="Load the model").click()
    classifying.get_by_role("textbox").fill("kaksikymmentä")
    expect(classifying.locator(".classes")).to_contain_text("Finnish")
    answer = run(page, "Python reads").locator(".jp-OutputArea-output")
    expect(answer).to_contain_text("Python reads 'The cat is")
    expect(answer).to_contain_text("'kaksikymmentä' Finnish")
    expect(answer).not_to_contain_text("AssertionError")


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
            write_and_ask(browser.new_page(viewport={"width": 1280, "height": 1000}), address)
            if picture:
                page.locator(".bbb-live").first.scroll_into_view_if_needed()
                page.screenshot(path=picture)
    print(f"JupyterLab: {EXPECTED}; the figure that looks inside opens its blocks; two models write and answer")


if __name__ == "__main__":
    main(*sys.argv[1:])
