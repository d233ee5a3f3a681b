"""From token ids to vectors that know their place (paper, sections 3.4 and 3.5)."""

import math
from typing import Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from blockbyblock.checks import check_positive

Positions = Literal["sinusoidal", "learned"]


class TokenEmbedding(nn.Module):
    """A table of vectors, one per token, multiplied by √d_model (paper, section 3.4).

    Initialised with standard deviation 1/√d_model, so that an embedding leaves this module with unit variance, and a
    tied output layer starts with logits of unit variance too.

    Args:
        vocab: number of tokens.
        d_model: width of a vector.
        scale: what the vectors are multiplied by, if not by √d_model; GPT-2 and BERT have 1.

    Raises:
        ValueError: a size is not positive.
    """

    def __init__(self, vocab: int, d_model: int, scale: float | None = None) -> None:
        super().__init__()
        check_positive(vocab=vocab, d_model=d_model)
        self.table = nn.Embedding(vocab, d_model)
        self.scale = math.sqrt(d_model) if scale is None else scale
        nn.init.normal_(self.table.weight, std=1 / math.sqrt(d_model))

    def forward(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position d_model"]:
        """Look up each id.

        Raises:
            TypeError: ids are not whole numbers.
            ValueError: the batch or the sequence is empty, or an id is out of range (on CUDA the kernel's own assertion
                fires instead: a look at the values would stall the device at each call; on `meta` there are none).
        """
        if ids.is_floating_point() or ids.dtype == torch.bool:
            raise TypeError(f"token ids must be whole numbers, got {ids.dtype}")
        if ids.ndim != 2 or ids.numel() == 0:
            raise ValueError(f"token ids have shape {tuple(ids.shape)}; expected a non-empty [batch, position]")
        vocab = self.table.num_embeddings
        if can_look(ids):
            low, high = (int(bound) for bound in ids.aminmax())
            if low < 0 or high >= vocab:
                raise ValueError(f"token ids reach from {low} to {high}, outside the vocabulary 0 to {vocab - 1}")
        return self.table(ids) * self.scale


def sinusoids(length: int, d_model: int) -> Float[Tensor, "length d_model"]:
    """The paper's position table: sine in the even columns, cosine in the odd ones (section 3.5).

    PE(pos, 2i) = sin(pos / 10000^(2i / d_model)), PE(pos, 2i + 1) = cos(pos / 10000^(2i / d_model)). Computed in
    float64 and rounded once: in float32 the angle of a late position would already be off.

    Raises:
        ValueError: d_model is odd, so that a sine would have no cosine.
    """
    if d_model < 2 or d_model % 2:
        raise ValueError(f"d_model={d_model} must be even: each frequency has a sine and a cosine")
    position = torch.arange(length, dtype=torch.float64)[:, None]
    frequency = 10_000.0 ** (-torch.arange(0, d_model, 2, dtype=torch.float64) / d_model)
    angle = position * frequency  # [length, d_model / 2]
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(1).to(torch.get_default_dtype())


class SinusoidalPositionalEncoding(nn.Module):
    """Adds the paper's sines and cosines to the embeddings (section 3.5); nothing here is learned.

    Args:
        d_model: width, even.
        max_length: number of positions in the table.
    """

    table: Tensor

    def __init__(self, d_model: int, max_length: int) -> None:
        super().__init__()
        check_positive(max_length=max_length)
        self.register_buffer("table", sinusoids(max_length, d_model), persistent=False)

    def forward(
        self, x: Float[Tensor, "batch position d_model"], start: int | Int[Tensor, "batch position"] = 0
    ) -> Float[Tensor, "batch position d_model"]:
        """x + PE[start : start + position].

        Args:
            x: embeddings, `[batch, position, d_model]`.
            start: the place of the first one; a cached decoder passes how many it has seen. Or, where padding makes
                rows differ, the place of each, `[batch, position]`.

        Raises:
            ValueError: a position lies beyond max_length (on CUDA, for places of each, the kernel's assertion fires).
        """
        return x + self.table[positions(x, start, self.table.shape[0])]


class LearnedPositionalEncoding(nn.Module):
    """Adds one learned vector per position (paper, Table 3, row E). Arguments and errors as for the sinusoids."""

    def __init__(self, d_model: int, max_length: int) -> None:
        super().__init__()
        check_positive(max_length=max_length)
        self.table = nn.Embedding(max_length, d_model)

    def forward(
        self, x: Float[Tensor, "batch position d_model"], start: int | Int[Tensor, "batch position"] = 0
    ) -> Float[Tensor, "batch position d_model"]:
        """x + table[start : start + position]."""
        return x + self.table.weight[positions(x, start, self.table.num_embeddings)]


POSITIONS: dict[str, type[SinusoidalPositionalEncoding] | type[LearnedPositionalEncoding]] = {
    "sinusoidal": SinusoidalPositionalEncoding,
    "learned": LearnedPositionalEncoding,
}


def positions(x: Tensor, start: int | Tensor, max_length: int) -> slice | Tensor:
    """The rows of a position table that belong to `x`: from `start` on, or each position's own.

    Raises:
        ValueError: they do not lie within the table.
    """
    if isinstance(start, Tensor):
        if can_look(start):
            first, last = (int(bound) for bound in start.aminmax())
            _require_within(first, last, max_length)
        return start
    end = start + x.shape[1]
    _require_within(start, end - 1, max_length)
    return slice(start, end)


def _require_within(first: int, last: int, max_length: int) -> None:
    if first < 0 or last >= max_length:
        where = f"position {first} does" if first == last else f"positions {first} to {last} do"
        raise ValueError(f"{where} not lie within max_length={max_length}")


def can_look(numbers: Tensor) -> bool:
    """Whether a look at the values costs nothing: on CUDA it would stall the device, and elsewhere there are none."""
    return not (numbers.is_cuda or numbers.is_meta or torch.compiler.is_compiling())
