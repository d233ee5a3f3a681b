"""The loss by hand, against torch, and what padding must not do to it."""

import math

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from torch.testing import assert_close

from blockbyblock.training import smoothed_cross_entropy, smoothing_floor


def random_case(vocab=11, dtype=torch.float64, pad_id=0):
    logits = torch.randn(3, 5, vocab, dtype=dtype, requires_grad=True)
    target = torch.randint(1, vocab, (3, 5))
    target[0, 3:], target[2, 1:] = pad_id, pad_id
    return logits, target


def test_by_hand_on_three_tokens():
    # The model says 1/2, 1/4, 1/4; the right token is the first; a tenth is shared among all three.
    logits = torch.tensor([[[0.5, 0.25, 0.25]]], dtype=torch.float64).log()
    loss = smoothed_cross_entropy(logits, torch.tensor([[0]]), pad_id=2, smoothing=0.1)
    q = [0.9 + 0.1 / 3, 0.1 / 3, 0.1 / 3]
    by_hand = q[0] * math.log(2) + (q[1] + q[2]) * math.log(4)
    # float64 rounding of a handful of operations
    assert loss.smoothed.item() == pytest.approx(by_hand, rel=1e-14)
    assert loss.plain.item() == pytest.approx(math.log(2), rel=1e-14)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.4])
def test_equals_torch_with_and_without_smoothing(smoothing):
    logits, target = random_case()
    loss = smoothed_cross_entropy(logits, target, pad_id=0, smoothing=smoothing)
    criterion = torch.nn.CrossEntropyLoss(ignore_index=0, label_smoothing=smoothing, reduction="sum")
    flat = logits.flatten(0, 1), target.flatten()
    assert_close(loss.smoothed, criterion(*flat))
    assert_close(loss.plain, F.cross_entropy(*flat, ignore_index=0, reduction="sum").detach())
    assert not loss.plain.requires_grad


def test_padding_gives_neither_loss_nor_gradient():
    logits, target = random_case(pad_id=4)
    smoothed_cross_entropy(logits, target, pad_id=4).smoothed.backward()
    assert (logits.grad[target == 4] == 0).all()
    assert (logits.grad[target != 4] != 0).all()
    changed = logits.detach() + 100 * torch.randn_like(logits) * (target == 4)[..., None]
    for one, other in zip(
        smoothed_cross_entropy(logits.detach(), target, pad_id=4),
        smoothed_cross_entropy(changed, target, pad_id=4),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_the_sum_over_a_batch_is_the_sum_over_its_rows():
    logits, target = random_case()
    whole = smoothed_cross_entropy(logits, target, pad_id=0)
    rows = [smoothed_cross_entropy(logits[[row]], target[[row]], pad_id=0) for row in range(3)]
    assert_close(whole.smoothed, torch.stack([row.smoothed for row in rows]).sum())
    assert_close(whole.plain, torch.stack([row.plain for row in rows]).sum())


def test_bfloat16_logits_are_summed_in_float32():
    logits, target = random_case(dtype=torch.bfloat16)
    loss = smoothed_cross_entropy(logits, target, pad_id=0)
    assert loss.smoothed.dtype == loss.plain.dtype == torch.float32
    assert_close(loss.smoothed, smoothed_cross_entropy(logits.float(), target, pad_id=0).smoothed)


@given(vocab=st.integers(2, 50), smoothing=st.floats(0, 0.9))
def test_the_floor_is_reached_by_the_smoothed_target_itself(vocab, smoothing):
    q = torch.full((vocab,), smoothing / vocab, dtype=torch.float64)
    q[1] += 1 - smoothing
    logits = q.log().clamp(min=-1e4)[None, None]  # without smoothing, zero has no logarithm
    loss = smoothed_cross_entropy(logits, torch.tensor([[1]]), pad_id=0, smoothing=smoothing)
    assert smoothing_floor(vocab, smoothing) == pytest.approx(loss.smoothed.item(), abs=1e-12)
    assert math.copysign(1, smoothing_floor(vocab, smoothing)) == 1  # without smoothing 0.0, and not -0.0
    other = smoothed_cross_entropy(logits + torch.randn(vocab), torch.tensor([[1]]), pad_id=0, smoothing=smoothing)
    assert other.smoothed.item() >= loss.smoothed.item() - 1e-12


@pytest.mark.parametrize("smoothing", [-0.1, 1.0])
def test_a_smoothing_that_is_no_share_is_refused(smoothing):
    with pytest.raises(ValueError, match=f"smoothing={smoothing}"):
        smoothed_cross_entropy(*random_case(), pad_id=0, smoothing=smoothing)
    with pytest.raises(ValueError, match=f"smoothing={smoothing}"):
        smoothing_floor(10, smoothing)
