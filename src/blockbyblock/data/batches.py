"""Batches of like length by a budget of tokens, in an order that can be resumed (paper, section 5.1)."""

import math
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol, get_args, runtime_checkable

import torch
from jaxtyping import Int
from torch import Tensor

from blockbyblock.checks import check_choice, check_positive
from blockbyblock.data.pairs import LabelledText, Pair
from blockbyblock.data.tokenizer import Tokenizer
from blockbyblock.transformer import shift_right

OverLong = Literal["refuse", "leave out"]
NO_CLASS = -100  # what torch's loss leaves out, and no class has as its number


@dataclass(frozen=True)
class Batch:
    """What one step of training reads; rows are padded on the right.

    Attributes:
        inputs: what the model is called with: of a translator the source, `[batch, source]`, and the target shifted
            right, `[batch, target]`; of a language model the text shifted right; of a classifier the text after [CLS].
        target: what the model is to produce: `[batch, target]`, closed with <end>; or a class each, `[batch, 1]`.
        ignored: stands in `target` where nothing is asked for.
    """

    inputs: tuple[Int[Tensor, "batch _"], ...]
    target: Int[Tensor, "batch target"]
    ignored: int = Tokenizer.pad_id

    @property
    def source(self) -> Int[Tensor, "batch source"]:
        """Of a translator: the source, each row closed with <end>."""
        return self.inputs[0]

    @property
    def decoder_input(self) -> Int[Tensor, "batch target"]:
        """Of a translator or a language model: <start>, then all but the last token of the target."""
        return self.inputs[-1]

    @property
    def predictions(self) -> int:
        """How many tokens or classes are asked for."""
        return int((self.target != self.ignored).sum())

    def to(self, device: torch.device | str) -> "Batch":
        """The same batch on a device."""
        return Batch(tuple(ids.to(device) for ids in self.inputs), self.target.to(device), self.ignored)


@runtime_checkable  # for the check of annotated shapes
class Encoded(Protocol):
    """One example to learn from, in ids."""

    @property
    def sides(self) -> tuple[list[int], ...]:
        """The sequences of ids that a model reads or writes, one or two."""
        ...

    @property
    def length(self) -> int:
        """Tokens of the longest side."""
        ...

    def recut(self, cut: Callable[[list[int]], list[int]]) -> Any:
        """The same example with each side cut anew by a function of ids that are closed with <end>."""
        ...

    @staticmethod
    def batch(rows: Any) -> Batch:
        """Several of them as one batch."""
        ...


class EncodedPair(NamedTuple):
    """The ids of a pair, each side closed with <end>."""

    source: list[int]
    target: list[int]

    @property
    def sides(self) -> tuple[list[int], ...]:
        """Both."""
        return self.source, self.target

    @property
    def length(self) -> int:
        """Tokens of the longer side."""
        return max(len(self.source), len(self.target))

    def recut(self, cut: Callable[[list[int]], list[int]]) -> "EncodedPair":
        """The same pair of sentences, each cut anew."""
        return EncodedPair(cut(self.source), cut(self.target))

    @staticmethod
    def batch(rows: "Sequence[EncodedPair]") -> Batch:
        """For a `Transformer`."""
        target = pad_rows([row.target for row in rows])
        source = pad_rows([row.source for row in rows])
        return Batch((source, shift_right(target, Tokenizer.start_id)), target)


class EncodedText(NamedTuple):
    """The ids of a text, closed with <end>."""

    ids: list[int]

    @property
    def sides(self) -> tuple[list[int], ...]:
        """The only one."""
        return (self.ids,)

    @property
    def length(self) -> int:
        """Its tokens."""
        return len(self.ids)

    def recut(self, cut: Callable[[list[int]], list[int]]) -> "EncodedText":
        """The same text, cut anew."""
        return EncodedText(cut(self.ids))

    @staticmethod
    def batch(rows: "Sequence[EncodedText]") -> Batch:
        """For a `LanguageModel`, which is asked for each token from those before it."""
        target = pad_rows([row.ids for row in rows])
        return Batch((shift_right(target, Tokenizer.start_id),), target)


class EncodedLabel(NamedTuple):
    """The ids of a text after [CLS], and the number of its class."""

    ids: list[int]
    label: int

    @property
    def sides(self) -> tuple[list[int], ...]:
        """The text."""
        return (self.ids,)

    @property
    def length(self) -> int:
        """Its tokens."""
        return len(self.ids)

    def recut(self, cut: Callable[[list[int]], list[int]]) -> "EncodedLabel":
        """The same text, cut anew."""
        cls, *ids = self.ids
        return EncodedLabel([cls, *cut([*ids, Tokenizer.end_id])[:-1]], self.label)

    @staticmethod
    def batch(rows: "Sequence[EncodedLabel]") -> Batch:
        """For a `Classifier`."""
        labels = torch.tensor([[row.label] for row in rows])
        return Batch((pad_rows([row.ids for row in rows]),), labels, NO_CLASS)


def encode_pairs(tokenizer: Tokenizer, pairs: Sequence[Pair]) -> list[EncodedPair]:
    """The ids of each pair."""
    sources = tokenizer.encode_sentences([pair.source for pair in pairs])
    targets = tokenizer.encode_sentences([pair.target for pair in pairs])
    return [EncodedPair(*sides) for sides in zip(sources, targets, strict=True)]


def encode_texts(tokenizer: Tokenizer, texts: Sequence[str]) -> list[EncodedText]:
    """The ids of each text."""
    return [EncodedText(ids) for ids in tokenizer.encode_sentences(texts)]


def encode_labelled(tokenizer: Tokenizer, texts: Sequence[LabelledText], labels: Sequence[str]) -> list[EncodedLabel]:
    """The ids of each text, and the place of its label among all labels.

    Raises:
        ValueError: a label is not among them.
    """
    numbers = {label: number for number, label in enumerate(labels)}
    if unknown := sorted({text.label for text in texts} - numbers.keys()):
        raise ValueError(f"the label {unknown[0]!r} is not one of {', '.join(labels)}")
    rows = [tokenizer.encode(text.text) for text in texts]
    return [
        EncodedLabel([Tokenizer.start_id, *ids], numbers[text.label]) for ids, text in zip(rows, texts, strict=True)
    ]


class BatchState(NamedTuple):
    """The place in the order of batches at which training goes on: the next batch is `position` of `epoch`."""

    seed: int
    epoch: int
    position: int


class Batches:
    """Examples in batches of like length: pairs, texts, or texts with labels.

    The pairs are shuffled, then sorted by the length of their longer side, so that those of one length are a bucket in
    random order; then cut where one more row would break the budget, and the batches are shuffled. Where the cuts fall
    depends on the lengths alone, so each epoch has the same number of batches, with other pairs together.

    Several processes share an epoch: rank r takes the batches r, r + ranks, r + 2 ranks, ... To give all the same
    number of them without leaving a pair out or taking one twice, the largest batches are halved until it divides.

    `resample` may cut a sentence into other tokens in each epoch. The pairs are then sorted by these, but how many go
    into each batch is reckoned from the pairs as given: only for them does the budget hold.

    Args:
        pairs: encoded examples, all of one kind.
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
        pairs: Sequence[Encoded],
        tokens: int,
        *,
        seed: int = 0,
        max_length: int | None = None,
        over_long: OverLong = "refuse",
        resample: Callable[[Any, random.Random], Any] | None = None,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        limit = tokens if max_length is None else min(tokens, max_length)
        check_positive(tokens=tokens, max_length=limit, ranks=ranks)
        check_choice(get_args(OverLong), over_long=over_long)
        if not 0 <= rank < ranks:
            raise ValueError(f"rank={rank} is not one of {ranks} processes, numbered from 0")
        if any(not side for pair in pairs for side in pair.sides):
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
            rows = [pairs[index] for index in indices]
            yield rows[0].batch(rows)

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
            for lengths in zip(*([len(side) for side in pairs[index].sides] for index in indices), strict=True):
                positions += len(lengths) * max(lengths)
                real += sum(lengths)
        return 1 - real / positions if positions else 0.0

    def _read(self, epoch: int) -> list[Any]:
        """The pairs as this epoch reads them."""
        if self._resample is None:
            return self._pairs
        others = (
            self._resample(pair, random.Random(f"{self.seed} {epoch} {index}"))
            for index, pair in enumerate(self._pairs)
        )
        longest = math.inf if self._max_length is None else self._max_length
        return [other if other.length <= longest else pair for pair, other in zip(self._pairs, others, strict=True)]

    def _order(self, epoch: int, pairs: Sequence[Encoded]) -> list[list[int]]:
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


def pad_rows(rows: Sequence[list[int]]) -> Int[Tensor, "batch position"]:
    """Rows of ids as one tensor, padded on the right with <pad>."""
    longest = max(map(len, rows))
    return torch.tensor([row + [Tokenizer.pad_id] * (longest - len(row)) for row in rows])
