"""The exercises of chapter 00: shapes inside the finished model, the loop that writes, where a token looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import torch
from torch import Tensor

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake

NextLogits = Callable[[list[int]], Tensor]

Shapes = dict[str, tuple[int, ...]]


def model_shapes(source: int, target: int, d_model: int, heads: int, vocab: int) -> Shapes:
    """The shapes of four tensors while one sentence is translated: `target` tokens have been read so far."""
    return {
        "memory": (1, source, d_model),
        "decoder output": (1, target, d_model),
        "logits": (1, target, vocab),
        "encoder-decoder weights": (1, heads, target, source),
    }


def _shape_cases(generator: torch.Generator) -> Iterable[Inputs]:
    # The five sizes and the width of a head all differ, so that none can be taken for another.
    for source, target, heads, d_head, vocab in ((11, 6, 8, 32, 8000), (3, 4, 2, 5, 50), (7, 5, 4, 8, 100)):
        yield {"source": source, "target": target, "d_model": heads * d_head, "heads": heads, "vocab": vocab}


def _instead(change: Callable[[int, int, int, int, int], Shapes]) -> Callable[[int, int, int, int, int], Shapes]:
    """The right shapes, with those that `change` gives put in their place."""
    return lambda *sizes: model_shapes(*sizes) | change(*sizes)


def write_greedily(next_logits: NextLogits, start_id: int, end_id: int, limit: int) -> list[int]:
    """Append the most probable token until it is the end or `limit` tokens are written."""
    read = [start_id]
    for _ in range(limit):
        token = int(next_logits(read).argmax())
        if token == end_id:
            break
        read.append(token)
    return read[1:]


def _toy(table: Tensor, ends_at: int) -> NextLogits:
    """A made-up decoder whose answer depends on every token that it reads, and on their order; 2 is the end."""

    def next_logits(read: list[int]) -> Tensor:
        row = sum(place * token for place, token in enumerate(read, start=1)) % len(table)
        logits = table[row].clone()
        logits[2] = 9.0 if len(read) > ends_at else -9.0
        return logits

    return next_logits


def _writing_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for ends_at, limit, vocab in ((3, 10, 8), (6, 20, 12), (99, 5, 12), (4, 4, 12)):
        table = torch.randn(13, vocab, generator=generator)
        yield {"next_logits": _toy(table, ends_at), "start_id": 1, "end_id": 2, "limit": limit}


def _written(
    choose: Callable[[Tensor], Tensor] = torch.argmax,
    see: Callable[[list[int]], list[int]] = lambda read: read,
    stop: bool = True,
    cut: int = 0,
) -> Callable[[NextLogits, int, int, int], list[int]]:
    """The loop with another choice, another view of what is written, without an end, or with fewer steps."""

    def write(next_logits: NextLogits, start_id: int, end_id: int, limit: int) -> list[int]:
        read = [start_id]
        for _ in range(limit - cut):
            token = int(choose(next_logits(see(read))))
            if stop and token == end_id:
                break
            read.append(token)
        return read[1:]

    return write


def _with_end(next_logits: NextLogits, start_id: int, end_id: int, limit: int) -> list[int]:
    read = [start_id]
    for _ in range(limit):
        read.append(int(next_logits(read).argmax()))
        if read[-1] == end_id:
            break
    return read[1:]


def most_looked_at(weights: Tensor, source: Sequence[str]) -> list[str]:
    """For each written token the source token with the largest mean weight; weights are `[heads, written, source]`."""
    return [source[place] for place in weights.mean(0).argmax(-1).tolist()]


def _at(places: Callable[[Tensor], Tensor]) -> Callable[[Tensor, Sequence[str]], list[str]]:
    return lambda weights, source: [source[place] for place in places(weights).tolist()]


def _alignment_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "weights": torch.tensor(
            [[[0.7, 0.2, 0.1], [0.1, 0.3, 0.6]], [[0.1, 0.8, 0.1], [0.5, 0.1, 0.4]], [[0.4, 0.5, 0.1], [0.2, 0.1, 0.7]]]
        ),
        "source": ["Good", " morning", "."],
    }
    for heads, written, source in ((2, 3, 5), (8, 5, 6), (4, 6, 9)):
        yield {
            "weights": (2 * torch.randn(heads, written, source, generator=generator)).softmax(-1),
            "source": [f"s{place}" for place in range(source)],
        }


EXERCISES = (
    Exercise(
        name="00-shapes",
        title="Write down the shapes of four tensors inside the model",
        solution=model_shapes,
        cases=_shape_cases,
        mistakes=(
            Mistake(
                "it has the length of the other sequence",
                _instead(
                    lambda source, target, d_model, heads, vocab: {
                        "memory": (1, target, d_model),
                        "decoder output": (1, source, d_model),
                        "logits": (1, source, vocab),
                        "encoder-decoder weights": (1, heads, source, target),
                    }
                ),
                "The encoder gives one vector for each source token, the decoder one for each target token. A row of "
                "weights belongs to the target token that looks, a column to the source token that is looked at.",
            ),
            Mistake(
                "the batch is left out",
                lambda *sizes: {name: shape[1:] for name, shape in model_shapes(*sizes).items()},
                "The first dimension counts the sentences that are computed side by side, also where it is only one.",
            ),
            Mistake(
                "it has the width of the other side of the output layer",
                _instead(
                    lambda source, target, d_model, heads, vocab: {
                        "decoder output": (1, target, vocab),
                        "logits": (1, target, d_model),
                    }
                ),
                "The decoder works in vectors of d_model numbers. The output layer turns each of them into one logit "
                "for each token of the vocabulary.",
            ),
            Mistake(
                "it has the width of one head",
                _instead(
                    lambda source, target, d_model, heads, vocab: {
                        "memory": (1, source, d_model // heads),
                        "decoder output": (1, target, d_model // heads),
                    }
                ),
                "Only inside attention do heads work on d_model / heads numbers each. Between the parts it is d_model.",
            ),
            Mistake(
                "only the newest token has logits",
                _instead(lambda source, target, d_model, heads, vocab: {"logits": (1, vocab)}),
                "A forward pass gives logits after each target token. The loop that writes uses those of the last.",
            ),
            Mistake(
                "the heads are left out",
                _instead(
                    lambda source, target, d_model, heads, vocab: {"encoder-decoder weights": (1, target, source)}
                ),
                "Each head has a table of weights of its own; heads come behind the batch.",
            ),
            Mistake(
                "these are the weights of the decoder's self-attention",
                _instead(
                    lambda source, target, d_model, heads, vocab: {
                        "encoder-decoder weights": (1, heads, target, target)
                    }
                ),
                "In encoder-decoder attention the target tokens look at the source tokens.",
            ),
        ),
        hint="Batch first, then the positions, then the width. Weights: batch, heads, who looks, what is looked at.",
    ),
    Exercise(
        name="00-greedy",
        title="Write the loop that writes a translation",
        solution=write_greedily,
        cases=_writing_cases,
        mistakes=(
            Mistake(
                "the decoder is shown its last token only",
                _written(see=lambda read: read[-1:]),
                "Pass all that has been read so far, the start token first: the next token depends on all of it.",
            ),
            Mistake(
                "the decoder is shown the start token at every step",
                _written(see=lambda read: read[:1]),
                "Append each chosen token to what the decoder reads at the next step.",
            ),
            Mistake(
                "the start token is not shown to the decoder",
                _written(see=lambda read: read[1:]),
                "The decoder reads the start token first, and then what has been written.",
            ),
            Mistake(
                "the end token is part of the translation",
                _with_end,
                "The end token says that the translation is finished. Stop before it is appended, or leave it out.",
            ),
            Mistake(
                "the start token is part of the translation",
                lambda *inputs: [inputs[1], *write_greedily(*inputs)],
                "The start token is read, and not written. Return what stands behind it.",
            ),
            Mistake(
                "the loop does not stop at the end token",
                _written(stop=False),
                "Stop when the chosen token is `end_id`. What would follow it is not part of the translation.",
            ),
            Mistake(
                "the loop stops one token too early",
                _written(cut=1),
                "Where no end token comes, `limit` tokens are written: count the start token separately.",
            ),
            Mistake(
                "the least probable token is taken",
                _written(choose=torch.argmin),
                "Greedy decoding takes the largest logit: `argmax`.",
            ),
            Mistake(
                "only one token is written",
                lambda *inputs: write_greedily(*inputs)[:1],
                "Return after the loop, and not inside it.",
            ),
        ),
        hint="Begin with `read = [start_id]`; at each step append the place of the largest of `next_logits(read)`.",
    ),
    Exercise(
        name="00-alignment",
        title="Say where each token of a translation looks",
        solution=most_looked_at,
        cases=_alignment_cases,
        mistakes=(
            Mistake(
                "only the first head is read",
                _at(lambda weights: weights[0].argmax(-1)),
                "Average the weights over the heads first: `weights.mean(0)`.",
            ),
            Mistake(
                "the largest weight of any head decides",
                _at(lambda weights: weights.amax(0).argmax(-1)),
                "One sure head outvotes all the others here. Take the mean over the heads.",
            ),
            Mistake(
                "the heads vote",
                _at(lambda weights: weights.argmax(-1).mode(0).values),
                "A vote forgets how large the weights are. Take the mean over the heads, then the largest.",
            ),
            Mistake(
                "the table is read by columns",
                _at(lambda weights: weights.mean(0).argmax(0)),
                "Each row belongs to one written token, and its columns are the source: take `argmax(-1)`.",
            ),
            Mistake(
                "the smallest weight is taken",
                _at(lambda weights: weights.mean(0).argmin(-1)),
                "A token looks most where its weight is largest: `argmax`.",
            ),
            Mistake(
                "these are places, and not tokens",
                lambda weights, source: weights.mean(0).argmax(-1).tolist(),
                "The places are right. Look each of them up in `source`.",
            ),
        ),
    ),
)
