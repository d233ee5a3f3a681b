"""Text in, text out: order, empty texts, limits, and where the decoder looked."""

from dataclasses import replace

import pytest
import torch
from small_translator import TEXTS, small_translator

from blockbyblock import Transformer, TransformerConfig, record_attention, shift_right
from blockbyblock.decoding import beam_search, greedy
from blockbyblock.translator import Translator


@pytest.fixture(scope="module")
def translator():
    return small_translator()


@pytest.mark.parametrize("beam", [1, 3])
def test_each_text_has_the_translation_that_it_has_alone_in_the_order_given(translator, beam):
    texts = [TEXTS[1], "cat", "", TEXTS[0], "  \t ", "the"]
    found = translator.translate(texts, beam=beam)
    for text, translation in zip(texts, found, strict=True):
        if not text.strip():
            assert translation == ""
            continue
        source = torch.tensor([translator.encode(text)])
        [best] = greedy(translator.model, source) if beam == 1 else beam_search(translator.model, source, beam)[0]
        assert translation == translator.tokenizer.decode(best.ids)


def test_many_texts_are_cut_into_batches_by_their_tokens(translator, monkeypatch):
    texts = [TEXTS[index % 4] for index in range(9)]
    expected = translator.translate(texts)
    shapes = []
    encode = translator.model.encode
    monkeypatch.setattr(translator.model, "encode", lambda ids: shapes.append(ids.shape) or encode(ids))
    monkeypatch.setattr("blockbyblock.text_model.BATCH_TOKENS", 40)
    assert translator.translate(texts) == expected
    assert len(shapes) > 1
    assert all(rows * longest <= 40 for rows, longest in shapes)


@pytest.mark.parametrize(
    "options", [{"beam": 1, "max_length": 3}, {"beam": 2, "length_penalty": 0.0}, {"beam": 3, "max_length": 6}]
)
def test_the_search_does_as_asked(translator, options):
    source, limit = torch.tensor([translator.encode(TEXTS[0])]), options.get("max_length")
    if options["beam"] == 1:
        [expected] = greedy(translator.model, source, limit)
    else:
        penalty = options.get("length_penalty", 0.6)
        expected = beam_search(translator.model, source, options["beam"], penalty, limit)[0][0]
    assert translator.hypotheses([TEXTS[0]], **options) == [expected]  # the score, too, depends on the penalty


def test_texts_over_the_budget_by_themselves_are_batches_of_one(translator, monkeypatch):
    expected = translator.translate(TEXTS, beam=1, max_length=4)
    monkeypatch.setattr("blockbyblock.text_model.BATCH_TOKENS", 2)
    assert translator.translate(TEXTS, beam=1, max_length=4) == expected


def test_white_space_around_a_sentence_is_left_out_as_in_training(translator):
    assert translator.encode("  the cat\n") == translator.encode("the cat")


def test_no_text_has_no_translation(translator):
    assert translator.translate([]) == []


@pytest.mark.unhooked
def test_one_string_is_refused(translator):
    with pytest.raises(TypeError, match="pass a list of texts"):
        translator.translate("the cat")


def test_a_sentence_over_the_limit_is_refused_with_its_length(translator):
    longest = "cat" + " cat" * 22
    assert len(translator.encode(longest)) == 24
    with pytest.raises(ValueError, match="25 tokens with <end>, over the model's limit of 24"):
        translator.translate([longest + " cat"])


def test_a_tokenizer_of_another_size_is_refused(translator):
    sizes = {"d_model": 16, "heads": 2, "d_ff": 32, "encoder_layers": 1, "decoder_layers": 1}
    other = Transformer(TransformerConfig(source_vocab=300, target_vocab=300, **sizes))
    with pytest.raises(ValueError, match="290 tokens, the model 300 source and 300 target tokens: they do not belong"):
        Translator(other, translator.tokenizer)


def test_attention_is_that_of_each_step_of_decoding(translator):
    text = TEXTS[0]
    [hypothesis] = translator.hypotheses([text], beam=1, max_length=5)
    assert not hypothesis.finished  # so the last piece is what was written, and no <end>
    looked = translator.attention(text, hypothesis)
    assert looked.source[-1] == "<end>"
    assert "".join(looked.source[:-1]) == text
    assert looked.read == ("<start>", *looked.written[:-1])
    assert looked.written == tuple(translator.tokenizer.pieces(hypothesis.ids))
    assert looked.cross.shape == (2, 2, 5, len(looked.source))
    finished = translator.attention(text, replace(hypothesis, finished=True))
    assert finished.written == (*looked.written, "<end>")

    model = translator.model
    memory, mask = model.encode(torch.tensor([translator.encode(text)]))
    cache = model.new_cache()
    target = torch.tensor([hypothesis.ids])
    for step, token in enumerate(shift_right(target, 1)[0]):
        with torch.no_grad(), record_attention(model) as records:
            model.decode(token.view(1, 1), memory, mask, cache)
        for layer in range(2):
            cross, own = (
                records[f"decoder.layers.{layer}.{name}_attention"].weights[0, :, 0] for name in ("cross", "self")
            )
            # float32, and other shapes of the same products
            torch.testing.assert_close(looked.cross[layer, :, step], cross, rtol=1e-4, atol=1e-6)
            torch.testing.assert_close(looked.decoder[layer, :, step, : step + 1], own, rtol=1e-4, atol=1e-6)
            assert not looked.decoder[layer, :, step, step + 1 :].any()
    with torch.no_grad(), record_attention(model) as records:
        model.encode(torch.tensor([translator.encode(text)]))
    for layer in range(2):
        own = records[f"encoder.layers.{layer}.self_attention"].weights[0]
        torch.testing.assert_close(looked.encoder[layer], own, rtol=1e-4, atol=1e-6)


def test_its_title_stands_in_the_repr(translator):
    assert repr(translator) == "Translator('small', 290 tokens)"
