"""Text in, continued text out: each text by itself, whatever it is batched with."""

import math

import pytest
import torch
from tiny_applications import tiny_generator
from tiny_translator import held_out

from blockbyblock import text_generator as module
from blockbyblock.data import Tokenizer
from blockbyblock.sampling import sample
from blockbyblock.text_generator import TextGenerator

TEXTS = ["The cat", "", "  Where is the book that", "I", "The cat"]


@pytest.fixture(scope="module")
def generator(one_thread) -> TextGenerator:
    return tiny_generator()


def test_a_text_begins_with_start_and_has_no_space_around_it(generator):
    ids = generator.encode(" \tThe cat \n")
    assert ids == [generator.tokenizer.start_id, *generator.tokenizer.encode("The cat")]
    assert generator.encode(" ") == [generator.tokenizer.start_id]


@pytest.mark.parametrize("options", [{}, {"repetition_penalty": 1.5}, {"top_k": 7}, {"top_p": 0.6, "temperature": 2.0}])
def test_each_text_has_in_a_batch_what_it_has_alone_by_its_place(generator, monkeypatch, options):
    options = {"max_length": 5, "seed": 5} | options
    together = generator.generate(TEXTS, **options)
    monkeypatch.setattr("blockbyblock.text_model.BATCH_TOKENS", 1)  # each in a batch of its own
    assert generator.generate(TEXTS, **options) == together
    assert together[0] != together[4]  # the same beginning twice is continued twice
    for text, whole in zip(TEXTS, together, strict=True):
        assert whole.startswith(text.strip())
    others = [*TEXTS[:1], "You", *TEXTS[2:]]
    assert generator.generate(others, **options)[2:] == together[2:]


def test_the_seed_decides_and_neighbouring_seeds_share_nothing(generator):
    one, same, other = (generator.generate(TEXTS, seed=seed, max_length=9) for seed in (1, 1, 2))
    assert one == same
    assert not {*one} & {*other}
    shifted = (
        generator.generate(["The cat"] * 4, seed=1, max_length=9),
        generator.generate(["The cat"] * 4, seed=2, max_length=9),
    )
    assert len({*shifted[0], *shifted[1]}) == 8  # text 2 of one seed is not text 1 of the next


def test_texts_in_several_calls_get_what_they_would_in_one(generator):
    texts = ["The cat", "I", "The cat", "The cat"]
    whole = generator.generate(texts, seed=1, max_length=9)
    assert generator.generate(texts[:1], seed=1, max_length=9) == whole[:1]
    assert generator.generate(texts[1:], seed=1, max_length=9, place=1) == whole[1:]


def test_without_a_seed_the_generator_of_torch_draws(generator):
    torch.manual_seed(3)
    first, second = (generator.generate(["The cat"], max_length=9) for _ in range(2))
    torch.manual_seed(3)
    assert generator.generate(["The cat"], max_length=9) == first != second


def test_a_text_is_drawn_as_sample_draws_it_after_its_own_tokens(generator):
    [found] = generator.hypotheses(["The cat"], seed=8, temperature=0.7, top_k=20, max_length=6)
    ids = torch.tensor([generator.encode("The cat")])
    seeds = [module._seed(8, 0)]
    [expected] = sample(generator.model, ids, 6, temperature=0.7, top_k=20, seeds=seeds)
    assert found == expected
    [text] = generator.generate(["The cat "], seed=8, temperature=0.7, top_k=20, max_length=6)
    assert text == "The cat" + generator.tokenizer.decode(expected.ids)


def test_temperature_0_takes_the_most_probable_token_each_time(generator):
    [greedy] = generator.hypotheses(["The cat"], temperature=0.0, max_length=8)
    ids = generator.encode("The cat")
    for token in greedy.ids:
        logits = generator.model(torch.tensor([ids]))[0, -1]
        logits[[generator.tokenizer.pad_id, generator.tokenizer.start_id]] = -math.inf
        assert token == int(logits.argmax())
        ids.append(token)
    assert generator.hypotheses(["The cat"], temperature=0.0, max_length=8, seed=1, top_k=3)[0].ids == greedy.ids


def test_temperature_0_obeys_a_penalty(generator):
    [plain] = generator.hypotheses(["The cat"], temperature=0.0, max_length=12)
    assert len({*plain.ids}) < len(plain.ids)  # without one this model repeats itself
    [found] = generator.hypotheses(["The cat"], temperature=0.0, max_length=12, repetition_penalty=1e6)
    assert len({*found.ids}) == len(found.ids)


@pytest.mark.unhooked
def test_what_cannot_be_continued(generator):
    with pytest.raises(TypeError, match="texts is one string"):
        generator.generate("The cat")
    longest = generator.model.config.max_length
    with pytest.raises(ValueError, match=rf"text 2: the text has \d+ tokens with <start>, .* limit of {longest}"):
        generator.generate(["cat", "cat " * longest])
    with pytest.raises(ValueError, match="text 1: character 0 of the text"):
        generator.generate(["\ud800"])
    with pytest.raises(ValueError, match="temperature=-1"):
        generator.generate(["cat"], temperature=-1.0)
    assert generator.generate([]) == []


def test_a_beginning_as_long_as_the_model_is_continued_by_one_token(generator):
    longest = generator.model.config.max_length
    text = next(
        text
        for size in range(1, 400)
        if len(generator.encode(text := ("the cat sat on the mat " * 20)[:size])) == longest
    )
    assert len(generator.hypotheses([text], seed=0, max_length=9)[0].ids) <= 1


def test_what_may_come_next(generator):
    found = generator.next_tokens("The cat ", 4)
    ids = generator.encode("The cat")
    expected = generator.model(torch.tensor([ids]))[0, -1].softmax(-1).sort(descending=True)
    assert found.read == tuple(generator.tokenizer.pieces(ids))
    assert found.pieces == tuple(generator.tokenizer.pieces(expected.indices[:4].tolist()))
    torch.testing.assert_close(torch.tensor(found.probabilities), expected.values[:4])
    config = generator.model.config
    assert found.attention.shape == (config.layers, config.heads, len(ids))
    torch.testing.assert_close(found.attention.sum(-1), torch.ones(config.layers, config.heads))
    assert len(generator.next_tokens("The", 10**6).pieces) == len(generator.tokenizer)
    with pytest.raises(ValueError, match="count=0"):
        generator.next_tokens("The", 0)


def test_a_tokenizer_of_another_size_is_refused(generator):
    other = Tokenizer.train(held_out(), 300)
    with pytest.raises(ValueError, match=rf"has {len(other)} tokens, the model {len(generator.tokenizer)} tokens"):
        TextGenerator(generator.model, other)
    assert repr(generator) == f"TextGenerator('Tiny, untrained', {len(generator.tokenizer)} tokens)"
