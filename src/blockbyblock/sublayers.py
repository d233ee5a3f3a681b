"""What stands around attention in each layer: the feed-forward network, and Add & Norm (paper, sections 3.1, 3.3)."""

from collections.abc import Callable
from functools import partial
from typing import Literal, get_args

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from blockbyblock.checks import check_choice, check_positive, check_probability

Activation = Literal["relu", "gelu", "gelu_tanh", "silu"]
_FUNCTIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "relu": F.relu,
    "gelu": F.gelu,
    "gelu_tanh": partial(F.gelu, approximate="tanh"),  # as the published weights of GPT-2 were trained with
    "silu": F.silu,
}


class FeedForward(nn.Module):
    """FFN(x) = max(0, x W1 + b1) W2 + b2, at each position by itself (paper, equation 2).

    Args:
        d_model: width of input and output.
        d_ff: width between the two linear maps.
        activation: "relu" as in the paper, "gelu", "gelu_tanh" (GPT-2's approximation of it) or "silu".
        dropout: probability with which a hidden unit is dropped in training. The paper drops none here.

    Raises:
        ValueError: a size is not positive, or the activation is unknown.
    """

    def __init__(self, d_model: int, d_ff: int, *, activation: Activation = "relu", dropout: float = 0.0) -> None:
        super().__init__()
        check_positive(d_model=d_model, d_ff=d_ff)
        check_choice(get_args(Activation), activation=activation)
        check_probability(dropout=dropout)
        self.hidden_projection = nn.Linear(d_model, d_ff)
        self.output_projection = nn.Linear(d_ff, d_model)
        self.activation = activation
        self.dropout = nn.Dropout(dropout)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Xavier-uniform matrices and zero biases, as for attention."""
        for projection in (self.hidden_projection, self.output_projection):
            nn.init.xavier_uniform_(projection.weight)
            nn.init.zeros_(projection.bias)

    def forward(self, x: Float[Tensor, "batch position d_model"]) -> Float[Tensor, "batch position d_model"]:
        """Each position's vector through the same two linear maps; no position sees another."""
        hidden = _FUNCTIONS[self.activation](self.hidden_projection(x))  # [batch, position, d_ff]
        return self.output_projection(self.dropout(hidden))


class AddNorm(nn.Module):
    """A residual connection and a layer norm around a sublayer (paper, section 3.1 and 5.4).

    Post-norm, the paper: LayerNorm(x + Dropout(Sublayer(x))). Pre-norm: x + Dropout(Sublayer(LayerNorm(x))).

    Args:
        d_model: width of x. The norm's two statistics are taken over it, for each position by itself.
        dropout: probability with which a feature of the sublayer's output is dropped in training.
        pre_norm: the norm before the sublayer instead of after the sum.
        eps: added to the variance.
    """

    def __init__(self, d_model: int, *, dropout: float = 0.1, pre_norm: bool = False, eps: float = 1e-5) -> None:
        super().__init__()
        check_positive(d_model=d_model)
        check_probability(dropout=dropout)
        self.norm = nn.LayerNorm(d_model, eps=eps)
        self.dropout = nn.Dropout(dropout)
        self.pre_norm = pre_norm

    def forward(
        self,
        x: Float[Tensor, "batch position d_model"],
        sublayer: Callable[[Tensor], Tensor],
    ) -> Float[Tensor, "batch position d_model"]:
        """Apply `sublayer`, which maps `[batch, position, d_model]` to the same shape, and add what went in."""
        if self.pre_norm:
            return x + self.dropout(sublayer(self.norm(x)))
        return self.norm(x + self.dropout(sublayer(x)))
