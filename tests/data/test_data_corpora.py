"""The four corpora."""

import gzip
import hashlib
import zipfile
from pathlib import Path

import pytest
from corpus_home import serving

from blockbyblock.data import corpora, fetching, multi30k, number_names, parallel_text, tatoeba


def test_number_names_by_hand():
    corpus = number_names("en", "de", numbers=range(21, 22), train=1, validation=0, test=0)
    assert corpus.train == [("twenty-one", "einundzwanzig")]
    assert number_names("fr", "ja", numbers=range(-5, -4), train=1, validation=0, test=0).train == [
        ("moins cinq", "マイナス五")
    ]


def test_a_number_in_the_test_was_never_seen():
    corpus = number_names(numbers=range(1000), train=700, validation=100, test=200)
    parts = [{pair[0] for pair in part} for part in (corpus.train, corpus.validation, corpus.test)]
    assert [len(part) for part in parts] == [700, 100, 200]
    assert len(set().union(*parts)) == 1000


def test_number_names_are_decided_by_the_seed():
    first, again, other = (number_names(seed=seed, train=50, validation=5, test=5) for seed in (1, 1, 2))
    assert first.train == again.train
    assert first.test == again.test
    assert first.train != other.train
    # Fixed for good: a model's test must not move into training with another version of Python.
    assert first.train[0] == ("seventeen thousand, six hundred and eleven", "siebzehntausendsechshundertelf")


def test_a_range_of_any_size_is_drawn_from():
    corpus = number_names(numbers=range(10**9), train=5, validation=0, test=5)
    assert str(corpus) == "number names, 0 to 999,999,999, en to de: 5 training pairs, 0 validation and 5 test examples"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"target": "xx"}, "target='xx' is not one of am, ar"),
        ({"numbers": range(10)}, "cannot draw .*'train': 3000.* from the 10 numbers of range"),
        ({"train": -1}, "'train': -1"),
        ({"target": "am", "numbers": range(1100, 1110), "train": 5, "validation": 0, "test": 0}, "cannot name 11"),
        (
            {"target": "az", "numbers": range(10000, 11001, 1000), "train": 2, "validation": 0, "test": 0},
            "gives 1[01]000 and 1[01]000 one name in 'az'",
        ),
    ],
)
def test_number_names_that_cannot_be_had(arguments, message):
    with pytest.raises(ValueError, match=message):
        number_names(**arguments)


def test_training_text_is_training_text_only():
    corpus = number_names(numbers=range(30), train=10, validation=10, test=10)
    text = set(corpus.training_text())
    assert text == {sentence for pair in corpus.train for sentence in pair}
    assert not text & {example.source for example in (*corpus.validation, *corpus.test)}


@pytest.fixture
def captions(tmp_path: Path) -> Path:
    for part, count in (("train", 3), ("val", 2), ("test_2016_flickr", 1)):
        for language in ("en", "de"):
            lines = "".join(f"{part} {language} {number}\n" for number in range(count))
            (tmp_path / f"{part}.{language}.gz").write_bytes(gzip.compress(lines.encode()))
    return tmp_path


def test_multi30k_keeps_the_official_parts(captions):
    corpus = multi30k(folder=captions)
    assert corpus.train == [(f"train en {number}", f"train de {number}") for number in range(3)]
    assert corpus.validation == [(f"val en {number}", (f"val de {number}",)) for number in range(2)]
    assert corpus.test == [("test_2016_flickr en 0", ("test_2016_flickr de 0",))]
    assert len(corpus.sha256) == 6
    assert [report.pairs for report in corpus.reports] == [3, 2, 1]


def test_multi30k_in_the_other_direction(captions):
    corpus = multi30k("de", "en", folder=captions)
    assert corpus.train[0] == ("train de 0", "train en 0")


def test_multi30k_has_two_languages():
    with pytest.raises(ValueError, match="not from 'en' to 'cs'"):
        multi30k("en", "cs")


def test_multi30k_takes_no_other_files_from_its_home(tmp_path, monkeypatch):
    monkeypatch.delenv("BLOCKBYBLOCK_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "user_cache_path", lambda name: tmp_path)
    with serving(b"not the corpus") as home:
        monkeypatch.setattr(corpora, "MULTI30K_HOME", home.url.rpartition("/")[0])
        with pytest.raises(fetching.DownloadError, match="another file than expected"):
            multi30k()


SENTENCES = "".join(f"Sentence {n // 2}.\tSatz {n}.\tCC-BY #{n}\n" for n in range(40)) + "alone\n"


@pytest.fixture
def everyday(tmp_path: Path) -> Path:
    with zipfile.ZipFile(tmp_path / "deu-eng.zip", "w") as archive:
        archive.writestr("_about.txt", "about")
        archive.writestr("deu.txt", SENTENCES)
    return tmp_path


def test_tatoeba_from_the_zip_and_from_the_text_in_it(everyday):
    packed = tatoeba(validation=3, test=4, folder=everyday)
    assert packed.sha256 == {"deu-eng.zip": hashlib.sha256((everyday / "deu-eng.zip").read_bytes()).hexdigest()}
    assert (len(packed.train), len(packed.validation), len(packed.test)) == (26, 3, 4)
    assert all(len(example.references) == 2 for example in packed.test)
    assert packed.reports[0].refused == {"unpaired": 1}
    (everyday / "deu-eng.zip").unlink()
    (everyday / "deu.txt").write_text(SENTENCES, encoding="utf-8")
    unpacked = tatoeba(validation=3, test=4, folder=everyday)
    assert (unpacked.train, unpacked.test) == (packed.train, packed.test)


def test_the_seed_decides_the_split_of_a_corpus_that_has_no_parts(everyday):
    (everyday / "mine.tsv").write_text(SENTENCES, encoding="utf-8")
    sizes = {"validation": 3, "test": 4}
    for load in (
        lambda seed: tatoeba(**sizes, seed=seed, folder=everyday),
        lambda seed: parallel_text(everyday / "mine.tsv", **sizes, seed=seed),
    ):
        assert load(1).test == load(1).test != load(2).test


def test_tatoeba_in_the_other_direction(everyday):
    corpus = tatoeba("deu", "eng", validation=2, test=4, folder=everyday)
    assert corpus.train[0][0].startswith("Satz")
    assert all(example.references[0].startswith("Sentence") for example in corpus.test)


def test_tatoeba_from_its_home(everyday, tmp_path, monkeypatch):
    monkeypatch.delenv("BLOCKBYBLOCK_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(fetching, "user_cache_path", lambda name: tmp_path / "cache")
    with serving((everyday / "deu-eng.zip").read_bytes()) as home:
        monkeypatch.setattr(corpora, "TATOEBA_HOME", home.url.rpartition("/")[0])
        downloaded = tatoeba(validation=3, test=4)
    assert downloaded.train == tatoeba(validation=3, test=4, folder=everyday).train


@pytest.mark.parametrize("source, target", [("deu", "fra"), ("eng", "eng")])
def test_tatoeba_has_english_on_one_side(source, target):
    with pytest.raises(ValueError, match=f"from or to eng, not from '{source}' to '{target}'"):
        tatoeba(source, target)


def test_text_of_the_users_own(tmp_path):
    (tmp_path / "my.tsv").write_text("".join(f"x{n}\ty{n}\n" for n in range(20)) + "no pair\n", encoding="utf-8")
    (tmp_path / "my.en").write_text("".join(f"x{n}\n" for n in range(20)), encoding="utf-8")
    (tmp_path / "my.de.gz").write_bytes(gzip.compress("".join(f"y{n}\n" for n in range(20)).encode()))
    one = parallel_text(tmp_path / "my.tsv", validation=3, test=4)
    two = parallel_text(tmp_path / "my.en", tmp_path / "my.de.gz", validation=3, test=4, languages=("en", "de"))
    assert (one.train, one.validation, one.test) == (two.train, two.validation, two.test)
    assert (len(one.train), len(one.validation), len(one.test)) == (13, 3, 4)
    assert one.reports[0].refused == {"unpaired": 1}
    assert sorted(two.sha256) == ["my.de.gz", "my.en"]
    assert (two.source_language, two.target_language) == ("en", "de")


def test_the_longest_sentence_of_a_text_of_ones_own_is_the_callers_to_say(tmp_path):
    lines = [f"{'x' * length}\ty{length}" for length in range(1, 21)]
    (tmp_path / "my.tsv").write_text("\n".join(lines), encoding="utf-8")
    report = parallel_text(tmp_path / "my.tsv", max_characters=15).reports[0]
    assert (report.pairs, report.refused) == (15, {"too long": 5})


def test_text_that_cannot_be_split_is_refused_with_what_was_read(tmp_path):
    (tmp_path / "my.txt").write_text("no tab\n" * 5, encoding="utf-8")
    with pytest.raises(
        ValueError, match=r"cannot split 0 pairs(.|\n)*my\.txt: 5 lines, 0 pairs\n  5 unpaired \(line 1: 'no tab'"
    ):
        parallel_text(tmp_path / "my.txt")
