"""The validation cannot be fooled: what must fail fails, and what may differ passes, strict and lax.

A small project is made of the real configuration (pyproject.toml, book/conftest.py, nbval.cfg) and of a notebook whose
cells were tampered with, case by case; the real command is run on it.
"""

import os
import shutil
import subprocess
import sys
from xml.etree import ElementTree

import pytest
from hygiene import ROOT
from nbformat.v4 import new_output
from sample import code, save, shown

SVG = '<?xml version="1.0"?>\n<svg width="1"><title>{title}</title><path d="M 0 {y}"/></svg>\n'
SHOW_SVG = f"from IPython.display import display\nsvg = {SVG!r}.format(title='a line', y=0.123)\n"
SHOW_SVG += "display({'image/svg+xml': svg, 'text/plain': 'a line that falls'}, raw=True)"
SHOW_HTML = "from IPython.display import HTML\nHTML('<figure><svg><path/></svg><p>six tokens</p></figure>')"
SHOW_TWO = "from IPython.display import HTML\nHTML('<svg></svg><p>six tokens</p><svg></svg>')"
SHOW_LATEX = "from IPython.display import Latex\nLatex('$x^2$')"
HTML = "<IPython.core.display.HTML object>"
STUB, FILLED = "def double(x):\n    ...", "def double(x):\n    return 2 * x\nprint(double(3))"
CHECK = "print('not filled in yet' if double(2) is None else 'right' if double(2) == 4 else 'wrong')"


def result(**data):
    return new_output("execute_result", execution_count=1, data={key.replace("_", "/"): data[key] for key in data})


def exercise(stub):
    return [
        code(stub, tags="exercise-stub"),
        code(CHECK, "not filled in yet\n", cell_id="its-check", tags="exercise-check nbval-ignore-output", count=2),
    ]


def uncompared(source, output, tag=""):
    return [code(f"assert True\n{source}", output, tags=f"nbval-ignore-output {tag}")]


# name: (cells, passes when compared strictly, passes when no output is compared)
CASES = {
    "as_it_was_run": ([code("print(1.25)", "1.25\n")], True, True),
    "one_digit_of_stdout": ([code("print(1.25)", "1.26\n")], False, True),
    "one_digit_of_a_result": ([code("1.25", result(text_plain="1.26"))], False, True),
    "an_output_deleted": ([code("print(1.25)")], False, True),
    "a_result_deleted": ([code("1.25")], False, True),
    "one_output_of_two_deleted": ([code("print(1)\n2", "1\n")], False, True),
    "an_output_added": ([code("x = 1.25", "1.25\n")], False, True),
    "a_picture_deleted": ([code(SHOW_SVG)], False, True),
    "one_word_of_html": (
        [code(SHOW_HTML, result(text_plain=HTML, text_html="<p>five tokens</p>"))],
        False,
        True,
    ),
    "one_word_between_two_svgs": (
        [
            code(
                SHOW_TWO,
                result(
                    text_plain=HTML,
                    text_html="<svg></svg><p>five tokens</p><svg></svg>",
                ),
            )
        ],
        False,
        True,
    ),
    "one_digit_of_latex": (
        [code(SHOW_LATEX, result(text_plain="<IPython.core.display.Latex object>", text_latex="$x^3$"))],
        False,
        True,
    ),
    "the_words_of_a_picture": (
        [code(SHOW_SVG, shown(image_svg=SVG.format(title="a line", y=0.123), text_plain="a line that climbs"))],
        False,
        True,
    ),
    "the_body_of_an_svg": (
        [code(SHOW_SVG, shown(image_svg=SVG.format(title="another", y=0.124), text_plain="a line that falls"))],
        True,
        True,
    ),
    "the_body_of_an_svg_in_html": (
        [
            code(
                SHOW_HTML,
                result(
                    text_plain=HTML,
                    text_html='<figure><svg class="x"><path d=""/></svg><p>six tokens</p></figure>',
                ),
            )
        ],
        True,
        True,
    ),
    "an_address": ([code("object()", result(text_plain="<object at 0x7f0000000000>"))], True, True),
    "a_timing_that_is_tagged": (uncompared("import time\nprint(time.time())", "1.5\n", "timing"), True, True),
    "a_time_with_its_unit": (uncompared("import time\nprint(f'{time.time()} s, 3 runs')", "1.5 s, 3 runs"), True, True),
    "a_count_beside_a_time": (uncompared("print('2.5 ms, 3 runs')", "1.5 ms, 4 runs"), False, True),
    "a_trained_number_close_by": (uncompared("print('BLEU  0.64   41')", "BLEU   0.6    42"), True, True),
    "a_trained_number_far_off": (uncompared("print('BLEU  0.6')", "BLEU  30.6"), False, True),
    "a_trained_number_that_is_far_off_and_may": (uncompared("print(100.0)", "130.0\n", "tolerance-30"), True, True),
    "a_trained_number_that_may_not_be_so_far_off": (uncompared("print(100.0)", "150.0\n", "tolerance-30"), False, True),
    "a_count_one_off": (uncompared("print('9 of 12')", "8 of 12\n"), False, True),
    "a_word_of_what_is_trained": (uncompared("print('das Tier')", "der Tier\n"), False, True),
    "a_line_more_of_what_is_trained": (uncompared("print(1.5)", "1.5\n2.5\n"), False, True),
    "what_is_trained_deleted": ([code("print(1.5)\nassert True", tags="nbval-ignore-output")], False, True),
    "a_trained_number_of_html": (
        uncompared(SHOW_HTML, result(text_plain=HTML, text_html="<figure><svg></svg><p>nine tokens</p></figure>")),
        False,
        True,
    ),
    "the_kernel_of_another_python": (
        [code("import sys\nassert sys.executable == " + repr(sys.executable))],
        True,
        True,
    ),
    "the_environment_of_make_run": (
        [code("import os\nassert os.environ['PYTHONHASHSEED'] == '0' and os.environ['BLOCKBYBLOCK_STATIC'] == '1'")],
        True,
        True,
    ),
    "a_false_claim": ([code("assert 1 + 1 == 3", tags="nbval-ignore-output")], False, False),
    "a_stub_as_it_stands": (exercise(STUB), True, True),
    "a_stub_filled_in": (exercise(FILLED), True, True),
    "a_live_cell_that_cannot_run_here": ([code("raise ValueError", tags="live nbval-skip")], True, True),
}


def outcomes(tmp_path_factory, *options):
    """Run pytest on a notebook that holds the cells of every case; return whether all of a case's cells passed."""
    root = tmp_path_factory.mktemp("project")
    (root / "tests").mkdir()
    for part in ("pyproject.toml", "book/conftest.py", "book/_tools", "book/_extensions", "tests/notebooks/nbval.cfg"):
        (root / part).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / part).is_dir() else shutil.copy)(ROOT / part, root / part)
    owners = [name for name, (cells, *_) in CASES.items() for _ in cells]
    cells = [cell for cells, *_ in CASES.values() for cell in cells]
    for index, cell in enumerate(cells):
        cell.id = f"cell-{index}"
    path = save(root / "book" / "cases.ipynb", *cells)
    # As an editor of another environment would have stored it: the kernel must be ours all the same.
    path.write_text(path.read_text(encoding="utf-8").replace('"name": "python3"', '"name": "elsewhere"'), "utf-8")

    environment = {name: value for name, value in os.environ.items() if not name.startswith(("PYTEST_", "COV_"))}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "--color=no",
        "-p",
        "no:cacheprovider",
        "--junitxml=report.xml",
        *options,
    ]
    ran = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    assert (root / "report.xml").exists(), ran.stdout + ran.stderr
    tests = list(ElementTree.parse(root / "report.xml").iter("testcase"))
    assert [test.get("name") for test in tests] == [f"cell-{index}" for index in range(len(owners))], ran.stdout
    failed = {owner for owner, test in zip(owners, tests, strict=True) if {"failure", "error"} & {e.tag for e in test}}
    return {name: name not in failed for name in CASES} | {"said": ran.stdout}


@pytest.fixture(scope="module")
def strict(tmp_path_factory):
    return outcomes(tmp_path_factory)


@pytest.fixture(scope="module")
def lax(tmp_path_factory):
    return outcomes(tmp_path_factory, "--nbval-lax")


@pytest.mark.parametrize("name", CASES)
def test_strict(strict, name):
    assert strict[name] is CASES[name][1]


@pytest.mark.parametrize("name", CASES)
def test_lax_compares_no_output_and_keeps_every_assertion(lax, name):
    assert lax[name] is CASES[name][2]


def test_a_failure_names_its_cell_and_the_number(strict):
    index = [name for name, (cells, *_) in CASES.items() for _ in cells].index("a_trained_number_far_off")
    assert f"FAILED book/cases.ipynb::cell-{index}" in strict["said"]
    assert f"Cell cell-{index}: Cell outputs differ" in strict["said"]
    assert "30.6 is now 0.6, in 'BLEU  30.6'" in strict["said"]
