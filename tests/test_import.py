"""Nobody loads what is not asked for: attention in a model of one's own takes torch, and no plots or corpora."""

import ast
import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

import blockbyblock

HEAVY = {"matplotlib", "sacrebleu", "num2words"}


def loaded_by(code: str) -> set[str]:
    """The packages, those of Python's own library left out, that a new process has loaded after this code."""
    script = f"{code}\nimport json, sys\nprint(json.dumps([*sys.modules]))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    modules = json.loads(result.stdout.splitlines()[-1])
    return {name.partition(".")[0] for name in modules} - sys.stdlib_module_names


def test_attention_needs_torch_and_nothing_else_of_weight():
    one = loaded_by("import torch, jaxtyping")
    for code in (
        "from blockbyblock.attention import MultiHeadAttention",
        "from blockbyblock import EncoderLayer, MultiHeadAttention, Transformer, causal_mask",
    ):
        assert loaded_by(code) - one == {"blockbyblock"}


@pytest.mark.parametrize(
    "code",
    [
        "import blockbyblock; blockbyblock.load_pretrained('numbers-en-de').translate(['one'])",
        "from blockbyblock.cli import main; main(['translate', '--model', 'numbers-en-de', 'one'])",
        "from blockbyblock.training import carry_out, read_recipe; read_recipe('own-text')",
    ],
)
def test_neither_a_translation_nor_a_training_loads_plots_scores_or_number_names(code):
    assert not loaded_by(code) & HEAVY


def test_every_public_name_is_there_from_the_module_that_types_are_checked_against():
    tree = ast.parse(Path(blockbyblock.__file__).read_text(encoding="utf-8"))
    checked = {
        alias.name: node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("blockbyblock.")
        for alias in node.names
    }
    assert sorted(checked) == sorted(blockbyblock.__all__)
    for name, module in checked.items():
        assert getattr(blockbyblock, name) is getattr(importlib.import_module(module), name)
    assert {*blockbyblock.__all__} <= {*dir(blockbyblock)}


def test_modules_are_there_without_an_import_of_their_own_and_other_names_are_not():
    assert blockbyblock.interop.to_torch is importlib.import_module("blockbyblock.interop").to_torch
    with pytest.raises(AttributeError, match="module 'blockbyblock' has no attribute 'Transfomer'"):
        _ = blockbyblock.Transfomer
