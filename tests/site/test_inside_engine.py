"""The numbers inside the Transformer, as a page records them: every tensor of a translation equals PyTorch's.

A page has two ways to them. It computes a translation with the whole model; or it follows one that Python has stored,
from the outputs of the linear layers, rounded to float16. Each is held to PyTorch with the same rounded weights.
"""

import base64
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import serving
import torch
import translating
from inside_numbers import followed
from playwright.sync_api import Browser, Page
from safetensors.torch import save
from tiny_translator import LESSONS, held_out, tiny, write
from torch import Tensor

from blockbyblock.live.inside import SENTENCE, InsideFigure, trace_name
from blockbyblock.live.model import MODEL, digest_of
from blockbyblock.live.trace import STRONGEST, TOP, Trace, places
from blockbyblock.portable import load_portable
from blockbyblock.weights import model_weights

pytestmark = [
    pytest.mark.usefixtures("one_thread"),
    pytest.mark.skipif(not MODEL.is_file(), reason="the box holds no model"),
]

# Both compute in float32 and add up in another order, through up to 9 sublayers. Relative to a tensor's largest number.
FLOAT32 = 2e-5
# A stored number is off by half a unit of float16's last place: 2**-11 of it, or 2**-25 where it has no digits left.
HALF, SUBNORMAL = 2**-11, 2**-25
# What follows from stored numbers, against PyTorch without rounding: a vector has been added to up to 9 rounded ones,
# and normalised in between, so that some units of 2**-11 of the largest number come together.
STORED = 4 * HALF
TEXTS = {"tiny": LESSONS[0][0], MODEL.stem: SENTENCE}

# In the page: a passage's tensors as one text, since JSON would take most of the time.
PACK = """passage => {
  const vectors = Object.values(passage.tensors).flat()
  const all = new Float32Array(vectors.reduce((sum, { length }) => sum + length, 0))
  vectors.reduce((place, vector) => (all.set(vector, place), place + vector.length), 0)
  const bytes = new Uint8Array(all.buffer)
  let text = ""
  for (let at = 0; at < bytes.length; at += 30000) text += String.fromCharCode(...bytes.subarray(at, at + 30000))
  const lengths = Object.entries(passage.tensors).map(([name, rows]) => [name, rows.map(row => row.length)])
  return { ...passage, tensors: null, lengths, numbers: btoa(text) }
}"""
Record = Callable[[str, object], None]
Passage = dict[str, Any]


@pytest.fixture(scope="module")
def folder(taught_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inside")
    loose = write(folder / "loose.safetensors", tiny(norm_eps=0.1, max_length=24))
    translating.write_site(folder / "site", taught_file, MODEL, loose, translators=False)
    for file in (taught_file, MODEL):
        translating.write_inside(folder / "site", f"inside-{file.stem}", InsideFigure(TEXTS[file.stem], file=file))
    return folder / "site"


@pytest.fixture(scope="module")
def parts(browser: Browser, folder: Path) -> Iterator[Callable[[str], Page]]:
    """A page with the engine and a model in it."""
    opened: dict[str, Page] = {}
    with serving.serve(folder, "/") as url, browser.new_context() as context:

        def once(name: str) -> Page:
            if name not in opened:
                opened[name] = context.new_page()
                opened[name].set_default_timeout(120_000)
                translating.load_parts(opened[name], url, name)
            return opened[name]

        yield once


@pytest.fixture(scope="module")
def translators(folder: Path) -> Mapping[str, Any]:
    return {name: load_portable(folder / "models" / f"{name}.safetensors") for name in TEXTS}


def passage(page: Page, expression: str, argument: object) -> Passage:
    """What a function of JavaScript makes of its argument; its tensors are vectors, one for each position."""
    found = translating.call(page, f"async argument => ({PACK})(await ({expression})(argument))", argument)
    numbers = torch.frombuffer(bytearray(base64.b64decode(found["numbers"])), dtype=torch.float32)
    tensors, place = {}, 0
    for name, lengths in found["lengths"]:
        rows = numbers[place : place + sum(lengths)].split(lengths)
        place += sum(lengths)
        tensors[name] = rows
    return found | {"tensors": tensors}


def computed(page: Page, text: str) -> Passage:
    return passage(page, "text => translator.inside(text)", text)


def stored(page: Page, name: str) -> Passage:
    read = "async name => storedPassage(await (await fetch(`models/${name}.safetensors`)).arrayBuffer())"
    return passage(page, read, name)


def whole(name: str, rows: tuple[Tensor, ...], heads: int) -> Tensor:
    """Vectors as one tensor; weights as `[heads, query, key]`, 0 where there is none."""
    if not name.endswith(".weights"):
        return torch.stack(rows)
    weights = torch.zeros(heads, len(rows), max(len(row) // heads for row in rows))
    for query, row in enumerate(rows):
        weights[:, query, : len(row) // heads] = row.view(heads, -1)
    return weights


def difference(found: Tensor, expected: Tensor) -> float:
    """The largest, relative to the largest number."""
    assert found.shape == expected.shape
    return float((found - expected).abs().max() / expected.abs().max())


def differences(found: Passage, expected: Mapping[str, Tensor], heads: int) -> dict[str, float]:
    """Of each tensor of the page; that none is missing is another test's."""
    return {
        name: difference(whole(name, rows, heads), expected[name])
        for name, rows in found["tensors"].items()
        if name != "output"
    }


def named(found: Mapping[str, Tensor]) -> set[str]:
    """The tensors that a page has: those that it shows, but for the output, of which it keeps the largest."""
    ends = ("_projection", "_add_norm", "_positions", ".weights", ".concat")
    return {name for name in found if name.endswith(ends)}


# Computed by the page -------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def texts(translators: Mapping[str, Any]) -> list[str]:
    """Twenty sentences: one of one token and <end>, one of sixty tokens, and some that no model was trained on."""
    encode = translators[MODEL.stem].encode
    words = [word for text in held_out() for word in text.split()]
    one = next(word for word in words if len(encode(word)) == 2)
    long = ""
    for word in words:
        if len(encode(f"{long} {word}")) <= 60:
            long = f"{long} {word}"
    return [one, long, *held_out()[:18]]


@pytest.mark.parametrize("index", range(20))
def test_every_tensor_of_a_sentence_equals_pytorch(
    parts: Callable[[str], Page], translators: Mapping[str, Any], texts: list[str], index: int, record_property: Record
) -> None:
    check_computed(parts(MODEL.stem), Trace(translators[MODEL.stem], texts[index]), record_property)


def test_the_first_two_are_as_short_and_as_long_as_they_should_be(
    translators: Mapping[str, Any], texts: list[str]
) -> None:
    assert [len(translators[MODEL.stem].encode(text)) for text in texts[:2]] == [2, 60]


@pytest.mark.parametrize("text", [LESSONS[0][0], LESSONS[3][0], "?"])
def test_every_tensor_of_a_model_whose_sizes_divide_oddly(
    parts: Callable[[str], Page], translators: Mapping[str, Any], text: str, record_property: Record
) -> None:
    check_computed(parts("tiny"), Trace(translators["tiny"], text), record_property)


def test_the_epsilon_of_the_norms_is_the_models(
    parts: Callable[[str], Page], folder: Path, record_property: Record
) -> None:
    trace = Trace(load_portable(folder / "models" / "loose.safetensors"), "a")
    assert trace.model.config.norm_eps == 0.1  # the usual one is too small to be missed
    check_computed(parts("loose"), trace, record_property)


def check_computed(page: Page, trace: Trace, record_property: Record) -> None:
    found, expected, config = computed(page, trace.text), trace.tensors(), trace.model.config
    assert found["source"] == trace.source
    assert found["read"] == trace.read
    assert found["written"] == trace.written
    assert found["translation"] == trace.translation
    assert (found["heads"], found["size"], found["epsilon"]) == (config.heads, config.d_model, config.norm_eps)
    assert found["tensors"].keys() == named(expected)
    far = differences(found, expected, config.heads)
    worst = max(far, key=lambda name: far[name])
    record_property("parity", ("inside, computed in the page", "float32", far[worst]))
    assert far[worst] < FLOAT32, worst
    check_beside(found, trace, expected["output"], record_property, FLOAT32)


def check_beside(found: Passage, trace: Trace, logits: Tensor, record_property: Record, tolerance: float) -> None:
    """What a page has beside the tensors: pieces, rows of the table, norms, columns, logits."""
    weights, pieces = model_weights(trace.model), trace.translator.tokenizer.pieces
    top = [[id for id, _ in each] for each in found["top"]]
    size = float(logits.abs().max())
    far = max(
        abs(logit - float(step[id])) / size
        for step, each in zip(logits, found["top"], strict=True)
        for id, logit in each
    )
    totals = torch.tensor(found["logTotals"]) - logits.logsumexp(-1)
    record_property(
        "parity", (f"inside, logits to {tolerance:.0e}", "float32", max(far, float(totals.abs().max()) / size))
    )
    assert far < tolerance
    assert float(totals.abs().max()) / size < tolerance
    for step, ids in zip(logits, top, strict=True):  # the ten largest; two may stand the other way round if they tie
        assert len(set(ids)) == TOP
        assert float(step[ids].min()) >= float(step.topk(TOP).values[-1]) - 2 * tolerance * size
    assert set(found["ids"]) == {*trace.source, *trace.read, *trace.written, *(id for ids in top for id in ids)}
    assert dict(found["pieces"]) == dict(zip(found["ids"], pieces(found["ids"]), strict=True))
    rows = dict(found["rows"])
    table = weights["model.target_embedding.table.weight"][found["ids"]]
    torch.testing.assert_close(torch.tensor([rows[id] for id in found["ids"]]), table, rtol=1e-6, atol=0)
    norms = dict(found["norms"])
    assert norms.keys() == {name for name in found["tensors"] if name.endswith("_add_norm")}
    for name, norm in norms.items():
        assert torch.equal(torch.tensor(norm["gain"]), weights[f"model.{name}.norm.weight"])
        assert torch.equal(torch.tensor(norm["bias"]), weights[f"model.{name}.norm.bias"])
    columns = {name: dict(each) for name, each in found["columns"]}
    for name in (name for name in found["tensors"] if name.endswith("hidden_projection")):
        network = name.removesuffix(".hidden_projection")
        matrix = weights[f"model.{network}.output_projection.weight"]
        mine = columns.pop(network)
        for hidden in found["tensors"][name]:
            best = hidden.relu().argsort(descending=True, stable=True)[:STRONGEST]
            assert {int(unit) for unit in best if hidden[unit] > 0} <= mine.keys()
        units = list(mine)
        torch.testing.assert_close(
            torch.tensor([mine[each] for each in units]), matrix[:, units].T, rtol=1e-6, atol=1e-9
        )
    assert columns == {}


OBSERVED = """([source, target]) => {
  const { model } = translator
  const run = observe => {
    model.observe = observe
    const memory = model.encode(source)
    let prefix = model.nothing()
    const logits = target.map(token => {
      const [reading] = model.read(memory, [prefix], [token])
      prefix = reading.prefix
      return reading.logits
    })
    model.observe = null
    return logits
  }
  const without = run(null)
  let told = 0
  const watched = run(() => told++)
  const bits = all => all.map(each => Array.from(new Uint32Array(each.buffer, each.byteOffset, each.length)).join())
  const same = bits(without).join() === bits(watched).join()
  const after = told
  run(null)
  return [same, after, told]
}"""


@pytest.mark.parametrize("name", TEXTS)
def test_an_observer_changes_nothing_and_is_not_called_where_there_is_none(
    parts: Callable[[str], Page], translators: Mapping[str, Any], name: str
) -> None:
    source = translators[name].encode(TEXTS[name])
    same, told, later = translating.call(parts(name), OBSERVED, [source, [1, 9, 30]])
    assert same  # bit for bit
    config = translators[name].model.config
    encoder = 1 + config.encoder_layers * (4 + 2 + 2 + 2)
    each = 2 + config.decoder_layers * (2 + 2 * 4 + 2 + 2 + 3) - 2 * config.decoder_layers
    assert told == encoder + 2 * config.decoder_layers + 3 * each
    assert later == told


def test_a_passage_leaves_no_observer_behind_even_if_it_fails(parts: Callable[[str], Page]) -> None:
    left = """text => {
      translator.inside(text)
      const before = translator.model.observe === null
      let failed = false
      try { computedPassage(translator.model, {}, [5, 2], [5, 7]) } catch { failed = true }
      return [before, failed, translator.model.observe === null]
    }"""
    assert translating.call(parts("tiny"), left, "a") == [True, True, True]


# Stored by Python -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TEXTS)
def test_what_is_stored_is_followed_as_pytorch_would(
    parts: Callable[[str], Page], translators: Mapping[str, Any], folder: Path, name: str, record_property: Record
) -> None:
    trace = Trace(translators[name], TEXTS[name])
    address = trace_name(digest_of((folder / "models" / f"{name}.safetensors").read_bytes()), TEXTS[name])
    found, exact, heads = stored(parts(name), address), trace.tensors(), trace.model.config.heads
    assert (found["text"], found["translation"]) == (TEXTS[name], trace.translation)
    assert (found["source"], found["read"], found["written"]) == (trace.source, trace.read, trace.written)
    assert found["tensors"].keys() == {*named(exact), "output"}
    for each in (each for each in found["tensors"] if each.endswith("_projection")):
        mine = whole(each, found["tensors"][each], heads)
        torch.testing.assert_close(mine, exact[each], rtol=HALF, atol=SUBNORMAL)
        assert torch.equal(mine, exact[each].half().float())
    followed_far = differences(found, followed(trace), heads)
    far = differences(found, exact, heads)
    worst, off = (max(each, key=lambda name, each=each: each[name]) for each in (followed_far, far))
    record_property("parity", (f"inside, stored, {name}, after rounding", "float32", followed_far[worst]))
    record_property("parity", (f"inside, stored, {name}, against no rounding", "float32", far[off]))
    assert followed_far[worst] < FLOAT32, worst
    assert far[off] < STORED, off
    check_beside(found, trace, exact["output"], record_property, STORED)
    content = (folder / "models" / f"{name}.safetensors").read_bytes()
    where = places(content)
    assert all(tuple(place) == where[each] for each, place in found["places"].items())


def test_every_float16_is_read_as_numpy_reads_it(parts: Callable[[str], Page]) -> None:
    bits = torch.arange(2**16, dtype=torch.int32).to(torch.uint16)
    content = save({"all": bits.view(torch.float16)})
    read = """text => {
      const bytes = Uint8Array.from(atob(text), each => each.charCodeAt(0))
      return Array.from(readTensors(bytes.buffer).tensors.all.numbers, String)
    }"""
    found = translating.call(parts("tiny"), read, base64.b64encode(content).decode())
    expected = bits.view(torch.float16).float()
    numbers = torch.tensor([float(each.replace("Infinity", "inf")) for each in found])
    torch.testing.assert_close(numbers, expected, rtol=0, atol=0, equal_nan=True)


# Parts of a matrix ----------------------------------------------------------------------------------------------------

ROWS = """async ([name, digest, places, wanted]) => {
  const values = { model: name, digest }
  const { rows } = supply({ get: key => values[key] }, () => places)
  return Promise.all(wanted.map(each => rows(...each)))
}"""


@pytest.mark.parametrize("name", TEXTS)
def test_a_part_of_a_matrix_is_fetched_as_it_stands_in_the_file(
    parts: Callable[[str], Page], translators: Mapping[str, Any], folder: Path, name: str
) -> None:
    content = (folder / "models" / f"{name}.safetensors").read_bytes()
    weights, config = model_weights(translators[name].model), translators[name].model.config
    width = config.d_model // config.heads
    wanted = [
        [f"model.{at}.{kind}_projection", head * width, width]
        for at in ("encoder.layers.0.self_attention", "decoder.layers.2.cross_attention")
        for kind in ("query", "key", "value")
        for head in (0, 1, config.heads - 1)
    ]
    found = translating.call(parts(name), ROWS, [name, digest_of(content), places(content), wanted])
    for (each, first, count), part in zip(wanted, found, strict=True):
        torch.testing.assert_close(
            torch.tensor(part["matrix"]).view(count, -1),
            weights[f"{each}.weight"][first : first + count],
            rtol=1e-6,
            atol=0,
        )
        assert torch.equal(torch.tensor(part["bias"]), weights[f"{each}.bias"][first : first + count])


def test_a_computed_passage_knows_where_the_matrices_stand_too(parts: Callable[[str], Page], folder: Path) -> None:
    where = places((folder / "models" / "tiny.safetensors").read_bytes())
    found = translating.call(parts("tiny"), "text => translator.inside(text).places", "a")
    assert {name: tuple(place) for name, place in found.items()} == where


def test_a_matrix_that_is_not_there_is_named(parts: Callable[[str], Page]) -> None:
    tried = f"argument => ({ROWS})(argument).catch(({{ message }}) => message)"
    assert (
        translating.call(parts("tiny"), tried, ["tiny", "0", {}, [["model.x", 0, 1]]])
        == "The file does not hold model.x."
    )
