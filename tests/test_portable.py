"""A model as one file: what is written is what is read, rounded as said."""

import json
import struct

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from small_translator import TEXTS, small_translator

from blockbyblock.data import Tokenizer
from blockbyblock.portable import load_portable, quantise_rows, save_portable
from blockbyblock.weights import CheckpointError, model_weights, read_tensors, write_tensors


@pytest.fixture(scope="module")
def translator():
    return small_translator()


@given(rows=st.integers(1, 5), columns=st.integers(1, 6), scale=st.sampled_from([1e-6, 1.0, 1e6]))
def test_a_rounded_number_is_wrong_by_half_a_step_of_its_row_at_most(rows, columns, scale):
    matrix = torch.randn(rows, columns) * scale * torch.logspace(-2, 2, rows)[:, None]
    steps, scales = quantise_rows(matrix)
    assert steps.abs().amax(1).tolist() == [127] * rows  # the whole range is used
    wrong = (matrix - steps * scales[:, None]).abs()
    assert (wrong <= scales[:, None] * 0.50001).all()  # the half itself is rounded in float32


def test_a_row_of_zeros_stays_zero():
    steps, scales = quantise_rows(torch.tensor([[0.0, 0.0], [1.0, -2.0]]))
    assert (steps * scales[:, None]).tolist()[0] == [0, 0]
    assert scales.tolist() == [0, pytest.approx(2 / 127)]


def test_float32_is_exact(translator, tmp_path):
    save_portable(tmp_path / "model.safetensors", translator, "float32")
    loaded = load_portable(tmp_path / "model.safetensors")
    torch.testing.assert_close(model_weights(loaded.model), model_weights(translator.model), rtol=0, atol=0)
    assert loaded.model.config == translator.model.config
    assert loaded.about == translator.about
    assert loaded.translate(TEXTS) == translator.translate(TEXTS)


@pytest.mark.parametrize("precision", ["int8", "float16"])
def test_rounded_weights_come_back_as_they_were_rounded(translator, tmp_path, precision):
    save_portable(tmp_path / "model.safetensors", translator, precision)
    loaded = load_portable(tmp_path / "model.safetensors")
    for name, weight in model_weights(translator.model).items():
        found = model_weights(loaded.model)[name]
        assert found.dtype == torch.float32
        if precision == "float16":
            assert torch.equal(found, weight.half().float())
        elif weight.ndim == 2:
            steps, scales = quantise_rows(weight)
            assert torch.equal(found, steps * scales[:, None])
            assert not torch.equal(found, weight)
        else:
            assert torch.equal(found, weight)
    # Written again, a rounded model is the same file: rounding does not add up.
    save_portable(tmp_path / "again.safetensors", loaded, precision)
    assert (tmp_path / "again.safetensors").read_bytes() == (tmp_path / "model.safetensors").read_bytes()


def test_the_file_is_what_a_browser_expects(translator, tmp_path):
    """Eight bytes, a JSON header, numbers; the tied matrix once, one byte per number of a matrix."""
    path = tmp_path / "model.safetensors"
    save_portable(path, translator)
    content = path.read_bytes()
    (length,) = struct.unpack("<Q", content[:8])
    header = json.loads(content[8 : 8 + length])
    values = json.loads(header.pop("__metadata__")["blockbyblock"])
    assert {"version", "task", "config", "precision", "tokenizer", "about"} == values.keys()
    assert values["task"] == "translation"
    assert len(values["tokenizer"]["model"]["vocab"]) == 290
    embedding = header["model.target_embedding.table.weight"]
    assert (embedding["dtype"], embedding["shape"]) == ("I8", [290, 16])
    assert header["model.target_embedding.table.weight.scale"]["shape"] == [290]
    assert not {"model.output.weight", "model.source_embedding.table.weight"} & header.keys()
    assert max(entry["data_offsets"][1] for entry in header.values()) == len(content) - 8 - length


def test_loading_leaves_the_random_state_alone(translator, tmp_path):
    save_portable(tmp_path / "model.safetensors", translator)
    before = torch.get_rng_state()
    load_portable(tmp_path / "model.safetensors")
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.unhooked
def test_an_unknown_precision_is_refused_and_writes_nothing(translator, tmp_path):
    with pytest.raises(ValueError, match="precision='int4' is not one of int8, float16, float32"):
        save_portable(tmp_path / "model.safetensors", translator, "int4")
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_exported_model_are_refused_by_name(translator, tmp_path):
    path = tmp_path / "mine.safetensors"
    save_portable(path, translator)
    whole = path.read_bytes()
    path.write_bytes(whole[:-5])
    with pytest.raises(CheckpointError, match=r"mine\.safetensors is truncated"):
        load_portable(path)
    write_tensors(path, model_weights(translator.model), translator.model.config)
    with pytest.raises(CheckpointError, match=r"mine\.safetensors holds no tokenizer: it is a checkpoint"):
        load_portable(path)
    tensors = model_weights(translator.model)
    config = translator.model.config
    write_tensors(path, tensors, config, precision="float32", tokenizer={}, about={})
    with pytest.raises(CheckpointError, match=r"mine\.safetensors does not describe a model and its tokenizer"):
        load_portable(path)
    tensors.pop("model.decoder.layers.1.feed_forward.output_projection.bias")
    tokenizer = json.loads(translator.tokenizer.to_json())
    write_tensors(path, tensors, config, precision="float32", tokenizer=tokenizer, about={})
    with pytest.raises(CheckpointError, match=r"does not hold model\.decoder\.layers\.1\.feed_forward"):
        load_portable(path)
    with pytest.raises(FileNotFoundError):
        load_portable(tmp_path / "nothing.safetensors")


def test_files_that_contradict_themselves_are_refused_by_name(translator, tmp_path):
    path = tmp_path / "mine.safetensors"
    save_portable(path, translator)
    tensors, values = read_tensors(path)
    values = {key: values[key] for key in ("precision", "tokenizer", "about")}
    scale = "model.target_embedding.table.weight.scale"
    smaller = json.loads(Tokenizer.train(TEXTS * 5, 280).to_json())
    spaced = values["tokenizer"] | {"pre_tokenizer": values["tokenizer"]["pre_tokenizer"] | {"add_prefix_space": True}}
    for changed_tensors, changed_values, message in (
        ({name: tensor for name, tensor in tensors.items() if name != scale}, {}, f"does not hold {scale}"),
        (tensors | {scale: torch.ones(16)}, {}, rf"holds {scale} as torch\.float32 \[16\], expected .* \[290\]"),
        (tensors, {"tokenizer": smaller}, "the tokenizer has 280 tokens, the model 290"),
        (tensors, {"tokenizer": spaced}, "it puts a space before each text"),
        (tensors, {"about": 3}, "does not describe a model"),
    ):
        write_tensors(path, changed_tensors, translator.model.config, **values | changed_values)
        with pytest.raises(CheckpointError, match=rf"mine\.safetensors .*{message}"):
            load_portable(path)
