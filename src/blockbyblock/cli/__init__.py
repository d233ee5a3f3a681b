"""The command line: `blockbyblock COMMAND`, or `python -m blockbyblock COMMAND`.

Each command is a module here with `add(commands)`, which describes it, and `run(arguments)`, which returns its exit
code: 0 done, 1 failed or done in part, 2 not understood, 130 interrupted.
"""

import argparse
import os
import sys
from collections.abc import Sequence

from blockbyblock import __version__
from blockbyblock.cli import average, classify, evaluate, export, generate, info, plot, train, translate

COMMANDS = (train, translate, generate, classify, evaluate, info, export, plot, average)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command. A user's mistake is one line on standard error, and never a stack trace.

    Args:
        arguments: those after the program's name; those of the process if not given.

    Returns:
        The exit code.
    """
    for stream in (sys.stdout, sys.stderr):  # translations have letters that a Windows pipe would refuse
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        parsed = _parser().parse_args(arguments)
        code = int(parsed.run(parsed))
        sys.stdout.flush()  # here, where a pipe that is closed is known, and not at the end of Python
        return code
    except BrokenPipeError:  # `blockbyblock ... | head` has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        return 130
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"blockbyblock: {parsed.in_options(str(error))}", file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="blockbyblock",
        description="Train, use and look into the Transformer of the book.",
        epilog='Try:  blockbyblock translate "Where is the cat?"',
    )
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add(commands)
    return parser
