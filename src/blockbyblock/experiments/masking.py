"""Chapter 09's experiments: shift and causal mask, each with and without the other; a trained model without its masks.

The test sentences are read from the folder that BLOCKBYBLOCK_DATA names, or downloaded. Run as
`python -m blockbyblock.experiments.masking`.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from blockbyblock import Transformer, causal_mask, load_pretrained, padding_mask, shift_right
from blockbyblock.config import BlockConfig
from blockbyblock.data.batches import pad_rows
from blockbyblock.data.corpora import tatoeba
from blockbyblock.decoding import greedy
from blockbyblock.embedding import SinusoidalPositionalEncoding, TokenEmbedding
from blockbyblock.encoder import Encoder
from blockbyblock.evaluation import bleu_difference, bleu_interval

SYMBOLS, LENGTH = 8, 10
START = SYMBOLS
STEPS = 300
HONEST = (math.log(SYMBOLS) + (LENGTH - 1) * math.log(2)) / LENGTH
"""The loss per token of who knows the rule and not the future: any symbol first, then one of two."""
PADDING = (0, 1, 2, 5, 10, 20, 40)
LONGEST = 40  # tokens of a translation
Rows = Sequence[list[int]]


def walks(count: int, generator: torch.Generator) -> Int[Tensor, "batch position"]:
    """Sequences of symbols on a circle, each one or two places after the one before, as a coin decides."""
    steps = torch.randint(1, 3, (count, LENGTH), generator=generator)
    steps[:, 0] = torch.randint(SYMBOLS, (count,), generator=generator)
    return steps.cumsum(1) % SYMBOLS


def lawful(written: Int[Tensor, "batch position"]) -> float:
    """The share of steps that the rule allows."""
    steps = (written[:, 1:] - written[:, :-1]) % SYMBOLS
    return ((steps == 1) | (steps == 2)).float().mean().item()


def repeats(written: Int[Tensor, "batch position"]) -> float:
    """The share of steps that stay where they are: the token before is copied."""
    return (written[:, 1:] == written[:, :-1]).float().mean().item()


class Writer(nn.Module):
    """A small decoder without a source: it reads ids and answers at each position with the logits of a symbol.

    Args:
        shifted: whether it reads the target shifted right, or the target itself.
        masked: whether a causal mask hides later positions.
    """

    def __init__(self, *, shifted: bool, masked: bool) -> None:
        super().__init__()
        config = BlockConfig(d_model=32, heads=4, d_ff=64, dropout=0.0)
        self.shifted, self.masked = shifted, masked
        self.embedding = TokenEmbedding(SYMBOLS + 1, config.d_model)
        self.positions = SinusoidalPositionalEncoding(config.d_model, LENGTH)
        self.layers = Encoder(config, 2)
        self.output = nn.Linear(config.d_model, SYMBOLS)

    def forward(self, read: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position symbols"]:
        """Logits at each position."""
        mask = causal_mask(read.shape[1]) if self.masked else None
        return self.output(self.layers(self.positions(self.embedding(read)), mask))

    def loss(self, target: Int[Tensor, "batch position"]) -> Tensor:
        """Cross-entropy per token while the right tokens are read."""
        read = shift_right(target, START) if self.shifted else target
        return F.cross_entropy(self(read).flatten(0, 1), target.flatten())

    @torch.no_grad()
    def write(self, count: int, generator: torch.Generator) -> Int[Tensor, "batch position"]:
        """Draw sequences token by token: read what is written, take a token by the last position's probabilities."""
        written = torch.full((count, 1), START)
        for _ in range(LENGTH):
            chances = self(written[:, :LENGTH])[:, -1].softmax(-1)
            written = torch.cat((written, torch.multinomial(chances, 1, generator=generator)), 1)
        return written[:, 1:]


def trained(*, shifted: bool, masked: bool, seed: int, steps: int = STEPS) -> Writer:
    """A writer after its training with Adam."""
    torch.manual_seed(seed)
    model, generator = Writer(shifted=shifted, masked=masked), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    for _ in range(steps):
        optimizer.zero_grad()
        model.loss(walks(32, generator)).backward()
        optimizer.step()
    return model


def four_writers(seeds: int = 5) -> Iterator[dict[str, Any]]:
    """Shift and mask, each with and without the other: the loss in training, and what is written afterwards."""
    for shifted in (True, False):
        for masked in (True, False):
            for seed in range(seeds):
                model = trained(shifted=shifted, masked=masked, seed=seed)
                generator = torch.Generator().manual_seed(1_000_000 + seed)
                with torch.no_grad():
                    loss = model.loss(walks(1000, generator)).item()
                written = model.write(1000, generator)
                yield {
                    "shifted": shifted,
                    "masked": masked,
                    "seed": seed,
                    "loss": loss,
                    "lawful": lawful(written),
                    "repeats": repeats(written),
                }


@torch.inference_mode()
def losses(
    model: Transformer, sources: Rows, targets: Rows, *, causal: bool = True, visible: int = 0
) -> list[Float[Tensor, "target"]]:
    """The loss of each target token, sentence by sentence, while the right tokens are read.

    Args:
        model: in evaluation mode.
        sources: ids, <end> the last.
        targets: ids, <end> the last.
        causal: whether the causal mask is there. Without it a position sees its own whole target, but no padding.
        visible: how many padding tokens after the source are not hidden.
    """
    pad, found = model.config.pad_id, []
    for start in range(0, len(sources), 50):
        rows = sources[start : start + 50]
        source = F.pad(pad_rows(rows), (0, visible), value=pad)
        target = pad_rows(targets[start : start + 50])
        lengths = torch.tensor([len(row) + visible for row in rows])
        seen = (torch.arange(source.shape[1]) < lengths[:, None])[:, None, None]
        memory = model.encoder(model.source_positions(model.source_embedding(source)), seen)
        read = model.target_positions(model.target_embedding(shift_right(target, model.config.start_id)))
        mask = causal_mask(target.shape[1]) if causal else padding_mask(target, pad)
        logits = model.output(model.decoder(read, memory, mask, seen))
        each = F.cross_entropy(logits.transpose(1, 2), target, reduction="none")
        found += [row[:length] for row, length in zip(each, map(len, targets[start : start + 50]), strict=True)]
    return found


def mean_interval(parts: Sequence[Tensor], samples: int = 1000) -> list[float]:
    """The mean over all tokens, and the ends of its 95% interval if the sentences are drawn anew."""
    sums = torch.tensor([float(part.sum()) for part in parts], dtype=torch.float64)
    counts = torch.tensor([float(part.numel()) for part in parts], dtype=torch.float64)
    drawn = torch.randint(len(parts), (samples, len(parts)), generator=torch.Generator().manual_seed(0))
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = (sums[drawn].sum(1) / counts[drawn].sum(1)).quantile(ends).tolist()
    return [float(sums.sum() / counts.sum()), low, high]


@contextmanager
def seeing_padding(model: Transformer) -> Iterator[None]:
    """The model without the padding mask of its source, in both attentions that read it, while the context is open."""

    def encode(source: Int[Tensor, "batch source"]) -> tuple[Tensor, Bool[Tensor, "batch 1 1 source"]]:
        memory = model.encoder(model.source_positions(model.source_embedding(source)))
        return memory, torch.ones(len(source), 1, 1, source.shape[1], dtype=torch.bool)

    model.encode = encode  # type: ignore[method-assign]
    try:
        yield
    finally:
        del model.encode


def translated_in_batches(model: Transformer, sources: Rows, size: int) -> list[list[int]]:
    """Greedy translations of the sentences as they come, so many at a time, padded to the longest of each batch."""
    found = []
    for start in range(0, len(sources), size):
        found += [list(best.ids) for best in greedy(model, pad_rows(sources[start : start + size]), LONGEST)]
    return found


def without_masks(sentences: int = 500, size: int = 50) -> Iterator[dict[str, Any]]:
    """The trained model in evaluation: its loss without the causal mask, and with padding in sight; BLEU in batches."""
    translator, corpus = load_pretrained("en-de"), tatoeba()
    model, examples = translator.model, corpus.test[:sentences]
    sources = [translator.encode(example.source) for example in examples]
    targets = [translator.encode(example.references[0]) for example in examples]
    for causal in (True, False):
        found = losses(model, sources, targets, causal=causal)
        yield {"loss": mean_interval(found), "causal": causal, "visible": 0, "sentences": sentences}
    for visible in PADDING[1:]:
        found = losses(model, sources, targets, visible=visible)
        yield {"loss": mean_interval(found), "causal": True, "visible": visible, "sentences": sentences}

    references = [example.references for example in examples]
    masked = translated_in_batches(model, sources, size)
    with seeing_padding(model):
        seen = translated_in_batches(model, sources, size)
    texts = [[translator.tokenizer.decode(row) for row in rows] for rows in (masked, seen)]
    longest = [max(map(len, sources[start : start + size])) for start in range(0, sentences, size)]
    added = sum(longest) * size / sentences - sum(map(len, sources)) / sentences
    for name, texts_of in zip(("masked", "in sight"), texts, strict=True):
        score, change = bleu_interval(texts_of, references), bleu_difference(texts_of, texts[0], references)
        yield {
            "padding": name,
            "bleu": [score.value, score.low, score.high],
            "difference": [change.value, change.low, change.high],
            "same": sum(map(str.__eq__, texts_of, texts[0])),
            "sentences": sentences,
            "mean padding": added,
        }


if __name__ == "__main__":
    from .record import record

    record("masking", lambda: [*four_writers(), *without_masks()])
