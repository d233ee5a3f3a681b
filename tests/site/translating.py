"""The figures that translate, without the book: bare pages with them, and a page on which tests call their parts."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from blockbyblock.figures.palette import css
from blockbyblock.live import InsideFigure, TranslatorFigure
from blockbyblock.live.figure import LiveFigure
from blockbyblock.live.modules import FOLDER, joined

ROOM = Path(__file__).parents[2] / "book" / "assets" / "book.css"
PARTS = """async ([name, parts, kind, held]) => {
  const read = async part => Object.assign(window, await import(`./source/${part}.mjs`))
  for (const part of parts) await read(part)
  const bytes = await (await fetch(`models/${name}.safetensors`)).arrayBuffer()
  window[held] = new window[kind](readModel(bytes))
}"""


def write_site(folder: Path, *files: Path, translators: bool = True) -> None:
    """Write the models, the modules and `parts.html`, an empty page; for each model its translator, `<name>.html`."""
    for name in ("live", "models", "source"):
        (folder / name).mkdir(parents=True)
    for module in FOLDER.glob("*.mjs"):
        shutil.copy(module, folder / "source")
    (folder / "live" / "translator.mjs").write_text(joined("translator"), encoding="utf-8")
    for file in files:
        shutil.copy(file, folder / "models")
        if not translators:
            continue
        figure = TranslatorFigure("The cat sat on the mat.", file=file)  # which the tiny model has learned
        (folder / f"{file.stem}.html").write_text(page_of(figure.markup()), encoding="utf-8")
    for name in ("parts", "404"):
        (folder / f"{name}.html").write_text(page_of("<p>Nothing</p>", script=""), encoding="utf-8")


def write_inside(folder: Path, name: str, figure: InsideFigure) -> None:
    """Add the page of a figure, `<name>.html`, to what `write_site` has written, and the translation that it stores."""
    (folder / "models" / f"{figure.trace}.safetensors").write_bytes(figure.stored())
    write_figure(folder, name, figure)


def write_figure(folder: Path, name: str, figure: LiveFigure) -> None:
    """Add the page of a figure, `<name>.html`, and its module to what `write_site` has written."""
    (folder / "live" / f"{figure.module}.mjs").write_text(joined(figure.module), encoding="utf-8")
    script = f'<script type="module" src="live/{figure.module}.mjs?v=1"></script>'
    (folder / f"{name}.html").write_text(page_of(figure.markup(), script), encoding="utf-8")


def page_of(body: str, script: str = '<script type="module" src="live/translator.mjs?v=1"></script>') -> str:
    """A page with the book's colours and the room for its figures, and nothing else of the book."""
    style = (
        f"<style>{css()}{ROOM.read_text(encoding='utf-8')}body {{ background: var(--bbb-paper); margin: 1rem }}</style>"
    )
    return (
        '<!doctype html><html lang="en" data-theme="light"><head><meta charset="utf-8"><title>Translator</title>'
        f'<meta name="viewport" content="width=device-width"><link rel="icon" href="data:,">{style}{script}</head>'
        f"<body><main><h1>Translator</h1>{body}<p>Text below.</p></main></body></html>"
    )


ENGINE = ("safetensors", "tokenizer", "layers", "transformer", "decoding", "worker", "translation", "passage", "supply")


def load_parts(
    page: Page,
    url: str,
    name: str,
    parts: Sequence[str] = ENGINE,
    kind: str = "Translator",
    held: str = "translator",
) -> None:
    """Open the empty page, and make every part of the engine global there, and a model in its class, called `held`."""
    page.goto(f"{url}parts.html")
    page.evaluate(PARTS, [name, list(parts), kind, held])


def call(page: Page, expression: str, argument: object = None) -> Any:
    """Evaluate a function of JavaScript in the page; typed arrays and maps come back as lists, and text as it is."""
    text = page.evaluate(
        f"""async argument => JSON.stringify(await ({expression})(argument),
        (_, value) => ArrayBuffer.isView(value) || value instanceof Map ? Array.from(value) : value)""",
        argument,
    )
    return json.loads(text)
