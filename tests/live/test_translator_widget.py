"""The translator and the heads in Python: what stands beside the figure on a page, and what a browser is sent."""

import re
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from tiny_translator import held_out, tiny, write

from blockbyblock.decoding import Hypothesis
from blockbyblock.live import HeadsFigure, TranslatorFigure
from blockbyblock.live.heads import KINDS, attention_maps
from blockbyblock.live.modules import joined, module_names
from blockbyblock.portable import load_portable
from blockbyblock.translator import Translator

SENTENCE = "The cat sat on the mat."


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("models") / "tiny.safetensors", tiny())


@pytest.fixture(scope="module")
def translator() -> Translator:
    return tiny()


# The translator -------------------------------------------------------------------------------------------------------


def test_what_stands_in_for_the_figure_is_what_python_translates(file: Path) -> None:
    figure = TranslatorFigure(SENTENCE, held_out()[:2], file=file)
    expected = load_portable(file).translate(held_out()[:2])
    assert figure.examples == [list(pair) for pair in zip(held_out()[:2], expected, strict=True)]
    for source, target in figure.examples:
        assert (
            f"<th scope=row>{source}</th><td>{target.replace('&', '&amp;').replace('<', '&lt;')}</td>" in figure.still()
        )
    assert [name for name, _ in figure.languages] == ["English", "German"]
    assert figure.credit == "Tiny, untrained. Nobody's data"


def test_the_page_is_told_where_the_model_is_and_how_large_and_nothing_of_its_numbers(file: Path) -> None:
    figure = TranslatorFigure(SENTENCE, file=file)
    content = file.read_bytes()
    assert (figure.model, figure.size) == ("tiny", len(content))
    assert sha256(content).hexdigest().startswith(figure.digest)
    assert len(figure.digest) == 12
    assert len(figure.markup()) < 4000


def test_python_sends_the_model_when_it_is_asked_and_at_no_other_time(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figure = TranslatorFigure(SENTENCE, file=file)
    sent = []
    monkeypatch.setattr(figure, "send", lambda content, buffers=None: sent.append((content, buffers)))
    figure._handle_custom_msg({"ask": "something else"}, [])
    assert sent == []
    figure._handle_custom_msg({"ask": "model"}, [])
    assert sent == [({"answer": "model"}, [file.read_bytes()])]


def test_no_text_breaks_out_of_the_markup(file: Path) -> None:
    figure = TranslatorFigure("</script><b>bold", ["</script><i>x"], file=file)
    assert "<b>" not in figure.markup()
    assert "<i>" not in figure.markup()


@pytest.mark.parametrize("name", module_names())
def test_joined_modules_share_no_name(name: str) -> None:
    declared = re.findall(r"^(?:export )?(?:async )?(?:function\*?|class|const|let) (\w+)", joined(name), re.MULTILINE)
    assert len(declared) == len(set(declared)), [each for each in set(declared) if declared.count(each) > 1]


# The heads ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("finished", [True, False])
def test_the_maps_are_those_of_the_model(translator: Translator, finished: bool) -> None:
    hypothesis = Hypothesis((9, 8, 7, 6), -1.0, -1.0, finished)
    maps = attention_maps(translator, SENTENCE, hypothesis)
    expected = translator.attention(SENTENCE, hypothesis)
    assert tuple(maps["source"]) == expected.source
    written = len(maps["written"])
    assert written == 4 + finished
    assert tuple(maps["written"]) == expected.written
    assert maps["read"] == ["<start>", *maps["written"][:-1]]
    # rounded to three decimals
    torch.testing.assert_close(torch.tensor(maps["cross"]), expected.cross, rtol=0, atol=5.1e-4)
    config = translator.model.config
    for kind in KINDS:
        length = len(maps["source"]) if kind == "encoder" else written
        layers = config.encoder_layers if kind == "encoder" else config.decoder_layers
        assert [len(heads) for heads in maps[kind]] == [config.heads] * layers
        for rows in (rows for heads in maps[kind] for rows in heads):
            widths = range(1, length + 1) if kind == "decoder" else [len(maps["source"])] * length
            assert [len(row) for row in rows] == list(widths)
            assert all(sum(row) == pytest.approx(1, abs=1e-3 * len(row)) for row in rows)


def test_the_table_says_where_the_chosen_head_looks_most(translator: Translator) -> None:
    figure = HeadsFigure(translator, SENTENCE)
    figure.kind, figure.layer, figure.head = "encoder", 2, 3
    first = torch.tensor(figure.maps["encoder"][1][2][0])
    piece = figure.maps["source"][int(first.argmax())]
    assert f"<td>{piece}</td><td>{first.max():.3f}</td>" in figure.still()
    assert f"<td>{piece}</td>" in figure.still()
    assert "2 layers of encoder attention, of 4 heads each" in figure.caption()


def test_nothing_to_look_at(translator: Translator) -> None:
    with pytest.raises(ValueError, match="empty sentence"):
        HeadsFigure(translator, "  ")
