"""`blockbyblock plot`: the log of a training as a figure."""

import argparse
from pathlib import Path
from typing import Any

from blockbyblock.cli.common import add_command, note
from blockbyblock.training import plot_log


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "plot",
        run,
        "Draw the losses and the learning rate of a training. It may still be running.",
        """  blockbyblock plot runs/numbers --to losses.svg
  blockbyblock plot runs/numbers/log.jsonl --to losses.png""",
    )
    parser.add_argument("log", metavar="LOG", help="the folder of a training, or its log")
    parser.add_argument("--to", required=True, metavar="FILE", help="the picture; its ending decides: .svg, .png, .pdf")


def run(arguments: argparse.Namespace) -> int:
    """Draw and save."""
    import matplotlib.pyplot as plt  # here, as it takes a second that other commands need not wait

    if Path(arguments.to).is_dir():  # into which matplotlib would write a picture of its name, beside it
        raise IsADirectoryError(f"{arguments.to} is a folder, and a picture needs the name of a file")
    log = Path(arguments.log)
    figure = plot_log(log / "log.jsonl" if log.is_dir() else log)
    figure.savefig(arguments.to)
    plt.close(figure)
    note(f"wrote {arguments.to}")
    return 0
