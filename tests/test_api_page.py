"""The page of the package: its examples run one after the other, and what it lists is where it says."""

import importlib
import re
from pathlib import Path

import torch

PAGE = (Path(__file__).parents[1] / "book" / "api.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", PAGE, re.DOTALL | re.MULTILINE))


def test_the_examples_run_and_say_what_comes_out():
    names: dict[str, object] = {}
    for title, section in SECTIONS.items():
        [code] = re.findall(r"```python\n(.*?)```", section, re.DOTALL)
        exec(compile(code, title, "exec"), names)
        for line in code.splitlines():  # what is said of a line by itself, or of what it has made
            expression, _, said = line.partition("  # ")
            target, assigned, _ = expression.partition(" = ")
            shape = re.match(r"\[(\d+(?:, \d+)*)\]", said)
            if shape and not expression.startswith(" "):
                value = eval(target if assigned and target.isidentifier() else expression, names)
                assert value.shape == torch.Size(map(int, shape[1].split(", "))), line
    namespace = {**names}
    assert eval("translator.translate(['Where is the cat?'])", namespace) == ["Wo ist die Katze?"]
    assert f"{eval('paper_schedule(4000, d_model=512)', namespace):.1e}" == "7.0e-04"
    assert eval("round(parameter_count(TransformerConfig()) / 1e6)", namespace) == 63
    assert eval("round(TransformerConfig().target_vocab * 512 / 1e6)", namespace) == 19
    assert eval("bleu(['Wo ist die Katze?'], [['Wo ist die Katze?']]).value", namespace) > 99.9


def test_what_is_looked_for_is_in_the_section_that_is_named():
    rows = re.findall(r"^\| ([^|]+) \| (`[^|]+) \| \[([^]]+)\]\(#([\w-]+)\) \|$", PAGE, re.MULTILINE)
    assert len(rows) > 10
    assert {title for _, _, title, _ in rows} <= SECTIONS.keys()
    for _, taken, title, anchor in rows:
        assert anchor == title.lower().replace(" ", "-")
        modules = [importlib.import_module(name) for name in re.findall(r"automodule:: (\S+)", SECTIONS[title])]
        for name in re.findall(r"`(\w+)`", taken):
            assert any(hasattr(module, name) for module in modules), f"{name} is not in {title}"
