"""Scaled dot-product attention, and several heads of it side by side (paper, section 3.2)."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from torch import Tensor, nn

from blockbyblock.checks import check_positive, check_probability
from blockbyblock.masks import check_mask


def scaled_dot_product_attention(
    query: Float[Tensor, "*batch query d_k"],
    key: Float[Tensor, "*batch key d_k"],
    value: Float[Tensor, "*batch key d_v"],
    mask: Bool[Tensor, "*_"] | None = None,
    *,
    dropout: float = 0.0,
) -> tuple[Float[Tensor, "*batch query d_v"], Float[Tensor, "*batch query key"]]:
    """softmax(Q Kᵀ / √d_k) V, and the weights that it used (paper, equation 1).

    Each query is compared with every key; the softmax over the keys turns the scores into weights that sum to one; the
    output is the weighted sum of the values. A query that may look at no key gets weights and an output of zero.

    Args:
        query: `[..., query, d_k]`.
        key: `[..., key, d_k]`.
        value: `[..., key, d_v]`.
        mask: boolean, True where attention is allowed: `[query, key]`, or as many dimensions as the scores
            `[..., query, key]`.
        dropout: the probability with which a weight is dropped before it meets its value. The returned weights are
            those before dropout, so that a row still sums to one.

    Returns:
        The output `[..., query, d_v]` and the weights `[..., query, key]`.

    Raises:
        TypeError: the mask is not boolean.
        ValueError: the sizes do not fit together.
    """
    check_heads(query, key, value)
    scores = query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])
    if mask is None:
        weights = scores.softmax(-1)
    else:
        check_mask(mask, scores.shape)
        # Not -inf: a row without any key would become NaN, and its gradient too. The lowest finite number leaves the
        # softmax defined, and the second fill makes each hidden weight exactly zero.
        weights = scores.masked_fill(~mask, torch.finfo(scores.dtype).min).softmax(-1).masked_fill(~mask, 0.0)
    return F.dropout(weights, dropout) @ value, weights


def fused_attention(
    query: Float[Tensor, "*batch query d_k"],
    key: Float[Tensor, "*batch key d_k"],
    value: Float[Tensor, "*batch key d_v"],
    mask: Bool[Tensor, "*_"] | None = None,
    *,
    dropout: float = 0.0,
) -> Float[Tensor, "*batch query d_v"]:
    """The same output in one kernel, which never writes the weights to memory, and so cannot return them."""
    if query.device.type == "cpu" and query.dtype == torch.bfloat16:
        # On a CPU torch's kernel takes five times as long backward in bfloat16 as in float32 (torch 2.13).
        with torch.autocast("cpu", enabled=False):
            query, key, value = query.float(), key.float(), value.float()
            heads = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)
            return heads.to(torch.bfloat16)
    return F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=dropout)


def split_heads(x: Float[Tensor, "batch position width"], heads: int) -> Float[Tensor, "batch heads position d_head"]:
    """Cut the last dimension into heads, and put the heads before the positions.

    `view` first, `transpose` second: a direct `view` to the final shape would mix positions and features.

    Raises:
        ValueError: the width is not divisible by the number of heads.
    """
    batch, position, width = x.shape
    if width % heads:
        raise ValueError(f"a width of {width} does not divide into heads={heads}")
    return x.view(batch, position, heads, width // heads).transpose(1, 2)


def concat_heads(x: Float[Tensor, "batch heads position d_head"]) -> Float[Tensor, "batch position width"]:
    """Put the heads' features side by side again: the inverse of `split_heads`, with width = heads * d_head."""
    return x.transpose(1, 2).flatten(2)


def head_width(d_model: int, heads: int) -> int:
    """d_model / heads, the width that the paper gives each head's keys and values.

    Raises:
        ValueError: a size is not positive, or the heads do not divide d_model.
    """
    check_positive(d_model=d_model, heads=heads)
    if d_model % heads:
        raise ValueError(
            f"d_model={d_model} is not divisible by heads={heads}; pass d_k to choose the head width yourself"
        )
    return d_model // heads


@dataclass(frozen=True)
class AttentionRecord:
    """What one attention did in one call.

    Attributes:
        weights: `[batch, heads, query, key]`, before dropout; a row sums to one, or to zero where nothing is allowed.
        mask: the mask that the model used, True where allowed, or None.
    """

    weights: Float[Tensor, "batch heads query key"]
    mask: Bool[Tensor, "*_"] | None


class MultiHeadAttention(nn.Module):
    """h heads of attention in parallel, concatenated and projected (paper, section 3.2.2).

    MultiHead(Q, K, V) = Concat(head_1, ..., head_h) W_O, head_i = Attention(Q W_Q,i, K W_K,i, V W_V,i). The h
    projections of one kind stand side by side in one matrix: `d_model -> heads * d_k`.

    A mask is True where attention is ALLOWED. `torch.nn.MultiheadAttention` means the opposite, and nothing can tell a
    mask of that kind from one of ours. To convert: `mask = ~attn_mask`, `mask = ~key_padding_mask[:, None, None, :]`.

    ```python
    attention = MultiHeadAttention(d_model=512, heads=8)
    x = torch.randn(2, 6, 512)
    output = attention(x, x, x, causal_mask(6))  # [batch, query, d_model]
    ```

    Args:
        d_model: width of the inputs.
        heads: number of heads, h.
        d_k: width of a head's queries and keys; d_model / heads if not given.
        d_v: width of a head's values; d_model / heads if not given.
        d_out: width of the output; d_model if not given.
        dropout: probability with which a weight is dropped in training. The paper drops none here.

    Raises:
        ValueError: heads do not divide d_model and a head width is not given, or a size is out of range.
    """

    def __init__(
        self,
        d_model: int,
        heads: int,
        *,
        d_k: int | None = None,
        d_v: int | None = None,
        d_out: int | None = None,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.d_model, self.heads, self.dropout = d_model, heads, dropout
        self.d_k = head_width(d_model, heads) if d_k is None else d_k
        self.d_v = head_width(d_model, heads) if d_v is None else d_v
        self.d_out = d_model if d_out is None else d_out
        check_positive(d_model=d_model, heads=heads, d_k=self.d_k, d_v=self.d_v, d_out=self.d_out)
        check_probability(dropout=dropout)
        self.query_projection = nn.Linear(d_model, heads * self.d_k)
        self.key_projection = nn.Linear(d_model, heads * self.d_k)
        self.value_projection = nn.Linear(d_model, heads * self.d_v)
        self.output_projection = nn.Linear(heads * self.d_v, self.d_out)
        self.recorder: Callable[[AttentionRecord], None] | None = None
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform matrices and zero biases: the paper states no initialisation; this is the usual one."""
        for projection in (self.query_projection, self.key_projection, self.value_projection, self.output_projection):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(
        self,
        query: Float[Tensor, "batch query d_model"],
        key: Float[Tensor, "batch key d_model"],
        value: Float[Tensor, "batch key d_model"],
        mask: Bool[Tensor, "*_"] | None = None,
    ) -> Float[Tensor, "batch query d_out"]:
        """Attend from each query to all keys.

        Args:
            query: `[batch, query, d_model]`.
            key: `[batch, key, d_model]`.
            value: `[batch, key, d_model]`.
            mask: boolean, True where attention is allowed; `[query, key]` or broadcast to `[batch, heads, query, key]`.

        Returns:
            `[batch, query, d_out]`.

        Raises:
            TypeError: the mask is not boolean.
            ValueError: sizes do not fit together, or the batch or a sequence is empty.
        """
        return self.attend(query, *self.project(key, value), mask)

    def project(
        self, key: Float[Tensor, "batch key d_model"], value: Float[Tensor, "batch key d_model"]
    ) -> tuple[Float[Tensor, "batch heads key d_k"], Float[Tensor, "batch heads key d_v"]]:
        """Keys and values of every head: the part that a decoder may keep, since it does not depend on the query."""
        self._check_width("key", key)
        self._check_width("value", value)
        return split_heads(self.key_projection(key), self.heads), split_heads(self.value_projection(value), self.heads)

    def attend(
        self,
        query: Float[Tensor, "batch query d_model"],
        key_heads: Float[Tensor, "batch heads key d_k"],
        value_heads: Float[Tensor, "batch heads key d_v"],
        mask: Bool[Tensor, "*_"] | None = None,
    ) -> Float[Tensor, "batch query d_out"]:
        """Attend to keys and values that `project` has made; arguments and errors as in `forward`."""
        self._check_width("query", query)
        query_heads = split_heads(self.query_projection(query), self.heads)  # [batch, heads, query, d_k]
        check_heads(query_heads, key_heads, value_heads)
        if mask is not None:
            check_mask(mask, (*query_heads.shape[:-1], key_heads.shape[-2]))
        dropout = self.dropout if self.training else 0.0
        if self.recorder is None:
            heads = fused_attention(query_heads, key_heads, value_heads, mask, dropout=dropout)
        else:
            heads, weights = scaled_dot_product_attention(query_heads, key_heads, value_heads, mask, dropout=dropout)
            self.recorder(AttentionRecord(weights.detach(), mask))
        return self.output_projection(concat_heads(heads))

    def _check_width(self, name: str, x: Tensor) -> None:
        if x.ndim != 3 or x.shape[-1] != self.d_model:
            raise ValueError(
                f"{name} has shape {tuple(x.shape)}; expected [batch, position, d_model] with d_model={self.d_model}"
            )
        if x.numel() == 0:
            raise ValueError(f"{name} has shape {tuple(x.shape)}: the batch and the sequence must not be empty")

    def extra_repr(self) -> str:
        """Return the sizes that a printed model shows."""
        return f"d_model={self.d_model}, heads={self.heads}, d_k={self.d_k}, d_v={self.d_v}"


@contextmanager
def record_attention(model: nn.Module) -> Iterator[dict[str, AttentionRecord]]:
    """Record the weights of every attention in `model` while the context is open.

    The names are those of the modules (`encoder.layers.0.self_attention`), in the order in which they compute. An
    attention that is called again replaces its record: open the context anew for each forward pass to keep all.

    ```python
    with record_attention(model) as records:
        model(source, target)
    records["decoder.layers.0.cross_attention"].weights  # [batch, heads, query, key]
    ```
    """
    records: dict[str, AttentionRecord] = {}
    attentions = {name: module for name, module in model.named_modules() if isinstance(module, MultiHeadAttention)}
    previous = {name: attention.recorder for name, attention in attentions.items()}
    try:
        for name, attention in attentions.items():
            attention.recorder = lambda record, name=name: records.__setitem__(name, record)
        yield records
    finally:
        for name, attention in attentions.items():
            attention.recorder = previous[name]


def check_heads(query: Tensor, key: Tensor, value: Tensor) -> None:
    """Refuse queries, keys and values that do not fit together.

    Raises:
        ValueError: leading sizes, head widths or lengths differ, or there is no key.
    """
    if not query.shape[:-2] == key.shape[:-2] == value.shape[:-2]:
        fault = "batch (or head) sizes differ"
    elif query.shape[-1] != key.shape[-1]:
        fault = "a query and a key must have the same width d_k"
    elif key.shape[-2] != value.shape[-2]:
        fault = "each key needs one value"
    elif key.numel() == 0 or query.numel() == 0:
        fault = "nothing to attend to or from"
    else:
        return
    raise ValueError(f"{fault}: query {tuple(query.shape)}, key {tuple(key.shape)}, value {tuple(value.shape)}")
