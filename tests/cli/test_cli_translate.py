"""`blockbyblock translate`: one line in, one line out, whatever the line is."""

import gzip
import io
import random
import subprocess
import sys
import unicodedata

import pytest
import torch

from blockbyblock.cli import main
from blockbyblock.cli.attention import choose
from blockbyblock.cli.common import open_model, printable
from blockbyblock.translator import Translator


class Stdin:
    """Standard input that holds these bytes."""

    def __init__(self, content, tty=False):
        self.buffer = io.BytesIO(content)
        self._tty = tty

    def isatty(self):
        return self._tty


def test_sentences_of_the_command_line(model, capsys):
    assert main(["translate", "--model", model, "the cat", "where"]) == 0
    expected = open_model(model, Translator).translate(["the cat", "where"])
    assert capsys.readouterr() == ("".join(f"{printable(text)}\n" for text in expected), "")


@pytest.mark.parametrize("at_once", [2, 64])
@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
def test_a_file_and_standard_input_say_the_same(model, capsys, tmp_path, monkeypatch, at_once, end):
    monkeypatch.setattr("blockbyblock.cli.common.LINES_AT_ONCE", at_once)
    content = end.join([b"the cat", b"", b"where is", "Straße \u2028 x".encode(), b"mat"])
    (tmp_path / "in.txt").write_bytes(content)
    assert main(["translate", "--model", model, "--file", str(tmp_path / "in.txt")]) == 0
    from_file = capsys.readouterr()
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    assert main(["translate", "--model", model]) == 0
    assert capsys.readouterr() == from_file
    lines = from_file.out.split("\n")
    assert len(lines) == 6  # five lines, each with an end
    assert lines[1] == ""
    assert lines[0] == printable(open_model(model, Translator).translate(["the cat"])[0])


def test_a_bad_line_is_named_and_the_rest_goes_on(model, capsys, tmp_path):
    content = b"\n".join([b"the cat", b"\xff\xfe", b"cat " * 100, b"mat"])
    (tmp_path / "in.txt").write_bytes(content)
    assert main(["translate", "--model", model, "--file", str(tmp_path / "in.txt")]) == 1
    output, errors = capsys.readouterr()
    lines = output.split("\n")
    assert (lines[1], lines[2], len(lines)) == ("", "", 5)
    assert lines[3] == printable(open_model(model, Translator).translate(["mat"])[0])
    assert errors.split("\n")[0] == "line 2: not UTF-8: byte 0 is 0xff"
    assert "line 3: the sentence has 101 tokens with <end>, over the model's limit of 64" in errors


MARK = b"\xef\xbb\xbf"
SHORT = ["--beam", "1", "--max-length", "4"]


@pytest.mark.parametrize("content", [MARK + b"the cat\n", b"the cat\n" + MARK + b"mat\n"])
def test_a_byte_order_mark_is_not_translated(model, capsys, tmp_path, monkeypatch, content):
    sentences = content.decode().replace("\ufeff", "").splitlines()
    expected = "".join(
        f"{printable(text)}\n" for text in open_model(model, Translator).translate(sentences, beam=1, max_length=4)
    )
    (tmp_path / "in.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    typed = [line.removesuffix("\n") for line in content.decode().splitlines()]
    for arguments in ([], ["--file", str(tmp_path / "in.txt")], typed):
        assert main(["translate", "--model", model, *SHORT, *arguments]) == 0
        assert capsys.readouterr().out == expected


def test_a_packed_file_is_read_as_it_is(model, capsys, tmp_path):
    for name, content in (("in.txt", b"the cat\n"), ("in.txt.gz", gzip.compress(b"the cat\n"))):
        (tmp_path / name).write_bytes(content)
    outputs = []
    for name in ("in.txt", "in.txt.gz"):
        assert main(["translate", "--model", model, *SHORT, "--file", str(tmp_path / name)]) == 0
        outputs.append(capsys.readouterr())
    assert outputs[0] == outputs[1]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_text_in_another_encoding_is_refused_from_a_file_and_from_standard_input(
    model, capsys, tmp_path, monkeypatch, encoding
):
    content = "the cat\nmat\n".encode(encoding)
    (tmp_path / "in.txt").write_bytes(content)
    monkeypatch.setattr(sys, "stdin", Stdin(content))
    for name, arguments in (("in.txt", ["--file", str(tmp_path / "in.txt")]), ("standard input", [])):
        assert main(["translate", "--model", model, *arguments]) == 1
        output, errors = capsys.readouterr()
        assert output == ""
        assert f"{name} is text in UTF-{encoding[4:6]}" in errors
        assert errors.count("\n") == 1


def test_a_nul_is_a_bad_line(model, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", Stdin(b"the cat\nm\0at\n"))
    assert main(["translate", "--model", model, *SHORT]) == 1
    assert capsys.readouterr().err == "line 2: NUL: byte 1 is 0x00\n"


def test_half_a_surrogate_pair_on_the_command_line_is_refused(model, capsys):
    assert main(["translate", "--model", model, "cat \udcff"]) == 1
    assert "line 1: character 4 of the text" in capsys.readouterr().err


def test_at_a_terminal_each_line_is_answered_before_the_next_is_read(model, capsys, monkeypatch):
    stdin = Stdin(b"cat\nmat\n", tty=True)
    read = []
    lines = iter(stdin.buffer.readlines())

    class Buffer:
        def __iter__(self):
            return self

        def __next__(self):
            read.append(capsys.readouterr().out.count("\n"))
            return next(lines)

    stdin.buffer = Buffer()
    monkeypatch.setattr(sys, "stdin", stdin)
    assert main(["translate", "--model", model]) == 0
    assert read == [0, 1, 1]


def test_the_beam_reaches_the_search(model, capsys):
    translator = open_model(model, Translator)
    for options, beam in (([], 4), (["--beam", "1"], 1), (["--beam", "2", "--max-length", "3"], 2)):
        main(["translate", "--model", model, *options, "where is the cat"])
        limit = 3 if "--max-length" in options else None
        [expected] = translator.translate(["where is the cat"], beam=beam, max_length=limit)
        assert capsys.readouterr().out == f"{printable(expected)}\n"


def test_every_option_reaches_the_search(model, monkeypatch):
    asked, hypotheses = [], Translator.hypotheses

    def watch(translator, texts, **options):
        asked.append(options)
        return hypotheses(translator, texts, **options)

    monkeypatch.setattr(Translator, "hypotheses", watch)
    assert main(["translate", "--model", model, "cat"]) == 0
    options = ["--beam", "2", "--length-penalty", "1.5", "--max-length", "3"]
    assert main(["translate", "--model", model, "cat", *options]) == 0
    assert asked == [
        {"beam": 4, "length_penalty": 0.6, "max_length": None},
        {"beam": 2, "length_penalty": 1.5, "max_length": 3},
    ]


@pytest.mark.parametrize(
    "layer, head, expected", [(1, 1, 1), (1, 3, 4), (2, 2, 16), (None, 1, 8), (2, None, 64 / 3), (None, None, 64 / 3)]
)
def test_layers_and_heads_are_counted_from_one(layer, head, expected):
    weights = torch.tensor([[1.0, 2.0, 4.0], [8.0, 16.0, 40.0]])[:, :, None, None]
    assert choose(weights, layer, head).item() == pytest.approx(expected)


@pytest.mark.parametrize("encoding, full", [("utf-8", "█"), ("ascii", "#")])
def test_the_text_map_shows_each_weight_in_percent(model, encoding, full):
    command = [sys.executable, "-c", f"import sys; sys.argv[0] = 'x'\n{MAP}", model, encoding]
    output = subprocess.run(command, capture_output=True, check=True).stdout.decode()
    assert output.split("\n")[0].split() == ["<end>", "cat"]
    assert f"{full}100" in output
    assert f"{full} 80" in output
    assert " 20" in output


MAP = """
import sys, torch
from blockbyblock.cli.attention import choose, text_map
sys.stdout.reconfigure(encoding=sys.argv[2])
weights = torch.tensor([[[[0.2, 0.8], [1.0, 0.0]]]])
print(text_map((" Katze", "<end>"), ("<end>", " cat"), choose(weights, None, None)))
"""


def test_attention_below_a_translation_and_as_pictures(model, capsys, tmp_path):
    assert main(["translate", "--model", model, "the cat", "--max-length", "4", "--show-attention"]) == 0
    assert "(last layer, mean of heads, percent)" in capsys.readouterr().out
    picture = tmp_path / "cat.svg"
    options = ["--max-length", "4", "--show-attention", str(picture), "--layer", "1", "--head", "2"]
    assert main(["translate", "--model", model, "the cat", "", "mat", *options]) == 0
    assert "layer 1, head 2" in picture.read_text(encoding="utf-8")
    assert (tmp_path / "cat-2.svg").exists()
    assert not (tmp_path / "cat-3.svg").exists()  # nothing was translated for the empty line


@pytest.mark.parametrize("option, message", [("--layer", "--layer 3: the decoder has 2"), ("--head", "--head 3")])
def test_a_layer_or_head_that_is_not_there(model, capsys, option, message):
    assert main(["translate", "--model", model, "cat", option, "3", "--show-attention"]) == 1
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    "text, expected",
    [
        ("Straße 猫 👩‍👩‍👧 العربية", "Straße 猫 👩‍👩‍👧 العربية"),
        ("a\nb\tc\r\u2028d\x85", "a b c  d "),
        ("\x1b[2J\x00\x07", "\N{REPLACEMENT CHARACTER}[2J\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}"),
    ],
)
def test_output_cannot_command_a_terminal(text, expected):
    assert printable(text) == expected


def odd_lines(count, seed=0):
    """Lines as nobody writes them: the fixed ones first, then drawn from all of Unicode and from all bytes."""
    draw = random.Random(seed)
    fixed = [
        b"", b" ", b"\t", b"\x00", b"\x1b[31mred\x1b[0m", b"\xed\xa0\x80", b"\xed\xb0\x80", b"\xf0\x9f", b"\xff" * 50,
        "👩‍👩‍👧‍👦 🇩🇪 👍🏽".encode(), "مرحبا بالعالم".encode(), "\u202eabc\u202c".encode(), "שלום".encode(),
        b"word " * 10_000, b"x" * 100_000, "ä".encode() * 3000, "e\u0301\u0323".encode() * 20, "\ufeffcat".encode(),
        b"<end>", b"<pad><start>", b"<script>alert(1)</script>", b"\r", b"a\rb", b"\x0b\x0c\x1c\x85",
        "\u2028\u2029\u0085".encode(), b"%s %n {0} {}", b"'; DROP TABLE", b"\\N{DIGIT ONE}", b"0" * 60, b"-- --beam 3",
    ]  # fmt: skip
    kinds = ("bytes", "unicode", "controls", "known")
    drawn = []
    for _ in range(count - len(fixed)):
        kind, length = draw.choice(kinds), draw.randint(1, 12)
        if kind == "bytes":
            line = bytes(draw.choice([byte for byte in range(256) if byte != 10]) for _ in range(length))
        elif kind == "unicode":
            line = "".join(
                chr(draw.choice((draw.randrange(0x20, 0xD800), draw.randrange(0xE000, 0x110000))))
                for _ in range(length)
            ).encode()
        elif kind == "controls":
            line = "".join(
                chr(draw.choice([*range(10), *range(11, 32), *range(0x7F, 0xA0)])) for _ in range(length)
            ).encode()
        else:
            line = " ".join(draw.choice(["the", "cat", "Mat", "😀", "  ", "<end>"]) for _ in range(length)).encode()
        drawn.append(line)
    return fixed + drawn


def test_a_thousand_odd_lines_give_a_thousand_lines(model, capsys, tmp_path):
    lines = odd_lines(1000)
    (tmp_path / "odd.txt").write_bytes(b"\n".join(lines) + b"\n")
    options = ["--beam", "1", "--max-length", "8", "--file", str(tmp_path / "odd.txt")]
    assert main(["translate", "--model", model, *options]) == 1  # some lines are refused
    output, errors = capsys.readouterr()
    answers = output.split("\n")
    assert len(answers) == 1001
    assert not any(unicodedata.category(character) == "Cc" for answer in answers for character in answer)
    refused = {int(error.split()[1].rstrip(":")) for error in errors.splitlines()}
    translator = open_model(model, Translator)
    for number, (line, answer) in enumerate(zip(lines, answers, strict=False), start=1):
        try:
            text = line.decode().removeprefix("\ufeff").strip()
            fits = len(translator.tokenizer.encode(text)) < 64 and b"\0" not in line
        except UnicodeDecodeError:
            fits = False
        assert (number in refused) == (not fits), line[:50]
        assert fits or answer == ""
