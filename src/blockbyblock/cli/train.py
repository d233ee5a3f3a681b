"""`blockbyblock train`: carry out a recipe."""

import argparse
from pathlib import Path
from typing import Any

from blockbyblock.cli.common import DATA_HELP, add_command, check_resume, note
from blockbyblock.training import ContradictionError, Recipe, carry_out, join_processes, read_recipe, recipe_names

VERBS = {"translation": "translate", "generation": "generate", "classification": "classify"}
RECIPE_HELP = f"a recipe in the box ({', '.join(recipe_names())}), or a TOML file like them"


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "train",
        run,
        "Train a model as a recipe says. Ctrl-C saves; --resume goes on from there, bit for bit.",
        """  blockbyblock train number-names-en-de --to runs/numbers
  blockbyblock train number-names-en-de --to runs/numbers --resume
  blockbyblock train tatoeba-en-de --data corpora --to runs/seed-1 --set seed=1
  torchrun --standalone --nproc-per-node 2 -m blockbyblock train number-names-en-de --to runs/two

A text of your own, with a tab between source and target on each line, from file to scored translation:
  blockbyblock train own-text --set corpus.source=mine.tsv --to runs/mine
  blockbyblock evaluate runs/mine
  blockbyblock translate --model runs/mine "a sentence"
Two files, line by line: --set corpus.source=mine.en --set corpus.target=mine.de
A text to be continued, on each line one, and texts with a label each, behind a tab:
  blockbyblock train own-language --set corpus.file=mine.txt --to runs/mine
  blockbyblock train own-labels --set corpus.file=mine.tsv --to runs/mine
A recipe to copy and change: blockbyblock info own-text > mine.toml""",
    )
    parser.add_argument("recipe", metavar="RECIPE", help=RECIPE_HELP)
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
    check_resume(Path(arguments.to), arguments.resume)
    recipe = with_changes(read_recipe(arguments.recipe), arguments.set).located(arguments.data)
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
            each = "text" if recipe.task == "classification" else "token"
            loss = (
                "" if outcome.best_loss is None else f", least validation loss {outcome.best_loss:.3f} nats per {each}"
            )
            note(f"{outcome.reason} after {outcome.step:,} steps{loss}")
            if outcome.reason == "interrupted":
                note("everything is saved: the same command with --resume goes on from here")
            else:
                verb = VERBS[recipe.task]
                note(f"{verb} with it:  blockbyblock {verb} --model {arguments.to} ...")
    return 130 if outcome.reason == "interrupted" else 0


def with_changes(recipe: Recipe, changes: list[str]) -> Recipe:
    """The recipe with what `--set` says.

    Raises:
        ValueError: a change makes no sense; where it contradicts another value, the message says what to set as well.
    """
    try:
        return recipe.changed(changes)
    except ContradictionError as error:
        more = " ".join(f"--set training.{name}={value}" for name, value in error.remedy.items())
        raise ValueError(f"{error}; set that too: {more}" if more else str(error)) from error
