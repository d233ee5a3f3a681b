"""Run notebooks and store their outputs: python -m book._tools.execute [--check] [notebook ...].

Each notebook runs top to bottom in a fresh kernel of this environment, several at a time, under the same environment
variables as the tests. A notebook that fails is left as it was.
"""

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import nbformat
from ipykernel.kernelspec import RESOURCES, get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode

from book._tools.lengths import Lengths, exercises, lengths
from book._tools.naming import name_cells
from book._tools.notebooks import BOOK, all_notebooks, cells, kernel_environment, name_in_book, tags

SECONDS_PER_CELL = 300
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {
        "file_extension": ".py",
        "mimetype": "text/x-python",
        "name": "python",
        "pygments_lexer": "ipython3",
    },
}
CELL_METADATA = {"tags", "mystnb"}  # all else is an editor's: folded, scrolled, executed at such a time


class ThisPython(KernelSpecManager):
    """Start the kernel of this environment under every name, even where the user has installed another "python3"."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """Return the specification of the kernel that belongs to the running Python."""
        return KernelSpec(resource_dir=RESOURCES, **get_kernel_dict())


@dataclass(frozen=True)
class Run:
    """One execution of a notebook: how long it took, the error that ended it, with the id of its cell, and new ids."""

    path: Path
    seconds: float
    error: str | None = None
    renamed: dict[str, str] = field(default_factory=dict)


def run(path: Path, *, store: bool = True, timeout: float = SECONDS_PER_CELL) -> Run:
    """Run a notebook in a fresh kernel and, if every cell succeeds, replace the file in one step.

    Args:
        path: the notebook.
        store: whether to write the outputs back.
        timeout: how long one cell may take, in seconds.
    """
    begun = time.perf_counter()
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:  # a merge leaves a file that is no JSON
        return Run(path, 0.0, f"{path}: no notebook: {str(error).splitlines()[0][:80]}")
    manager = AsyncKernelManager(kernel_spec_manager=ThisPython())
    client = NotebookClient(
        notebook,
        km=manager,
        timeout=timeout,
        record_timing=False,
        store_widget_state=True,  # without it, output printed inside a widget ends nbclient; `tidied` drops the state
        coalesce_streams=True,
        resources={"metadata": {"path": str(path.parent)}},
    )
    try:
        with kernel_environment():
            client.execute()
    except (CellExecutionError, CellTimeoutError, RuntimeError) as error:  # the last: a kernel died, or none came up
        return Run(path, time.perf_counter() - begun, f"{name_of(path)}, cell {failed_cell(notebook)}: {error}")
    renamed = name_cells(notebook) if store else {}
    if store:
        write(path, tidied(notebook))
    return Run(path, time.perf_counter() - begun, renamed=renamed)


def failed_cell(notebook: NotebookNode) -> str:
    """Return the id of the cell that ended a run: the last one that began."""
    begun = [cell for cell in cells(notebook, "code") if cell.execution_count or cell.outputs]
    return begun[-1].id if begun else "(none)"


def tidied(notebook: NotebookNode) -> NotebookNode:
    """Return the notebook with nothing in it that depends on who ran it, or when, or in which editor."""
    notebook.metadata = nbformat.from_dict(METADATA)
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key in CELL_METADATA}
        if "live" in tags(cell):
            cell.outputs = []  # on a page without a kernel its sliders would move and change nothing
    return notebook


def write(path: Path, notebook: NotebookNode) -> None:
    """Write a notebook in the one form in which it is kept: JSON indented by 1, UTF-8, LF, in one step."""
    nbformat.validate(notebook)
    text = nbformat.writes(notebook).rstrip("\n") + "\n"
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".part")
    try:
        with open(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(path.stat().st_mode)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def run_all(paths: Sequence[Path], **options: Any) -> list[Run]:
    """Run notebooks in parallel, one process per core, and print each error; options go to `run`."""
    runs = []
    with ProcessPoolExecutor(max_workers=min(len(paths), os.cpu_count() or 1)) as pool:
        for future in [pool.submit(run, path, **options) for path in paths]:
            result = future.result()
            print(f"{result.seconds:6.1f} s  {'FAILED' if result.error else 'ran'}  {name_of(result.path)}", flush=True)
            if result.error:
                print(result.error, file=sys.stderr, flush=True)
            for old, new in result.renamed.items():
                print(f"{'':10}the cell {old} is now called {new}", flush=True)
            runs.append(result)
    return runs


def table(runs: Sequence[Run]) -> str:
    """Return one line per notebook: how long it runs, and how long it is to read, exercises not counted."""
    columns = [*(each.name for each in fields(Lengths)), "minutes"]
    lines = [f"{'notebook':48} {'seconds':>8} {'exercises':>9}" + "".join(f" {column:>10}" for column in columns)]
    for result in runs:
        if not result.seconds:
            continue  # it could not be read
        notebook = nbformat.read(result.path, as_version=4)
        found = lengths(notebook)
        lines.append(
            f"{name_of(result.path):48} {result.seconds:8.1f} {exercises(notebook):9}"
            + "".join(f" {getattr(found, column):10}" for column in columns)
        )
    return "\n".join(lines)


def name_of(path: Path) -> str:
    """Return what a notebook is called in messages: within the book, or by its file's name elsewhere."""
    path = path.resolve()
    return name_in_book(path) if path.is_relative_to(BOOK) else path.name


def named(patterns: Sequence[Path]) -> list[Path]:
    """Return the notebooks that were named, each once; a shell of Windows leaves a `*` to us."""
    found = [
        path
        for pattern in patterns
        for path in (sorted(pattern.parent.glob(pattern.name)) if "*" in pattern.name else [pattern]) or [pattern]
    ]
    return list(dict.fromkeys(found))


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the notebooks named, or all of the book; return 1 if one failed."""
    parser = argparse.ArgumentParser(prog="python -m book._tools.execute", description="Run notebooks in place.")
    parser.add_argument("notebooks", nargs="*", type=Path, help="all of book/ if none is named")
    parser.add_argument("--check", action="store_true", help="store nothing; print a table of what ran")
    parser.add_argument("--timeout", type=float, default=SECONDS_PER_CELL, help="seconds that one cell may take")
    options = parser.parse_args(arguments)
    paths = named(options.notebooks) if options.notebooks else all_notebooks()
    if not paths:
        parser.error("there is no notebook in book/")
    for path in paths:
        if path.suffix != ".ipynb" or not path.is_file():
            parser.error(f"{path} is no notebook; book/ holds {', '.join(map(name_in_book, all_notebooks()))}")
    runs = run_all(paths, store=not options.check, timeout=options.timeout)
    if options.check:
        print(f"\n{table(runs)}")
    return int(any(result.error for result in runs))


if __name__ == "__main__":
    sys.exit(main())
