"""The byte-level BPE: exact round trips, and special tokens that no text can forge."""

import json

import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock import TransformerConfig
from blockbyblock.data import Tokenizer

TEXTS = ["<pad> <start>the cat sat on the mat<end>", "die Katze saß auf der Matte", "<end>", "日本語 emoji 🐈"] * 20
TOKENIZER = Tokenizer.train(TEXTS, vocab_size=330)
UNICODE = st.text(st.characters(exclude_categories=["Cs"]))


@given(text=UNICODE | UNICODE.map(lambda text: f" {text}\r\n\t {text}  "))
def test_round_trip_of_any_unicode_text_is_exact(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@pytest.mark.parametrize(
    "text", ["", " ", "\ufeffx", "\0", "e\u0301 ﬁ Å", "\u2028\x85", "a" * 10_000, "👩‍👩‍👧", "مرحبا"]
)
def test_round_trip_of_texts_that_a_normaliser_would_change(text):
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@given(texts=st.lists(UNICODE | st.sampled_from(TEXTS), max_size=4))
def test_many_at_once_are_the_single_ones_closed(texts):
    assert TOKENIZER.encode_sentences(texts) == [[*TOKENIZER.encode(text), 2] for text in texts]


@given(text=st.lists(st.sampled_from(["<pad>", "<start>", "<end>", " ", "a", "<"])).map("".join))
def test_special_tokens_in_a_text_are_text(text):
    ids = TOKENIZER.encode(text)
    assert not {0, 1, 2} & {*ids}
    assert TOKENIZER.encode_sentences([text]) == [[*ids, 2]]
    assert TOKENIZER.decode(ids) == text


def test_special_ids_are_those_of_the_model():
    config = TransformerConfig()
    assert (config.pad_id, config.start_id, config.end_id) == (TOKENIZER.pad_id, TOKENIZER.start_id, TOKENIZER.end_id)
    assert TOKENIZER.pieces([0, 1, 2]) == ["<pad>", "<start>", "<end>"]
    assert TOKENIZER.decode([1, *TOKENIZER.encode("the cat"), 2, 0, 0]) == "the cat"


def test_merges_are_learned_and_only_from_the_text():
    assert TOKENIZER.pieces(TOKENIZER.encode("the cat sat on the mat")) == [
        "the",
        " cat",
        " sat",
        " on",
        " the",
        " mat",
    ]
    assert len(TOKENIZER.encode("quizzical")) == 9
    assert len(TOKENIZER) <= 330


def test_a_vocabulary_may_stay_smaller_than_asked_for():
    assert len(Tokenizer.train([], vocab_size=8000)) == 259


def test_what_stands_only_once_is_no_pattern_and_the_size_asked_for_is_the_limit():
    assert len(Tokenizer.train(["abcdefgh"], vocab_size=400)) == 259
    assert len(Tokenizer.train(["the cat sat on the mat"] * 5, vocab_size=265)) == 265


def test_training_twice_gives_the_same_file(tmp_path):
    for name in ("one", "two"):
        Tokenizer.train(TEXTS, vocab_size=330).save(tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_saved_and_loaded_it_is_the_same(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.json")
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    text = "<end> the cat 🐈 <pad>"
    assert loaded.encode(text) == TOKENIZER.encode(text)
    assert loaded.encode_sentences([text]) == TOKENIZER.encode_sentences([text])
    assert len(loaded) == len(TOKENIZER)
    assert json.loads((tmp_path / "tokenizer.json").read_text(encoding="utf-8"))["model"]["type"] == "BPE"


def test_settings_of_a_file_that_cut_or_fill_a_text_have_no_effect(tmp_path):
    TOKENIZER.save(tmp_path / "tokenizer.json")
    inner = tokenizers.Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    inner.enable_truncation(3)
    inner.enable_padding(length=20)
    inner.post_processor = tokenizers.processors.TemplateProcessing(
        single="<start> $A", special_tokens=[("<start>", 1)]
    )
    inner.save(str(tmp_path / "tokenizer.json"))
    loaded = Tokenizer.load(tmp_path / "tokenizer.json")
    assert loaded.encode("the cat sat on the mat") == TOKENIZER.encode("the cat sat on the mat")
    assert loaded.encode_sentences(["the cat"]) == TOKENIZER.encode_sentences(["the cat"])


def changed(**entries):
    return json.dumps(json.loads(TOKENIZER._inner.to_str()) | entries)


@pytest.mark.parametrize(
    "content, message",
    [
        ("", "not a tokenizer"),
        ("{}", "not a tokenizer"),
        ("[1, 2", "not a tokenizer"),
        (tokenizers.Tokenizer(tokenizers.models.WordLevel()).to_str(), "not a byte-level BPE: WordLevel"),
        (changed(normalizer={"type": "Lowercase"}), "Lowercase changes the text"),
        (TOKENIZER._inner.to_str().replace("<start>", "<s>"), "'<start>' has id None"),
        (
            TOKENIZER._inner.to_str().replace("<pad>", "<x>").replace("<end>", "<pad>").replace("<x>", "<end>"),
            "'<pad>' has id 2",
        ),
    ],
)
def test_a_foreign_file_is_refused_by_name(tmp_path, content, message):
    (tmp_path / "mine.json").write_text(content, encoding="utf-8")
    with pytest.raises(
        ValueError,
        match=rf"mine\.json: not a tokenizer of this book(.|\n)*{'' if message.startswith('not a tok') else message}",
    ):
        Tokenizer.load(tmp_path / "mine.json")


def test_a_file_that_is_not_there_is_that(tmp_path):
    with pytest.raises(FileNotFoundError):
        Tokenizer.load(tmp_path / "nothing.json")


@pytest.mark.parametrize(
    "use", [TOKENIZER.encode, lambda text: TOKENIZER.encode_sentences([text]), lambda text: Tokenizer.train([text])]
)
def test_half_a_surrogate_pair_is_refused_with_its_place(use):
    with pytest.raises(ValueError, match=r"character 4 of the text is '\\ud83d', half of a surrogate pair"):
        use("cat \ud83d")


@pytest.mark.parametrize("id", [-1, len(TOKENIZER)])
def test_an_id_outside_the_vocabulary_is_refused(id):
    for use in (TOKENIZER.decode, TOKENIZER.pieces):
        with pytest.raises(ValueError, match=f"id {id} lies outside a vocabulary of {len(TOKENIZER)} tokens"):
            use([5, id])


def test_bytes_that_are_no_text_are_marked():
    first_byte = TOKENIZER.encode("Ж")[:1]
    assert TOKENIZER.decode(first_byte) == "\ufffd"


def test_too_small_a_vocabulary_is_refused():
    with pytest.raises(ValueError, match=r"vocab_size=258 .* at least 259"):
        Tokenizer.train(TEXTS, vocab_size=258)
