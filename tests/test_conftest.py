"""The run-time check of shapes is at work in every test, except where a test says that it is not."""

import importlib
import subprocess
import sys

import jaxtyping
import pytest
import torch

import blockbyblock

WRONG = """
import dataclasses
from jaxtyping import Float
from torch import Tensor

def scores(query: Float[Tensor, "query d_k"], keys: Float[Tensor, "key d_k"]) -> Float[Tensor, "key query"]:
    return query @ keys.T

@dataclasses.dataclass
class Cached:
    keys: Float[Tensor, "batch key d_k"]
"""


@pytest.fixture
def wrong(tmp_path, monkeypatch):
    """A module of the package whose shape comments are wrong."""
    (tmp_path / "wrong.py").write_text(WRONG, encoding="utf-8")
    monkeypatch.setattr(blockbyblock, "__path__", [*blockbyblock.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, "blockbyblock.wrong", raising=False)
    importlib.invalidate_caches()
    return importlib.import_module("blockbyblock.wrong")


def test_a_wrong_shape_comment_is_caught(wrong):
    with pytest.raises(jaxtyping.TypeCheckError, match="return value"):
        wrong.scores(torch.zeros(2, 4), torch.zeros(3, 4))
    with pytest.raises(jaxtyping.TypeCheckError, match="parameters"):
        wrong.scores(torch.zeros(2, 4), torch.zeros(3, 5))
    with pytest.raises(jaxtyping.TypeCheckError, match="keys"):
        wrong.Cached(torch.zeros(3, 5))


@pytest.mark.unhooked
def test_an_unhooked_test_sees_past_the_comment(wrong):
    assert wrong.scores(torch.zeros(2, 4), torch.zeros(3, 4)).shape == (2, 3)
    assert wrong.Cached(torch.zeros(3, 5)).keys.shape == (3, 5)


@pytest.fixture(scope="class")
def off_between_tests():
    """Whether the check is off after one test and before the next, when fixtures of wider scope are made."""
    return jaxtyping.config.jaxtyping_disable


class TestAfterAnUnhookedTest:
    def test_the_check_is_back(self, off_between_tests, wrong):
        assert not off_between_tests
        with pytest.raises(jaxtyping.TypeCheckError):
            wrong.scores(torch.zeros(2, 4), torch.zeros(3, 4))


def test_the_package_itself_is_watched():
    with pytest.raises(jaxtyping.TypeCheckError):
        blockbyblock.scaled_dot_product_attention(torch.zeros(2, 3), torch.zeros(2, 3), value="not a tensor")


@pytest.mark.parametrize("run", [1, 2])
def test_each_test_starts_from_the_same_seed(run):
    assert torch.rand(1).item() == torch.rand(1, generator=torch.Generator().manual_seed(0)).item()


@pytest.mark.parametrize("option, status", [((), 0), (("--no-skips",), 1)])
def test_a_skip_fails_the_run_only_where_asked(tmp_path, option, status, request):
    (tmp_path / "conftest.py").write_bytes((request.config.rootpath / "tests" / "conftest.py").read_bytes())
    (tmp_path / "test_sample.py").write_text("import pytest\n\ndef test_one():\n    pytest.skip('no peer')\n")
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-c",
        "none.ini",
        *option,
        "test_sample.py",
    ]
    (tmp_path / "none.ini").touch()
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == status
