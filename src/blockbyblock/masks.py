"""Masks: who may look at whom.

A mask is boolean and True where attention is ALLOWED, as in `torch.nn.functional.scaled_dot_product_attention`.
(`torch.nn.MultiheadAttention` means the opposite: there True is hidden.)
"""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor


def padding_mask(ids: Int[Tensor, "batch key"], pad_id: int) -> Bool[Tensor, "batch 1 1 key"]:
    """True at every key that is a real token, False at padding; the same for every head and query.

    Keys are masked and not queries: what a padded position computes is never read, and a query with nothing to look at
    would have no weights at all.

    Args:
        ids: token ids, `[batch, key]`.
        pad_id: the id that fills short sequences up.
    """
    return (ids != pad_id)[:, None, None, :]


def causal_mask(
    query: int, key: int | None = None, *, device: torch.device | str | None = None
) -> Bool[Tensor, "query key"]:
    """True where the key is not later than the query: each position sees itself and what came before.

    The last query is aligned with the last key. So with `key > query` the mask serves a cached decoder, whose few new
    queries may look at all earlier positions.

    Args:
        query: number of queries.
        key: number of keys; the number of queries if not given.
        device: where the mask is made.

    Raises:
        ValueError: there are fewer keys than queries, so the first queries would see nothing.
    """
    key = query if key is None else key
    if not 1 <= query <= key:
        raise ValueError(f"a causal mask needs 1 <= query <= key, got query={query} and key={key}")
    return torch.ones(query, key, dtype=torch.bool, device=device).tril(key - query)


def check_mask(mask: Tensor, scores_shape: Sequence[int]) -> None:
    """Refuse a mask that does not mean what its shape or type suggests.

    A mask has as many dimensions as the scores, each equal or 1 except the last, or it is `[query, key]` for all.

    Args:
        mask: the mask to look at.
        scores_shape: the shape of the scores it is for, `[..., query, key]`.

    Raises:
        TypeError: the mask is not boolean. A float mask of 0 and 1 would be added to the scores and hide nothing.
        ValueError: the mask does not fit the scores.
    """
    if mask.dtype != torch.bool:
        raise TypeError(
            f"the mask has dtype {mask.dtype}; it must be boolean, True where attention is allowed "
            "(for a mask of 0 and 1 pass mask.bool())"
        )
    expected, shape = tuple(scores_shape), tuple(mask.shape)
    as_matrix = len(shape) == 2 and shape == expected[-2:]
    as_scores = (
        len(shape) == len(expected)
        and shape[-1] == expected[-1]
        and all(size in (1, wanted) for size, wanted in zip(shape, expected, strict=True))
    )
    if not (as_matrix or as_scores):
        raise ValueError(
            f"the mask has shape {shape}, the scores have {expected}: a mask is [query, key] = {expected[-2:]}, or has "
            f"{len(expected)} dimensions, each the size of the scores' or 1, the last one key = {expected[-1]}"
        )
