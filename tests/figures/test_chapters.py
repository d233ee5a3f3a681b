"""The list of chapters: what it says is written is what there is."""

import re
from pathlib import Path

import yaml

from blockbyblock.figures import BLOCKS, CHAPTERS

ROOT = Path(__file__).parents[2]


def test_written_chapters_are_the_notebooks_in_the_book():
    written = {chapter.file_name for chapter in CHAPTERS if chapter.written}
    assert written == {path.name for path in (ROOT / "book").glob("[0-9][0-9]_*.ipynb")}


def test_written_chapters_are_in_the_table_of_contents():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [Path(page["file"]).name for part in contents["parts"] for page in part["chapters"]]
    numbered = [name for name in files if re.match(r"\d\d_", name)]
    assert numbered == [chapter.file_name.removesuffix(".ipynb") for chapter in CHAPTERS if chapter.written]


def test_numbers_run_from_zero_and_slugs_are_plain():
    assert [chapter.number for chapter in CHAPTERS] == list(range(25))
    assert all(re.fullmatch("[a-z][a-z0-9_]*", chapter.slug) for chapter in CHAPTERS)
    assert len({chapter.slug for chapter in CHAPTERS}) == 25


def test_each_block_has_exactly_one_chapter():
    assert sorted(chapter.block for chapter in CHAPTERS if chapter.block) == sorted(BLOCKS)


def test_a_file_name_sorts_by_number():
    assert CHAPTERS[3].file_name == "03_multi_head_attention.ipynb"
