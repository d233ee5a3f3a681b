"""The small model of the chapters' experiments: an encoder that answers at each position, and its short training."""

from collections.abc import Callable
from typing import TypeAlias

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from blockbyblock.config import BlockConfig
from blockbyblock.embedding import SinusoidalPositionalEncoding, TokenEmbedding
from blockbyblock.encoder import Encoder

Ids: TypeAlias = Int[Tensor, "batch position"]
Draw: TypeAlias = Callable[[torch.Generator], tuple[Ids, Ids]]
"""A task: a generator gives token ids and, at each position, the right answer; -100 where none is asked for."""


class Tagger(nn.Module):
    """Embedding, positions, encoder, and a linear layer that answers at each position.

    Args:
        vocab: number of tokens.
        answers: number of possible answers.
        config: sizes of a layer.
        layers: their number.
        positions: the module that adds positions; by default the paper's sines and cosines. `nn.Identity()` adds none.
    """

    def __init__(
        self,
        vocab: int,
        answers: int,
        config: BlockConfig,
        layers: int = 2,
        positions: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.embedding: nn.Module = TokenEmbedding(vocab, config.d_model)
        self.positions = SinusoidalPositionalEncoding(config.d_model, 1024) if positions is None else positions
        self.encoder: nn.Module = Encoder(config, layers)
        self.output = nn.Linear(config.d_model, answers)

    def forward(self, ids: Ids) -> Float[Tensor, "batch position answers"]:
        """Logits of the answers."""
        return self.output(self.encoder(self.positions(self.embedding(ids))))


def fit(model: nn.Module, draw: Draw, *, steps: int, seed: int, rate: float = 3e-3, warmup: int = 0) -> list[float]:
    """Train with Adam and cross-entropy; the rate rises over `warmup` steps and then falls to zero in a line.

    Args:
        model: trained in place.
        draw: the task.
        steps: number of updates.
        seed: of the batches.
        rate: the highest learning rate.
        warmup: number of steps in which the rate rises; 0 starts at the highest.

    Returns:
        The loss at each step.
    """
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), fused=True)
    losses = []
    model.train()
    for step in range(1, steps + 1):
        rise = min(1.0, step / warmup) if warmup else 1.0
        optimizer.param_groups[0]["lr"] = rate * min(rise, (steps - step + 1) / (steps - warmup + 1))
        ids, right = draw(generator)
        loss = F.cross_entropy(model(ids).flatten(0, 1), right.flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return losses


def accuracy(model: nn.Module, draw: Draw, *, batches: int = 8, seed: int = 1_000_000) -> float:
    """The share of right answers on batches that no training has seen."""
    generator = torch.Generator().manual_seed(seed)
    right = asked = 0
    model.eval()
    with torch.inference_mode():
        for _ in range(batches):
            ids, answer = draw(generator)
            asks = answer >= 0
            right += int(((model(ids).argmax(-1) == answer) & asks).sum())
            asked += int(asks.sum())
    return right / asked
