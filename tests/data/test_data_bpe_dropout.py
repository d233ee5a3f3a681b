"""BPE-dropout: the same text in other pieces, by the seed; without dropout the tokenizer's own."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock.data import BpeDropout, EncodedPair, Tokenizer

TEXTS = ["the cat sat on the mat <end>", "die Katze saß auf der Matte", "aaa aaaa aaaaa", "日本語 emoji 🐈"] * 20
TOKENIZER = Tokenizer.train(TEXTS, vocab_size=330)
UNICODE = st.text(st.characters(exclude_categories=["Cs"])) | st.text(" aectKhmtß", max_size=40)


def encoded(text):
    [ids] = TOKENIZER.encode_sentences([text])
    return ids


@given(text=UNICODE | st.sampled_from(TEXTS))
def test_with_nothing_dropped_it_cuts_as_the_tokenizer(text):
    assert BpeDropout(TOKENIZER, 0.0).resample(encoded(text), random.Random(0)) == encoded(text)


@given(text=UNICODE | st.sampled_from(TEXTS), probability=st.floats(0.0, 0.99), seed=st.integers(0, 9))
def test_the_text_is_the_same_and_closed_once(text, probability, seed):
    ids = BpeDropout(TOKENIZER, probability).resample(encoded(text), random.Random(seed))
    assert TOKENIZER.decode(ids) == text
    assert ids.count(TOKENIZER.end_id) == 1
    assert ids[-1] == TOKENIZER.end_id
    assert not {TOKENIZER.pad_id, TOKENIZER.start_id} & {*ids}
    assert len(ids) <= len(text.encode()) + 1


def test_words_keep_the_space_before_them():
    assert TOKENIZER.words("the cat, ß") == ["the", "Ġcat", ",", "ĠÃŁ"]
    with pytest.raises(ValueError, match="half of a surrogate pair"):
        TOKENIZER.words("\ud800")


def test_a_merge_is_passed_over_as_often_as_asked():
    tokenizer = Tokenizer.train(["xy"] * 5, vocab_size=260)  # one merge: x and y
    [ids] = tokenizer.encode_sentences(["xy"])
    assert len(ids) == 2
    generator, drawn = random.Random(0), 4000
    cut = sum(len(BpeDropout(tokenizer, 0.2).resample(ids, generator)) == 3 for _ in range(drawn))
    # 0.2 of 4,000 is 800, standard deviation 25: four of them, missed by chance once in 16,000 seeds
    assert abs(cut - 800) < 100


def test_the_generator_decides_and_both_sides_are_cut():
    resample = BpeDropout(TOKENIZER, 0.5)
    pair = EncodedPair(encoded(TEXTS[0]), encoded(TEXTS[1]))
    one, same = resample(pair, random.Random(1)), resample(pair, random.Random(1))
    assert one == same
    assert one != resample(pair, random.Random(2))
    assert all(map(list.__ne__, one, pair))


@pytest.mark.parametrize("probability", [-0.1, 1.0, float("nan")])
def test_a_probability_that_leaves_no_merge_or_is_none_is_refused(probability):
    with pytest.raises(ValueError, match=r"bpe_dropout=.* is not a probability"):
        BpeDropout(TOKENIZER, probability)
