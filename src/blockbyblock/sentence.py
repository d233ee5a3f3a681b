"""The sentence that runs through the book, and the six rows of numbers with which it is computed by hand.

"The cat sat on the chair." becomes "Die Katze saß auf dem Stuhl." The rows are the same in every chapter, so that the
hand computations are one calculation.
"""

import torch
from jaxtyping import Float
from torch import Tensor

ENGLISH = ("The", "cat", "sat", "on", "the", "chair")
GERMAN = ("Die", "Katze", "saß", "auf", "dem", "Stuhl")
SOURCE = "The cat sat on the chair."
TRANSLATION = "Die Katze saß auf dem Stuhl."

# The six ways to write two 1 and two -1: each has the mean 0 and the variance 1, so that a layer norm leaves it as it
# is, and the product of a row with another is 0, or -4 for a word three places away. "The" and "the" differ.
_ROWS = ((1, 1, -1, -1), (1, -1, 1, -1), (1, -1, -1, 1), (-1, -1, 1, 1), (-1, 1, -1, 1), (-1, 1, 1, -1))


def rows() -> Float[Tensor, "word=6 feature=4"]:
    """Return the six rows, one for each word of `ENGLISH`, `[word, feature]`."""
    return torch.tensor(_ROWS, dtype=torch.get_default_dtype())
