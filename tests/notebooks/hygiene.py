"""The rules that every notebook of the book keeps. A rule yields one complaint, with the cell's id, per breach."""

import ast
import functools
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from nbformat import NotebookNode
from prose_numbers import numbers_in_prose_are_computed

from blockbyblock.figures.chapters import CHAPTERS
from book._tools.lengths import lengths, limits
from book._tools.naming import is_name
from book._tools.notebooks import cells, lines_of_code, prose, tags
from book._tools.tolerance import TOLERANCE

Rule = Callable[[NotebookNode, str], Iterator[str]]

ROOT = Path(__file__).parents[2]
LEARNERS_OWN = {"exercise-stub", "exercise-check"}
UNCOMPARED = {"nbval-ignore-output", "nbval-skip"} | LEARNERS_OWN
KNOWN_TAGS = UNCOMPARED | {"exercise-solution", "hide-cell", "hide-input", "hide-output", "remove-input"}
KNOWN_TAGS |= {"live", "raises-exception", "exact", "timing"}
LINES_OF_CODE, LINES_IN_ALL = 30, 35
COLUMNS = 79  # as many as the page shows beside its two side bars at 1280 px
SIGNIFICANT_DIGITS = 5
LARGEST_OUTPUTS = 100_000
LONGEST_TERM = 4  # words: what is longer, or ends like a sentence, opens a paragraph


def texts(output: NotebookNode) -> Iterator[tuple[str, str]]:
    """Yield each text that a reader may see in an output, with its type."""
    if output.output_type == "stream":
        yield output.name, output.text
    for kind, content in output.get("data", {}).items():
        if isinstance(content, str) and not kind.startswith(("image/png", "image/jpeg")):
            yield kind, content


# What was run ---------------------------------------------------------------------------------------------------------


def runs_top_to_bottom(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Every code cell was run, once, in order: nbval compares nothing in a cell without an execution count."""
    for expected, cell in enumerate(cells(notebook, "code"), start=1):
        if cell.execution_count != expected:
            yield f"{cell.id}: its execution count is {cell.execution_count}, not {expected}: make run"


def prints_no_error(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Nothing on stderr, and no error that the cell does not announce."""
    for cell in cells(notebook, "code"):
        for output in cell.outputs:
            if output.get("name") == "stderr":
                yield f"{cell.id}: prints on stderr: {output.text[:60]!r}"
            if output.output_type == "error" and "raises-exception" not in tags(cell):
                yield f"{cell.id}: ends in {output.ename} without the tag raises-exception"


def names_no_machine(notebook: NotebookNode, name: str) -> Iterator[str]:
    """No path of the machine that it was run on, in a source or in an output."""
    here = "|".join(re.escape(str(place)) for place in (ROOT, Path.home()) if len(place.parts) > 1)
    machine = re.compile(rf"/(?:home|Users|root|tmp)/|/private/var/|[A-Za-z]:\\+Users\\|{here}")
    for cell in notebook.cells:
        places = [cell.source, *(text for output in cell.get("outputs", []) for _, text in texts(output))]
        places += [line for output in cell.get("outputs", []) for line in output.get("traceback", [])]
        for found in filter(None, map(machine.search, places)):
            yield f"{cell.id}: names a path of this machine: {found[0]!r}"


# What is compared -----------------------------------------------------------------------------------------------------


def asserts(source: str) -> bool:
    """Tell whether the code holds an assert statement or calls torch.testing.assert_close or `require` on a result."""
    try:
        nodes = list(ast.walk(ast.parse(source)))
    except SyntaxError:  # a line of IPython's own: %timeit
        return bool(re.search(r"^\s*assert |assert_close\(", source, re.MULTILINE))
    called = {getattr(node.func, "attr", getattr(node.func, "id", "")) for node in nodes if isinstance(node, ast.Call)}
    return any(isinstance(node, ast.Assert) for node in nodes) or bool(called & {"assert_close", "require"})


def asserts_what_is_not_compared(notebook: NotebookNode, name: str) -> Iterator[str]:
    """A cell whose output is not compared asserts its claim; a learner's own cells and live ones need not."""
    for cell in cells(notebook, "code"):
        if re.search(r"#\s*(?:NBVAL|PYTEST_VALIDATE)_", cell.source, re.IGNORECASE):
            yield f"{cell.id}: use nbval's tags, which a reader does not see, not its comments"
        if tags(cell) & UNCOMPARED and not tags(cell) & (LEARNERS_OWN | {"live"}) and not asserts(cell.source):
            yield f"{cell.id}: its output is not compared and its code asserts nothing"


def asserts_what_a_picture_shows(notebook: NotebookNode, name: str) -> Iterator[str]:
    """A picture is not compared either: an assertion stands in its cell, or in the code cell before or after it."""
    code = cells(notebook, "code")
    for index, cell in enumerate(code):
        pictured = any(kind.startswith("image/") for output in cell.outputs for kind in output.get("data", {}))
        if pictured and not any(asserts(beside.source) for beside in code[max(index - 1, 0) : index + 2]):
            yield f"{cell.id}: shows a picture, and neither it nor its neighbours assert what the picture shows"


def tags_are_known(notebook: NotebookNode, name: str) -> Iterator[str]:
    """No misspelt tag; a check's output is kept from nbval, a live cell from the stored page, a solution from sight."""
    for cell in notebook.cells:
        stated = {tag for tag in tags(cell) if TOLERANCE.fullmatch(tag)}
        for tag in sorted(tags(cell) - KNOWN_TAGS - stated):
            yield f"{cell.id}: the tag {tag!r} is not one of ours: {', '.join(sorted(KNOWN_TAGS))}, tolerance-30"
        if (stated or "timing" in tags(cell)) and "nbval-ignore-output" not in tags(cell):
            yield f"{cell.id}: timing and tolerance-30 say how an output tagged nbval-ignore-output may differ"
        if "exercise-solution" in tags(cell) and "hide-cell" not in tags(cell):
            yield f"{cell.id}: a solution also carries hide-cell, which folds it"
        if "exercise-check" in tags(cell) and "nbval-ignore-output" not in tags(cell):
            yield f"{cell.id}: an exercise-check also carries nbval-ignore-output"
        if "live" in tags(cell) and ("nbval-skip" not in tags(cell) or cell.outputs):
            yield f"{cell.id}: a live cell carries nbval-skip and stores no output"
        if "nbval-skip" in tags(cell) and "live" not in tags(cell):
            yield f"{cell.id}: only a live cell may be skipped"


def prints_few_digits(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Three or four significant digits, five at most: the rest differs between processors. The tag "exact" lifts it."""
    number = re.compile(r"(?<![\w.])\d+\.\d+(?![\w.]*\d*\.\d)")
    for cell in cells(notebook, "code"):
        if tags(cell) & ({"exact"} | UNCOMPARED):
            continue
        for output in cell.outputs:
            for kind, text in texts(output):
                if kind == "text/html" and "<table" in text and not text.startswith("<bbb-"):
                    text = re.sub(r"<[^>]+>", " ", text)
                elif kind not in ("stdout", "text/plain"):
                    continue
                long = [found for found in number.findall(text) if len(significant(found)) > SIGNIFICANT_DIGITS]
                if long:
                    yield f"{cell.id}: prints {long[0]}, {len(significant(long[0]))} significant digits"


def significant(number: str) -> str:
    """Return the significant digits of a decimal number: 0.00120 has two, for zeros at the end say nothing here."""
    return number.rstrip("0").replace(".", "").strip("0")


# What a reader sees ---------------------------------------------------------------------------------------------------


def pictures_have_words(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Every picture has a text alternative that says what it shows."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            words = data.get("text/plain", "")
            if any(kind.startswith("image/") for kind in data) and (len(words.split()) < 3 or words.startswith("<")):
                yield f"{cell.id}: the text alternative of its picture is {words[:40]!r}: use show(figure, alt)"
        if cell.cell_type == "markdown" and re.search(r"!\[\s*\]\(|<img\b(?![^>]*\balt=[\"'][^\"'])", cell.source):
            yield f"{cell.id}: an image without a text alternative"


def figures_that_move_can_stand_still(notebook: NotebookNode, name: str) -> Iterator[str]:
    """A figure that moves is stored with the values it starts from, a table for where it cannot move, and words."""
    for cell in cells(notebook, "code"):
        for output in cell.outputs:
            data = output.get("data", {})
            markup, words = data.get("text/html", ""), data.get("text/plain", "")
            if not markup.startswith("<bbb-"):
                continue
            values = re.search(r'<script type="application/json">(.*?)</script>', markup, re.DOTALL)
            if not values or not is_json(values[1]):
                yield f"{cell.id}: its figure is stored without its values: make run"
            if "<table" not in markup or len(words.split()) < 3 or words.startswith("<"):
                yield f"{cell.id}: its figure has no table, or no words, for where it cannot move"


def is_json(text: str) -> bool:
    """Tell whether a text is JSON."""
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def prose_is_plain(notebook: NotebookNode, name: str) -> Iterator[str]:
    """No exclamation mark, and none of the words that make a reader feel slow."""
    for cell in cells(notebook, "markdown"):
        for found in re.findall(r"!|\b(?:simply|obviously|delv(?:e|es|ed|ing))\b", prose(cell.source), re.IGNORECASE):
            yield f"{cell.id}: {found!r} in its prose"


def terms_stand_in_the_glossary(notebook: NotebookNode, name: str) -> Iterator[str]:
    """What is set in bold is a term that a reader can look up; bold that only stresses is italic here."""
    for cell in cells(notebook, "markdown"):
        for bold in re.findall(r"\*\*(.+?)\*\*", prose(cell.source), re.DOTALL):
            is_term = len(bold.split()) <= LONGEST_TERM and not re.search(r"[.?:,;]\W*$", bold)
            if is_term and singular(bold) not in glossary():
                yield f"{cell.id}: {bold!r} is not in book/glossary.md"


@functools.cache
def glossary() -> frozenset[str]:
    """The terms of the glossary, in lower case and in the singular."""
    text = (ROOT / "book" / "glossary.md").read_text(encoding="utf-8")
    return frozenset(map(singular, re.findall(r"^- <a id=[^>]*></a>\*\*(.+?)\*\* ", text, re.MULTILINE)))


def singular(term: str) -> str:
    """A term as it is looked up: "Heads" under "head"."""
    return re.sub(r"(?<=[^s])s$", "", " ".join(term.lower().split()))


def cells_are_short(notebook: NotebookNode, name: str) -> Iterator[str]:
    """A cell can be taken in at a glance."""
    for cell in cells(notebook, "code"):
        of_code, in_all = lines_of_code(cell), len(cell.source.splitlines())
        if of_code > LINES_OF_CODE or in_all > LINES_IN_ALL:
            yield f"{cell.id}: {of_code} lines of code, {in_all} in all; at most {LINES_OF_CODE} and {LINES_IN_ALL}"


def lines_fit_the_page(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Neither code nor what it prints is cut off at the edge of its box."""
    for cell in cells(notebook, "code"):
        printed = [text for output in cell.outputs for kind, text in texts(output) if kind == "stdout"]
        for line in "\n".join([cell.source, *printed]).splitlines():
            if len(line) > COLUMNS:
                yield f"{cell.id}: {len(line)} columns, at most {COLUMNS}: {line}"


def chapters_are_of_a_length(notebook: NotebookNode, name: str) -> Iterator[str]:
    """A chapter of the book takes one sitting; its exercises are extra. One that a fork adds is as long as it likes."""
    if name in {chapter.file_name for chapter in CHAPTERS}:
        yield from lengths(notebook).over(limits(name))


LABELS = ("Question.", "Design.", "Result.", "Reading.", "What it does not show.")
NO_EXPERIMENT = ("Set up", "Exercises")


def experiments_have_five_parts(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Each section of a laboratory is an experiment: what is asked, how, what came out, what it says and what not."""
    if not name.startswith("laboratory/"):
        return
    text = "\n".join(cell.source for cell in cells(notebook, "markdown"))
    for section in re.split(r"^## ", text, flags=re.MULTILINE)[1:]:
        heading = section.partition("\n")[0]
        found = re.findall(r"^\*\*(.+?)\*\*", section, re.MULTILINE)
        if heading not in NO_EXPERIMENT and [label for label in found if label in LABELS] != [*LABELS]:
            yield f"the section {heading!r} has not the parts {' '.join(LABELS)}, once and in this order"


# How it is stored -----------------------------------------------------------------------------------------------------


def cells_have_names(notebook: NotebookNode, name: str) -> Iterator[str]:
    """Each cell's id says what it is, for a translation is keyed by it."""
    seen: set[str] = set()
    for cell in notebook.cells:
        if not is_name(cell.id):
            yield f"{cell.id}: not a name such as why-scale; make run proposes one"
        if cell.id in seen:
            yield f"{cell.id}: two cells of this id"
        seen.add(cell.id)


def stores_no_more_than_it_must(notebook: NotebookNode, name: str) -> Iterator[str]:
    """No widget state, no editor's notes, no heavy output."""
    for key in sorted(set(notebook.metadata) - {"kernelspec", "language_info"}):
        yield f"the notebook's metadata holds {key!r}: make run"
    for cell in notebook.cells:
        for key in sorted(set(cell.metadata) - {"tags", "mystnb"}):
            yield f"{cell.id}: its metadata holds {key!r}: make run"
        outputs = cell.get("outputs", [])
        if any("widget-view" in kind for output in outputs for kind in output.get("data", {})):
            yield f"{cell.id}: stores the view of a widget whose state is not stored"
        size = len(str(outputs).encode())
        if size > LARGEST_OUTPUTS:
            yield f"{cell.id}: {size:,} bytes of outputs; at most {LARGEST_OUTPUTS:,}"


RULES: tuple[Rule, ...] = (
    runs_top_to_bottom,
    prints_no_error,
    names_no_machine,
    asserts_what_is_not_compared,
    asserts_what_a_picture_shows,
    tags_are_known,
    prints_few_digits,
    pictures_have_words,
    figures_that_move_can_stand_still,
    prose_is_plain,
    numbers_in_prose_are_computed,
    terms_stand_in_the_glossary,
    cells_are_short,
    lines_fit_the_page,
    chapters_are_of_a_length,
    experiments_have_five_parts,
    cells_have_names,
    stores_no_more_than_it_must,
)


def form(raw: bytes) -> Iterator[str]:
    """Yield what is wrong with the bytes of a notebook: it is kept as `make run` writes it, so that diffs are small."""
    if b"\r" in raw:
        yield "line ends other than LF"
    if not raw.startswith(b'{\n "') or not raw.endswith(b"\n}\n"):
        yield "not JSON indented by 1 with one newline at the end: make run"
