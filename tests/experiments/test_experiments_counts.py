"""What the long experiments count, on cases small enough to count by hand."""

import math

import pytest
import torch

from blockbyblock.experiments import recorded
from blockbyblock.experiments.decoder import TargetOnly, by_length, share, spread
from blockbyblock.experiments.seen import judged, unseen

FULL_STOP, END = 33, 2


def test_what_every_sentence_has_does_not_count_as_kept():
    """Another sentence keeps nothing of this one, though both end in a full stop."""
    wanted, other = [7, 8, 8, FULL_STOP, END], [9, 10, FULL_STOP, END]
    assert share(other, wanted, ()) == pytest.approx(2 / 5)
    assert share(other, wanted, {FULL_STOP, END}) == 0
    assert share([8, 7, 9], wanted, {FULL_STOP, END}) == pytest.approx(2 / 3)  # in any order, each as often
    assert math.isnan(share(other, [FULL_STOP, END], {FULL_STOP, END}))


def test_what_is_kept_and_what_is_new_are_told_apart():
    wanted, written = [[5, 7, 8, END]] * 2, [[6, 7, 9, 10, 11, END]] * 2
    found = spread("all alike", written, wanted, [0, 0], {END})
    assert found["tokens kept"][0] == pytest.approx(1 / 2)  # of 7 and 8
    assert found["of what is written"][0] == pytest.approx(1 / 4)  # of 7, 9, 10 and 11


def test_each_target_is_in_one_batch_of_about_equal_lengths():
    targets = [[number] * (1 + number % 5) for number in range(3, 40)]
    batches = list(by_length(targets, 20, torch.Generator().manual_seed(0)))
    rows = [[token for token in row if token] for batch in batches for row in batch.tolist()]
    assert sorted(rows) == sorted(targets)
    assert max(int((batch != 0).sum()) for batch in batches) <= 20


def test_a_decoder_without_a_source_does_not_see_later_tokens():
    torch.manual_seed(0)
    model = TargetOnly(50).eval()
    ids = torch.tensor([[1, 5, 6, 7]])
    changed = torch.tensor([[1, 5, 6, 8]])
    assert torch.equal(model(ids)[:, :3], model(changed)[:, :3])
    assert not torch.equal(model(ids)[:, 3], model(changed)[:, 3])


def test_every_sentence_that_a_chapter_judges_by_was_looked_up():
    rows = recorded("seen")["rows"]
    assert [(row["chapter"], row["source"]) for row in rows] == [each[:2] for each in judged()]
    assert not unseen(10, "The train leaves at nine o'clock.")
    assert not unseen(10, "I have never read this book.")  # only its German
    assert unseen(10, "I must go home now.")
