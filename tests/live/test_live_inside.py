"""The inside figure in Python: every tensor of a translation, what is stored of it for a page, and the class."""

import gzip
import json
import math
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load
from tiny_translator import LESSONS, held_out, taught, tiny, write
from torch import Tensor
from traitlets import TraitError

from blockbyblock.attention import record_attention
from blockbyblock.decoding import Hypothesis
from blockbyblock.live import InsideFigure
from blockbyblock.live.figure import STATIC
from blockbyblock.live.inside import SENTENCE
from blockbyblock.live.model import MODEL
from blockbyblock.live.trace import COLUMNS, OUTPUTS, STRONGEST, TOP, Trace, places
from blockbyblock.portable import SCALE, load_portable
from blockbyblock.translator import Translator
from blockbyblock.weights import KEY, model_weights

TEXT = LESSONS[0][0]
HOSTILE = "</script><b>&amp; 'x'"
TABLE = "model.target_embedding.table.weight"
HALF = 2**-11  # how far a float16 is from the number that it stands for, relative to it
SUBNORMAL = 2**-25  # and where it has no digits left to be relative to

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("models") / "tiny.safetensors", taught())


@pytest.fixture(scope="module")
def translator(file: Path) -> Translator:
    return load_portable(file)


@pytest.fixture(scope="module")
def trace(translator: Translator) -> Trace:
    return Trace(translator, TEXT)


@pytest.fixture(scope="module")
def found(trace: Trace) -> dict[str, Tensor]:
    return trace.tensors()


@pytest.fixture
def figure(file: Path, monkeypatch: pytest.MonkeyPatch) -> InsideFigure:
    monkeypatch.setenv(STATIC, "1")
    return InsideFigure(TEXT, file=file)


def close(one: Tensor, other: Tensor) -> None:
    """Equal, but for the order of float32 sums."""
    torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)


# The tensors ----------------------------------------------------------------------------------------------------------


def test_the_sentence_is_translated_by_greedy_search(trace: Trace, translator: Translator) -> None:
    assert trace.translation == translator.translate([TEXT], beam=1)[0] == LESSONS[0][1]
    assert trace.source == translator.encode(TEXT)
    end, start = translator.tokenizer.end_id, translator.model.config.start_id
    assert trace.written[-1] == end
    assert translator.tokenizer.decode(trace.written[:-1]) == trace.translation
    assert trace.read == [start, *trace.written[:-1]]


def test_what_does_not_end_has_no_end() -> None:
    trace = Trace(tiny(), "a")
    assert trace.translator.tokenizer.end_id not in trace.written
    assert len(trace.read) == len(trace.written) == len(trace.source) + 50


def test_the_names_are_those_of_the_modules_and_all_are_there(found: dict[str, Tensor], translator: Translator) -> None:
    modules = dict(translator.model.named_modules())
    added = (".scores", ".weights", ".concat")
    assert {name for name in found if not name.endswith(added)} <= modules.keys() | {"source_embedding"}
    config = translator.model.config
    layers = {"encoder": config.encoder_layers, "decoder": config.decoder_layers}
    for stack, sublayers in {
        "encoder": ("self_attention", "feed_forward"),
        "decoder": ("self_attention", "cross_attention", "feed_forward"),
    }.items():
        for layer in range(layers[stack]):
            for sublayer in sublayers:
                at = f"{stack}.layers.{layer}.{sublayer}"
                parts = ("hidden", "output") if sublayer == "feed_forward" else ("query", "key", "value", "output")
                assert {at, f"{at}_add_norm", *(f"{at}.{part}_projection" for part in parts)} <= found.keys()
                assert sublayer == "feed_forward" or {f"{at}{end}" for end in added} <= found.keys()
    assert {f"{side}_{part}" for side in ("source", "target") for part in ("embedding", "positions")} <= found.keys()


def test_both_embeddings_are_kept_though_the_table_is_one(found: dict[str, Tensor], trace: Trace) -> None:
    model = trace.model
    assert model.source_embedding is model.target_embedding
    for side, ids in (("source", trace.source), ("target", trace.read)):
        row = model.target_embedding.table.weight[ids] * math.sqrt(model.config.d_model)
        close(found[f"{side}_embedding"], row)
        close(found[f"{side}_positions"], row + getattr(model, f"{side}_positions").table[: len(ids)])


def test_a_model_with_two_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    trace = Trace(tiny(tying="none"), "a")
    found = trace.tensors()
    assert "source_embedding" in found
    close(found["target_embedding"], trace.model.target_embedding(torch.tensor([trace.read]))[0])


def test_weights_are_those_of_the_recorder_and_of_the_translator(found: dict[str, Tensor], trace: Trace) -> None:
    with torch.inference_mode(), record_attention(trace.model) as records:
        probabilities = trace.model.probabilities(torch.tensor([trace.source]), torch.tensor([trace.read]))[0]
    close(found["output"].softmax(-1), probabilities)
    assert len(records) == 2 + 2 * 3
    for name, record in records.items():
        close(found[f"{name}.weights"], record.weights[0])
    ids = tuple(id for id in trace.written if id != trace.translator.tokenizer.end_id)
    maps = trace.translator.attention(TEXT, Hypothesis(ids, -1.0, -1.0, True))
    close(torch.stack([found[f"decoder.layers.{layer}.cross_attention.weights"] for layer in range(3)]), maps.cross)


def test_a_chain_by_hand_gives_every_tensor(found: dict[str, Tensor], trace: Trace) -> None:
    """Matrix products, softmax, sums and layer norms in float64, from the embeddings to the logits."""
    state = {name.removeprefix("model."): each.double() for name, each in model_weights(trace.model).items()}
    config = trace.model.config
    width = config.d_model // config.heads

    def linear(x: Tensor, name: str) -> Tensor:
        y = x @ state[f"{name}.weight"].T + state[f"{name}.bias"]
        close(found[name].double(), y)
        return y

    def cut(x: Tensor) -> Tensor:  # [position, d_model] to [heads, position, width]
        return torch.stack([x[:, head * width : (head + 1) * width] for head in range(config.heads)])

    def attention(at: str, x: Tensor, memory: Tensor, causal: bool) -> Tensor:
        query, key, value = (
            cut(linear(y, f"{at}.{part}_projection")) for part, y in (("query", x), ("key", memory), ("value", memory))
        )
        scores = query @ key.mT / width**0.5
        if causal:
            scores = scores + torch.full(scores.shape[1:], -torch.inf, dtype=scores.dtype).triu(1)
        weights = scores.exp() / scores.exp().sum(-1, keepdim=True)
        joined = torch.cat(list(weights @ value), dim=-1)
        for end, expected in {"scores": scores, "weights": weights, "concat": joined}.items():
            close(found[f"{at}.{end}"].double(), expected)
        return linear(joined, f"{at}.output_projection")

    def add_norm(at: str, x: Tensor, handed: Tensor) -> Tensor:
        close(found[at].double(), handed)
        total = x + handed
        centred = total - total.mean(-1, keepdim=True)
        standard = centred / (centred.square().mean(-1, keepdim=True) + config.norm_eps).sqrt()
        y = standard * state[f"{at}_add_norm.norm.weight"] + state[f"{at}_add_norm.norm.bias"]
        close(found[f"{at}_add_norm"].double(), y)
        return y

    def feed_forward(at: str, x: Tensor) -> Tensor:
        return linear(linear(x, f"{at}.hidden_projection").clamp(min=0), f"{at}.output_projection")

    x = found["source_positions"].double()
    for layer in range(config.encoder_layers):
        at = f"encoder.layers.{layer}"
        x = add_norm(f"{at}.self_attention", x, attention(f"{at}.self_attention", x, x, causal=False))
        x = add_norm(f"{at}.feed_forward", x, feed_forward(f"{at}.feed_forward", x))
    memory, x = x, found["target_positions"].double()
    for layer in range(config.decoder_layers):
        at = f"decoder.layers.{layer}"
        x = add_norm(f"{at}.self_attention", x, attention(f"{at}.self_attention", x, x, causal=True))
        x = add_norm(f"{at}.cross_attention", x, attention(f"{at}.cross_attention", x, memory, causal=False))
        x = add_norm(f"{at}.feed_forward", x, feed_forward(f"{at}.feed_forward", x))
    close(found["output"].double(), x @ state["target_embedding.table.weight"].T)


def test_what_is_hidden_is_minus_infinity_and_nothing_else(found: dict[str, Tensor]) -> None:
    for name, scores in found.items():
        if not name.endswith(".scores"):
            continue
        future = torch.ones(scores.shape[-2:], dtype=torch.bool).triu(1)
        hidden = future if name.startswith("decoder") and "self" in name else torch.zeros_like(future)
        assert torch.equal(scores.isneginf(), hidden.expand_as(scores)), name
        close(found[name.replace("scores", "weights")], scores.softmax(-1))


def test_a_learner_may_go_on_with_the_tensors(trace: Trace) -> None:
    mine = trace.tensors()["output"]
    mine[0, 0] = 1.0
    weight = torch.ones(mine.shape[-1], requires_grad=True)
    (mine @ weight).sum().backward()
    assert weight.grad is not None


def test_the_model_is_left_as_it_was(trace: Trace) -> None:
    trace.model.train()
    trace.tensors()
    assert trace.model.training
    trace.model.eval()
    assert not any(module._forward_hooks for module in trace.model.modules())


@pytest.mark.parametrize(
    "text, words", [("", "empty sentence"), (" \n\x1c", "empty sentence"), ("cat " * 300, "limit")]
)
def test_no_trace_of_nothing_or_of_too_much(translator: Translator, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Trace(translator, text)


# What is stored -------------------------------------------------------------------------------------------------------


def header(content: bytes) -> dict[str, Any]:
    (length,) = struct.unpack_from("<Q", content)
    return json.loads(content[8 : 8 + length])


def test_what_is_stored_is_what_it_says(trace: Trace, found: dict[str, Tensor], file: Path) -> None:
    where = places(file.read_bytes())
    content = trace.stored(where)
    tensors, own = load(content), json.loads(header(content)["__metadata__"][KEY])
    assert (own["text"], own["translation"]) == (TEXT, trace.translation)
    assert (own["source"], own["written"]) == (trace.source, trace.written)
    pieces = trace.translator.tokenizer.pieces
    assert own["pieces"] == {str(id): piece for id, piece in zip(own["ids"], pieces(own["ids"]), strict=True)}
    logits = found["output"]
    assert own["logTotals"] == pytest.approx(logits.logsumexp(-1).tolist(), abs=1e-5)
    for step, ids in zip(logits, own["top"], strict=True):
        assert len(ids) == TOP
        assert step[ids].tolist() == step.sort(descending=True).values[:TOP].tolist()
    assert set(own["ids"]) == {*trace.source, *trace.read, *trace.written, *(id for ids in own["top"] for id in ids)}
    rows = tensors[TABLE].float() * tensors[TABLE + SCALE][:, None]
    torch.testing.assert_close(rows, trace.model.target_embedding.table.weight[own["ids"]].detach(), rtol=1e-6, atol=0)
    outputs = {name.removeprefix("model.").removesuffix(OUTPUTS) for name in tensors if name.endswith(OUTPUTS)}
    assert outputs == {name for name in found if name.endswith("_projection")}
    for name in outputs:
        torch.testing.assert_close(tensors[f"model.{name}{OUTPUTS}"].float(), found[name], rtol=HALF, atol=SUBNORMAL)
    for name, weight in model_weights(trace.model).items():
        if ".norm." in name:
            assert torch.equal(tensors[name], weight)
    for name, units in own["units"].items():
        columns = tensors[f"model.{name}{COLUMNS}"].float() * tensors[f"model.{name}{COLUMNS}{SCALE}"]
        matrix = trace.model.get_submodule(f"{name}.output_projection").weight.detach()
        torch.testing.assert_close(columns, matrix[:, units].T, rtol=1e-6, atol=1e-9)


def test_the_columns_are_those_of_the_units_that_a_page_finds_the_strongest(translator: Translator) -> None:
    """The page sees rounded strengths, of which some are equal: of two equal ones it takes the first."""
    for text in held_out()[:8]:
        trace = Trace(translator, text)
        content = trace.stored({})
        tensors, own = load(content), json.loads(header(content)["__metadata__"][KEY])
        for name, units in own["units"].items():
            for strengths in tensors[f"model.{name}.hidden_projection{OUTPUTS}"].tolist():
                best = sorted(range(len(strengths)), key=lambda unit: -strengths[unit])[:STRONGEST]
                assert {unit for unit in best if strengths[unit] > 0} <= set(units)


def test_two_units_of_one_rounded_strength() -> None:
    translator = tiny()
    hidden = translator.model.encoder.layers[0].feed_forward.hidden_projection
    with torch.no_grad():
        hidden.weight.zero_()
        hidden.bias.zero_()
        hidden.bias[:6] = torch.tensor([1.0, 1.0001, 1.0002, 1.0003, 1.0004, 2.0])  # 1.0004 alone is no float16 1.0
    own = json.loads(header(Trace(translator, "a").stored({}))["__metadata__"][KEY])
    rounded = hidden.bias.detach().half().tolist()
    expected = sorted(sorted(range(len(rounded)), key=lambda unit: -rounded[unit])[:STRONGEST])
    assert expected != sorted(hidden.bias.topk(STRONGEST).indices.tolist())  # so that this tests something
    assert own["units"]["encoder.layers.0.feed_forward"] == expected


def test_the_running_sentence_is_small_enough_for_a_page() -> None:
    figure = InsideFigure()
    assert figure.text == SENTENCE
    assert figure.translation == "Die Katze saß auf dem Stuhl."
    assert len(gzip.compress(figure.stored())) <= 400_000


def test_places_are_the_right_bytes_of_the_file(file: Path, trace: Trace) -> None:
    content = file.read_bytes()
    tensors, where = load(content), places(content)
    assert where.keys() == tensors.keys()
    for name, (first, last) in where.items():
        assert content[first:last] == tensors[name].contiguous().numpy().tobytes(), name
    own = json.loads(header(trace.stored(where))["__metadata__"][KEY])["places"]
    assert own.keys() == {name for name in tensors if re.search(r"attention\.(query|key|value)_projection\.", name)}
    assert all(tuple(place) == where[name] for name, place in own.items())
    assert {name.rsplit(".", 1)[-1] for name in own} == {"weight", "scale", "bias"}


# The figure -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "at",
    [
        "nonsense",
        "",
        "encoder",
        "encoder.layers.0",
        "encoder.layers.2.self_attention",
        "decoder.layers.3.feed_forward",
        "encoder.layers.0.cross_attention",
        "encoder.layers.00.self_attention",
        "encoder.layers.٠.self_attention",
        "encoder.layers.-1.self_attention",
        "encoder.layers.0.self_attention.scores",
        "output_add_norm",
        "encoder.layers.0.self_attention\n",
    ],
)
def test_a_place_that_is_not_there(figure: InsideFigure, file: Path, at: str) -> None:
    for attempt in (lambda: figure.set_trait("at", at), lambda: InsideFigure(TEXT, at, file=file)):
        with pytest.raises(
            TraitError, match=r"the model has no place .* with 2 layers in the encoder and 3 in the dec"
        ):
            attempt()
    assert figure.at == "encoder.layers.0.self_attention"


def test_every_place_can_be_opened(figure: InsideFigure, found: dict[str, Tensor]) -> None:
    ends = ("_embedding", "_positions", "attention", "feed_forward", "_add_norm", "output")
    opened = [name for name in found if name.endswith(ends)]
    assert len(opened) == 4 + 2 * 4 + 3 * 6 + 1
    for at in opened:
        figure.at = at


@pytest.mark.unhooked
@pytest.mark.parametrize(
    "values, words",
    [
        ({"step": "softmax"}, "'projections', 'scores', 'sum', 'concat'|projections.*scores.*sum.*concat"),
        ({"head": 4}, "head=4: the model has 4 heads, counted from 0"),
        ({"head": -1}, "should not be less than 0|counted from 0"),
        ({"token": -1}, "should not be less than 0|counted from 0"),
        ({"token": 99}, r"token=99: at 'encoder.layers.0.self_attention' there are \d+ tokens, counted from 0"),
        ({"token": 1.5}, "int"),
        ({"stop": 26}, "25"),
    ],
)
def test_a_choice_that_is_not_there(figure: InsideFigure, file: Path, values: dict[str, Any], words: str) -> None:
    ((name, value),) = values.items()
    with pytest.raises(TraitError, match=words) as error:
        figure.set_trait(name, value)
    assert "\n" not in str(error.value)
    if name != "stop":
        with pytest.raises(TraitError, match=words):
            InsideFigure(TEXT, file=file, **values)


def test_what_is_chosen_can_be_read_and_set(figure: InsideFigure) -> None:
    figure.at, figure.step, figure.token, figure.head = "decoder.layers.2.cross_attention", "sum", 3, 2
    chosen = {name: figure.state()[name] for name in ("at", "step", "token", "head", "stop")}
    assert chosen == {"at": "decoder.layers.2.cross_attention", "step": "sum", "token": 3, "head": 2, "stop": 0}


def test_a_token_stays_within_the_sentence_that_is_looked_at(figure: InsideFigure, file: Path) -> None:
    source, read = len(figure._trace.source), len(figure._trace.read)
    assert source < read  # of this tiny model
    figure.at = "output"
    figure.token = read - 1
    figure.at = "source_positions"
    assert figure.token == source - 1
    with pytest.raises(TraitError, match=f"at 'source_positions' there are {source} tokens"):
        figure.token = read - 1
    with figure.hold_trait_notifications():  # as a browser sets both
        figure.token, figure.at = read - 1, "target_embedding"
    assert figure.token == read - 1
    figure.at = "source_embedding"
    figure.text = "a"
    assert figure.token == 1
    assert InsideFigure("a", token=0, file=file).token == 0


def test_a_text_that_is_set_is_translated(figure: InsideFigure, translator: Translator) -> None:
    was = figure.trace
    for text, expected in LESSONS[1:3]:
        figure.text = text
        assert figure.translation == translator.translate([text], beam=1)[0] == expected
        assert figure.trace != was
        close(figure.tensors()["output"], Trace(translator, text).tensors()["output"])
        assert json.loads(header(figure.stored())["__metadata__"][KEY])["text"] == text
    figure.text = TEXT
    assert figure.trace == was


@pytest.mark.parametrize(
    "text, words", [("", "empty"), ("\n ", "empty"), ("cat " * 300, "over the model's limit of 60")]
)
def test_a_text_that_cannot_be_translated_is_refused_and_the_old_one_stays(
    figure: InsideFigure, file: Path, text: str, words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        figure.text = text
    assert (figure.text, figure.translation) == LESSONS[0]
    with pytest.raises(ValueError, match=words):
        InsideFigure(text, file=file)


def test_the_model_is_read_once_whatever_is_translated(figure: InsideFigure, monkeypatch: pytest.MonkeyPatch) -> None:
    def unwanted(path: Path) -> Translator:
        raise AssertionError("read again")

    monkeypatch.setattr("blockbyblock.live.inside.load_portable", unwanted)
    model = figure._trace.model
    for text in ("one", "two", "three"):
        figure.text = text
        assert figure._trace.model is model


def test_a_block_of_the_map_that_is_not_there(file: Path) -> None:
    with pytest.raises(ValueError, match="nowhere"):
        InsideFigure(TEXT, lit="nowhere", file=file)
    with pytest.raises(FileNotFoundError):
        InsideFigure(TEXT, file=file.with_name("none.safetensors"))


Asked = Callable[[dict[str, Any]], list[tuple[dict[str, Any], list[bytes]]]]


@pytest.fixture
def asked(figure: InsideFigure, monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Send a question as a browser does, and return what Python sends."""

    def ask(question: dict[str, Any]) -> list[tuple[dict[str, Any], list[bytes]]]:
        sent: list[tuple[dict[str, Any], list[bytes]]] = []
        monkeypatch.setattr(figure, "send", lambda content, buffers=None: sent.append((content, buffers)))
        figure._handle_custom_msg(question, [])
        return sent

    return ask


def test_python_sends_what_a_browser_asks_for(figure: InsideFigure, asked: Asked, file: Path) -> None:
    assert asked({"ask": "something else"}) == []
    assert asked({"ask": "model"}) == [({"answer": "model"}, [file.read_bytes()])]
    assert asked({"ask": "bytes", "from": 10, "to": 25}) == [({"answer": "10-25"}, [file.read_bytes()[10:25]])]
    [(answer, [content])] = asked({"ask": "trace", "text": "Where is the cat?"})
    assert answer == {"answer": "trace", "text": "Where is the cat?"}
    assert figure.text == "Where is the cat?"
    assert figure.translation == "Wo ist die Katze?"
    assert content == figure.stored()


@pytest.mark.parametrize("text", ["", "  ", "cat " * 300, "half \ud800"])
def test_a_question_that_cannot_be_answered_is_answered_with_the_reason(
    figure: InsideFigure, asked: Asked, text: str
) -> None:
    [(answer, buffers)] = asked({"ask": "trace", "text": text})
    assert (answer["answer"], answer["text"], buffers) == ("trace", text, [b""])
    assert answer["error"]
    assert "\n" not in answer["error"]
    assert figure.text == TEXT


def test_a_model_that_is_gone_is_told_too(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = tmp_path / "copy.safetensors"
    copy.write_bytes(file.read_bytes())
    figure = InsideFigure(TEXT, file=copy)
    copy.unlink()
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(figure, "send", lambda content, buffers=None: sent.append(content))
    figure._handle_custom_msg({"ask": "trace", "text": "a"}, [])
    figure._handle_custom_msg({"ask": "bytes", "from": 0, "to": 9}, [])
    figure._handle_custom_msg({"ask": "model"}, [])
    assert [each["answer"] for each in sent] == ["trace", "0-9", "model"]
    assert all("copy.safetensors" in each["error"] for each in sent)


def test_the_still_version_is_the_map_with_the_place_lit_and_the_most_probable_tokens(
    figure: InsideFigure, found: dict[str, Tensor], translator: Translator, file: Path
) -> None:
    still = figure.still()
    assert "<svg" in still
    assert "Scaled dot-product attention" in figure.caption()
    assert "built in chapter 2" in figure.caption()
    for step in F.softmax(found["output"], -1):
        best, id = step.max(-1)
        assert f"{translator.tokenizer.pieces([int(id)])[0].strip()} {best:.3f}".replace("<", "&lt;") in still.replace(
            "&gt;", ">"
        )
    for at, step, name in [
        ("source_embedding", "scores", "Embedding"),
        ("target_positions", "scores", "Positional encoding"),
        ("encoder.layers.1.self_attention", "projections", "Linear projections"),
        ("encoder.layers.1.self_attention", "concat", "Multi-head attention"),
        ("decoder.layers.0.cross_attention", "sum", "Encoder-decoder attention"),
        ("decoder.layers.0.cross_attention_add_norm", "sum", "Add & Norm"),
        ("encoder.layers.0.feed_forward", "sum", "Feed-forward"),
        ("output", "sum", "Linear and softmax"),
    ]:
        other = InsideFigure(TEXT, at, step=step, file=file)
        assert f"opens: {name}" in other.caption()
        assert other.still() != still or name == "Scaled dot-product attention"
    assert "opens: Decoder" in InsideFigure(TEXT, lit="decoder", file=file).caption()


def test_no_text_breaks_out_of_the_markup(file: Path) -> None:
    figure = InsideFigure(HOSTILE, file=file)
    markup = figure.markup()
    [data] = re.findall(r'<script type="application/json">(.*?)</script>', markup)
    assert json.loads(data)["text"] == HOSTILE
    assert "<b>" not in markup
    figure.text = "<i>x</i>"
    assert "<i>" not in figure.markup()


def test_the_state_is_small_and_holds_no_number_of_the_model(figure: InsideFigure, file: Path) -> None:
    state = figure.state()
    assert len(json.dumps(state)) < 2500
    assert (state["model"], state["size"]) == ("tiny", len(file.read_bytes()))
    assert not any(isinstance(value, bytes | memoryview) for value in state.values())


@pytest.mark.skipif(not MODEL.is_file(), reason="the box holds no model")
def test_one_line_of_a_chapter_opens_its_block() -> None:
    figure = InsideFigure(at="encoder.layers.0.self_attention", token=1, head=2)
    assert figure.tensors()["encoder.layers.0.self_attention.weights"].shape == (8, 8, 8)
