"""`blockbyblock generate`: the beginning of a text in, the whole text out, line by line."""

import argparse
from typing import Any

from blockbyblock.checks import check_positive
from blockbyblock.cli.common import MODEL_HELP, add_command, chunks, given_lines, is_typed, open_model, printable
from blockbyblock.text_generator import TextGenerator


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "generate",
        run,
        "Continue texts: those given, those of a file, or those of standard input. One line in, one line out.",
        """  blockbyblock generate "The cat"
  blockbyblock generate "The cat" --temperature 0
  blockbyblock generate "The cat" --samples 5 --top-p 0.9 --seed 1
  blockbyblock generate --file beginnings.txt > texts.txt

A line that cannot be continued is named on standard error; what comes for it is an empty line, the exit code 1.""",
    )
    parser.add_argument("text", nargs="*", metavar="TEXT", help="a beginning; several are several lines")
    parser.add_argument("--file", metavar="FILE", help="a text in UTF-8, a beginning on each line; .gz too")
    parser.add_argument("--model", default="en", metavar="MODEL", help=f"{MODEL_HELP}; default en")
    parser.add_argument("--samples", type=int, default=1, metavar="N", help="continuations of each line; default 1")
    parser.add_argument(
        "--temperature", type=float, default=0.8, metavar="T", help="0 always takes the most probable; default 0.8"
    )
    parser.add_argument("--top-k", type=int, metavar="K", help="draw from the K most probable tokens; default all")
    parser.add_argument(
        "--top-p", type=float, metavar="P", help="draw from the fewest tokens that reach this probability; default all"
    )
    parser.add_argument("--repetition-penalty", type=float, default=1.0, metavar="R", help="above 1 repeats less")
    parser.add_argument("--max-length", type=int, metavar="N", help="most tokens to write; default up to the model's")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of the draws; default 0")


def run(arguments: argparse.Namespace) -> int:
    """Continue; 1 if a line was refused."""
    check_positive(samples=arguments.samples)
    generator = open_model(arguments.model, TextGenerator)
    lines = given_lines(arguments.text, arguments.file)
    refused = continued = 0
    for texts in chunks(lines, generator, typed=is_typed(arguments.text, arguments.file)):
        refused += texts.count(None)
        beginnings = [text for text in texts if text is not None for _ in range(arguments.samples)]
        written = iter(
            generator.generate(
                beginnings,
                max_length=arguments.max_length,
                temperature=arguments.temperature,
                top_k=arguments.top_k,
                top_p=arguments.top_p,
                repetition_penalty=arguments.repetition_penalty,
                seed=arguments.seed,
                place=continued,  # so that a line gets the same, whether lines come one by one or many at once
            )
        )
        continued += len(beginnings)
        for text in texts:
            for _ in range(arguments.samples):
                print("" if text is None else printable(next(written)), flush=True)
    return 1 if refused else 0
