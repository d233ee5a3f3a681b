"""The code of README runs as it is printed, and says what README says of it."""

import contextlib
import inspect
import io
import re
import shlex
from pathlib import Path

import pytest
import torch

import blockbyblock
from blockbyblock.cli import _parser
from blockbyblock.data import number_names
from blockbyblock.training import recipe_names

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
PYTHON, OWN_TEXT = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def test_the_quick_start_translates_attends_and_goes_to_torch_and_back():
    printed, names = io.StringIO(), {}
    with contextlib.redirect_stdout(printed):
        exec(PYTHON, names)
    [promised] = re.findall(r"# (\['.*'\])", PYTHON)
    assert printed.getvalue().strip() == promised
    torch.testing.assert_close(names["output"], names["same"], rtol=1e-4, atol=1e-5)
    x, mask = names["x"], names["mask"]
    torch.testing.assert_close(names["attention"](x, x, x, mask), names["output"], rtol=0, atol=0)
    assert not torch.allclose(names["attention"](x, x, x, ~mask), names["output"])  # the sense of the mask matters


def test_a_text_of_ones_own_in_python(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = (f"{source}\t{target}" for source, target in number_names(train=50, validation=0, test=0).train)
    (tmp_path / "mine.tsv").write_text("\n".join(lines), encoding="utf-8")
    changes = '["corpus.source=mine.tsv"]'
    assert OWN_TEXT.count(changes) == 1
    small = ["vocab_size=280", "model.d_model=16", "model.heads=2", "training.steps=2", "training.log_every=1"]
    exec(OWN_TEXT.replace(changes, str([*eval(changes), *small])), {})
    assert (tmp_path / "runs" / "mine" / "averaged.safetensors").exists()


def test_each_command_is_understood_and_each_recipe_is_there():
    commands = re.findall(r"^(?:torchrun .*-m )?blockbyblock ([^#\n]*[^#\s\\])", README.replace("\\\n   ", ""), re.M)
    commands += re.findall(r"-m blockbyblock (train [^#\n]*)", README)
    assert len(commands) > 10
    for command in commands:
        arguments = _parser().parse_args(shlex.split(command))
        if hasattr(arguments, "recipe"):
            assert arguments.recipe in recipe_names()


@pytest.mark.parametrize("place", ["README", "the docstring of the class"])
def test_masks_of_torch_are_converted_as_said(place):
    text = README if place == "README" else blockbyblock.MultiHeadAttention.__doc__
    of_attention, of_padding = re.findall(r"`mask = (~\w+[^`]*)`", text)
    torch.manual_seed(0)
    x, attention = torch.randn(2, 5, 16), blockbyblock.MultiHeadAttention(16, 4)
    peer = blockbyblock.interop.to_torch(attention)
    attn_mask = torch.rand(5, 5) < 0.4
    attn_mask.fill_diagonal_(False)
    key_padding_mask = torch.arange(5) >= torch.tensor([[5], [3]])
    torch.testing.assert_close(attention(x, x, x, eval(of_attention)), peer(x, x, x, attn_mask=attn_mask)[0])
    padded = peer(x, x, x, key_padding_mask=key_padding_mask)[0]
    torch.testing.assert_close(attention(x, x, x, eval(of_padding)), padded)


def test_the_names_of_torchs_arguments_are_theirs_and_ours_are_ours():
    """The table for those who come from torch.nn names arguments that exist."""
    attention, config = blockbyblock.MultiHeadAttention(8, 2), blockbyblock.TransformerConfig()
    for name in ("d_k", "d_v", "d_model", "heads"):
        assert hasattr(attention, name)
    for name in ("d_ff", "pre_norm", "final_norm", "attention_dropout", "activation_dropout"):
        assert f"`{name}" in README
        assert hasattr(config, name)
    theirs = inspect.signature(torch.nn.MultiheadAttention).parameters
    for name in ("embed_dim", "num_heads", "batch_first", "kdim", "vdim", "add_bias_kv", "add_zero_attn"):
        assert f"`{name}" in README
        assert name in theirs
    assert {"dim_feedforward", "norm_first"} <= inspect.signature(torch.nn.TransformerEncoderLayer).parameters.keys()
    assert (config.attention_dropout, config.activation_dropout, config.ends_with_norm) == (0, 0, False)
