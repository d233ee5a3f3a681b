"""What several commands share."""

import argparse
import re
import sys
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import torch

from blockbyblock.checks import check_positive
from blockbyblock.portable import load_portable, require_kind
from blockbyblock.pretrained import load_pretrained, pretrained_names
from blockbyblock.text_model import TextModel
from blockbyblock.texts import Line, read_lines, to_lines
from blockbyblock.training import CheckpointFolder, open_run
from blockbyblock.training.run import RUN
from blockbyblock.weights import CheckpointError

MODEL_HELP = (
    f"a model in the box ({', '.join(pretrained_names())}), an exported file, the folder of a training, or a "
    "checkpoint in it"
)
Opened = TypeVar("Opened", bound=TextModel)
LINES_AT_ONCE = 64
DATA_HELP = "folder with the corpora, as downloaded from their homes; not given, they are downloaded once"


def add_command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int], description: str, examples: str
) -> argparse.ArgumentParser:
    """A command with its help: what it does in the first line, and examples at the end."""
    parser: argparse.ArgumentParser = commands.add_parser(
        name,
        help=re.split(r"\.(?:\s|$)", description)[0],  # a point inside, as in "section 6.1", ends nothing
        description=description,
        epilog=f"Examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--threads", type=int, metavar="N", help="processor cores to use; all by default")
    parser.set_defaults(
        run=lambda arguments: _with_threads(arguments, run), in_options=lambda text: in_options(text, parser)
    )
    return parser


def in_options(text: str, parser: argparse.ArgumentParser) -> str:
    """A message of the package with its arguments as this command's options: `max_length=9` is `--max-length 9`.

    An option has the name of the argument that it becomes, which makes this one rule for all of them.
    """
    for action in parser._actions:
        if action.option_strings:
            option, value = max(action.option_strings, key=len), "" if action.nargs == 0 else r" \1"
            # Not `config.max_length=9`, which is the model's.
            text = re.sub(rf"(?<![\w.]){action.dest}=(\S*?)(?=[,;:)]?(?:\s|$))", option + value, text)
    return text


def open_model(name: str, kind: type[Opened]) -> Opened:
    """The model of this name, or in this place.

    Args:
        name: of a model in the box, or of a file or folder.
        kind: what it must be; `TextModel` for any.

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: a file is damaged or foreign, or the model is for another task; its name is in the message.
    """
    path = Path(name)
    if path.is_dir():
        model = open_run(path)
    elif path.is_file():
        try:
            model = load_portable(path, TextModel)
        except CheckpointError:
            if not (path.parent / RUN).exists():
                raise
            model = open_run(path)  # a checkpoint; an exported file may stand beside it
    elif name in pretrained_names():
        model = load_pretrained(name)
    else:
        names = ", ".join(pretrained_names())
        raise FileNotFoundError(f"no model {name!r}: neither a file or folder, nor one of {names}")
    return require_kind(model, kind, name)


def given_lines(texts: Sequence[str], file: str | None) -> Iterable[Line]:
    """The lines to work on: those given as arguments, those of a file, or those of standard input.

    Raises:
        ValueError: both arguments and a file are given.
    """
    if texts and file is not None:
        raise ValueError("give either texts or --file, not both")
    if texts:
        return [Line(text.removeprefix("\ufeff")) for text in texts]  # a mark that "$(cat file)" brings along
    return read_lines(file) if file is not None else to_lines(sys.stdin.buffer, "standard input")


def chunks(lines: Iterable[Line], model: TextModel, *, typed: bool) -> Iterator[list[str | None]]:
    """The texts of the lines, many at once, None where a line cannot be used; that is said with its number.

    Args:
        lines: from `given_lines`.
        model: what is to read them.
        typed: somebody is waiting for the answer to each line.
    """
    numbered = enumerate(lines, start=1)
    while chunk := list(islice(numbered, 1 if typed else LINES_AT_ONCE)):
        texts: list[str | None] = []
        for number, line in chunk:
            try:
                if line.problem:
                    raise ValueError(f"{line.problem}: {line.place}")
                model.encode(line.text)
                texts.append(line.text)
            except ValueError as error:
                note(f"line {number}: {error}")
                texts.append(None)
        yield texts


def is_typed(texts: Sequence[str], file: str | None) -> bool:
    """Whether the lines are being typed into a terminal."""
    return not texts and file is None and sys.stdin.isatty()


def printable(text: str) -> str:
    """A text for one line of a terminal: line breaks and tabs become spaces, other control characters U+FFFD.

    A model may produce any byte, and a terminal obeys some of them.
    """
    return "".join(_printable(text))


def _printable(text: str) -> Iterator[str]:
    for character in text:
        if unicodedata.category(character) not in ("Cc", "Zl", "Zp"):
            yield character
        else:
            yield " " if character.isspace() else "\N{REPLACEMENT CHARACTER}"


def check_resume(folder: Path, resume: bool) -> None:
    """Refuse to go on where there is nothing to go on from, and to begin where there is.

    Raises:
        FileNotFoundError: `resume`, and the folder holds no checkpoint; the message names the trainings beside it.
        FileExistsError: not `resume`, and it holds one.
    """
    newest = CheckpointFolder.newest_in(folder)
    if newest is not None and not resume:
        raise FileExistsError(f"{newest} is there already: go on from it with --resume, or choose another folder")
    if newest is None and resume:
        beside = sorted(str(path.parent) for path in folder.absolute().parent.glob(f"*/{RUN}"))
        others = f"; beside it are {', '.join(beside)}" if beside else ""
        raise FileNotFoundError(f"{folder} holds no checkpoint to go on from: begin without --resume{others}")


def note(text: str) -> None:
    """Say something beside the result: on standard error, so that the result can be piped."""
    print(text, file=sys.stderr, flush=True)


def _with_threads(arguments: argparse.Namespace, run: Callable[[argparse.Namespace], int]) -> int:
    if arguments.threads is not None:
        check_positive(threads=arguments.threads)
        torch.set_num_threads(arguments.threads)
    return run(arguments)
