"""Chapter 13: overfit one batch, with a correct model and with nineteen faults. Which of them does the test see?

The faults are of the kind that public questions are full of. Each stands in the model in training and in decoding
alike, as it would in a reader's code; the last one is in decoding alone.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from blockbyblock import (
    AddNorm,
    DecoderLayer,
    SinusoidalPositionalEncoding,
    Transformer,
    TransformerConfig,
    causal_mask,
    shift_right,
)
from blockbyblock import attention as attention_module
from blockbyblock.data.batches import pad_rows

# Two sentences of the same words in another order, and two that begin alike: so that order and source matter.
PAIRS = (
    ("the cat sat on the chair", "die Katze saß auf dem Stuhl"),
    ("the cat sat on the chair because it was tired", "die Katze saß auf dem Stuhl weil sie müde war"),
    ("the dog sat on the chair because it was tired", "der Hund saß auf dem Stuhl weil er müde war"),
    ("the cat chased the dog", "die Katze jagte den Hund"),
    ("the dog chased the cat", "der Hund jagte die Katze"),
    ("the cat slept", "die Katze schlief"),
    ("I saw the dog yesterday", "gestern sah ich den Hund"),
    ("was the dog tired", "war der Hund müde"),
)
PAD, START, END = 0, 1, 2
WORDS = ("<pad>", "<start>", "<end>", *sorted({word for pair in PAIRS for text in pair for word in text.split()}))
SIZES = TransformerConfig(
    source_vocab=len(WORDS), target_vocab=len(WORDS), d_model=64, heads=4, d_ff=128, encoder_layers=2,
    decoder_layers=2, dropout=0.0, max_length=32,
)  # fmt: skip
STEPS, RATE = 120, 2e-3
Logits = Callable[[Transformer, Tensor, Tensor], Tensor]


def ids_of(text: str) -> list[int]:
    """The ids of a sentence, one for each word, closed with <end>."""
    return [*(WORDS.index(word) for word in text.split()), END]


def one_batch() -> tuple[Tensor, Tensor]:
    """The eight pairs as ids, `[batch, source]` and `[batch, target]`, filled up with padding."""
    return pad_rows([ids_of(source) for source, _ in PAIRS]), pad_rows([ids_of(target) for _, target in PAIRS])


# The faults -----------------------------------------------------------------------------------------------------------


def right(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """Without a fault: the model as it is."""
    return model(source, target)


def masked(make_mask: Callable[[int], Tensor | None]) -> Logits:
    """Another mask over the target."""

    def run(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
        memory, memory_mask = model.encode(source)
        x = model.target_positions(model.target_embedding(target))
        return model.output(model.decoder(x, memory, make_mask(target.shape[1]), memory_mask))

    return run


def without_positions(*sides: str) -> Logits:
    """No positions are added on one side or both."""

    def run(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
        with ExitStack() as stack:
            for side in sides:
                stack.enter_context(_another_table(getattr(model, f"{side}_positions"), torch.zeros_like))
            return model(source, target)

    return run


@contextmanager
def _another_table(positions: nn.Module, make: Callable[[Tensor], Tensor]) -> Iterator[None]:
    """Exchange the position table for one made of it."""
    assert isinstance(positions, SinusoidalPositionalEncoding)
    before = positions.table
    positions.table = make(before)
    try:
        yield
    finally:
        positions.table = before


def padding_seen(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """The source's padding is not masked, neither in the encoder nor in the decoder."""
    memory = model.encoder(model.source_positions(model.source_embedding(source)))
    return model.decode(target, memory)


def encoder_skipped(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """The decoder reads the source's embeddings: the encoder's output is computed and not used."""
    _, memory_mask = model.encode(source)
    return model.decode(target, model.source_positions(model.source_embedding(source)), memory_mask)


def memory_of_the_neighbour(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """Each sentence is given the memory of the one before it in the batch."""
    memory, memory_mask = model.encode(source)
    return model.decode(target, memory.roll(1, 0), memory_mask.roll(1, 0))


def attention_over_the_batch(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """The encoder takes [batch, position] for [position, batch]: attention runs over the sentences."""
    _, memory_mask = model.encode(source)
    x = model.source_positions(model.source_embedding(source))
    return model.decode(target, model.encoder(x.transpose(0, 1)).transpose(0, 1), memory_mask)


def source_ignored(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """There is no encoder-decoder attention."""
    with mock.patch.object(DecoderLayer, "forward", _without_cross_attention):
        return model(source, target)


def _without_cross_attention(
    self: DecoderLayer, x: Tensor, memory: Tensor, mask: Tensor, memory_mask: Tensor, cache: None
) -> Tensor:
    x = self.self_attention_add_norm(x, lambda x: self.self_attention(x, x, x, mask))
    return self.feed_forward_add_norm(x, self.feed_forward)


def without_residual(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """Add & Norm without the addition."""

    def forward(self: AddNorm, x: Tensor, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return self.norm(sublayer(x))

    with mock.patch.object(AddNorm, "forward", forward):
        return model(source, target)


def softmax_over_queries(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """Softmax over the wrong axis."""

    def attend(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None, *, dropout: float) -> Tensor:
        scores = query @ key.mT / query.shape[-1] ** 0.5
        if mask is not None:
            scores = scores.masked_fill(~mask, torch.finfo(scores.dtype).min)
        return scores.softmax(-2) @ value

    with mock.patch.object(attention_module, "fused_attention", attend):
        return model(source, target)


def heads_by_view(model: Transformer, source: Tensor, target: Tensor) -> Tensor:
    """The heads are split by one `view`, which mixes positions and features."""

    def split(x: Tensor, heads: int) -> Tensor:
        batch, position, width = x.shape
        return x.reshape(batch, heads, position, width // heads)

    def concat(x: Tensor) -> Tensor:
        batch, heads, position, width = x.shape
        return x.reshape(batch, position, heads * width)

    with (
        mock.patch.object(attention_module, "split_heads", split),
        mock.patch.object(attention_module, "concat_heads", concat),
    ):
        return model(source, target)


MODELS: dict[str, Logits] = {
    "no fault": right,
    "no causal mask": masked(lambda length: None),
    "causal mask upside down": masked(lambda length: causal_mask(length).T),
    "target not shifted": right,
    "labels one too far": right,
    "no positions": without_positions("source", "target"),
    "no positions, source": without_positions("source"),
    "no positions, target": without_positions("target"),
    "source padding seen": padding_seen,
    "padding in the loss": right,
    "encoder skipped": encoder_skipped,
    "memory of the neighbour": memory_of_the_neighbour,
    "attention over the batch": attention_over_the_batch,
    "no encoder-decoder attention": source_ignored,
    "no residual connection": without_residual,
    "softmax over the queries": softmax_over_queries,
    "heads split by view": heads_by_view,
    "softmax before the loss": right,
    "gradients never cleared": right,
    "position 0 at each step": right,
}


# The test -------------------------------------------------------------------------------------------------------------


def inputs_and_labels(fault: str, target: Tensor) -> tuple[Tensor, Tensor]:
    """What the decoder reads, and what it is asked for."""
    if fault == "target not shifted":
        return target, target
    if fault == "labels one too far":
        return shift_right(target, START), F.pad(target[:, 1:], (0, 1), value=PAD)
    return shift_right(target, START), target


def loss_of(model: Transformer, fault: str, source: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy per token, padding left out."""
    read, asked = inputs_and_labels(fault, target)
    logits = MODELS[fault](model, source, read)
    if fault == "softmax before the loss":
        logits = logits.softmax(-1)
    ignored = -100 if fault == "padding in the loss" else PAD
    return F.cross_entropy(logits.flatten(0, 1), asked.flatten(), ignore_index=ignored)


def overfit(fault: str = "no fault", seed: int = 0, steps: int = STEPS) -> tuple[Transformer, list[float]]:
    """Train a small model on the eight pairs, again and again. Returns it with the loss at each step."""
    torch.manual_seed(seed)
    model = Transformer(SIZES)
    optimizer = torch.optim.Adam(model.parameters(), lr=RATE, betas=(0.9, 0.98), fused=True)
    source, target = one_batch()
    losses = []
    for _ in range(steps):
        loss = loss_of(model, fault, source, target)
        if fault != "gradients never cleared":
            optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    return model.eval(), losses


@contextmanager
def decoding(model: Transformer, fault: str) -> Iterator[None]:
    """What the fault changes in decoding alone: a cached decoder that adds position 0 to each new token."""
    if fault != "position 0 at each step":
        yield
        return
    with _another_table(model.target_positions, lambda table: table[:1].expand_as(table)):
        yield


@torch.inference_mode()
def written(model: Transformer, fault: str = "no fault", longest: int = 14) -> list[str]:
    """Greedy decoding of the eight sources, with the fault, each position computed anew."""
    source, _ = one_batch()
    prefix = source.new_full((len(source), 1), START)
    with decoding(model, fault):
        for _ in range(longest):
            following = MODELS[fault](model, source, prefix)[:, -1].argmax(-1)
            prefix = torch.cat((prefix, following[:, None]), 1)
    return [" ".join(WORDS[place] for place in _until_end(row)) for row in prefix[:, 1:].tolist()]


def _until_end(row: list[int]) -> list[int]:
    return row[: row.index(END)] if END in row else row


def exact(model: Transformer, fault: str = "no fault") -> int:
    """How many of the eight translations greedy decoding gets exactly."""
    return sum(text == target for text, (_, target) in zip(written(model, fault), PAIRS, strict=True))


# Tests that need no training ------------------------------------------------------------------------------------------


def properties(fault: str, seed: int = 0) -> dict[str, bool]:
    """Six tests of a fresh model with the fault, True where it passes.

    Returns:
        "future": later target tokens change nothing; "prefix": a decoder that has read only a prefix gives the same;
        "padding": more of it changes neither logits nor loss; "alone": a sentence is the same without its batch;
        "order": the order of the source makes a difference; "gradients": every parameter gets one.
    """
    torch.manual_seed(seed)
    model, run = Transformer(SIZES).double().eval(), MODELS[fault]
    source, target = one_batch()
    read = shift_right(target, START)
    loss = loss_of(model, fault, source, target)
    loss.backward()
    with torch.inference_mode():
        whole = run(model, source, read)
        later = read.clone()
        later[:, 3:] = (later[:, 3:] + 1) % len(WORDS)
        with decoding(model, fault):
            prefix = run(model, source, read[:, :3])
        longer = run(model, F.pad(source, (0, 3), value=PAD), read)
        longer_loss = loss_of(model, fault, source, F.pad(target, (0, 3), value=PAD))
        return {
            "future": _same(whole[:, :3], run(model, source, later)[:, :3]),
            "prefix": _same(whole[:, :3], prefix),
            "padding": _same(whole, longer) and _same(loss.detach(), longer_loss),
            "alone": _same(whole[:1], run(model, source[:1], read[:1])),
            "order": not _same(whole, run(model, source.roll(1, 1), read)),
            "gradients": all(parameter.grad is not None for parameter in model.parameters()),
        }


def _same(one: Tensor, other: Tensor) -> bool:
    return bool((one - other).abs().max() < 1e-9)


def rows(seeds: int = 5) -> Iterator[dict[str, Any]]:
    """Every fault and every seed: the loss at a few steps, and what greedy decoding then writes."""
    for fault in MODELS:
        kept = properties(fault)
        for seed in range(seeds):
            model, losses = overfit(fault, seed)
            text = written(model, fault)
            yield {
                "fault": fault,
                "seed": seed,
                "first_loss": float(f"{losses[0]:.4g}"),
                "last_loss": float(f"{losses[-1]:.3g}"),
                "steps_to_0.1": next((step for step, loss in enumerate(losses) if loss < 0.1), None),
                "exact": exact(model, fault),
                "written": text[0],
                **kept,
            }


if __name__ == "__main__":
    from .record import record

    record("one_batch", lambda: list(rows()))
