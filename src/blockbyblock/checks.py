"""Errors at the door: one wording for each kind of bad argument."""

from collections.abc import Sequence


def check_positive(**sizes: int) -> None:
    """Refuse sizes that are not whole numbers above zero.

    Raises:
        ValueError: naming the argument and its value.
    """
    for name, size in sizes.items():
        if not isinstance(size, int) or isinstance(size, bool) or size < 1:
            raise ValueError(f"{name}={size!r} must be a whole number above zero")


def check_probability(**probabilities: float) -> None:
    """Refuse dropout probabilities outside [0, 1).

    Raises:
        ValueError: naming the argument and its value.
    """
    for name, probability in probabilities.items():
        if not 0.0 <= probability < 1.0:
            raise ValueError(f"{name}={probability} is not a probability in [0, 1)")


def check_choice(choices: Sequence[str], **values: str) -> None:
    """Refuse a word that is not among the choices.

    Raises:
        ValueError: naming the argument, its value and the choices.
    """
    for name, value in values.items():
        if value not in choices:
            raise ValueError(f"{name}={value!r} is not one of {', '.join(choices)}")
