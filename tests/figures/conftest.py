"""The map as it looks when only some chapters are written, whatever is written now."""

from dataclasses import replace

import pytest

from blockbyblock.figures import blocks
from blockbyblock.figures.chapters import CHAPTERS

WRITTEN = (1, 3, 6, 8)


@pytest.fixture
def some_written(monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """Let chapters 1, 3, 6 and 8 be written and no other; give their file names."""
    chapters = tuple(replace(chapter, written=chapter.number in WRITTEN) for chapter in CHAPTERS)
    monkeypatch.setattr(blocks, "CHAPTERS", chapters)
    return tuple(chapter.file_name for chapter in chapters if chapter.written)
