"""The corpora of a language model and of a classifier."""

import gzip
import random
import zipfile
from collections import Counter

import pytest
from num2words import num2words

from blockbyblock.data import (
    BpeDropout,
    EncodedLabel,
    LabelledText,
    Tokenizer,
    encode_labelled,
    encode_texts,
    labelled_text,
    number_languages,
    plain_text,
    tatoeba_sentences,
)
from blockbyblock.data.corpora import LANGUAGES
from blockbyblock.data.splitting import sentence_key, split_texts


def parts(corpus):
    return corpus.train, corpus.validation, corpus.test


def test_texts_that_look_alike_stand_in_one_part():
    texts = [form.format(n) for n in range(30) for form in ("Go {}.", "go {}!", "GO  {}", "Stay {}")]
    split = split_texts([*texts, "Go 1."], validation=20, test=30)
    assert sorted([*split.train, *split.validation, *split.test]) == sorted(texts)  # each of them once
    assert (len(split.validation), len(split.test)) == (20, 30)
    keys = [{sentence_key(text) for text in part} for part in split]
    assert len(set().union(*keys)) == sum(map(len, keys))  # no two have one in common
    assert split == split_texts(texts, validation=20, test=30) != split_texts(texts, validation=20, test=30, seed=1)


def test_a_number_of_the_test_was_seen_in_no_language():
    corpus = number_languages(("de", "nl", "fi"), train=10, validation=4, test=6)
    assert [len(part) for part in parts(corpus)] == [30, 12, 18]
    assert corpus.labels == ("de", "nl", "fi")
    for part, count in zip(parts(corpus), (10, 4, 6), strict=True):
        assert Counter(text.label for text in part) == dict.fromkeys(corpus.labels, count)
    german = [{text for text, label in part if label == "de"} for part in parts(corpus)]
    assert len(set().union(*german)) == sum(map(len, german))  # no two have one in common
    numbers = {language: {num2words(n, lang=language): n for n in range(100)} for language in corpus.labels}
    for part in parts(corpus):  # the same numbers in each language
        of_each = [{numbers[label][text] for text, label in part if label == own} for own in corpus.labels]
        assert of_each[0] == of_each[1] == of_each[2]
    same, other = (number_languages(("de", "nl", "fi"), train=10, validation=4, test=6, seed=seed) for seed in (0, 1))
    assert parts(same) == parts(corpus)
    assert other.test != corpus.test
    assert str(corpus) == "names of 0 to 99, 3 classes: 30 training texts, 12 validation and 18 test texts"


def test_a_name_that_two_languages_share_stands_there_with_either():
    corpus = number_languages(("da", "no"), numbers=range(3, 4), train=1, validation=0, test=0)
    assert corpus.train == [("tre", "da"), ("tre", "no")]
    assert corpus.about() == {"labels": ["da", "no"]}


def test_the_numbers_of_the_box():
    corpus = number_languages()
    assert [len(part) for part in parts(corpus)] == [25 * count for count in (50, 20, 30)]
    assert set(corpus.training_text()) == {text.text for text in corpus.train}
    assert len({*LANGUAGES}) == 25


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"languages": ("de", "de")}, "two different languages are needed at least, each named once; got de, de"),
        ({"languages": ("de", "nl", "de")}, "each named once"),
        ({"languages": ("de",)}, "two different languages"),
        ({"languages": ("de", "xx")}, "'xx' is not one of am, ar"),
        ({"train": 90}, "cannot draw .*'train': 90"),
    ],
)
def test_languages_that_cannot_be_had(arguments, message):
    with pytest.raises(ValueError, match=message):
        number_languages(**arguments)


SENTENCES = "".join(f"Sentence {n // 2}.\tSatz {n}.\tCC-BY #{n}\n" for n in range(40)) + "alone\n"


def test_each_sentence_of_tatoeba_once_in_one_language(tmp_path):
    with zipfile.ZipFile(tmp_path / "deu-eng.zip", "w") as archive:
        archive.writestr("deu.txt", SENTENCES)
    corpus = tatoeba_sentences(validation=3, test=4, folder=tmp_path)
    assert [len(part) for part in parts(corpus)] == [13, 3, 4]
    assert {text for part in parts(corpus) for text in part} == {f"Sentence {n}." for n in range(20)}
    assert (corpus.language, [*corpus.sha256], corpus.reports[0].refused) == ("eng", ["deu-eng.zip"], {"unpaired": 1})
    assert "CC BY 2.0" in corpus.terms
    german = tatoeba_sentences("deu", "eng", validation=3, test=4, folder=tmp_path)
    assert len(german.train) == 33
    assert german.about() == {"language": "deu"}
    other = tatoeba_sentences(validation=3, test=4, seed=1, folder=tmp_path)
    assert other.test != corpus.test == tatoeba_sentences(validation=3, test=4, folder=tmp_path).test


def test_plain_text_with_lines_that_cannot_be_used(tmp_path):
    lines = [f"text {n}\t with a tab".encode() for n in range(20)] + [b"", b"\xff", b"x\0", b"long " * 300, b"text 3"]
    (tmp_path / "mine.txt").write_bytes(b"\xef\xbb\xbf" + b"\r\n".join(lines))
    (tmp_path / "mine.txt.gz").write_bytes(gzip.compress(b"\n".join(lines)))
    corpus, packed = (plain_text(tmp_path / name, language="en") for name in ("mine.txt", "mine.txt.gz"))
    assert parts(corpus) == parts(packed)
    assert [len(part) for part in parts(corpus)] == [17, 2, 2]
    report = corpus.reports[0]
    assert (report.lines, report.pairs, sum(report.refused.values())) == (25, 21, 4)
    assert report.refused["empty"] == report.refused["too long"] == 1
    assert "25 lines, 21 texts" in str(report)
    assert str(corpus) == "mine.txt, en: 17 training texts, 2 validation and 2 test texts"
    assert set(corpus.training_text()) == {*corpus.train}
    assert len(plain_text(tmp_path / "mine.txt", max_characters=18, validation=1, test=1).train) == 9  # 0 to 9, and 3
    assert plain_text(tmp_path / "mine.txt", seed=1).test != corpus.test


@pytest.mark.parametrize("load", [plain_text, labelled_text])
def test_a_file_of_ones_own_that_cannot_be_used(tmp_path, load):
    path = tmp_path / "mine.txt"
    with pytest.raises(FileNotFoundError):
        load(path)
    for encoding in ("utf-16", "utf-32"):
        path.write_bytes("a text\ta label\n".encode(encoding))
        with pytest.raises(ValueError, match=rf"mine\.txt is text in UTF-{encoding[4:]}"):
            load(path)
    path.write_bytes(b"")
    with pytest.raises(ValueError, match=r"(.|\n)*What was read: mine\.txt: 0 lines, 0 "):
        load(path)
    path.write_bytes(b"one\ta\n")
    with pytest.raises(ValueError, match=r"cannot split 1 (.|\n)*What was read: mine\.txt: 1 lines, 1 "):
        load(path)


LABELLED = "".join(f"text {n}\t{'even' if n % 2 == 0 else 'odd'}\tnote\n" for n in range(40))


def test_labelled_text_with_lines_that_cannot_be_used(tmp_path):
    (tmp_path / "mine.tsv").write_text(LABELLED + "no label\n\todd\ntext\t\nText 3!\teven\n", encoding="utf-8")
    corpus = labelled_text(tmp_path / "mine.tsv", validation=5, test=6)
    assert corpus.labels == ["even", "odd"]
    assert corpus.reports[0].refused == {"unpaired": 1, "empty": 2}
    assert sum(map(len, parts(corpus))) == 41
    keys = [{sentence_key(text.text) for text in part} for part in parts(corpus)]
    assert len(set().union(*keys)) == sum(map(len, keys))  # no two have one in common
    for text, label in (text for part in parts(corpus) for text in part if text.text != "Text 3!"):
        assert label == ("even" if int(text.split()[1]) % 2 == 0 else "odd")
    same, other = (labelled_text(tmp_path / "mine.tsv", validation=5, test=6, seed=seed) for seed in (0, 1))
    assert parts(same) == parts(corpus)
    assert other.test != corpus.test
    assert set(corpus.training_text()) == {text.text for text in corpus.train}


def test_columns_of_labelled_text_are_the_callers_to_say(tmp_path):
    (tmp_path / "mine.tsv").write_text("".join(f"{n % 2}\tx\ttext {n}\n" for n in range(20)), encoding="utf-8")
    corpus = labelled_text(tmp_path / "mine.tsv", columns=(2, 0))
    assert corpus.labels == ["0", "1"]
    assert all(text.text.endswith(("0", "2", "4", "6", "8")) == (text.label == "0") for text in corpus.train)


@pytest.mark.parametrize(
    "content, sizes, message",
    [
        ("".join(f"text {n}\tone\n" for n in range(20)), {}, "all texts have the label 'one': a classifier needs two"),
        ("", {"validation": 0, "test": 0}, "there is no text: a classifier needs two labels"),
        (LABELLED + "rare\tprime\n", {"validation": 0, "test": 41}, "leave none"),
        ("a\tone\nb\ttwo\nc\tthree\n", {"validation": 1, "test": 1}, "no training text has the label '"),
    ],
)
def test_labels_that_teach_nothing(tmp_path, content, sizes, message):
    (tmp_path / "mine.tsv").write_text(content, encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        labelled_text(tmp_path / "mine.tsv", **sizes)


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(["the cat sat on the mat"] * 9, 280)


def test_texts_and_labels_in_ids(tokenizer):
    [text] = encode_texts(tokenizer, ["the cat"])
    assert text.ids == [*tokenizer.encode("the cat"), tokenizer.end_id]
    batch = text.batch([text, *encode_texts(tokenizer, ["the"])])
    [ids] = batch.inputs
    assert ids[0].tolist() == [tokenizer.start_id, *tokenizer.encode("the cat")]
    assert batch.target[1].tolist()[:2] == [*tokenizer.encode("the"), tokenizer.end_id]
    assert batch.predictions == len(text.ids) + 2
    rows = encode_labelled(tokenizer, [LabelledText("the cat", "no"), LabelledText("mat", "yes")], ["no", "yes"])
    assert rows[0] == ([tokenizer.start_id, *tokenizer.encode("the cat")], 0)
    batch = rows[0].batch(rows)
    assert batch.target.tolist() == [[0], [1]]
    assert (batch.predictions, batch.to("cpu").predictions) == (2, 2)  # class 0 is a class, and no padding
    with pytest.raises(ValueError, match="the label 'maybe' is not one of no, yes"):
        encode_labelled(tokenizer, [LabelledText("the", "maybe")], ["no", "yes"])


def test_bpe_dropout_keeps_cls_first_the_label_and_the_text(tokenizer):
    row = EncodedLabel([tokenizer.start_id, *tokenizer.encode("the cat sat on")], 1)
    dropout, lengths = BpeDropout(tokenizer, 0.5), set()
    for seed in range(20):
        other = dropout(row, random.Random(seed))
        assert other.ids[0] == tokenizer.start_id
        assert tokenizer.end_id not in other.ids
        assert (tokenizer.decode(other.ids), other.label) == ("the cat sat on", 1)
        lengths.add(other.length)
    assert len(lengths) > 1
    [text] = encode_texts(tokenizer, ["the cat sat on"])
    other = dropout(text, random.Random(1))
    assert (tokenizer.decode(other.ids), other.ids[-1]) == ("the cat sat on", tokenizer.end_id)
