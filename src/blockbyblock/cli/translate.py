"""`blockbyblock translate`: text in, text out, line by line."""

import argparse
from pathlib import Path
from typing import Any

from blockbyblock.cli import attention
from blockbyblock.cli.common import (
    MODEL_HELP,
    add_command,
    chunks,
    given_lines,
    is_typed,
    note,
    open_model,
    printable,
)
from blockbyblock.decoding import Hypothesis
from blockbyblock.translator import Translator

PICTURES = (".svg", ".png", ".pdf")


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "translate",
        run,
        "Translate sentences: those given, those of a file, or those of standard input. One line in, one line out.",
        """  blockbyblock translate "Where is the cat?"
  blockbyblock translate --file sentences.txt > translations.txt
  echo forty-two | blockbyblock translate --model numbers-en-de
  blockbyblock translate "Where is the cat?" --show-attention
  blockbyblock translate "Where is the cat?" --show-attention cat.svg --layer 2 --head 5

A line that cannot be translated is named on standard error; its translation is an empty line, the exit code 1.""",
    )
    parser.add_argument("text", nargs="*", metavar="TEXT", help="a sentence; several are several lines")
    parser.add_argument("--file", metavar="FILE", help="a text in UTF-8, a sentence on each line; .gz too")
    parser.add_argument("--model", default="en-de", metavar="MODEL", help=f"{MODEL_HELP}; default en-de")
    parser.add_argument("--beam", type=int, default=4, metavar="N", help="prefixes kept; 1 is greedy; default 4")
    parser.add_argument("--length-penalty", type=float, default=0.6, metavar="A", help="as in the paper; default 0.6")
    parser.add_argument("--max-length", type=int, metavar="N", help="most tokens of a translation; default: input + 50")
    parser.add_argument(
        "--show-attention",
        nargs="?",
        const="",
        metavar="FILE",
        help="draw where the decoder looked, below each translation; with a FILE (.svg, .png) as a picture; several "
        "sentences are numbered: cat.svg, cat-2.svg",
    )
    parser.add_argument("--layer", type=int, metavar="N", help="of the attention that is shown; default the last")
    parser.add_argument("--head", type=int, metavar="N", help="of the attention that is shown; default their mean")


def run(arguments: argparse.Namespace) -> int:
    """Translate; 1 if a line was refused."""
    if arguments.show_attention and Path(arguments.show_attention).suffix.lower() not in PICTURES:
        endings = ", ".join(PICTURES)
        raise ValueError(f"--show-attention {arguments.show_attention!r}: not {endings}; write sentences before it")
    translator = open_model(arguments.model, Translator)
    lines = given_lines(arguments.text, arguments.file)
    options = {"beam": arguments.beam, "length_penalty": arguments.length_penalty, "max_length": arguments.max_length}
    refused = pictures = 0
    for texts in chunks(lines, translator, typed=is_typed(arguments.text, arguments.file)):
        refused += texts.count(None)
        filled = [text or "" for text in texts]
        for text, hypothesis in zip(filled, translator.hypotheses(filled, **options), strict=True):
            print("" if hypothesis is None else printable(translator.tokenizer.decode(hypothesis.ids)), flush=True)
            if hypothesis is not None and arguments.show_attention is not None:
                pictures += 1
                _show_attention(arguments, translator, text, hypothesis, pictures)
    return 1 if refused else 0


def _show_attention(
    arguments: argparse.Namespace, translator: Translator, text: str, hypothesis: Hypothesis, number: int
) -> None:
    looked = translator.attention(text, hypothesis)
    weights = attention.choose(looked.cross, arguments.layer, arguments.head)
    title = attention.label(arguments.layer, arguments.head)
    if arguments.show_attention:
        path = Path(arguments.show_attention)
        path = path if number == 1 else path.with_stem(f"{path.stem}-{number}")
        attention.save_picture(looked.written, looked.source, weights, str(path), title)
        note(f"wrote {path}")
    else:
        print(f"\n{attention.text_map(looked.written, looked.source, weights)}\n({title}, percent)\n", flush=True)
