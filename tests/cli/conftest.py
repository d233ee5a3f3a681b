"""A model on disk, made once: untrained, small, exported as one file."""

from pathlib import Path

import pytest
from small_translator import small_translator

from blockbyblock.portable import save_portable


@pytest.fixture(scope="session")
def model(tmp_path_factory) -> str:
    path: Path = tmp_path_factory.mktemp("model") / "small.safetensors"
    save_portable(path, small_translator(max_length=64), "float32")
    return str(path)
