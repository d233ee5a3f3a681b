"""The comparison and the wording under an exercise."""

from typing import Any

import pytest
import torch

from blockbyblock.practice.compare import Comparing
from blockbyblock.practice.wording import counted, describe, labelled, number, show

compare = Comparing()


@pytest.mark.parametrize(
    ("expected", "got"),
    [
        ((2, 3), torch.Size([2, 3])),
        ((2, 3), [2, 3]),
        ([2, 3], (2, 3)),
        (8, torch.tensor(8)),
        (True, 1),
        (torch.tensor([1.0, float("nan")]), torch.tensor([1.0, float("nan")])),
        (torch.tensor([1.0, float("-inf")]), torch.tensor([1.0, float("-inf")])),
        (torch.ones(3), torch.ones(3) * (1 + 6e-6)),
        ({"a": torch.ones(1), "b": "x"}, {"b": "x", "a": torch.ones(1, requires_grad=True)}),
        ((torch.ones(2), torch.ones(3)), [torch.ones(2), torch.ones(3)]),
        (torch.tensor([1.0, 2.0], dtype=torch.bfloat16), torch.tensor([1.0, 2.016], dtype=torch.bfloat16)),
        (1 / 3, torch.tensor(1 / 3).item()),
        ([], ()),
        (None, None),
    ],
)
def test_equal(expected: Any, got: Any) -> None:
    assert compare(expected, got).equal, compare(expected, got).problem


@pytest.mark.parametrize(
    ("expected", "got", "problem"),
    [
        ((2, 3), (3, 2), "Your answer is (3, 2), expected (2, 3)."),
        ((2, 3), (2, 3, 1), "Your answer is (2, 3, 1), expected (2, 3)."),
        (8, 9, "Your answer is 9, expected 8."),
        (8, "8", "Wrong type: your answer is the text '8'; a number is expected."),
        (1.0, 1.00003, "Your answer is 1.00003, expected 1."),
        ("a", "b", "Your answer is 'b', expected 'a'."),
        (
            {"a": 1},
            {"b": 1},
            "Wrong keys: your answer is a dict with the keys `b`; a dict with the keys `a` is expected.",
        ),
        (
            {"a": 1},
            {"a": 1, "b": 1},
            "Wrong keys: your answer is a dict with the keys `a`, `b`; a dict with the keys `a` is expected.",
        ),
        (("x", 1), ("y", 1), "Part 1 of your answer is 'y', expected 'x'."),
        (
            ("x", "y"),
            ("x", "y", "z"),
            "Wrong number of parts: your answer is a tuple of 3 parts; a tuple of 2 parts is expected.",
        ),
        ({"a": (1, 2)}, {"a": (2, 1)}, "`a` is (2, 1), expected (1, 2)."),
        (
            (torch.ones(2), torch.ones(3)),
            torch.ones(2),
            "Wrong type: your answer is a tensor of shape (2,) and dtype float32; a tuple of 2 parts is expected.",
        ),
        (
            (torch.ones(2), torch.ones(3)),
            (torch.ones(2), torch.ones(3).long()),
            "Wrong dtype: part 2 of your answer is a tensor of shape (3,) and dtype int64; "
            "a tensor of shape (3,) and dtype float32 is expected. The values themselves are right.",
        ),
        (
            torch.ones(2),
            (torch.ones(2), torch.ones(3)),
            "Wrong type: your answer is a tuple of 2 parts; a tensor of shape (2,) and dtype float32 is expected.",
        ),
    ],
)
def test_different(expected: Any, got: Any, problem: str) -> None:
    assert compare(expected, got).problem == problem


def test_tolerance_follows_the_dtype() -> None:
    ones = torch.ones(3)
    assert not compare(ones, ones * (1 + 1e-4)).equal
    assert not compare(ones.double(), ones.double() * (1 + 1e-8)).equal
    assert compare(ones.double(), ones.double() * (1 + 1e-12)).equal
    assert Comparing(tolerance=0.1)(ones, ones * 1.05).equal
    assert not Comparing(tolerance=0.0)(ones, ones * (1 + 1e-6)).equal


def test_large_numbers_are_compared_exactly() -> None:
    assert not compare(2**53 + 1, 2**53).equal
    assert not Comparing(tolerance=0.0)(2.0**24 + 1, 2.0**24).equal


def test_remarks_of_all_parts_are_kept() -> None:
    remarks = compare({"a": (8, 8), "b": 4}, {"a": [8, 8], "b": 4.0}).remarks
    assert len(remarks) == 2
    assert remarks[0].startswith("`a` is a list")
    assert remarks[1].startswith("`b` holds a float")


def test_decimals_are_absolute_and_the_dtype_is_free_by_hand() -> None:
    by_hand = Comparing(by_hand=True)
    assert not by_hand(1000.0, 1000.5).equal
    assert by_hand(torch.tensor([1.0, 2.0]), torch.tensor([1, 2])).equal
    assert by_hand((2, 8), (8, 2)).problem == "Your answer is not right in 2 of 2 entries, first at [0]: 8."
    assert "expected" not in by_hand(5, 6).problem


def test_digits_suffice_to_see_the_difference() -> None:
    problem = compare(torch.tensor([1.0]), torch.tensor([1.00002])).problem
    assert "1.00002, expected 1." in problem


def test_wording() -> None:
    assert show(torch.tensor([[1.0, -20.0], [0.5, 3.0]])) == "[[  1.00, -20.00],\n [  0.50,   3.00]]"
    assert show(torch.tensor([1.0, 20.0])) == "[ 1, 20]"
    assert show(torch.tensor([True, False])) == "[ True, False]"
    assert show(torch.tensor(3)) == "3"
    assert show(torch.tensor([float("nan"), float("-inf")])) == "[ nan, -inf]"
    assert show(torch.tensor([1e-8, 2.0e-9])) == "[1e-08, 2e-09]"
    assert show(torch.zeros(3, 0)) == "a tensor of shape (3, 0) and dtype float32"
    assert show((3,)) == "(3,)"
    assert show([None, ...]) == "[None, ...]"
    assert number(63_082_496) == "63082496"
    assert labelled("x", torch.eye(2)) == "    x = [[1, 0],\n         [0, 1]]"
    assert describe({}) == "an empty dict"
    assert describe(object()) == "an object of type `object`"
    assert counted(1, "entry") == "1 entry"
    assert counted(2, "entry") == "2 entries"
    assert counted(2, "part") == "2 parts"
