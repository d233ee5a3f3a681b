"""Docstrings are Markdown, as readers of the source know it; the page "The package" is made of them by autodoc."""

import re

from sphinx.application import Sphinx

_FENCE = re.compile(r"^(?P<margin> *)```(?P<language>\w*)$")


def fences_to_directives(lines: list[str]) -> list[str]:
    """Return the lines of a docstring with each fenced block of code as the directive that autodoc reads."""
    found: list[str] = []
    inside = False
    for line in lines:
        fence = _FENCE.match(line)
        if fence and not inside:
            found += [f"{fence['margin']}.. code-block:: {fence['language'] or 'text'}", ""]
        elif fence:
            found.append("")
        else:
            found.append(f"    {line}" if inside and line else line)
        inside ^= bool(fence)
    return found


def process(app: Sphinx, what: str, name: str, thing: object, options: object, lines: list[str]) -> None:
    """Rewrite a docstring in place, as autodoc asks its listeners to."""
    lines[:] = fences_to_directives(lines)


def connect(app: Sphinx) -> None:
    """Register this part; before Napoleon, which reads the sections."""
    app.connect("autodoc-process-docstring", process, priority=400)
