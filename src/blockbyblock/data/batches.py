"""Batches of like length by a budget of tokens, in an order that can be resumed (paper, section 5.1)."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Int
from torch import Tensor

from blockbyblock.checks import check_choice, check_positive
from blockbyblock.data.pairs import Pair
from blockbyblock.data.tokenizer import Tokenizer
from blockbyblock.transformer import shift_right

OverLong = Literal["refuse", "leave out"]


class EncodedPair(NamedTuple):
    """The ids of a pair, each side closed with <end>."""

    source: list[int]
    target: list[int]

    @property
    def length(self) -> int:
        """Tokens of the longer side."""
        return max(len(self.source), len(self.target))


def encode_pairs(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> list[EncodedPair]:
    """The ids of each pair."""
    sources = tokenizer.encode_sentences([pair.source for pair in pairs])
    targets = tokenizer.encode_sentences([pair.target for pair in pairs])
    return [EncodedPair(*sides) for sides in zip(sources, targets, strict=True)]


@dataclass(frozen=True)
class Batch:
    """What one step of training reads; rows are padded on the right.

    Attributes:
        source: `[batch, source]`, each row closed with <end>.
        decoder_input: `[batch, target]`, the target shifted right: <start>, then all but the last token.
        target: `[batch, target]`, what the decoder is to produce, closed with <end>.
    """

    source: Int[Tensor, "batch source"]
    decoder_input: Int[Tensor, "batch target"]
    target: Int[Tensor, "batch target"]

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(self.source.to(device), self.decoder_input.to(device), self.target.to(device))


class BatchState(NamedTuple):
    """The place in the order of batches at which training goes on: the next batch is `position` of `epoch`."""

    seed: int
    epoch: int
    position: int


class Batches:
    """Pairs in batches of like length.

    The pairs are shuffled, then sorted by the length of their longer side, so that those of one length are a bucket in
    random order; then cut where one more row would break the budget, and the batches are shuffled. Where the cuts fall
    depends on the lengths alone, so each epoch has the same number of batches, with other pairs together.

    Several processes share an epoch: rank r takes the batches r, r + ranks, r + 2 ranks, ... To give all the same
    number of them without leaving a pair out or taking one twice, the largest batches are halved until it divides.

    `resample` may cut a sentence into other tokens in each epoch. The pairs are then sorted by these, but how many go
    into each batch is reckoned from the pairs as given: only for them does the budget hold.

    Args:
        pairs: encoded pairs.
        tokens: the budget: rows times the longest sentence, padding included, is at most this, on each side.
        seed: decides the order, together with the epoch.
        max_length: the model's longest sequence, in tokens; no limit but the budget if not given.
        over_long: what to do with a pair of which a side is longer: "refuse", or "leave out" and count.
        resample: gives other tokens for a pair, as `BpeDropout` does. Its random numbers depend on seed, epoch and
            pair alone, so they can be resumed. What it makes longer than `max_length` stays as it was.
        rank: the number of this process, from 0.
        ranks: the number of processes.

    Attributes:
        left_out: the indices of the pairs that are left out.

    Raises:
        ValueError: a pair is over-long and shall be refused, a side is empty, the processes cannot have equal shares
            (too few pairs, or a budget that holds one), or an argument is out of range.
    """

    def __init__(
        self,
        pairs: Sequence[EncodedPair],
        tokens: int,
        *,
        seed: int = 0,
        max_length: int | None = None,
        over_long: OverLong = "refuse",
        resample: Callable[[EncodedPair, random.Random], EncodedPair] | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        limit = tokens if max_length is None else min(tokens, max_length)
        check_positive(tokens=tokens, max_length=limit, ranks=ranks)
        check_choice(get_args(OverLong), over_long=over_long)
        if not 0 <= rank < ranks:
            raise ValueError(f"rank={rank} is not one of {ranks} processes, numbered from 0")
        if any(not pair.source or not pair.target for pair in pairs):
            raise ValueError("a side of a pair has no token at all; close each with <end>")
        self.left_out = [index for index, pair in enumerate(pairs) if pair.length > limit]
        if self.left_out and over_long == "refuse":
            first = self.left_out[0]
            raise ValueError(
                f"pair {first} has {pairs[first].length} tokens, over the limit of {limit} (tokens={tokens}, "
                f"max_length={max_length}), as have {len(self.left_out) - 1} others; leave them out, or raise the limit"
            )
        self.seed, self.rank, self.ranks = seed, rank, ranks
        self._resample, self._max_length = resample, max_length
        self._pairs = [pair for pair in pairs if pair.length <= limit]
        lengths = sorted(pair.length for pair in self._pairs)
        self._cuts = _equal_shares(cut_by_budget(lengths, tokens), ranks)

    def __len__(self) -> int:
        """Batches of an epoch, of this process."""
        return len(self._cuts) // self.ranks

    def epoch(self, epoch: int, position: int = 0) -> Iterator[Batch]:
        """The batches of one epoch, from `position` on.

        Raises:
            ValueError: there is no such position.
        """
        if not 0 <= position <= len(self):
            raise ValueError(f"position={position} lies outside an epoch of {len(self)} batches")
        pairs = self._read(epoch)
        for indices in self._order(epoch, pairs)[self.rank :: self.ranks][position:]:
            yield _collate([pairs[index] for index in indices])

    def stream(self, state: BatchState | None = None) -> Iterator[tuple[Batch, BatchState]]:
        """Epoch after epoch without end: each batch, and the state from which the batches after it follow.

        Args:
            state: where to go on; the first epoch if not given. It holds for the same pairs, budget and `ranks`.

        Raises:
            ValueError: the state belongs to another seed, or there are no batches.
        """
        state = BatchState(self.seed, 0, 0) if state is None else state
        if state.seed != self.seed:
            raise ValueError(f"the state belongs to seed={state.seed}, these batches to seed={self.seed}")
        if not len(self):
            raise ValueError("there is no pair to make a batch of")
        _, epoch, position = state
        while True:
            for batch in self.epoch(epoch, position):
                position += 1
                yield batch, BatchState(self.seed, epoch, position)
            epoch, position = epoch + 1, 0

    def padding(self, epoch: int = 0) -> float:
        """The share of the positions of an epoch, source and target, of all processes, that holds only padding."""
        pairs, positions, real = self._read(epoch), 0, 0
        for indices in self._order(epoch, pairs):
            for side in (0, 1):
                lengths = [len(pairs[index][side]) for index in indices]
                positions += len(lengths) * max(lengths)
                real += sum(lengths)
        return 1 - real / positions if positions else 0.0

    def _read(self, epoch: int) -> list[EncodedPair]:
        """The pairs as this epoch reads them."""
        if self._resample is None:
            return self._pairs
        others = (
            self._resample(pair, random.Random(f"{self.seed} {epoch} {index}"))
            for index, pair in enumerate(self._pairs)
        )
        longest = math.inf if self._max_length is None else self._max_length
        return [other if other.length <= longest else pair for pair, other in zip(self._pairs, others, strict=True)]

    def _order(self, epoch: int, pairs: Sequence[EncodedPair]) -> list[list[int]]:
        """The pairs of each batch of all processes."""
        generator = random.Random(f"{self.seed} {epoch}")
        indices = list(range(len(pairs)))
        generator.shuffle(indices)
        indices.sort(key=lambda index: pairs[index].length)  # stable: pairs of one length stay in random order
        batches = [indices[start:stop] for start, stop in self._cuts]
        generator.shuffle(batches)
        return batches


def cut_by_budget(lengths: Sequence[int], tokens: int) -> list[tuple[int, int]]:
    """Where ascending lengths are cut, so that count times largest of each piece is at most `tokens`.

    A length that is over it by itself is a piece of one.
    """
    cuts, start = [], 0
    for stop, length in enumerate(lengths):
        if stop > start and (stop + 1 - start) * length > tokens:
            cuts.append((start, stop))
            start = stop
    return [*cuts, (start, len(lengths))] if lengths else []


def _equal_shares(cuts: list[tuple[int, int]], ranks: int) -> list[tuple[int, int]]:
    """Halve the batches with most rows until their number divides by `ranks`."""
    while len(cuts) % ranks:
        start, stop = max(cuts, key=lambda cut: cut[1] - cut[0])
        if stop - start < 2:
            raise ValueError(
                f"{len(cuts)} batches of one pair each cannot be shared equally among {ranks} processes; take fewer "
                "processes, or a larger budget"
            )
        middle = (start + stop) // 2
        cuts = [cut for cut in cuts if cut != (start, stop)] + [(start, middle), (middle, stop)]
    return cuts


def _collate(pairs: Sequence[EncodedPair]) -> Batch:
    target = pad_rows([pair.target for pair in pairs])
    return Batch(pad_rows([pair.source for pair in pairs]), shift_right(target, Tokenizer.start_id), target)


def pad_rows(rows: Sequence[list[int]]) -> Int[Tensor, "batch position"]:
    """Rows of ids as one tensor, padded on the right with <pad>."""
    longest = max(map(len, rows))
    return torch.tensor([row + [Tokenizer.pad_id] * (longest - len(row)) for row in rows])
