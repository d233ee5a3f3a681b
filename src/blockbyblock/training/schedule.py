"""Learning rates as pure functions of the step, counted from 1."""

import math

from blockbyblock.checks import check_positive


def paper_schedule(step: int, *, d_model: int, warmup: int = 4000) -> float:
    """d_model^-0.5 * min(step^-0.5, step * warmup^-1.5) (paper, equation 3).

    Rises in a straight line for `warmup` steps, to (d_model * warmup)^-0.5, then falls as 1 / sqrt(step).

    Args:
        step: the update that is about to be made; the first is 1.
        d_model: width of the model: a wider one learns more slowly.
        warmup: steps to the peak.

    Raises:
        ValueError: an argument is not a whole number above zero.
    """
    check_positive(step=step, d_model=d_model, warmup=warmup)
    return d_model**-0.5 * min(step**-0.5, step * warmup**-1.5)


def constant_schedule(step: int, *, peak: float, warmup: int = 4000) -> float:
    """peak * min(1, step / warmup): a straight rise, then level.

    Args:
        step: the update that is about to be made; the first is 1.
        peak: the learning rate after the warm-up.
        warmup: steps to the peak.

    Raises:
        ValueError: `step` or `warmup` is not a whole number above zero.
    """
    check_positive(step=step, warmup=warmup)
    return peak * min(1.0, step / warmup)


def cosine_schedule(step: int, *, peak: float, steps: int, warmup: int = 4000) -> float:
    """A straight rise to the peak, then half a cosine down to zero at the last step (Loshchilov and Hutter, 2017).

    Args:
        step: the update that is about to be made; the first is 1. After `steps` the rate stays zero.
        peak: the learning rate at the end of the warm-up.
        steps: length of the whole training.
        warmup: steps to the peak.

    Raises:
        ValueError: a number of steps is not a whole number above zero, or the warm-up is not shorter than the training.
    """
    check_positive(step=step, steps=steps, warmup=warmup)
    if warmup >= steps:
        raise ValueError(f"a warm-up of {warmup} steps leaves nothing of a training of {steps}")
    if step < warmup:
        return peak * step / warmup
    done = min(1.0, (step - warmup) / (steps - warmup))
    return peak * 0.5 * (1 + math.cos(math.pi * done))
