"""Files of published corpora: whole or not at all."""

import hashlib
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from corpus_home import Home, serving

from blockbyblock.data import DownloadError, fetching
from blockbyblock.data.fetching import Remote, download, obtain

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with serving(CONTENT) as home:
        yield home


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "corpus.zip"


def break_off(home: Home, path: Path, after: int = 100_000) -> None:
    home.breaks_after = after
    with pytest.raises(DownloadError, match=f"ended after {after} of 300000 bytes.*goes on from there"):
        download(home.url, path)
    home.breaks_after = None
    home.ranges.clear()


def holds(path: Path, content: bytes) -> bool:
    """Compare here and not in the assertion, which would spend minutes on showing where the bytes differ."""
    return path.read_bytes() == content


def left_beside(path: Path) -> list[str]:
    return sorted(file.name for file in path.parent.iterdir() if file.suffix != ".lock")


def test_a_file_is_fetched_once(home, path):
    download(home.url, path, sha256=SHA256)
    assert holds(path, CONTENT)
    assert left_beside(path) == ["corpus.zip"]
    download(home.url, path, sha256=SHA256)
    assert home.ranges == [None]


def test_a_truncated_file_never_gets_the_name(home, path):
    break_off(home, path)
    assert not path.exists()


def test_a_truncated_download_goes_on_where_it_broke_off(home, path):
    break_off(home, path)
    download(home.url, path)
    assert home.ranges == ["bytes=100000-"]
    assert holds(path, CONTENT)


def test_it_may_break_off_again_and_again(home, path):
    for held in (100_000, 180_000):
        home.breaks_after = held - (100_000 if held > 100_000 else 0)
        with pytest.raises(DownloadError, match=f"ended after {held} of 300000"):
            download(home.url, path)
    home.breaks_after = None
    download(home.url, path, sha256=SHA256)
    assert home.ranges == [None, "bytes=100000-", "bytes=180000-"]


def test_a_file_that_has_changed_since_is_fetched_from_its_start(home, path):
    break_off(home, path)
    home.content, home.etag = bytes(reversed(CONTENT)), '"second"'
    download(home.url, path)
    assert holds(path, home.content)


def test_without_a_strong_tag_the_date_names_the_version(home, path):
    home.etag, home.modified = 'W/"weak"', "Sun, 13 May 2018 15:50:00 GMT"
    break_off(home, path)
    download(home.url, path)
    assert home.ranges == ["bytes=100000-"]
    assert holds(path, CONTENT)


def test_where_the_server_names_no_version_nothing_is_joined(home, path):
    home.etag = 'W/"weak"'
    break_off(home, path)
    home.content = bytes(reversed(CONTENT))
    download(home.url, path)
    assert home.ranges == [None]
    assert holds(path, home.content)


def test_a_whole_part_that_was_never_renamed_is_fetched_again(home, path):
    break_off(home, path)
    path.with_name("corpus.zip.part").write_bytes(CONTENT)
    download(home.url, path)
    assert home.ranges == ["bytes=300000-", None]
    assert holds(path, CONTENT)


def test_a_range_that_was_not_asked_for_is_refused(home, path):
    break_off(home, path)
    home.wrong_range = True
    with pytest.raises(DownloadError, match="asked for the bytes from 100000, got bytes 0-"):
        download(home.url, path)
    assert not path.exists()


def test_a_server_that_says_no_length_is_refused(home, path):
    home.says_length = False
    with pytest.raises(DownloadError, match="does not say how long"):
        download(home.url, path)
    assert not path.exists()


def test_another_file_than_expected_is_refused_and_not_kept(home, path):
    with pytest.raises(DownloadError, match=f"SHA-256 is {SHA256}, not {'0' * 64}"):
        download(home.url, path, sha256="0" * 64)
    assert left_beside(path) == ["corpus.zip.part.version"]


def test_a_damaged_file_in_the_cache_is_fetched_again(home, path):
    path.parent.mkdir()
    path.write_bytes(CONTENT[:-1])
    download(home.url, path, sha256=SHA256)
    assert holds(path, CONTENT)


def test_several_who_ask_at_once_get_one_whole_file(home, path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: download(home.url, path), range(4)))
    assert holds(path, CONTENT)
    assert home.ranges == [None]


def test_a_home_that_has_moved_is_named_with_what_to_do(home, path):
    home.refuses = 404
    with pytest.raises(DownloadError, match=r"corpus\.zip could not be read: .*404.*--data .*BLOCKBYBLOCK_DATA"):
        download(home.url, path)


def test_offline_the_error_says_what_to_do(path):
    with serving(b"") as gone:
        url = gone.url
    with pytest.raises(DownloadError, match=r"could not be read.*Without a network, put corpus\.zip into a folder"):
        download(url, path)


class TestObtain:
    """Where a corpus is looked for."""

    REMOTE = Remote("http://127.0.0.1:1/train.en.gz", "train.en")

    @pytest.fixture(autouse=True)
    def nowhere_else(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.delenv("BLOCKBYBLOCK_DATA", raising=False)
        monkeypatch.setattr(fetching, "user_cache_path", lambda name: tmp_path / "user cache")

    @pytest.mark.parametrize("place", ["train.en.gz", "train.en", "captions/train.en.gz", "captions/train.en"])
    def test_packed_or_not_in_the_folder_or_in_one_of_the_corpus_name(self, tmp_path, monkeypatch, place):
        path = tmp_path / "mine" / place
        path.parent.mkdir(parents=True)
        path.touch()
        assert obtain("captions", [self.REMOTE], tmp_path / "mine") == [path]
        monkeypatch.setenv("BLOCKBYBLOCK_DATA", str(tmp_path / "mine"))
        assert obtain("captions", [self.REMOTE]) == [path]

    def test_a_folder_that_is_given_and_empty_is_an_error_and_no_download(self, tmp_path):
        with pytest.raises(FileNotFoundError, match=r"train\.en\.gz: not all found in .*captions or "):
            obtain("captions", [self.REMOTE], tmp_path)

    def test_all_files_come_from_one_place(self, tmp_path):
        (tmp_path / "captions").mkdir()
        (tmp_path / "captions" / "train.en").touch()
        (tmp_path / "train.de").touch()
        with pytest.raises(FileNotFoundError):
            obtain("captions", [self.REMOTE, Remote("http://127.0.0.1:1/train.de.gz", "train.de")], tmp_path)

    def test_else_the_cache_is_filled(self, tmp_path, home, monkeypatch):
        monkeypatch.setenv("BLOCKBYBLOCK_DATA", str(tmp_path / "nothing here"))
        [path] = obtain("captions", [Remote(home.url, "corpus.txt", SHA256)])
        assert path == tmp_path / "user cache" / "captions" / "corpus.zip"
        assert holds(path, CONTENT)
