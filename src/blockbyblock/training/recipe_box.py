"""The recipes in the box: those of this project, found by name wherever the package is installed."""

from importlib.resources import files

from blockbyblock.checks import check_choice

RECIPES = files("blockbyblock") / "recipes"


def recipe_names() -> list[str]:
    """The names of the recipes in the box."""
    return sorted(entry.name.removesuffix(".toml") for entry in RECIPES.iterdir() if entry.name.endswith(".toml"))


def recipe_text(name: str) -> str:
    """A recipe in the box as a file's text: what to copy and change for a recipe of one's own.

    Raises:
        ValueError: there is no such recipe.
    """
    check_choice(recipe_names(), name=name)
    return (RECIPES / f"{name}.toml").read_text(encoding="utf-8")
