"""Measure and print the table: `python -m benchmarks [--only PART ...] [--data FOLDER] [--output FILE]`."""

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from benchmarks.attention import attention
from benchmarks.decoding import cache, decode
from benchmarks.epoch import epoch
from benchmarks.language_model import language_step, write_on
from benchmarks.report import LEGEND, Row, markdown, surroundings
from benchmarks.settings import Settings
from benchmarks.training import train_step
from blockbyblock.data import multi30k

PARTS: dict[str, Callable[[Settings], list[Row]]] = {
    "train-step": train_step,
    "epoch": epoch,
    "decode": decode,
    "attention": attention,
    "cache": cache,
    "language-step": language_step,
    "write-on": write_on,
}
NO_DATA = "Left out: epoch. It needs Multi30k; name the folder: `make bench DATA=folder`."


def main(arguments: Sequence[str] | None = None, settings: Settings | None = None) -> int:
    """Run the parts asked for; the table goes to standard output, progress to standard error.

    Args:
        arguments: of the command line.
        settings: other sizes than the usual ones.
    """
    settings = settings or Settings()
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Time the package beside its peers.")
    parser.add_argument(
        "--only",
        nargs="+",
        choices=PARTS,
        default=list(PARTS),
        metavar="PART",
        help=f"the parts to run: {', '.join(PARTS)} (default: all)",
    )
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="the folder with Multi30k; without it the epoch is left out"
    )
    parser.add_argument("--share", type=float, default=settings.share, help="of the epoch (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=2, help="cores to use (default: %(default)s)")
    parser.add_argument("--output", type=Path, metavar="FILE", help="a file to write the table to as well")
    options = parser.parse_args(arguments)
    if not 0 < options.share <= 1:
        parser.error(f"--share {options.share} is not in (0, 1]")
    if options.threads < 1:
        parser.error(f"--threads {options.threads} is not above zero")
    try:
        corpus = options.data and multi30k(folder=options.data)
    except (OSError, ValueError) as error:  # now, and not after minutes
        parser.error(str(error))
    settings = replace(settings, corpus=corpus, share=options.share)
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)

    rows: list[Row] = []
    for name in options.only:
        begun = time.perf_counter()
        rows += PARTS[name](settings)
        print(f"{name}: {time.perf_counter() - begun:.0f} s", file=sys.stderr, flush=True)
    remarks = [*surroundings(settings), *LEGEND]
    if "epoch" in options.only and corpus is None:
        remarks.append(NO_DATA)
    text = "\n".join([*(f"- {remark}" for remark in remarks), "", markdown(rows)])
    print(text)
    if options.output:
        options.output.write_text(f"{text}\n", encoding="utf-8", newline="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
