"""`blockbyblock classify`: text in, the name of its class out, line by line."""

import argparse
from itertools import islice
from typing import Any

from blockbyblock.checks import check_positive
from blockbyblock.cli.common import MODEL_HELP, add_command, chunks, given_lines, is_typed, open_model, printable
from blockbyblock.text_classifier import TextClassifier


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "classify",
        run,
        "Say which class a text belongs to: those given, those of a file, or those of standard input.",
        """  blockbyblock classify "einundzwanzig"
  blockbyblock classify "quarante-deux" "ventuno" --top 3
  blockbyblock classify --file texts.txt --model runs/mine > labels.txt

A line in is a line out: the class, a tab and its probability, then the next ones asked for. A line that cannot be read
is named on standard error; what comes for it is an empty line, the exit code 1.""",
    )
    parser.add_argument("text", nargs="*", metavar="TEXT", help="a text; several are several lines")
    parser.add_argument("--file", metavar="FILE", help="a text in UTF-8, one on each line; .gz too")
    parser.add_argument("--model", default="languages", metavar="MODEL", help=f"{MODEL_HELP}; default languages")
    parser.add_argument("--top", type=int, default=1, metavar="N", help="the N most probable classes; default 1")


def run(arguments: argparse.Namespace) -> int:
    """Classify; 1 if a line was refused."""
    check_positive(top=arguments.top)
    classifier = open_model(arguments.model, TextClassifier)
    refused = 0
    for texts in chunks(
        given_lines(arguments.text, arguments.file), classifier, typed=is_typed(arguments.text, arguments.file)
    ):
        refused += texts.count(None)
        decisions = iter(classifier.classify([text for text in texts if text is not None]))
        for text in texts:
            best = () if text is None else islice(next(decisions).probabilities.items(), arguments.top)
            print("\t".join(f"{printable(label)}\t{probability:.3f}" for label, probability in best), flush=True)
    return 1 if refused else 0
