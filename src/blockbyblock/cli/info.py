"""`blockbyblock info`: what a model is, or a recipe."""

import argparse
from dataclasses import asdict
from pathlib import Path
from typing import Any

from blockbyblock.cli.common import MODEL_HELP, add_command, open_model
from blockbyblock.kinds import parts
from blockbyblock.pretrained import model_card, pretrained_names
from blockbyblock.text_model import TextModel
from blockbyblock.training import recipe_names, recipe_text
from blockbyblock.transformer import TransformerConfig, parameter_counts


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "info",
        run,
        "Say what a model is: its sizes, where its parameters are, what it was trained on. Print a recipe in the box.",
        """  blockbyblock info en-de
  blockbyblock info runs/numbers
  blockbyblock info own-text > mine.toml""",
    )
    parser.add_argument(
        "model", nargs="?", default="en-de", metavar="MODEL", help=f"{MODEL_HELP}, or a recipe; default en-de"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print what is known."""
    if arguments.model in recipe_names() and not Path(arguments.model).exists():
        print(recipe_text(arguments.model), end="")
        return 0
    text_model = open_model(arguments.model, TextModel)
    config = text_model.model.config
    counts = parameter_counts(config) if isinstance(config, TransformerConfig) else parts(text_model.model)
    print(text_model.about.get("title", arguments.model))
    print(f"  {'task':16} {text_model.task}")
    for key in ("source_language", "target_language", "language", "labels", "corpus", "terms"):
        if found := text_model.about.get(key):
            print(f"  {key.replace('_', ' '):16} {found if isinstance(found, str) else ', '.join(found)}")
    joint = ", joint" if isinstance(config, TransformerConfig) else ""
    print(f"  {'vocabulary':16} {len(text_model.tokenizer):,} tokens{joint}")
    print(f"  {'parameters':16} {sum(counts.values()):,}")
    for part, count in counts.items():
        if count:
            print(f"    {part:14} {count:,}")
    print("  configuration")
    for name, value in asdict(config).items():
        default = " (as in the paper's base model)" if value == getattr(type(config)(), name) else ""
        print(f"    {name:18} {value}{default}")
    if arguments.model in pretrained_names():
        print(f"\n{model_card(arguments.model)}")
    return 0
