"""`blockbyblock export`: a model as one file."""

import argparse
from pathlib import Path
from typing import Any, get_args

from blockbyblock.cli.common import MODEL_HELP, add_command, note, open_model
from blockbyblock.portable import Precision, save_portable
from blockbyblock.text_model import TextModel
from blockbyblock.training.own_text import by_name


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "export",
        run,
        "Write weights and tokenizer into one file, which the package and the page in a browser read.",
        """  blockbyblock export runs/numbers --to numbers.safetensors
  blockbyblock export runs/numbers --to numbers.safetensors --precision float16""",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("--to", required=True, metavar="FILE", help="the file, *.safetensors")
    parser.add_argument(
        "--precision",
        choices=get_args(Precision),
        default="int8",
        help="int8 with a scale per row (a quarter of the size), float16 (half) or float32 (exact); default int8",
    )


def run(arguments: argparse.Namespace) -> int:
    """Export."""
    text_model = open_model(arguments.model, TextModel)
    if "recipe" in text_model.about:  # the file may go to others, and the folders of this machine are nobody's business
        recipe = text_model.about["recipe"]
        text_model.about["recipe"] = {**recipe, "corpus": by_name(recipe["corpus"])}
    save_portable(arguments.to, text_model, arguments.precision)
    note(f"wrote {arguments.to}, {Path(arguments.to).stat().st_size:,} bytes")
    return 0
