"""The list of chapters: what it says is written is what there is."""

import re
from pathlib import Path

import nbformat
import yaml

from blockbyblock.figures import BLOCKS, CHAPTERS

ROOT = Path(__file__).parents[2]


OURS = {chapter.file_name for chapter in CHAPTERS}  # a fork's own chapters stand in _toc.yml alone, under any name


def test_written_chapters_are_the_notebooks_in_the_book():
    written = {chapter.file_name for chapter in CHAPTERS if chapter.written}
    assert written == {path.name for path in (ROOT / "book").glob("*.ipynb")} & OURS


def test_written_chapters_are_in_the_table_of_contents_in_order():
    contents = yaml.safe_load((ROOT / "_toc.yml").read_text(encoding="utf-8"))
    files = [f"{Path(page['file']).name}.ipynb" for part in contents["parts"] for page in part["chapters"]]
    written = [chapter.file_name for chapter in CHAPTERS if chapter.written]
    assert [name for name in files if name in OURS] == written


def test_the_number_stands_over_each_chapter_and_so_in_the_sidebar():
    for chapter in CHAPTERS:
        if chapter.written:
            first = nbformat.read(ROOT / "book" / chapter.file_name, as_version=4).cells[0].source
            assert first.splitlines()[0] == f"# {chapter.heading}"


def test_numbers_run_from_zero_and_slugs_are_plain():
    assert [chapter.number for chapter in CHAPTERS] == list(range(len(CHAPTERS)))
    assert all(re.fullmatch("[a-z][a-z0-9_]*", chapter.slug) for chapter in CHAPTERS)
    assert len({chapter.slug for chapter in CHAPTERS}) == len(CHAPTERS)


def test_each_block_has_exactly_one_chapter():
    assert sorted(chapter.block for chapter in CHAPTERS if chapter.block) == sorted(BLOCKS)


def test_a_file_name_sorts_by_number():
    assert CHAPTERS[3].file_name == "03_multi_head_attention.ipynb"
