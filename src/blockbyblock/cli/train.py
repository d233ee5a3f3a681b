"""`blockbyblock train`: carry out a recipe."""

import argparse
from typing import Any

from blockbyblock.cli.common import DATA_HELP, add_command, note
from blockbyblock.training import carry_out, join_processes, read_recipe


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "train",
        run,
        "Train a model as a recipe says. Ctrl-C saves; --resume goes on from there, bit for bit.",
        """  blockbyblock train recipes/number-names-en-de.toml --to runs/numbers
  blockbyblock train recipes/number-names-en-de.toml --to runs/numbers --resume
  blockbyblock train recipes/tatoeba-en-de.toml --data corpora --to runs/mine --set seed=1
  torchrun --standalone --nproc-per-node 2 -m blockbyblock train recipes/number-names-en-de.toml --to runs/two""",
    )
    parser.add_argument("recipe", metavar="RECIPE", help="a TOML file, like those in recipes/")
    parser.add_argument("--to", required=True, metavar="FOLDER", help="where checkpoints, log and result go")
    parser.add_argument("--data", metavar="FOLDER", help=DATA_HELP)
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in the folder")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="another value than the recipe's; may be given several times",
    )
    parser.add_argument("--quiet", action="store_true", help="no progress bar")


def run(arguments: argparse.Namespace) -> int:
    """Train; 130 if interrupted."""
    recipe = read_recipe(arguments.recipe).changed(arguments.set)
    with join_processes() as processes:
        outcome = carry_out(
            recipe,
            recipe.load_corpus(arguments.data),
            arguments.to,
            resume=arguments.resume,
            processes=processes,
            progress=not arguments.quiet,
            report=note,
        )
        if processes.leads:
            loss = (
                "" if outcome.best_loss is None else f", least validation loss {outcome.best_loss:.3f} nats per token"
            )
            note(f"{outcome.reason} after {outcome.step:,} steps{loss}")
            if outcome.reason == "interrupted":
                note("everything is saved: the same command with --resume goes on from here")
            else:
                note(f"translate with it:  blockbyblock translate --model {arguments.to} ...")
    return 130 if outcome.reason == "interrupted" else 0
