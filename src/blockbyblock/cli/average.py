"""`blockbyblock average`: the mean of several checkpoints."""

import argparse
import os
from glob import glob
from pathlib import Path
from typing import Any

from blockbyblock.cli.common import add_command, note
from blockbyblock.training import average_files


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "average",
        run,
        "Average the weights of several checkpoints (paper, section 6.1). A training does so at its end by itself.",
        """  blockbyblock average runs/numbers/step_*.safetensors --to runs/numbers/mean.safetensors
  blockbyblock translate --model runs/numbers/mean.safetensors "forty-two\"""",
    )
    parser.add_argument("files", nargs="+", metavar="FILE", help="checkpoints of one model, or a pattern for them")
    parser.add_argument("--to", required=True, metavar="FILE", help="where to write the mean, beside the checkpoints")


def run(arguments: argparse.Namespace) -> int:
    """Average and save."""
    files = [file for pattern in arguments.files for file in _matching(pattern)]
    average_files(files, Path(arguments.to))
    note(f"wrote {arguments.to}, the mean of {len(files)} files")
    return 0


def _matching(pattern: str) -> list[str]:
    """The files that a pattern stands for, where the shell has not looked for them: that of Windows never does.

    Raises:
        FileNotFoundError: there is no such file.
        IsADirectoryError: it is a folder.
    """
    if os.path.isdir(pattern):
        raise IsADirectoryError(f"{pattern} is a folder: name the checkpoints in it, as {pattern}/step_*.safetensors")
    if os.path.exists(pattern):  # also a name with brackets
        return [pattern]
    if not (found := sorted(glob(pattern))):
        raise FileNotFoundError(f"there is no file {pattern}")
    return found
