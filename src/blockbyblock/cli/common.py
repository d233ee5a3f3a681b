"""What several commands share."""

import argparse
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blockbyblock.checks import check_positive
from blockbyblock.portable import load_portable
from blockbyblock.pretrained import load_pretrained, pretrained_names
from blockbyblock.training import CheckpointFolder, open_run
from blockbyblock.training.run import RUN
from blockbyblock.translator import Translator
from blockbyblock.weights import CheckpointError

MODEL_HELP = "a model in the box (en-de), an exported file, the folder of a training, or a checkpoint in it"
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


def open_translator(name: str) -> Translator:
    """The translator of this name, or in this place.

    Raises:
        FileNotFoundError: there is no such model.
        ValueError: a file is damaged or foreign; its name is in the message.
    """
    path = Path(name)
    if path.is_dir():
        return open_run(path)
    if path.is_file():
        try:
            return load_portable(path)
        except CheckpointError:
            if not (path.parent / RUN).exists():
                raise
        return open_run(path)  # a checkpoint; an exported file may stand beside it
    if name in pretrained_names():
        return load_pretrained(name)
    raise FileNotFoundError(f"no model {name!r}: neither a file or folder, nor one of {', '.join(pretrained_names())}")


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
