"""Parallel text from files: what cannot be used is counted and shown, and nothing shifts."""

import gzip
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from blockbyblock.data import Pair, read_aligned, read_tsv

# Everything that Python's str.splitlines splits at, except the line feed.
SEPARATORS = "\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def test_two_aligned_files_by_hand(tmp_path):
    (tmp_path / "a.en").write_bytes(b"one\n\ntwo\n  threethree  \nfour\n\xff\xfe\nsix\nseven\n")
    (tmp_path / "a.de").write_bytes(b"eins\nleer\nzwei\ndrei\n\nf\xc3\xbcnf\n" + b"s" * 11 + b"\n")
    pairs, report = read_aligned(tmp_path / "a.en", tmp_path / "a.de", max_characters=10, unpaired="leave out")
    assert pairs == [("one", "eins"), ("two", "zwei"), ("threethree", "drei")]
    assert report.refused == {"empty": 2, "not UTF-8": 1, "too long": 1, "unpaired": 1}
    assert str(report).splitlines() == [
        "a.en and a.de: 8 lines, 3 pairs",
        "  2 empty (line 2: ' | leer'; line 5: 'four | ')",
        "  1 not UTF-8 (line 6: '\\\\xff\\\\xfe | fünf')",
        "  1 too long (line 7: 'six | sssssssssss')",
        "  1 unpaired (line 8: 'seven')",
    ]


def test_one_file_with_tabs_by_hand(tmp_path):
    path = tmp_path / "a.tsv"
    path.write_bytes(b'Go.\tGeh.\tCC-BY\nHi.\n\t\nHe said "no\tEr sagte "nein\n')
    pairs, report = read_tsv(path)
    assert pairs == [("Go.", "Geh."), ('He said "no', 'Er sagte "nein')]
    assert report.refused == {"unpaired": 1, "empty": 1}
    assert report.first == {"unpaired": [(2, "Hi.")], "empty": [(3, " | ")]}


def test_columns_may_be_chosen(tmp_path):
    (tmp_path / "a.tsv").write_text("12\tGeh.\t99\tGo.\n13\tHalt.\n", encoding="utf-8")
    pairs, report = read_tsv(tmp_path / "a.tsv", columns=(3, 1))
    assert pairs == [("Go.", "Geh.")]
    assert report.first == {"unpaired": [(2, "13\tHalt.")]}


def test_a_report_shows_the_first_lines_and_shortens_them(tmp_path):
    (tmp_path / "a.tsv").write_text(f"{'x' * 100}\n" * 5, encoding="utf-8")
    _, report = read_tsv(tmp_path / "a.tsv")
    assert report.first["unpaired"] == [(number, "x" * 60 + "...") for number in (1, 2, 3)]
    assert str(report).endswith("; ...)")


def test_a_byte_order_mark_is_no_text_where_a_file_begins_or_one_was_put_behind_another(tmp_path):
    (tmp_path / "a.tsv").write_bytes(b"\xef\xbb\xbfone\teins\n\xef\xbb\xbftwo\tzwei\n")
    assert read_tsv(tmp_path / "a.tsv")[0] == [("one", "eins"), ("two", "zwei")]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_last_line_may_end_or_not(tmp_path, end):
    (tmp_path / "a.tsv").write_bytes(b"one\teins\r\ntwo\tzwei" + end)
    pairs, report = read_tsv(tmp_path / "a.tsv")
    assert pairs == [("one", "eins"), ("two", "zwei")]
    assert report.lines == 2


@pytest.mark.parametrize("separator", SEPARATORS)
def test_only_a_line_feed_ends_a_line(tmp_path, separator):
    (tmp_path / "a.en").write_bytes(f"one{separator}half\ntwo\n".encode())
    (tmp_path / "a.de").write_bytes(b"eins\nzwei\n")
    pairs, _ = read_aligned(tmp_path / "a.en", tmp_path / "a.de")
    assert pairs == [(f"one{separator}half", "eins"), ("two", "zwei")]


@given(
    sides=st.lists(
        st.tuples(*[st.binary(max_size=12).map(lambda line: line.replace(b"\n", b""))] * 2), min_size=1, max_size=12
    ),
    extra=st.integers(0, 3),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])  # the files are written anew for each example
def test_every_line_is_a_pair_or_is_counted_whatever_the_bytes(tmp_path, sides, extra):
    sides = [(b"one", b"eins"), *sides]  # a line of UTF-8 first: bytes alone may be those of another encoding
    (tmp_path / "a.en").write_bytes(b"".join(side + b"\n" for side, _ in sides))
    (tmp_path / "a.de").write_bytes(b"".join(side + b"\n" for _, side in sides) + b"more\n" * extra)
    pairs, report = read_aligned(tmp_path / "a.en", tmp_path / "a.de", max_characters=8, unpaired="leave out")
    assert report.lines == len(sides) + extra == report.pairs + sum(report.refused.values())
    assert report.pairs == len(pairs)
    assert report.refused.get("unpaired", 0) == extra
    numbers = [number for shown in report.first.values() for number, _ in shown]
    assert len(set(numbers)) == len(numbers)
    assert all(source and target for source, target in pairs)
    assert not any("\0" in side for pair in pairs for side in pair)


def test_files_of_different_length_are_refused_unless_asked_for(tmp_path):
    """A line that is missing in the middle gives the translation of one number to another."""
    (tmp_path / "a.en").write_text("one\ntwo\nthree\nfour\nfive\n", encoding="utf-8")
    (tmp_path / "a.de").write_text("eins\nzwei\nvier\nfünf\n", encoding="utf-8")
    for first, second, counts in (("a.en", "a.de", ("5", "4")), ("a.de", "a.en", ("4", "5"))):
        message = rf"{first} has {counts[0]} lines and .*{second} {counts[1]}: they do not pair.*unpaired=\"leave out\""
        with pytest.raises(ValueError, match=message):
            read_aligned(tmp_path / first, tmp_path / second)
    pairs, report = read_aligned(tmp_path / "a.en", tmp_path / "a.de", unpaired="leave out")
    assert (len(pairs), report.refused) == (4, {"unpaired": 1})


@pytest.mark.unhooked
def test_what_to_do_with_unpaired_lines_is_one_of_two(tmp_path):
    with pytest.raises(ValueError, match="unpaired='cut' is not one of refuse, leave out"):
        read_aligned(Path(__file__), Path(__file__), unpaired="cut")


def test_a_nul_is_a_bad_line_and_the_rest_is_read(tmp_path):
    (tmp_path / "a.en").write_bytes(b"one\ntw\0o\nthree\n")
    (tmp_path / "a.de").write_bytes(b"eins\nzwei\ndrei\n")
    pairs, report = read_aligned(tmp_path / "a.en", tmp_path / "a.de")
    assert pairs == [("one", "eins"), ("three", "drei")]
    assert report.refused == {"NUL": 1}
    assert str(report).endswith("  1 NUL (line 2: 'tw\\x00o | zwei')")
    (tmp_path / "a.tsv").write_bytes(b"one\teins\ntwo\tz\0wei\n")
    assert read_tsv(tmp_path / "a.tsv")[1].refused == {"NUL": 1}


def test_compressed_files_are_read_as_the_others(tmp_path):
    text = b"one\teins\ntwo\tzwei\n"
    (tmp_path / "a.tsv.gz").write_bytes(gzip.compress(text))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", text)
    expected = [Pair("one", "eins"), Pair("two", "zwei")]
    assert read_tsv(tmp_path / "a.tsv.gz")[0] == expected
    assert read_tsv(tmp_path / "a.zip", member="a.txt")[0] == expected


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-9], lambda data: b"no gzip", lambda data: data[:20] + b"\0" * 9]
)
def test_a_damaged_gzip_file_is_refused_by_name(tmp_path, damage):
    (tmp_path / "a.tsv.gz").write_bytes(damage(gzip.compress(b"one\teins\n" * 100)))
    with pytest.raises(ValueError, match=r"a\.tsv\.gz is damaged"):
        read_tsv(tmp_path / "a.tsv.gz")


def test_a_damaged_zip_file_is_refused_by_name(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("a.txt", "one\teins\n")
    data = (tmp_path / "a.zip").read_bytes()
    with pytest.raises(ValueError, match=r"a\.zip holds no file b\.txt"):
        read_tsv(tmp_path / "a.zip", member="b.txt")
    for damaged in (data[:-30], data.replace(b"one\teins", b"two\teins")):
        (tmp_path / "a.zip").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"a\.zip is damaged"):
            read_tsv(tmp_path / "a.zip", member="a.txt")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing"):
        read_aligned(tmp_path / "nothing", Path(__file__))


@pytest.mark.unhooked
def test_the_limit_must_be_a_size(tmp_path):
    with pytest.raises(ValueError, match="max_characters=0"):
        read_aligned(Path(__file__), Path(__file__), max_characters=0)
