"""The ES modules of the figures, each as one text: anywidget loads a single module, and so does a page of the book.

A module beside this file may import from another one there, in the form `import { name } from "./other.mjs"`. No name
of the top level may stand in two of them: joined, they share it, and the browser would refuse the module.
"""

import re
from functools import cache
from pathlib import Path

FOLDER = Path(__file__).parent
_IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.mjs"\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=(?:async )?function|class|const|let)", re.MULTILINE)


def module_names() -> list[str]:
    """The names of all modules, without their ending."""
    return sorted(path.stem for path in FOLDER.glob("*.mjs"))


@cache
def joined(name: str) -> str:
    """Return a module with those that it imports written in front of it, each once and before its first use.

    Arguments:
        name: the module's name, without its ending.

    Raises:
        FileNotFoundError: there is no such module.
    """
    texts: dict[str, str] = {}
    _collect(name, texts)
    *imported, own = texts.values()
    return "\n".join([*(_EXPORT.sub("", text) for text in imported), own])


def _collect(name: str, texts: dict[str, str]) -> None:
    if name not in texts:
        text = (FOLDER / f"{name}.mjs").read_text(encoding="utf-8")
        for needed in _IMPORT.findall(text):
            _collect(needed, texts)
        texts[name] = _IMPORT.sub("", text)
