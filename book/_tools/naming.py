"""Names for cells: an editor makes an id up and shows no field for it, so `make run` gives one that says what it is."""

import ast
import re
import unicodedata

from nbformat import NotebookNode

from book._tools.notebooks import prose, tags

WORDS, LONGEST = 4, 40
ROLES = {"exercise-stub": "stub", "exercise-check": "check", "exercise-solution": "solution"}


def is_name(cell_id: str) -> bool:
    """Tell whether an id says what its cell is: why-scale, and neither 1f3a9c2e nor a UUID."""
    made_up = re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f-]+)?", cell_id)
    return not made_up and bool(re.fullmatch(r"[a-z][a-z0-9-]{2,63}", cell_id))


def name_cells(notebook: NotebookNode) -> dict[str, str]:
    """Name each cell whose id is no name, in place; a name that is there stays, for a translation is keyed by it.

    Returns:
        The new name of each old id.
    """
    taken = {cell.id for cell in notebook.cells if is_name(cell.id)}
    renamed = {}
    for index, cell in enumerate(notebook.cells):
        if not is_name(cell.id):
            name = proposal(notebook.cells, index)
            copies = (f"{name}-{count}" if count > 1 else name for count in range(1, len(notebook.cells) + 2))
            renamed[cell.id] = cell.id = next(each for each in copies if each not in taken)
            taken.add(cell.id)
    return renamed


def proposal(cells: list[NotebookNode], index: int) -> str:
    """Return what a cell might be called: after its heading or its first words, what it defines, what it belongs to."""
    cell, before = cells[index], cells[index - 1] if index else None
    following = tags(cells[index + 1]) if index + 1 < len(cells) else set()
    role = next((name for tag, name in ROLES.items() if tag in tags(cell)), None)
    if role and before is not None:
        return f"{role}-{re.sub('^(exercise|stub|check)-', '', before.id)}"
    if cell.cell_type == "code":
        return defined(cell.source) or (f"{before.id}-code" if before is not None and is_name(before.id) else "a-cell")
    first = prose(cell.source).strip().partition("\n")[0]
    if "exercise-stub" in following:
        bold = re.match(r"\*\*[\d. ]*(.+?)\*\*", first)
        return f"exercise-{slug(bold[1] if bold else first)}"
    if not first.startswith("#") and before is not None and before.cell_type == "code":
        return f"{before.id}-read"
    return slug(first)


def defined(source: str) -> str | None:
    """Return the name of the first function, class or variable that code makes, or None."""
    try:
        tree = ast.parse(source)
    except SyntaxError:  # a line of IPython's own
        return None
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            return slug(re.sub(r"(?<=[a-z])(?=[A-Z])", " ", node.name))
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and len(node.targets[0].id) > 2:
            return slug(node.targets[0].id)
    return None


def slug(text: str) -> str:
    """Return the first words of a text as part of an id."""
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    words = re.findall(r"[a-z0-9]+", re.sub(r"['’]", "", plain))
    name = "-".join(words[:WORDS])[:LONGEST].strip("-").lstrip("0123456789-")
    return name if len(name) > 2 else "a-cell"
