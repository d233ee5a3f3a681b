"""Text is UTF-8, whatever it comes in; what is not says so, with the name of the file."""

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock.data import Tokenizer
from blockbyblock.texts import Line, read_good_lines, read_lines, read_text, to_lines
from blockbyblock.training import read_log, read_recipe, read_run

MARK = "\ufeff"
LETTERS = "Where is the cat?\nÜber allen Gipfeln ist Ruh.\n\nOne\n"


def texts_of(content):
    return [line.text for line in to_lines(io.BytesIO(content), "it")]


@given(
    lines=st.lists(st.text(st.characters(exclude_characters="\n\r\0\ufeff", exclude_categories=["Cs"])), min_size=1),
    mark=st.booleans(),
    end=st.sampled_from(["\n", "\r\n"]),
)
def test_every_text_in_utf8_is_read_as_it_is(lines, mark, end):
    content = (MARK * mark + "".join(line + end for line in lines)).encode()
    found = [*to_lines(io.BytesIO(content), "it")]
    assert found == [Line(line) for line in lines]


def test_a_bad_line_says_where():
    found = [*to_lines(io.BytesIO(b"a\nb\xffc\n\0d\n"), "it")]
    assert found[1] == Line("b\\xffc", "not UTF-8", "byte 1 is 0xff")
    assert found[2] == Line("\0d", "NUL", "byte 0 is 0x00")


@pytest.mark.parametrize("text", [LETTERS, "\n\nHi.\nThe cat.\n", "中文\n猫坐在椅子上。\n"])
@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32", "utf-32-be"])
def test_another_encoding_with_its_mark_is_refused(text, encoding):
    content = (MARK * encoding.endswith("be") + text).encode(encoding)
    with pytest.raises(ValueError, match=rf"it is text in UTF-{encoding[4:6]}, .*`iconv -f UTF-{encoding[4:6]} "):
        texts_of(content)


@pytest.mark.parametrize("text", [LETTERS, "\n\nHi.\nThe cat.\n", "猫: the cat sits on the chair\n"])
@pytest.mark.parametrize("encoding", ["UTF-16LE", "UTF-16BE", "UTF-32LE", "UTF-32BE"])
def test_another_encoding_without_a_mark_is_refused_by_its_nuls(text, encoding):
    with pytest.raises(ValueError, match=rf"it is text in {encoding}, .*`iconv -f {encoding} -t UTF-8`"):
        texts_of(text.encode(encoding))


def test_chinese_in_utf32_is_known_by_its_nuls():
    with pytest.raises(ValueError, match="UTF-32LE"):
        texts_of("猫坐在椅子上。\n".encode("utf-32-le"))


@pytest.mark.parametrize("content", [b"a\0b\0c\0d\0\n", b"\0" * 40 + b"\n", b"word\0word\0word\n"])
def test_nuls_among_text_in_utf8_are_bad_lines_and_no_other_encoding(content):
    found = [*to_lines(io.BytesIO(b"one\n" + content + b"two\n"), "it")]
    assert [line.problem for line in found] == [None, "NUL", None]


@pytest.mark.parametrize(
    "read", [read_text, read_good_lines, lambda path: [*read_lines(path)], read_log, read_recipe, Tokenizer.load]
)
def test_every_reader_of_a_file_names_it(tmp_path, read):
    path = tmp_path / "file.txt"
    path.write_bytes("title = 'x'\n".encode("utf-16"))
    with pytest.raises(ValueError, match=r"^\S*file\.txt is text in UTF-16"):
        read(path)
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError, match=r"file\.txt is a folder, and a file with text is needed"):
        read(path)


@pytest.mark.parametrize("read", [read_text, read_good_lines, read_log, read_recipe, Tokenizer.load])
def test_a_byte_that_is_no_text_is_named_with_file_and_line(tmp_path, read):
    path = tmp_path / "file.txt"
    path.write_bytes(b"{}\n{\xff}\n")
    with pytest.raises(ValueError, match=r"file\.txt, line 2: not UTF-8: byte 1 is 0xff"):
        read(path)


def test_a_run_that_was_saved_in_another_encoding_is_refused_by_name(tmp_path):
    (tmp_path / "run.json").write_bytes('{"recipe": {}}'.encode("utf-16"))
    with pytest.raises(ValueError, match=r"run\.json is text in UTF-16"):
        read_run(tmp_path)


def test_a_log_and_a_packed_text_may_begin_with_a_mark(tmp_path):
    record = '{"kind": "train", "step": 1, "loss": 2.0}\n'
    (tmp_path / "log.jsonl").write_bytes((MARK + record).encode())
    assert [found["step"] for found in read_log(tmp_path / "log.jsonl")] == [1]
    (tmp_path / "a.GZ").write_bytes(gzip.compress((MARK + record).encode()))
    assert read_text(tmp_path / "a.GZ") == record
