"""`make run`: what it stores, and that it leaves a notebook alone that does not run."""

import json
import sys

import nbformat
import pytest
from sample import code, save, text

from book._tools import execute
from book._tools.notebooks import KERNEL_ENVIRONMENT


def outputs(path):
    return [cell.outputs for cell in nbformat.read(path, as_version=4).cells if cell.cell_type == "code"]


def printed(path):
    return "".join(output.text for cell in outputs(path) for output in cell if output.output_type == "stream")


def test_stores_what_a_fresh_kernel_prints(tmp_path):
    path = save(
        tmp_path / "sample.ipynb",
        text("A sample."),
        code("import os, sys\nprint(sys.executable)", "old", count=7),
        code(
            "print(*(os.environ[name] for name in sorted(os.environ) if name in set(names)))",
            cell_id="names",
            count=None,
        ),
    )
    source = nbformat.read(path, as_version=4)
    source.cells[2].source = f"names = {sorted(KERNEL_ENVIRONMENT)}\n" + source.cells[2].source
    execute.write(path, source)
    assert execute.run(path).error is None
    expected = " ".join(KERNEL_ENVIRONMENT[name] for name in sorted(KERNEL_ENVIRONMENT))
    assert printed(path) == f"{sys.executable}\n{expected}\n"
    assert [cell.get("execution_count") for cell in nbformat.read(path, as_version=4).cells] == [None, 1, 2]


def test_the_kernel_is_ours_though_the_user_has_installed_another_of_its_name(tmp_path, monkeypatch):
    theirs = tmp_path / "kernels" / "python3"
    theirs.mkdir(parents=True)
    (theirs / "kernel.json").write_text('{"argv": ["no-such-python"], "display_name": "Theirs", "language": "python"}')
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    path = save(tmp_path / "sample.ipynb", code("import sys\nprint(sys.executable)"))
    assert execute.run(path).error is None
    assert printed(path) == f"{sys.executable}\n"


def test_a_second_run_changes_no_byte(tmp_path):
    source = "import sys\nfor word in set('abcdefgh'):\n    print(word)\n    sys.stdout.flush()\nprint(hash('a'))"
    path = save(tmp_path / "sample.ipynb", code(source))
    execute.run(path)
    first = path.read_bytes()
    execute.run(path)
    assert path.read_bytes() == first
    assert len(outputs(path)[0]) == 1  # one stream, however the kernel cut it


def test_what_an_editor_left_behind_is_removed(tmp_path):
    path = save(tmp_path / "sample.ipynb", code("1 + 1", tags="exact"))
    content = json.loads(path.read_text(encoding="utf-8"))
    content["metadata"] |= {
        "widgets": {"state": {}},
        "vscode": {},
        "kernelspec": {"name": "venv", "display_name": "My venv"},
    }
    content["cells"][0]["metadata"] |= {"execution": {"iopub.status.busy": "2026"}, "scrolled": True}
    path.write_bytes(json.dumps(content).replace("\n", "\r\n").encode())
    execute.run(path)
    kept = json.loads(path.read_text(encoding="utf-8"))
    assert kept["metadata"] == execute.METADATA
    assert kept["cells"][0]["metadata"] == {"tags": ["exact"]}
    raw = path.read_bytes()
    assert raw.endswith(b"}\n")
    assert b"\r" not in raw
    assert raw.startswith(b'{\n "cells"')


def test_a_live_cell_runs_but_stores_no_output(tmp_path):
    path = save(
        tmp_path / "sample.ipynb",
        code("seen = 1\nprint(seen)", tags="live nbval-skip"),
        code("print(seen)", cell_id="b"),
    )
    assert execute.run(path).error is None
    assert outputs(path)[0] == []
    assert printed(path) == "1\n"


@pytest.mark.parametrize(
    ("source", "timeout", "said"),
    [
        ("raise ValueError('seven')", 60, "seven"),
        ("import time\ntime.sleep(60)", 1, "timed out"),
        ("import os\nos._exit(1)", 60, "died"),
    ],
)
def test_a_notebook_that_fails_is_left_as_it_was(tmp_path, source, timeout, said):
    path = save(tmp_path / "sample.ipynb", code("print(1)", "0"), code(source, cell_id="the-culprit"))
    before = path.read_bytes()
    error = execute.run(path, timeout=timeout).error
    assert path.read_bytes() == before
    assert said in error
    assert "the-culprit" in error
    assert list(tmp_path.iterdir()) == [path]


def test_the_exit_status_and_the_error_tell_of_one_failure_among_several(tmp_path, capfd):
    good = save(tmp_path / "good.ipynb", code("print(1)"))
    bad = save(tmp_path / "bad.ipynb", code("print(missing)", cell_id="needs-a-name"))
    assert execute.main([str(bad), str(good)]) == 1
    assert printed(good) == "1\n"
    assert "bad.ipynb, cell needs-a-name" in capfd.readouterr().err
    assert execute.main([str(good)]) == 0


def test_check_prints_a_table_and_stores_nothing(tmp_path, capfd):
    path = save(
        tmp_path / "sample.ipynb",
        text("Three words here."),
        code("print(1)", "0"),
        text("Four words of exercise.", cell_id="a"),
        code("...", cell_id="b", tags="exercise-stub"),
    )
    before = path.read_bytes()
    assert execute.main(["--check", str(path)]) == 0
    assert path.read_bytes() == before
    *_, heads, row = map(str.split, capfd.readouterr().out.splitlines())
    shown = dict(zip(heads, row, strict=True))
    assert (shown["notebook"], shown["cells"], shown["words"], shown["exercises"]) == ("sample.ipynb", "1", "3", "1")


def test_an_editors_id_becomes_a_name_and_a_name_stays(tmp_path, capfd):
    path = save(
        tmp_path / "sample.ipynb",
        text("## Why divide by √d_k?\n\nBecause.", cell_id="0b9c1f3a-d9cb-469f-a165-70867728950e"),
        code("import math\n\ndef mean_of(x):\n    return x", cell_id="1f3a9c2e"),
        text("It is small.", cell_id="b2c3d4e5"),
        code("print(1)", cell_id="7d0d6cbe"),
        text("## Why divide by √d_k?", cell_id="W0sZmlsZQ"),
        code("loss = 1", cell_id="why-scale"),
        text("**2. A window.** Write it.", cell_id="99999999"),
        code("answer = ...", cell_id="88888888", tags="exercise-stub"),
        code("print(answer)", cell_id="77777777", tags="exercise-check nbval-ignore-output"),
        code("print(2)", cell_id="66666666", tags="exercise-solution hide-cell"),
    )
    assert execute.main([str(path)]) == 0
    assert [cell.id for cell in nbformat.read(path, as_version=4).cells] == [
        "why-divide-by-d",
        "mean-of",
        "mean-of-read",
        "mean-of-read-code",
        "why-divide-by-d-2",
        "why-scale",
        "exercise-a-window",
        "stub-a-window",
        "check-a-window",
        "solution-a-window",
    ]
    said = capfd.readouterr().out
    assert "the cell 1f3a9c2e is now called mean-of\n" in said
    before = path.read_bytes()
    assert execute.main([str(path)]) == 0
    assert path.read_bytes() == before
    assert "is now called" not in capfd.readouterr().out


@pytest.mark.parametrize("name", ["01_atention.ipynb", "index.md", ".", "no*.ipynb"])
def test_a_mistyped_path_is_one_line(tmp_path, capfd, name):
    (tmp_path / "index.md").touch()
    with pytest.raises(SystemExit) as ended:
        execute.main([str(tmp_path / name)])
    assert ended.value.code == 2
    said = capfd.readouterr().err.splitlines()[-1]
    assert "is no notebook; book/ holds 00_translate_first.ipynb, " in said


def test_a_file_that_is_no_notebook_is_one_line(tmp_path, capfd):
    (tmp_path / "merged.ipynb").write_text("<<<<<<< HEAD")
    assert execute.main(["--check", str(tmp_path / "merged.ipynb")]) == 1
    [said] = capfd.readouterr().err.splitlines()
    assert "merged.ipynb: no notebook: " in said


def test_a_star_that_the_shell_has_left_names_each_notebook_once(tmp_path):
    for name in ("one.ipynb", "two.ipynb"):
        save(tmp_path / name, code("1"))
    assert execute.named([tmp_path / "*.ipynb", tmp_path / "two.ipynb"]) == [
        tmp_path / "one.ipynb",
        tmp_path / "two.ipynb",
    ]
