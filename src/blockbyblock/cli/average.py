"""`blockbyblock average`: the mean of several checkpoints."""

import argparse
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
    parser.add_argument("files", nargs="+", metavar="FILE", help="checkpoints of one model")
    parser.add_argument("--to", required=True, metavar="FILE", help="where to write the mean, beside the checkpoints")


def run(arguments: argparse.Namespace) -> int:
    """Average and save."""
    average_files(arguments.files, Path(arguments.to))
    note(f"wrote {arguments.to}, the mean of {len(arguments.files)} files")
    return 0
