"""The sizes and choices that all layers share."""

import math
from dataclasses import dataclass
from typing import get_args

from torch import nn

from blockbyblock.attention import MultiHeadAttention, head_width
from blockbyblock.checks import check_choice, check_positive, check_probability
from blockbyblock.embedding import (
    POSITIONS,
    LearnedPositionalEncoding,
    Positions,
    SinusoidalPositionalEncoding,
    TokenEmbedding,
)
from blockbyblock.sublayers import Activation, AddNorm, FeedForward


@dataclass(frozen=True, kw_only=True)
class BlockConfig:
    """One encoder or decoder layer; the defaults are the paper's base model (Table 3).

    Attributes:
        d_model: width of the vectors that travel between layers.
        heads: number of attention heads, h.
        d_ff: hidden width of the feed-forward network.
        d_k: width of a head's queries and keys; None means d_model / heads.
        d_v: width of a head's values; None means d_model / heads.
        dropout: on each sublayer's output, and on the sum of embeddings and positions.
        attention_dropout: on the attention weights; none in the paper.
        activation_dropout: inside the feed-forward network; none in the paper.
        activation: "relu", "gelu", "gelu_tanh" or "silu".
        pre_norm: layer norm before each sublayer instead of after the residual sum.
        final_norm: one more layer norm at the end of a stack; None means with pre-norm only, where the stack's output
            would otherwise never be normalised.
        norm_eps: added to the variance in each layer norm.

    Raises:
        ValueError: a value is out of range; the message holds the numbers.
    """

    d_model: int = 512
    heads: int = 8
    d_ff: int = 2048
    d_k: int | None = None
    d_v: int | None = None
    dropout: float = 0.1
    attention_dropout: float = 0.0
    activation_dropout: float = 0.0
    activation: Activation = "relu"
    pre_norm: bool = False
    final_norm: bool | None = None
    norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        check_positive(d_model=self.d_model, heads=self.heads, d_ff=self.d_ff)
        check_positive(d_k=self.key_width // self.heads, d_v=self.value_width // self.heads)
        check_probability(
            dropout=self.dropout,
            attention_dropout=self.attention_dropout,
            activation_dropout=self.activation_dropout,
        )
        check_choice(get_args(Activation), activation=self.activation)
        if not self.norm_eps > 0:
            raise ValueError(f"norm_eps={self.norm_eps} must be positive")

    @property
    def key_width(self) -> int:
        """heads * d_k: the width of all heads' queries, and of their keys."""
        return self.heads * (head_width(self.d_model, self.heads) if self.d_k is None else self.d_k)

    @property
    def value_width(self) -> int:
        """heads * d_v: the width of all heads' values, and of their concatenation."""
        return self.heads * (head_width(self.d_model, self.heads) if self.d_v is None else self.d_v)

    @property
    def ends_with_norm(self) -> bool:
        """Whether a stack of these layers ends with one more layer norm."""
        return self.pre_norm if self.final_norm is None else self.final_norm

    def attention(self) -> MultiHeadAttention:
        """A new attention of these sizes."""
        return MultiHeadAttention(self.d_model, self.heads, d_k=self.d_k, d_v=self.d_v, dropout=self.attention_dropout)

    def feed_forward(self) -> FeedForward:
        """A new feed-forward network of these sizes."""
        return FeedForward(self.d_model, self.d_ff, activation=self.activation, dropout=self.activation_dropout)

    def add_norm(self) -> AddNorm:
        """A new Add & Norm of these sizes."""
        return AddNorm(self.d_model, dropout=self.dropout, pre_norm=self.pre_norm, eps=self.norm_eps)

    def stack_norm(self) -> nn.Module:
        """What ends a stack of layers: a layer norm, or nothing."""
        return nn.LayerNorm(self.d_model, eps=self.norm_eps) if self.ends_with_norm else nn.Identity()


@dataclass(frozen=True, kw_only=True)
class StackConfig(BlockConfig):
    """One stack of layers over one vocabulary: what the language model and the classifier have in common.

    Attributes:
        vocab: number of tokens.
        layers: N.
        positions: "sinusoidal" or "learned".
        max_length: the longest sequence, in tokens.
        embedding_scale: what an embedding is multiplied by; None means √d_model, as in the paper. 1 in GPT-2 and BERT.
        pad_id: fills short sequences up; hidden from attention.

    Raises:
        ValueError: a value is out of range.
    """

    vocab: int = 8000
    layers: int = 6
    positions: Positions = "sinusoidal"
    max_length: int = 1024
    embedding_scale: float | None = None
    pad_id: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(vocab=self.vocab, layers=self.layers, max_length=self.max_length)
        check_positions(self.positions, self.d_model)
        if self.embedding_scale is not None and not 0 < self.embedding_scale < math.inf:
            raise ValueError(f"embedding_scale={self.embedding_scale} must be positive and finite")
        self.check_ids("pad_id")

    def check_ids(self, *names: str) -> None:
        """Refuse a special token that the vocabulary does not hold, and one that is padding and so hidden.

        Raises:
            ValueError: naming it.
        """
        for name in names:
            if not 0 <= getattr(self, name) < self.vocab:
                raise ValueError(f"{name}={getattr(self, name)} lies outside a vocabulary of {self.vocab} tokens")
            if name != "pad_id" and getattr(self, name) == self.pad_id:
                raise ValueError(f"{name}={self.pad_id} is pad_id too, and padding is hidden from attention")

    def token_embedding(self) -> TokenEmbedding:
        """A new table of the tokens' vectors."""
        return TokenEmbedding(self.vocab, self.d_model, self.embedding_scale)

    def positional_encoding(self) -> SinusoidalPositionalEncoding | LearnedPositionalEncoding:
        """What adds the positions."""
        return POSITIONS[self.positions](self.d_model, self.max_length)


def check_positions(positions: Positions, d_model: int) -> None:
    """Refuse an unknown kind of positions, and sinusoids that do not come in pairs.

    Raises:
        ValueError: naming it.
    """
    check_choice(get_args(Positions), positions=positions)
    if positions == "sinusoidal" and d_model % 2:
        raise ValueError(f"d_model={d_model} must be even for sinusoidal positions")
