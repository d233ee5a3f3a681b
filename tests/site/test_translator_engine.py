"""The engine of the translator in a real browser: the same tokens, numbers and translations as in Python.

It runs with the model in the box, and with tiny ones whose sizes divide oddly, untrained or taught a few sentences.
"""

import random
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serving
import torch
import translating
from playwright.sync_api import Browser, Page
from tiny_translator import BESIDE_SPACE, held_out, tiny, write

from blockbyblock.decoding import Hypothesis, beam_search, length_divisor
from blockbyblock.live.heads import attention_maps
from blockbyblock.live.model import MODEL
from blockbyblock.portable import load_portable, save_portable
from blockbyblock.translator import Translator

FILES = ("tiny", MODEL.stem)
# Both compute in float32, and add up the products of a row in another order. A wrong number is wrong by far more.
LOGITS = 1e-3
# Two tokens whose log-probabilities are nearer than this are a tie: either may come first.
TIE = 1e-3
ODD = [
    BESIDE_SPACE,
    "",
    " ",
    "   ",
    "a",
    " a",
    "a ",
    "\n\n a\t b \r\n",
    "don't we'll I'm they've it's he'd you're 'S DON'T",
    "\ufeffBOM",
    "\x00\x1c\x1f\x7f\x85\xa0",
    "a\u2028b\u2029c\u3000d\u202fe",
    "<end><pad><start> </end>",
    "<b>&amp;</b>",
    "äöüß ÄÖÜ ẞ",
    "naïve café e\u0301",
    "猫がマットの上に座った。",
    "👩‍👩‍👧 🇩🇪 👍🏽",
    "½ ² ٣ Ⅷ 10,000.5",
    "_x-y/z\\",
    "…—«»„“",
    "x" * 300,
    "ab" * 200,
    " " * 70 + "x",
    "!?" * 50,
    "undefined a null 1",
    "__proto__ constructor",
]


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, taught_file: Path) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("engine")
    files = [write(folder / "tiny.safetensors", tiny()), *([MODEL] if MODEL.is_file() else [])]
    files.append(shutil.copy(taught_file, folder / "taught.safetensors"))
    save_portable(folder / "full.safetensors", tiny(), "float32")
    save_portable(folder / "loud.safetensors", loud(), "float32")
    translating.write_site(folder / "site", *files, *(folder / f"{name}.safetensors" for name in ("full", "loud")))
    with serving.serve(folder / "site", "/") as url:
        yield url, folder / "site" / "models"


@pytest.fixture(scope="module")
def parts(browser: Browser, site: tuple[str, Path]) -> Iterator[Callable[[str], tuple[Page, Translator]]]:
    """A page with a model in it, and the same model in Python; each is opened once."""
    opened: dict[str, tuple[Page, Translator]] = {}
    url, folder = site
    with browser.new_context() as context:

        def once(name: str) -> tuple[Page, Translator]:
            if not (folder / f"{name}.safetensors").is_file():
                pytest.skip(f"there is no model {name} in the box yet")
            if name not in opened:
                page = context.new_page()
                translating.load_parts(page, url, name)
                opened[name] = page, load_portable(folder / f"{name}.safetensors")
            return opened[name]

        yield once


def loud() -> Translator:
    """The tiny model with scores far beyond 88, the logarithm of the largest float32."""
    translator = tiny()
    for name, parameter in translator.model.named_parameters():
        if name.endswith("query_projection.weight"):
            parameter.data *= 100
    return translator


every_model = pytest.mark.parametrize("name", FILES)
Parts = Callable[[str], tuple[Page, Translator]]
Record = Callable[[str, object], None]


def record(property: Record, name: str, found: float) -> None:
    property("parity", (f"translator in the page: {name}", "float32", found))


# Text to ids and back -------------------------------------------------------------------------------------------------


def random_texts(count: int) -> list[str]:
    """Texts of letters of every script and of all that is no letter, some with words of a language in between."""
    draw = random.Random(0)
    characters = [chr(code) for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000]
    common, words = characters[:0x3000], [word for text in held_out() for word in text.split(" ")]
    kinds = [characters, common, characters[:256], words, words]
    return [
        "".join(draw.choice(draw.choice(kinds)) + " " * (draw.random() < 0.3) for _ in range(12)) for _ in range(count)
    ]


@every_model
def test_the_same_ids_as_the_tokenizers_library(parts: Parts, name: str) -> None:
    page, translator = parts(name)
    texts = [*ODD, *held_out(), *random_texts(3000)]
    found = translating.call(page, "texts => texts.map(text => translator.tokenizer.encode(text))", texts)
    assert [text for text, ids in zip(texts, found, strict=True) if ids != translator.tokenizer.encode(text)] == []


@every_model
def test_the_same_text_of_ids_even_if_they_are_no_text(parts: Parts, name: str) -> None:
    page, translator = parts(name)
    draw = random.Random(0)
    some = [[draw.randrange(len(translator.tokenizer)) for _ in range(draw.randrange(12))] for _ in range(2000)]
    some += [[draw.randrange(3, 259) for _ in range(8)] for _ in range(1000)]  # single bytes: rarely UTF-8
    some += [translator.tokenizer.encode("\ufeffa")]  # a byte order mark is text like any other
    found = translating.call(page, "all => all.map(ids => translator.tokenizer.decode(ids))", some)
    assert found == [translator.tokenizer.decode(ids) for ids in some]
    pieces = translating.call(page, "ids => translator.tokenizer.pieces(ids)", list(range(len(translator.tokenizer))))
    assert pieces == translator.tokenizer.pieces(range(len(translator.tokenizer)))


def test_white_space_around_a_sentence_is_left_out_as_in_python(parts: Parts) -> None:
    page, _ = parts("tiny")
    texts = [f"{chr(code)} a{chr(code)}b {chr(code)}" for code in range(0x3001) if not 0xD800 <= code < 0xE000] + [
        "",
        " \n",
    ]
    assert translating.call(page, "texts => texts.map(strip)", texts) == [text.strip() for text in texts]


def test_half_a_surrogate_pair_is_refused(parts: Parts) -> None:
    page, _ = parts("tiny")
    tried = "() => { try { return translator.encode('ab\\ud800') } catch ({ message }) { return message } }"
    assert translating.call(page, tried) == "Character 3 of the text is half of a surrogate pair and no character."


# Ids to logits --------------------------------------------------------------------------------------------------------

READ = """([source, target]) => {
  const { model } = translator
  const memory = model.encode(source)
  let prefix = model.nothing()
  return target.map(token => {
    const [reading] = model.read(memory, [prefix], [token])
    prefix = reading.prefix
    return reading.logits
  })
}"""


@pytest.mark.parametrize("name", [*FILES, "full"])
def test_logits_equal_pytorch(parts: Parts, name: str, record_property: Record) -> None:
    page, translator = parts(name)
    largest = 0.0
    for text, target in [("The cat sat on the mat.", [1, 9, 30, 77]), (held_out()[0], list(range(1, 12))), ("a", [1])]:
        source = translator.encode(text)
        found = torch.tensor(translating.call(page, READ, [source, target]))
        with torch.inference_mode():
            expected = translator.model(torch.tensor([source]), torch.tensor([target]))[0]
        largest = max(largest, float((found - expected).abs().max()))
    record(record_property, f"logits of {name}", largest)
    assert largest < LOGITS


def test_scores_whose_exponentials_overflow_are_weights_as_in_pytorch(parts: Parts) -> None:
    page, translator = parts("loud")
    source, target = translator.encode("The cat sat on the mat."), [1, 9, 30, 77]
    attention = translator.model.encoder.layers[0].self_attention
    with torch.inference_mode():
        x = translator.model.source_embedding(torch.tensor([source]))[0]
        query, key = (
            attention.query_projection(x).unflatten(-1, (4, -1)),
            attention.key_projection(x).unflatten(-1, (4, -1)),
        )
        assert float(torch.einsum("qhd,khd->hqk", query, key).max()) > 300  # over 100 once it is divided by 3
        expected = translator.model(torch.tensor([source]), torch.tensor([target]))[0]
    found = torch.tensor(translating.call(page, READ, [source, target]), dtype=torch.float32)
    # Scores in the hundreds are off by a few 1e-5 in float32, and so are the weights of two that are near each other.
    assert float((found - expected).abs().max()) < 1e-2


def test_softmax_of_numbers_beyond_every_exponential(parts: Parts) -> None:
    page, _ = parts("tiny")
    scores = [5000.0, 4999.0, 4990.0, -5000.0]
    found = translating.call(page, 'async scores => (await import("./source/figure.mjs")).softmax(scores)', scores)
    assert found == pytest.approx(torch.tensor(scores).double().softmax(-1).tolist())
    special = {"pad_id": 0, "start_id": 1, "end_id": 2}
    log = "([scores, config]) => logSoftmax(Float32Array.from(scores), config)"
    found = translating.call(page, log, [[0.0, 0.0, *scores], special])
    expected = torch.tensor(scores).double().log_softmax(-1).tolist()
    assert found[2:] == pytest.approx(expected, abs=1e-3)  # float32 numbers of up to 10,000


def test_several_prefixes_go_on_from_one(parts: Parts) -> None:
    page, translator = parts("tiny")
    source = translator.encode("The cat sat on the mat.")
    branch = """source => {
      const { model } = translator
      const memory = model.encode(source)
      const [{ prefix }] = model.read(memory, [model.nothing()], [1])
      const first = model.read(memory, [prefix, prefix, prefix], [5, 6, 5])
      return model.read(memory, first.map(each => each.prefix), [7, 7, 8]).map(({ logits }) => logits)
    }"""
    found = torch.tensor(translating.call(page, branch, source))
    with torch.inference_mode():
        targets = torch.tensor([[1, 5, 7], [1, 6, 7], [1, 5, 8]])
        expected = translator.model(torch.tensor([source] * 3), targets)[:, -1]
    assert float((found - expected).abs().max()) < LOGITS


@every_model
def test_every_attention_weight_equals_pytorch(parts: Parts, name: str, record_property: Record) -> None:
    page, translator = parts(name)
    text, hypothesis = "The cat sat on the mat.", Hypothesis((30, 9, 77), -1.0, -1.0, True)
    look = """([text, ids]) => {
      const source = translator.encode(text)
      return translator.look(source, translator.model.encode(source), ids, true)
    }"""
    found = translating.call(page, look, [text, list(hypothesis.ids)])
    expected = attention_maps(translator, text, hypothesis)
    assert found.keys() == expected.keys()
    largest = 0.0
    for kind, maps in expected.items():
        if kind in ("source", "read", "written"):
            assert found[kind] == maps
        else:
            largest = max(largest, *(abs(a - b) for a, b in zip(flat(found[kind]), flat(maps), strict=True)))
    record(record_property, f"weights of {name}, rounded to three decimals", largest)
    assert largest < 5.1e-4


def flat(values: Any) -> list[float]:
    return [each for value in values for each in flat(value)] if isinstance(values, list) else [values]


@pytest.mark.parametrize(
    "changes, words",
    [
        ({"activation": "gelu"}, "activation=relu; this one has activation=gelu"),
        ({"pre_norm": True}, "pre_norm=false; this one has pre_norm=true"),
        ({"final_norm": True}, "final_norm=false; this one has final_norm=true"),
        ({"positions": "learned"}, "positions=sinusoidal; this one has positions=learned"),
        ({"tying": "none"}, "tying=three-way; this one has tying=none"),
        ({"output_bias": True}, "output_bias=false; this one has output_bias=true"),
    ],
)
def test_a_model_of_another_make_is_refused_by_name(
    parts: Parts, site: tuple[str, Path], changes: dict[str, object], words: str
) -> None:
    page, _ = parts("tiny")
    write(site[1] / "other.safetensors", tiny(**changes))
    assert words in refusal(page, "other")


@pytest.mark.parametrize("size, words", [(0, "cut short"), (7, "cut short"), (500, "cut short"), (-1, "is cut short")])
def test_a_file_that_is_cut_short_is_refused(parts: Parts, site: tuple[str, Path], size: int, words: str) -> None:
    page, _ = parts("tiny")
    whole = (site[1] / "tiny.safetensors").read_bytes()
    (site[1] / "short.safetensors").write_bytes(whole[:size])
    assert words in refusal(page, "short")


def test_half_precision_is_read_and_another_kind_refused(parts: Parts, site: tuple[str, Path]) -> None:
    page, _ = parts("tiny")
    save_portable(site[1] / "half.safetensors", tiny(), "float16")
    assert refusal(page, "half") == "accepted"
    content = (site[1] / "half.safetensors").read_bytes()
    (site[1] / "double.safetensors").write_bytes(content.replace(b'"F16"', b'"F64"'))
    assert "numbers of the kind F64; the page reads I8 and F16 and F32" in refusal(page, "double")


def refusal(page: Page, name: str) -> str:
    opened = """async name => {
      const bytes = await (await fetch(`models/${name}.safetensors`, { cache: "reload" })).arrayBuffer()
      try { new Translator(readModel(bytes)) } catch ({ message }) { return message }
      return "accepted"
    }"""
    return str(translating.call(page, opened, name))


# Logits to text -------------------------------------------------------------------------------------------------------

SEARCH = """([texts, method]) => texts.map(text => {
  const { model } = translator
  const memory = model.encode(translator.encode(text))
  let found
  for (found of method === "beam" ? beamSearch(model, memory) : greedy(model, memory)) continue
  return translator.told(method, found, [])
})"""


def log_probability(translator: Translator, text: str, found: dict[str, Any]) -> float:
    """What PyTorch gives the translation that the browser found."""
    ids = found["ids"] + [translator.model.config.end_id] * found["finished"]
    target = torch.tensor([[translator.model.config.start_id, *ids[:-1]]])
    with torch.inference_mode():
        logits = translator.model(torch.tensor([translator.encode(text)]), target)[0]
        logits[:, [translator.model.config.pad_id, translator.model.config.start_id]] = -torch.inf
        return float(logits.log_softmax(-1).gather(1, torch.tensor(ids)[:, None]).sum())


@pytest.mark.parametrize(
    "name, method, beam, count",
    [("tiny", "greedy", 1, 40), ("tiny", "beam", 4, 20), (MODEL.stem, "greedy", 1, 200), (MODEL.stem, "beam", 4, 200)],
)
def test_held_out_sentences_are_translated_as_in_python(
    parts: Parts, name: str, method: str, beam: int, count: int, record_property: Record
) -> None:
    page, translator = parts(name)
    texts = held_out()[:count]
    found = translating.call(page, SEARCH, [texts, method])
    largest, ties = 0.0, []
    for text, browser, python in zip(texts, found, translator.hypotheses(texts, beam=beam), strict=True):
        assert python is not None
        divisor = length_divisor(len(browser["ids"]) + browser["finished"], 0.6)
        assert browser["score"] == pytest.approx(browser["logProbability"] / divisor)
        by_pytorch = log_probability(translator, text, browser)
        largest = max(largest, abs(browser["logProbability"] - by_pytorch))
        if (tuple(browser["ids"]), browser["finished"]) == (python.ids, python.finished):
            assert browser["text"] == translator.tokenizer.decode(python.ids)
        else:
            # A tie: PyTorch, reading both translations, cannot tell apart what each search compares.
            other = by_pytorch / divisor if beam > 1 else by_pytorch
            assert abs(python.score - other) < TIE, text
            ties.append(text)
    record(record_property, f"log-probabilities of {name}, {method}, {len(ties)} ties of {count}", largest)
    assert largest < LOGITS
    assert len(ties) <= count / 50  # a tie is rare: more of them are something else


@pytest.mark.parametrize("name, ends, count", [("tiny", False, 4), ("taught", True, 12)])  # at the limit, and before it
@pytest.mark.parametrize("beam, penalty", [(1, 0.6), (2, 0.0), (3, 2.0), (7, 0.6)])
def test_beam_search_of_any_width_and_penalty(
    parts: Parts, name: str, ends: bool, count: int, beam: int, penalty: float
) -> None:
    page, translator = parts(name)
    search = """([texts, beam, penalty]) => texts.map(text => {
      let found
      const memory = translator.model.encode(translator.encode(text))
      for (found of beamSearch(translator.model, memory, { beam, penalty })) continue
      return found
    })"""
    texts = held_out()[:count]
    for text, found in zip(texts, translating.call(page, search, [texts, beam, penalty]), strict=True):
        source = torch.tensor([translator.encode(text)])
        ((expected, *_),) = beam_search(translator.model, source, beam, penalty)
        assert found["score"] == pytest.approx(expected.score, abs=TIE)
        assert (tuple(found["ids"]), found["finished"]) == (expected.ids, expected.finished)
        assert found["finished"] == ends


def test_a_given_beginning_is_kept_and_counted(parts: Parts) -> None:
    page, translator = parts("tiny")
    given = """([text, kept, typed]) => {
      const found = {}
      for (const step of translator.translate(text, kept, typed)) if (step?.ended) found[step.method] = step
      return found
    }"""
    text, kept, typed = held_out()[1], [9, 30], " cat"
    beginning = [*kept, *translator.tokenizer.encode(typed)]
    for found in translating.call(page, given, [text, kept, typed]).values():
        assert found["ids"][: len(beginning)] == beginning
        assert found["given"] == len(beginning)
        assert found["logProbability"] == pytest.approx(log_probability(translator, text, found), abs=LOGITS)
    assert greedily(translator, text, beginning) == translating.call(page, given, [text, kept, typed])["greedy"]["ids"]


def greedily(translator: Translator, text: str, ids: list[int]) -> list[int]:
    """Go on from ids by the most probable token, to <end> or to the limit."""
    config, source = translator.model.config, torch.tensor([translator.encode(text)])
    limit = min(source.shape[1] + 50, config.max_length)
    with torch.inference_mode():
        while len(ids) < limit:
            logits = translator.model(source, torch.tensor([[config.start_id, *ids]]))[0, -1]
            logits[[config.pad_id, config.start_id]] = -torch.inf
            if (token := int(logits.argmax())) == config.end_id:
                break
            ids = [*ids, token]
    return ids


def test_a_sentence_over_the_limit_is_refused_with_the_numbers(parts: Parts) -> None:
    page, translator = parts("tiny")
    text = "cat " * 2500
    tried = "text => { try { return translator.encode(text) } catch ({ message }) { return message } }"
    length = len(translator.tokenizer.encode(text.strip())) + 1
    assert translating.call(page, tried, text) == (
        f"The sentence has {length} tokens with <end>, over the model's limit of 60. Shorten it."
    )
