"""The language model and the classifier in a real browser: the same tokens, numbers and weights as in Python.

They run as the models in the box, and as tiny untrained ones, whose sizes divide oddly.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import serving
import torch
import translating
from playwright.sync_api import Browser, Page
from tiny_applications import tiny_classifier, tiny_generator
from tiny_translator import held_out

from blockbyblock.attention import record_attention
from blockbyblock.live.model import MODEL
from blockbyblock.portable import load_portable, save_portable
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_model import TextModel

# Both compute in float32, and add up the products of a row in another order. A wrong number is wrong by far more.
LOGITS = 1e-3
WEIGHTS = 1e-4
BOX = MODEL.parent
ENGINES = {
    TextGenerator: (("safetensors", "decoding", "generation"), "generator"),
    TextClassifier: (("safetensors", "classification"), "classifier"),
}
TEXTS = ("The cat", "The cat sat on the chair.", "", "  She has been \n", "猫 👍🏽 <end> é", held_out()[3])
NUMBERS = ("einundzwanzig", "twenty-one", "halvtreds", "", " quatre-vingt-dix-neuf ", "猫 👍🏽 <start>")

pytestmark = pytest.mark.usefixtures("one_thread")

Parts = Callable[[str, type[TextModel]], tuple[Page, Any]]
Record = Callable[[str, object], None]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    folder = tmp_path_factory.mktemp("applications")
    models: dict[str, TextModel] = {
        "writes": tiny_generator(),
        "sorts": tiny_classifier(),
        "averages": tiny_classifier(pooling="mean"),
    }
    for name, model in models.items():
        save_portable(folder / f"{name}.safetensors", model)
        save_portable(folder / f"{name}-whole.safetensors", model, "float32")
    files = [*folder.glob("*.safetensors"), *(file for name in ("en", "languages") if (file := box(name)).is_file())]
    translating.write_site(folder / "site", *files, translators=False)
    with serving.serve(folder / "site", "/") as url:
        yield url, folder / "site" / "models"


def box(name: str) -> Path:
    return BOX / f"{name}.safetensors"


@pytest.fixture(scope="module")
def parts(browser: Browser, site: tuple[str, Path]) -> Iterator[Parts]:
    """A page with a model in it, and the same model in Python; each is opened once."""
    opened: dict[str, tuple[Page, Any]] = {}
    url, folder = site
    with browser.new_context() as context:

        def once(name: str, kind: type[TextModel]) -> tuple[Page, Any]:
            file = folder / f"{name}.safetensors"
            if not file.is_file():
                pytest.skip(f"there is no model {name} in the box yet")
            if name not in opened:
                page = context.new_page()
                modules, held = ENGINES[kind]
                translating.load_parts(page, url, name, modules, kind.__name__, held)
                opened[name] = page, load_portable(file, kind)
            return opened[name]

        yield once


def record(property: Record, name: str, found: float) -> None:
    property("parity", (f"in the page: {name}", "float32", found))


def difference(found: object, expected: torch.Tensor) -> float:
    """The largest difference between what the browser and what PyTorch computed."""
    shown = torch.tensor(found, dtype=torch.float64)
    assert shown.shape == expected.shape
    return float((shown - expected.double()).abs().max())


@torch.inference_mode()
def by_pytorch(model: torch.nn.Module, ids: list[int]) -> tuple[torch.Tensor, list[torch.Tensor]]:
    """The logits of ids read at once, and each layer's weights, `[heads, query, key]`."""
    with record_attention(model) as records:
        logits = model(torch.tensor([ids]))[0]
    return logits, [record.weights[0] for record in records.values()]


# The language model ---------------------------------------------------------------------------------------------------

READ = """ids => {
  const told = {}
  generator.model.observe = (name, vectors) => (told[name] ??= []).push(...vectors)
  let prefix = generator.model.nothing()
  const readings = ids.map(token => {
    const [reading] = generator.model.read([prefix], [token])
    prefix = reading.prefix
    return reading
  })
  generator.model.observe = null
  return {
    logits: readings.map(({ logits }) => logits),
    names: Object.keys(told),
    first: told["decoder.layers.0.self_attention_add_norm"],
  }
}"""


@pytest.mark.parametrize("name", ["writes", "writes-whole", "en"])
def test_every_logit_of_the_language_model_equals_pytorch(parts: Parts, name: str, record_property: Record) -> None:
    page, generator = parts(name, TextGenerator)
    largest = 0.0
    for text in TEXTS:
        ids = generator.encode(text)
        found = translating.call(page, READ, ids)
        logits, _ = by_pytorch(generator.model, ids)
        largest = max(largest, difference(found["logits"], logits))
    record(record_property, f"logits of the language model {name}", largest)
    assert largest < LOGITS
    names = {*dict(generator.model.named_modules()), "decoder.layers.0.self_attention.weights"}
    assert "decoder.layers.1.feed_forward.hidden_projection" in found["names"]
    told = {each.removesuffix(".concat").removesuffix(".weights") for each in found["names"]}
    assert told <= names  # each result has the name of the package's module
    layer = generator.model.decoder.layers[0].self_attention_add_norm
    seen: list[torch.Tensor] = []
    handle = layer.register_forward_hook(lambda module, given, output: seen.append(output[0]))
    by_pytorch(generator.model, ids)
    handle.remove()
    assert difference(found["first"], seen[0]) < LOGITS


@pytest.mark.parametrize("name", ["writes", "en"])
def test_what_may_come_next_and_every_weight_equal_pytorch(parts: Parts, name: str, record_property: Record) -> None:
    page, generator = parts(name, TextGenerator)
    weights = probabilities = 0.0
    for text in TEXTS:
        for chosen in ([], [9, 30, 77]):
            found = translating.call(page, "([text, chosen]) => generator.next(text, chosen)", [text, chosen])
            ids = [*generator.encode(text), *chosen]
            logits, expected = by_pytorch(generator.model, ids)
            never = torch.tensor([generator.model.config.pad_id, generator.model.config.start_id])
            own = logits[-1].index_fill(0, never, -torch.inf).log_softmax(-1)
            assert sorted(found["ids"]) == [id for id in range(len(own)) if own[id].isfinite()]
            probabilities = max(probabilities, difference(found["logProbabilities"], own[found["ids"]]))
            assert found["logProbabilities"] == sorted(found["logProbabilities"], reverse=True)
            assert found["text"] == generator.tokenizer.decode(ids)
            assert found["pieces"] == generator.tokenizer.pieces(ids)
            assert found["ended"] is None
            for layer, heads in enumerate(found["attention"]):
                for head, rows in enumerate(heads):
                    for row, of_row in enumerate(rows):
                        assert len(of_row) == row + 1
                        weights = max(weights, difference(of_row, expected[layer][head, row, : row + 1]))
    record(record_property, f"log-probabilities of the language model {name}", probabilities)
    record(record_property, f"attention weights of the language model {name}", weights)
    assert probabilities < LOGITS
    assert weights < WEIGHTS


def test_what_was_read_before_changes_nothing(parts: Parts) -> None:
    page, _ = parts("writes", TextGenerator)
    walk = """([texts, whole]) => texts.map(([text, chosen]) => {
      if (whole) generator.steps = []
      return generator.next(text, chosen)
    })"""
    texts = [["The cat", []], ["The cat", [9]], ["The cat", [9, 30]], ["The cat", [9]], ["The dog", [9, 5]], ["", []]]
    assert translating.call(page, walk, [texts, False]) == translating.call(page, walk, [texts, True])


def test_a_text_ends_with_its_end_token_or_at_the_models_length(parts: Parts) -> None:
    page, generator = parts("writes", TextGenerator)
    next_of = "([text, chosen]) => generator.next(text, chosen)"
    ended = translating.call(page, next_of, ["The cat", [9, generator.tokenizer.end_id]])
    assert (ended["ended"], ended["ids"]) == ("end", [])
    assert ended["text"] == generator.tokenizer.decode([*generator.encode("The cat"), 9])
    room = generator.model.config.max_length - len(generator.encode("The cat"))
    assert translating.call(page, next_of, ["The cat", [9] * (room - 1)])["ended"] is None
    full = translating.call(page, next_of, ["The cat", [9] * room])
    assert (full["ended"], full["ids"]) == ("full", [])
    assert len(full["pieces"]) == generator.model.config.max_length


def test_a_text_over_the_limit_is_refused_with_the_numbers(parts: Parts) -> None:
    for name, kind, counted in (("writes", TextGenerator, "<start>"), ("sorts", TextClassifier, "[CLS]")):
        page, model = parts(name, kind)
        tried = f"text => {{ try {{ {ENGINES[kind][1]}.encode(text) }} catch ({{ message }}) {{ return message }} }}"
        text = "cat " * 60
        length = len(model.tokenizer.encode(text.strip())) + 1
        assert translating.call(page, tried, text) == (
            f"The text has {length} tokens with {counted}, over the model's limit of 30. Shorten it."
        )


# The classifier -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["sorts", "sorts-whole", "averages", "languages"])
def test_logits_probabilities_and_weights_of_the_classifier_equal_pytorch(
    parts: Parts, name: str, record_property: Record
) -> None:
    page, classifier = parts(name, TextClassifier)
    assert translating.call(page, "() => classifier.labels") == list(classifier.labels)
    largest = {"logits": 0.0, "probabilities": 0.0, "attention weights": 0.0}
    for text in NUMBERS:
        found = translating.call(page, "text => classifier.classify(text)", text)
        logits, _ = by_pytorch(classifier.model, classifier.encode(text))
        reading = classifier.reading(text)
        differences = {
            "logits": difference(found["logits"], logits),
            "probabilities": difference(found["probabilities"], classifier.probabilities([text])[0]),
            "attention weights": difference(found["attention"], reading.attention),
        }
        largest = {kind: max(largest[kind], each) for kind, each in differences.items()}
        assert found["pieces"] == list(reading.pieces)
    for kind, each in largest.items():
        record(record_property, f"{kind} of the classifier {name}", each)
    assert largest["logits"] < LOGITS
    assert largest["probabilities"] < WEIGHTS
    assert largest["attention weights"] < WEIGHTS


# What is no such model ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "kind, changes, words",
    [
        (TextGenerator, {"activation": "gelu"}, "activation=relu; this one has activation=gelu"),
        (TextGenerator, {"pre_norm": True}, "pre_norm=false; this one has pre_norm=true"),
        (TextGenerator, {"positions": "learned"}, "positions=sinusoidal; this one has positions=learned"),
        (TextGenerator, {"tied": False}, "tied=true; this one has tied=false"),
        (TextGenerator, {"output_bias": True}, "output_bias=false; this one has output_bias=true"),
        (TextGenerator, {"embedding_scale": 1.0}, "embedding_scale=false; this one has embedding_scale=1"),
        (TextClassifier, {"final_norm": True}, "final_norm=false; this one has final_norm=true"),
        (TextClassifier, {"embedding_norm": True}, "embedding_norm=false; this one has embedding_norm=true"),
        (TextClassifier, {"embedding_scale": 1.0}, "embedding_scale=false; this one has embedding_scale=1"),
    ],
)
def test_a_model_of_another_make_is_refused_by_name(
    parts: Parts, site: tuple[str, Path], kind: type[TextModel], changes: dict[str, object], words: str
) -> None:
    made, name = (tiny_generator, "writes") if kind is TextGenerator else (tiny_classifier, "sorts")
    page, _ = parts(name, kind)
    save_portable(site[1] / "other.safetensors", made(**changes))
    assert words in refusal(page, "other", kind)


def test_a_model_for_another_task_is_refused(parts: Parts, site: tuple[str, Path]) -> None:
    page, _ = parts("writes", TextGenerator)
    assert "this file is for classification" in refusal(page, "sorts", TextGenerator)
    page, _ = parts("sorts", TextClassifier)
    assert "this file is for generation" in refusal(page, "writes", TextClassifier)


def refusal(page: Page, name: str, kind: type[TextModel]) -> str:
    opened = """async ([name, kind]) => {
      const bytes = await (await fetch(`models/${name}.safetensors`, { cache: "reload" })).arrayBuffer()
      try { new window[kind](readModel(bytes)) } catch ({ message }) { return message }
      return "accepted"
    }"""
    return str(translating.call(page, opened, [name, kind.__name__]))
