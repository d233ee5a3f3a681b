"""Learning rates by hand, the paper's defaults, and choices that contradict each other."""

import math

import pytest

from blockbyblock.training import TrainingConfig, constant_schedule, cosine_schedule, paper_schedule


@pytest.mark.parametrize(
    "step, rate",
    [
        (1, 512**-0.5 / 4000**1.5),
        (2000, 512**-0.5 / math.sqrt(4000) / 2),
        (4000, 512**-0.5 / math.sqrt(4000)),  # both branches meet: 6.99e-4
        (16_000, 512**-0.5 / math.sqrt(4000) / 2),
        (100_000, 512**-0.5 / math.sqrt(100_000)),
    ],
)
def test_the_papers_schedule_by_hand(step, rate):
    assert paper_schedule(step, d_model=512) == pytest.approx(rate, rel=1e-12)
    assert TrainingConfig().learning_rate(step, 512) == pytest.approx(rate, rel=1e-12)


def test_the_papers_peak():
    assert max(paper_schedule(step, d_model=512) for step in range(1, 10_000)) == pytest.approx(6.99e-4, rel=1e-3)


@pytest.mark.parametrize("step, rate", [(1, 0.1), (5, 0.5), (10, 1.0), (11, 1.0), (10**6, 1.0)])
def test_the_constant_schedule_by_hand(step, rate):
    assert constant_schedule(step, peak=1.0, warmup=10) == pytest.approx(rate)
    config = TrainingConfig(schedule="constant", peak=1.0, warmup=10)
    assert config.learning_rate(step, 512) == pytest.approx(rate)


@pytest.mark.parametrize(
    "step, rate", [(1, 0.2), (10, 2.0), (40, 1 + math.sqrt(0.5)), (70, 1.0), (130, 0.0), (200, 0.0)]
)
def test_the_cosine_schedule_by_hand(step, rate):
    assert cosine_schedule(step, peak=2.0, steps=130, warmup=10) == pytest.approx(rate, abs=1e-12)
    config = TrainingConfig(schedule="cosine", peak=2.0, warmup=10, steps=130)
    assert config.learning_rate(step, 512) == pytest.approx(rate, abs=1e-12)


def test_the_defaults_are_the_papers():
    config = TrainingConfig()
    assert (config.steps, config.warmup, config.smoothing) == (100_000, 4000, 0.1)
    assert (config.betas, config.eps, config.average) == ((0.9, 0.98), 1e-9, 5)
    assert (config.schedule, config.clip_norm, config.accumulate) == ("paper", None, 1)


@pytest.mark.unhooked
@pytest.mark.parametrize(
    "changes, message",
    [
        ({"steps": 0}, "steps=0 must be a whole number above zero"),
        ({"accumulate": 1.5}, "accumulate=1.5"),
        ({"patience": 0}, "patience=0"),
        ({"smoothing": 1.0}, "smoothing=1.0"),
        ({"betas": (0.9, 1.0)}, "beta_2=1.0"),
        ({"eps": 0.0}, "eps=0.0 must be positive"),
        ({"clip_norm": -1.0}, "clip_norm=-1.0 must be positive"),
        ({"schedule": "linear"}, "schedule='linear' is not one of paper, constant, cosine"),
        ({"schedule": "constant"}, "peak=None with schedule='constant'"),
        ({"peak": 1e-3}, "peak=0.001 with schedule='paper'"),
        ({"schedule": "constant", "peak": math.nan}, "peak=nan must be positive and finite"),
        ({"schedule": "cosine", "peak": 1e-3, "steps": 100}, "warmup=4000 leaves nothing of steps=100"),
        ({"average": 6}, "average=6 checkpoints, but only keep=5"),
    ],
)
def test_choices_that_cannot_be(changes, message):
    with pytest.raises(ValueError, match=message):
        TrainingConfig(**changes)


@pytest.mark.unhooked
def test_steps_are_counted_from_one():
    for schedule in (
        lambda: paper_schedule(0, d_model=512),
        lambda: constant_schedule(0, peak=1.0),
        lambda: cosine_schedule(0, peak=1.0, steps=10_000),
    ):
        with pytest.raises(ValueError, match="step=0"):
            schedule()
    with pytest.raises(ValueError, match="a warm-up of 10 steps leaves nothing of a training of 10"):
        cosine_schedule(3, peak=1.0, steps=10, warmup=10)
