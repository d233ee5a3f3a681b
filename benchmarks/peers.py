"""The other libraries, each used as its manual says: `torch.nn`, Hugging Face's Marian and GPT-2.

Each gets the weights of a model of ours. `Translator`s and `GPT2` are called like ours: ids in, logits out.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from blockbyblock import LanguageModel, Transformer
from blockbyblock.data import Batch, EncodedPair
from blockbyblock.interop import to_gpt2, to_marian, to_torch
from blockbyblock.training import TrainingConfig

Decode = Callable[[Int[Tensor, "batch source"], int], list[tuple[int, ...]]]  # source, beam -> the ids of each output


class TorchTranslator(nn.Module):
    """`nn.Transformer` with what it leaves to its user: embedding, positions, masks, the tied output layer.

    Args:
        model: ours, with one matrix for both embeddings and the output; its weights are copied.

    Raises:
        ValueError: ours is tied in another way, has an output bias or learned positions; or torch has no such blocks.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        config = model.config
        for name, value in {"tying": "three-way", "output_bias": False, "positions": "sinusoidal"}.items():
            if getattr(config, name) != value:
                raise ValueError(f"this peer has {name}={value!r}, and the model {getattr(config, name)!r}")
        self.pad_id, self.scale = config.pad_id, math.sqrt(config.d_model)
        self.embedding = nn.Embedding.from_pretrained(
            model.target_embedding.table.weight.detach().clone(), freeze=False
        )
        wavelengths = 10_000 ** (torch.arange(0, config.d_model, 2) / config.d_model)
        angles = torch.arange(config.max_length)[:, None] / wavelengths
        self.positions: Tensor
        self.register_buffer("positions", torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.transformer = to_torch(model)

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token that follows each target position."""
        padding = source == self.pad_id
        length = target.shape[1]
        future = torch.ones(length, length, dtype=torch.bool, device=target.device).triu(1)
        hidden = self.transformer(
            self._embed(source),
            self._embed(target),
            tgt_mask=future,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return F.linear(hidden, self.embedding.weight)

    def _embed(self, ids: Tensor) -> Tensor:
        return self.dropout(self.embedding(ids) * self.scale + self.positions[: ids.shape[1]])


class MarianTranslator(nn.Module):
    """Hugging Face's `MarianMTModel`.

    Args:
        model: ours; its weights are copied.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.pad_id = model.config.pad_id
        self.marian = to_marian(model)

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token that follows each target position."""
        mask = source != self.pad_id
        return self.marian(input_ids=source, attention_mask=mask, decoder_input_ids=target, use_cache=False).logits


class GPT2(nn.Module):
    """Hugging Face's `GPT2LMHeadModel`.

    Args:
        model: ours; its weights are copied.
    """

    def __init__(self, model: LanguageModel) -> None:
        super().__init__()
        self.pad_id = model.config.pad_id
        self.gpt2: Any = to_gpt2(model)

    def forward(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position vocab"]:
        """Logits of the token that follows each position; padded on the right."""
        logits: Tensor = self.gpt2(input_ids=ids, attention_mask=ids != self.pad_id, use_cache=False).logits
        return logits


def both_sides(batch: Batch) -> tuple[Tensor, ...]:
    """What a translator reads of a batch."""
    return batch.source, batch.decoder_input


def training_step(
    network: nn.Module,
    config: TrainingConfig,
    *,
    pad_id: int,
    learning_rate: float,
    device: torch.device,
    inputs: Callable[[Batch], tuple[Tensor, ...]] = both_sides,
) -> Callable[[Batch], Tensor]:
    """One update with the loss and the optimizer of `blockbyblock.training.Updater`, written in plain PyTorch.

    Args:
        network: `network(*inputs(batch))` gives logits.
        config: with `fast`, autocast to bfloat16, and on a GPU `torch.compile`, as ours.
        pad_id: what counts for nothing in the loss.
        learning_rate: of each step.
        device: where to compute.
        inputs: what of a batch the network reads.

    Returns:
        A function that makes an update and returns its loss, the mean over the target tokens.
    """
    network = network.to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, betas=config.betas, eps=config.eps, fused=True)
    forward = torch.compile(network, dynamic=True) if config.fast and device.type == "cuda" else network

    def step(batch: Batch) -> Tensor:
        batch = batch.to(device)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.fast):
            logits = forward(*inputs(batch))
        labels = batch.target.flatten()
        loss = F.cross_entropy(
            logits.flatten(0, 1).float(), labels, ignore_index=pad_id, label_smoothing=config.smoothing
        )
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def shuffled_batches(pairs: Sequence[EncodedPair], sentences: int, *, pad_id: int, start_id: int) -> Iterator[Batch]:
    """Epoch after epoch: the pairs in random order, so many to a batch, padded to the longest of each side."""

    def collate(rows: Sequence[EncodedPair]) -> Batch:
        source, target = (
            pad_sequence([torch.tensor(row[side]) for row in rows], batch_first=True, padding_value=pad_id)
            for side in (0, 1)
        )
        return Batch((source, F.pad(target, (1, -1), value=start_id)), target)

    loader: DataLoader[EncodedPair] = DataLoader(pairs, batch_size=sentences, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    while True:
        yield from loader


def marian_decoder(model: Transformer, length: int, device: torch.device, dtype: torch.dtype) -> Decode:
    """Marian's `generate`, with the weights of ours; a beam of one is greedy.

    Args:
        model: on a CPU.
        length: tokens of each output.
        device: where to compute.
        dtype: of the weights.
    """
    marian: Any = to_marian(model)
    marian.to(device, dtype)
    pad_id = model.config.pad_id

    def decode(source: Tensor, beam: int) -> list[tuple[int, ...]]:
        output = marian.generate(
            input_ids=source, attention_mask=source != pad_id, num_beams=beam, max_new_tokens=length, do_sample=False
        )
        return [tuple(row[1:]) for row in output.tolist()]  # without the start token

    return decode


def gpt2_writer(
    model: LanguageModel, length: int, device: torch.device, dtype: torch.dtype
) -> Callable[[Int[Tensor, "batch position"]], list[tuple[int, ...]]]:
    """GPT-2's `generate`, greedy, with the weights of ours.

    Args:
        model: on a CPU.
        length: tokens to write after each prompt.
        device: where to compute.
        dtype: of the weights.

    Returns:
        A function from prompts, padded on the left, to what is written after each.
    """
    gpt2: Any = to_gpt2(model)
    gpt2.to(device, dtype)
    pad_id = model.config.pad_id

    def write(prompts: Tensor) -> list[tuple[int, ...]]:
        output = gpt2.generate(
            input_ids=prompts, attention_mask=prompts != pad_id, max_new_tokens=length, do_sample=False
        )
        return [tuple(row) for row in output[:, prompts.shape[1] :].tolist()]

    return write
