"""What several commands share."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from blockbyblock.checks import check_positive
from blockbyblock.portable import load_portable
from blockbyblock.pretrained import load_pretrained, pretrained_names
from blockbyblock.training import open_run
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
        help=description.partition(".")[0],
        description=description,
        epilog=f"Examples:\n{examples}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--threads", type=int, metavar="N", help="processor cores to use; all by default")
    parser.set_defaults(run=lambda arguments: _with_threads(arguments, run))
    return parser


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


def note(text: str) -> None:
    """Say something beside the result: on standard error, so that the result can be piped."""
    print(text, file=sys.stderr, flush=True)


def _with_threads(arguments: argparse.Namespace, run: Callable[[argparse.Namespace], int]) -> int:
    if arguments.threads is not None:
        check_positive(threads=arguments.threads)
        torch.set_num_threads(arguments.threads)
    return run(arguments)
