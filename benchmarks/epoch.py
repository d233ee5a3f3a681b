"""A part of one epoch of a real corpus: what becomes of the speed of a step when sentences differ in length."""

import statistics
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, NamedTuple

from benchmarks.peers import shuffled_batches
from benchmarks.report import Row, compared
from benchmarks.settings import Settings
from benchmarks.training import FAST, training_steps
from blockbyblock.data import Batch, Batches, EncodedPair, Tokenizer, encode_pairs

ROUNDS = 5  # into which the part of the epoch is cut


class Learned(NamedTuple):
    """What some updates have seen.

    Attributes:
        tokens: of the targets: those that the loss is taken of.
        positions: of source and target, padding among them.
        padding: those that hold only padding.
    """

    tokens: int
    positions: int
    padding: int


def epoch(settings: Settings) -> list[Row]:
    """Our batches of like length by a budget of tokens, against shuffled ones in `nn.Transformer`.

    Both make about the same number of updates in an epoch. Making the batches is in the time. Without a corpus there
    are no rows.
    """
    corpus = settings.corpus
    if corpus is None:
        return []
    tokenizer = Tokenizer.train(corpus.training_text(), settings.model.target_vocab)
    vocabulary = len(tokenizer)
    settings = replace(settings, model=replace(settings.model, source_vocab=vocabulary, target_vocab=vocabulary))
    pairs = encode_pairs(tokenizer, corpus.train)
    batches = Batches(pairs, token_budget(pairs, settings.pairs))
    count = max(1, round(settings.share * len(batches) / ROUNDS))
    tasks = {by: several(step, stream, count) for by, (step, stream) in loops(settings, pairs, batches).items()}
    # Each call learns from other sentences, so it is timed by itself.
    clock = replace(settings.clock, seconds=0.0, fewest=ROUNDS, most=ROUNDS, shortest=0.0)
    samples = clock.compare(tasks, settings.device)
    speeds = {
        by: [learned.tokens / seconds for learned, seconds in zip(sample.results, sample.seconds, strict=True)]
        for by, sample in samples.items()
    }
    notes = {}
    for by, sample in samples.items():
        _, positions, padding = map(sum, zip(*sample.results, strict=True))
        notes[by] = f"{padding / positions:.0%} padding"
    return compared("epoch", f"{corpus.name}, {ROUNDS * count} of {len(batches)} updates", speeds, "tokens/s", notes)


def token_budget(pairs: list[EncodedPair], sentences: int) -> int:
    """The positions of a batch with which an epoch has about as many updates as with so many sentences each."""
    return round(sentences * statistics.mean(pair.length for pair in pairs))


def loops(
    settings: Settings, pairs: list[EncodedPair], batches: Batches
) -> dict[str, tuple[Callable[[Batch], Any], Iterator[Batch]]]:
    """How each updates its model, and on what; ours first."""
    model, steps = settings.model, training_steps(settings)
    shuffled = shuffled_batches(pairs, settings.pairs, pad_id=model.pad_id, start_id=model.start_id)
    streams = {by: (batch for batch, _ in batches.stream()) for by in ("ours", FAST)} | {"nn.Transformer": shuffled}
    return {by: (steps[by], streams[by]) for by in ("ours", "nn.Transformer", FAST) if by in steps}


def several(step: Callable[[Batch], Any], stream: Iterator[Batch], count: int) -> Callable[[], Learned]:
    """A task: so many updates on the next batches."""

    def updates() -> Learned:
        tokens = positions = padding = 0
        for _ in range(count):
            batch = next(stream)
            step(batch)
            real = int((batch.target != Tokenizer.pad_id).sum())
            tokens += real
            positions += batch.source.numel() + batch.target.numel()
            padding += int((batch.source == Tokenizer.pad_id).sum()) + batch.target.numel() - real
        return Learned(tokens, positions, padding)

    return updates
