"""Chapter 11's experiments: teacher forcing against free running, a forced wrong token, and the order of the sublayers.

The test sentences are read from the folder that BLOCKBYBLOCK_DATA names, or downloaded. Run as
`python -m blockbyblock.experiments.decoder`.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from blockbyblock import DecoderLayer, Transformer, Translator, causal_mask, load_pretrained
from blockbyblock.config import BlockConfig
from blockbyblock.data.batches import pad_rows
from blockbyblock.data.corpora import tatoeba
from blockbyblock.decoder import LayerCache
from blockbyblock.evaluation import bleu_difference, bleu_interval

FREE = -1  # nobody forces a token here: the decoder reads its own
LONGEST = 40  # tokens of a translation
OFFSETS = 6  # tokens after the wrong one that are looked at
SYMBOLS, STEPS = 4, 400  # of the task with two steps
ORDERS, TASKS = ("self, memory", "memory, self"), ("prefix, then memory", "memory, then prefix")
Rows = Sequence[list[int]]
Agreement = Float[Tensor, "sentences offsets"]


@torch.inference_mode()
def write(
    model: Transformer, source: Int[Tensor, "batch source"], forced: Int[Tensor, "batch steps"]
) -> Int[Tensor, "batch steps"]:
    """What the decoder chooses at each step; it then reads the forced token, or where that is FREE, its own choice."""
    memory, memory_mask = model.encode(source)
    cache, tokens = model.new_cache(), source.new_full((len(source), 1), model.config.start_id)
    chosen = []
    for force in forced.T:
        logits = model.decode(tokens, memory, memory_mask, cache)[:, -1]
        logits[:, [model.config.pad_id, model.config.start_id]] = -torch.inf  # never written
        chosen.append(logits.argmax(-1))
        tokens = torch.where(force == FREE, chosen[-1], force)[:, None]
    return torch.stack(chosen, 1)


def sentence(ids: Sequence[int], end_id: int) -> list[int]:
    """The tokens up to the first end token, that one too."""
    return list(ids[: ids.index(end_id) + 1]) if end_id in ids else list(ids)


def both_ways(model: Transformer, sources: Rows, targets: Rows, size: int = 100) -> tuple[list[list[int]], Rows]:
    """For each sentence what the decoder chooses while it is fed the target, and what it writes on its own."""
    fed, free = [], []
    for start in range(0, len(sources), size):
        rows = slice(start, start + size)
        source, target = pad_rows(sources[rows]), pad_rows(targets[rows])
        choices = write(model, source, target).tolist()
        fed += [row[: len(wanted)] for row, wanted in zip(choices, targets[rows], strict=True)]
        own = write(model, source, torch.full((len(source), LONGEST), FREE)).tolist()
        free += [sentence(row, model.config.end_id) for row in own]
    return fed, free


def first_difference(row: Sequence[int], wanted: Sequence[int]) -> int:
    """The first place at which two sequences differ; the length of the second if there is none."""
    return next((i for i, token in enumerate(wanted) if i >= len(row) or row[i] != token), len(wanted))


def agreement_after(rows: Rows, wanted: Rows, places: Sequence[int]) -> Agreement:
    """Whether the tokens 1, 2, ... behind each place are equal; NaN where the wanted sequence has ended."""
    table = torch.full((len(rows), OFFSETS), torch.nan)
    for i, (row, want, place) in enumerate(zip(rows, wanted, places, strict=True)):
        for offset, token in enumerate(want[place + 1 : place + 1 + OFFSETS]):
            at = place + 1 + offset
            table[i, offset] = float(at < len(row) and row[at] == token)
    return table


def share(part: Sequence[int], whole: Sequence[int]) -> float:
    """The share of the tokens of `whole` that `part` holds too, wherever they stand, each as often as it does."""
    return sum((Counter(part) & Counter(whole)).values()) / len(whole)


def mean_interval(values: Tensor, samples: int = 1000) -> list[float]:
    """The mean of what is no NaN, and the ends of its 95% interval if the sentences (dimension 0) are drawn anew."""
    values = values.double().view(len(values), -1)
    drawn = torch.randint(len(values), (samples, len(values)), generator=torch.Generator().manual_seed(0))
    counts = (~values.isnan()).double().sum(1)
    sums = values.nansum(1)
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = (sums[drawn].sum(1) / counts[drawn].sum(1)).quantile(ends).tolist()
    return [float(sums.sum() / counts.sum()), low, high]


def padded(rows: Sequence[Sequence[float]]) -> Tensor:
    """Rows of different lengths as one tensor, NaN behind the shorter ones."""
    return nn.utils.rnn.pad_sequence([torch.tensor(row) for row in rows], batch_first=True, padding_value=torch.nan)


@contextmanager
def without_source(model: Transformer) -> Iterator[None]:
    """The model with every encoder-decoder attention switched off, its output zero, while the context is open."""
    outputs = [layer.get_submodule("cross_attention.output_projection") for layer in model.decoder.layers]
    hooks = [part.register_forward_hook(lambda *a: torch.zeros_like(a[-1])) for part in outputs]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def gap(name: str, translator: Translator, sources: Rows, targets: Rows) -> dict[str, Any]:
    """Accuracy while fed and BLEU while fed, beside agreement and BLEU of what is written freely."""
    decode, end_id = translator.tokenizer.decode, translator.model.config.end_id
    fed, free = both_ways(translator.model, sources, targets)
    references = [[decode(target[:-1])] for target in targets]
    shown = [decode([i for i in sentence(row, end_id) if i != end_id]) for row in fed]
    written = [decode([i for i in row if i != end_id]) for row in free]
    right = [[float(a == b) for a, b in zip(row, want, strict=True)] for row, want in zip(fed, targets, strict=True)]
    own = [
        [float(i < len(row) and row[i] == b) for i, b in enumerate(want)]
        for row, want in zip(free, targets, strict=True)
    ]
    first = [[first_difference(row, want) for row, want in zip(rows, targets, strict=True)] for rows in (fed, free)]
    parted = [i for i, place in enumerate(first[0]) if place < len(targets[i])]
    places = [first[0][i] for i in parted]
    after = {
        label: [
            mean_interval(column)
            for column in agreement_after([rows[i] for i in parted], [targets[i] for i in parted], places).T
        ]
        for label, rows in (("fed", fed), ("free", free))
    }
    scores = [bleu_interval(texts, references) for texts in (shown, written)]
    difference = bleu_difference(shown, written, references)
    return {
        "gap": name,
        "sentences": len(sources),
        "fed accuracy": mean_interval(padded(right)),
        "free agreement": mean_interval(padded(own)),
        "fed all right": sum(row == want for row, want in zip(fed, targets, strict=True)),
        "free equal": sum(row == want for row, want in zip(free, targets, strict=True)),
        "same first difference": sum(a == b for a, b in zip(*first, strict=True)),
        "bleu fed": [scores[0].value, scores[0].low, scores[0].high],
        "bleu free": [scores[1].value, scores[1].low, scores[1].high],
        "bleu difference": [difference.value, difference.low, difference.high],
        "parted": len(parted),
        "after": after,
    }


def forced_errors(
    model: Transformer, sources: Rows, kind: str, wanted: Rows | None = None, seed: int = 0, size: int = 100
) -> tuple[list[list[int]], Rows, list[int]]:
    """Force one token other than the model's own at a drawn place, then let it write on.

    Args:
        model: writes greedily.
        sources: sentences, ids.
        kind: "second choice" of the model at that place, or "random token" out of all that it has written.
        wanted: what it writes by itself, each with its end token; computed where not given.
        seed: for the places and the tokens.
        size: of a batch.

    Returns:
        What it wrote with the token forced, what it writes by itself, and the places; sentences that are too short for
        it, of fewer than four tokens, are left out.
    """
    end_id = model.config.end_id
    if wanted is None:
        wanted = both_ways(model, sources, [[end_id]] * len(sources))[1]
    kept = [i for i, row in enumerate(wanted) if len(row) >= 4 and row[-1] == end_id]
    sources, wanted = [sources[i] for i in kept], [wanted[i] for i in kept]
    draw = torch.Generator().manual_seed(seed)
    pool = [token for row in wanted for token in row[:-1]]
    places = [int(torch.randint(len(row) - 2, (), generator=draw)) for row in wanted]  # a token and <end> follow
    written = []
    for start in range(0, len(kept), size):
        rows = range(start, min(start + size, len(kept)))
        source = pad_rows([sources[i] for i in rows])
        forced = torch.full((len(rows), LONGEST), FREE)
        for slot, i in enumerate(rows):
            forced[slot, : places[i]] = torch.tensor(wanted[i][: places[i]])
        for slot, i in enumerate(rows):
            token = wanted[i][places[i]]
            while token == wanted[i][places[i]]:
                token = pool[int(torch.randint(len(pool), (), generator=draw))]
            forced[slot, places[i]] = token
        if kind == "second choice":
            seconds = second_choices(model, source, [wanted[i] for i in rows])
            for slot, i in enumerate(rows):
                forced[slot, places[i]] = seconds[slot][places[i]]
        for slot, row in enumerate(write(model, source, forced).tolist()):
            place, token = places[rows[slot]], int(forced[slot, places[rows[slot]]])
            tail = [] if token == end_id else sentence(row[place + 1 :], end_id)
            written.append([*row[:place], token, *tail])
    return written, wanted, places


@torch.inference_mode()
def second_choices(model: Transformer, source: Int[Tensor, "batch source"], wanted: Rows) -> list[list[int]]:
    """The most probable token other than the wanted one and the end, at each place of a text that is fed."""
    target = pad_rows(wanted)
    start = torch.full((len(target), 1), model.config.start_id)
    logits = model.decode(torch.cat((start, target[:, :-1]), 1), *model.encode(source))
    logits[..., [model.config.pad_id, model.config.start_id, model.config.end_id]] = -torch.inf
    return logits.scatter(-1, target[..., None], -torch.inf).argmax(-1).tolist()


def spread(name: str, written: Rows, wanted: Rows, places: Sequence[int]) -> dict[str, Any]:
    """How much of what follows the forced token is what would have followed without it."""
    tails = [row[place + 1 :] for row, place in zip(written, places, strict=True)]
    others = [*tails[1:], tails[0]]  # of another sentence: what is kept by chance
    expected = [row[place + 1 :] for row, place in zip(wanted, places, strict=True)]
    return {
        "forced": name,
        "sentences": len(written),
        "agree at": [mean_interval(column) for column in agreement_after(written, wanted, places).T],
        "rest unchanged": mean_interval(torch.tensor([float(a == b) for a, b in zip(tails, expected, strict=True)])),
        "kept by chance": mean_interval(torch.tensor([share(a, b) for a, b in zip(others, expected, strict=True)])),
        "tokens kept": mean_interval(torch.tensor([share(a, b) for a, b in zip(tails, expected, strict=True)])),
    }


def real_text(sentences: int = 500) -> Iterator[dict[str, Any]]:
    """The trained model on test sentences."""
    translator, examples = load_pretrained("en-de"), tatoeba().test[:sentences]
    sources = [translator.encode(example.source) for example in examples]
    targets = [translator.encode(example.references[0]) for example in examples]
    yield gap("whole model", translator, sources, targets)
    with without_source(translator.model):
        yield gap("source cut off", translator, sources, targets)
    own = both_ways(translator.model, sources, [[2]] * len(sources))[1]
    for kind in ("second choice", "random token"):
        yield spread(kind, *forced_errors(translator.model, sources, kind, own))


# The order of the sublayers -------------------------------------------------------------------------------------------


class MemoryFirst(DecoderLayer):
    """A decoder layer whose first two sublayers have changed places."""

    def forward(
        self,
        x: Float[Tensor, "batch position d_model"],
        memory: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "*_"] | None = None,
        memory_mask: Bool[Tensor, "*_"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch position d_model"]:
        """As for a decoder layer, without a cache."""
        x = self.cross_attention_add_norm(x, lambda x: self.cross_attention(x, memory, memory, memory_mask))
        x = self.self_attention_add_norm(x, lambda x: self.self_attention(x, x, x, mask))
        return self.feed_forward_add_norm(x, self.feed_forward)


class TwoSteps(nn.Module):
    """A decoder that is asked for what stands behind a symbol in one list of pairs, and behind that in another.

    Args:
        order: of the sublayers, one of ORDERS.
        layers: their number.
    """

    def __init__(self, order: str, layers: int) -> None:
        super().__init__()
        config = BlockConfig(d_model=32, heads=2, d_ff=64, dropout=0.0)
        self.key, self.value = nn.Embedding(3 * SYMBOLS, 32), nn.Embedding(3 * SYMBOLS, 32)
        layer_class = DecoderLayer if order == ORDERS[0] else MemoryFirst
        self.layers = nn.ModuleList(layer_class(config) for _ in range(layers))
        self.output = nn.Linear(config.d_model, SYMBOLS)

    def forward(
        self, prefix: Int[Tensor, "batch pairs 2"], memory: Int[Tensor, "batch pairs 2"], asked: Int[Tensor, "batch"]
    ) -> Float[Tensor, "batch symbols"]:
        """Logits of the answer, at the last position of the prefix."""
        x = torch.cat((self.pairs(prefix), self.key(asked)[:, None]), 1)
        read, mask = self.pairs(memory), causal_mask(x.shape[1])
        for layer in self.layers:
            x = layer(x, read, mask)
        return self.output(x[:, -1])

    def pairs(self, ids: Int[Tensor, "batch pairs 2"]) -> Float[Tensor, "batch pairs d_model"]:
        """A vector for each pair."""
        return self.key(ids[..., 0]) + self.value(ids[..., 1])


def questions(task: str, count: int, draw: torch.Generator) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Pairs in the prefix, pairs in the memory, what is asked for, and the answer."""

    def shuffled() -> Tensor:
        return torch.rand(count, SYMBOLS, generator=draw).argsort(1)

    first, second = shuffled(), shuffled()
    asked = torch.randint(SYMBOLS, (count,), generator=draw)
    answer = second.gather(1, first.gather(1, asked[:, None]))[:, 0]
    order = shuffled()
    here = torch.stack((order, SYMBOLS + first.gather(1, order)), -1)
    order = shuffled()
    there = torch.stack((SYMBOLS + order, 2 * SYMBOLS + second.gather(1, order)), -1)
    return (here, there, asked, answer) if task == TASKS[0] else (there, here, asked, answer)


def learned(task: str, order: str, layers: int, seed: int, steps: int = STEPS) -> float:
    """The share of right answers to new questions after some training."""
    torch.manual_seed(seed)
    model, draw = TwoSteps(order, layers), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3, fused=True)
    for _ in range(steps):
        *question, answer = questions(task, 128, draw)
        optimizer.zero_grad()
        F.cross_entropy(model(*question), answer).backward()
        optimizer.step()
    with torch.no_grad():
        *question, answer = questions(task, 2000, draw)
        return (model(*question).argmax(-1) == answer).float().mean().item()


def orders(seeds: int = 5) -> Iterator[dict[str, Any]]:
    """Both orders on both tasks, with one layer and with two."""
    for layers in (1, 2):
        for task in TASKS:
            for order in ORDERS:
                accuracies = [learned(task, order, layers, seed) for seed in range(seeds)]
                yield {"layers": layers, "task": task, "order": order, "right": accuracies}


if __name__ == "__main__":
    from .record import record

    record("decoder", lambda: [*real_text(), *orders()])
