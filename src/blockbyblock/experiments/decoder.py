"""Chapter 11's experiments: teacher forcing against free running, a forced wrong token, a decoder without a source.

The test sentences are read from the folder that BLOCKBYBLOCK_DATA names, or downloaded. Run as
`python -m blockbyblock.experiments.decoder`.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from blockbyblock import Transformer, Translator, causal_mask, load_pretrained, shift_right
from blockbyblock.config import BlockConfig
from blockbyblock.data.batches import pad_rows
from blockbyblock.data.corpora import tatoeba
from blockbyblock.embedding import SinusoidalPositionalEncoding, TokenEmbedding
from blockbyblock.encoder import Encoder
from blockbyblock.evaluation import bleu_difference, bleu_interval

FREE = -1  # nobody forces a token here: the decoder reads its own
LONGEST = 40  # tokens of a translation
OFFSETS = 6  # tokens after the wrong one that are looked at
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


def share(part: Sequence[int], whole: Sequence[int], unsaid: Collection[int]) -> float:
    """The share of the tokens of `whole` that `part` holds too, wherever they stand, each as often as it does.

    Tokens of `unsaid`, which nearly every sentence has, are left out. NaN if nothing is left.
    """
    counted = Counter(token for token in whole if token not in unsaid)
    return sum((Counter(part) & counted).values()) / counted.total() if counted else math.nan


def mean_interval(values: Tensor, samples: int = 1000) -> list[float]:
    """The mean of what is no NaN, and the ends of its 95% interval if the sentences (dimension 0) are drawn anew."""
    values = values.double().view(len(values), -1)
    drawn = torch.randint(len(values), (samples, len(values)), generator=torch.Generator().manual_seed(0))
    counts = (~values.isnan()).double().sum(1)
    sums = values.nansum(1)
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    low, high = (sums[drawn].sum(1) / counts[drawn].sum(1)).quantile(ends).tolist()
    return [float(sums.sum() / counts.sum()), low, high]


def mean_share(parts: Rows, wholes: Rows, unsaid: Collection[int]) -> list[float]:
    """The mean share of each whole that its part holds, and its interval."""
    return mean_interval(torch.tensor([share(a, b, unsaid) for a, b in zip(parts, wholes, strict=True)]))


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


def spread(
    name: str, written: Rows, wanted: Rows, places: Sequence[int], unsaid: Collection[int] = ()
) -> dict[str, Any]:
    """How much of what follows the forced token is what would have followed without it, and how much of it is new.

    `unsaid` holds the tokens that do not count as kept: nearly every sentence ends in "." and the end token.
    """
    tails = [row[place + 1 :] for row, place in zip(written, places, strict=True)]
    others = [*tails[1:], tails[0]]  # of another sentence: what is kept by chance
    expected = [row[place + 1 :] for row, place in zip(wanted, places, strict=True)]
    return {
        "forced": name,
        "sentences": len(written),
        "agree at": [mean_interval(column) for column in agreement_after(written, wanted, places).T],
        "rest unchanged": mean_interval(torch.tensor([float(a == b) for a, b in zip(tails, expected, strict=True)])),
        "kept by chance": mean_share(others, expected, unsaid),
        "tokens kept": mean_share(tails, expected, unsaid),
        "of what is written": mean_share(expected, tails, unsaid),
    }


def real_text(sentences: int = 500) -> Iterator[dict[str, Any]]:
    """The trained model on test sentences."""
    translator, examples = load_pretrained("en-de"), tatoeba().test[:sentences]
    sources = [translator.encode(example.source) for example in examples]
    targets = [translator.encode(example.references[0]) for example in examples]
    yield gap("whole model", translator, sources, targets)
    with without_source(translator.model):
        yield gap("source cut off", translator, sources, targets)
    end_id = translator.model.config.end_id
    own = both_ways(translator.model, sources, [[end_id]] * len(sources))[1]
    unsaid = {end_id, *translator.tokenizer.encode("."), *translator.tokenizer.encode("?")}
    for kind in ("second choice", "random token"):
        yield spread(kind, *forced_errors(translator.model, sources, kind, own), unsaid)


# A decoder that never had a source ------------------------------------------------------------------------------------


class TargetOnly(nn.Module):
    """A small decoder without encoder-decoder attention: it has the target's earlier tokens and nothing else.

    Args:
        vocab: number of tokens; the output layer is tied to the embedding.
    """

    def __init__(self, vocab: int) -> None:
        super().__init__()
        config = BlockConfig(d_model=128, heads=4, d_ff=512, dropout=0.0)
        self.embedding = TokenEmbedding(vocab, config.d_model)
        self.positions = SinusoidalPositionalEncoding(config.d_model, 256)
        self.layers = Encoder(config, 2)

    def forward(self, read: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position vocab"]:
        """Logits at each position."""
        states = self.layers(self.positions(self.embedding(read)), causal_mask(read.shape[1]))
        return states @ self.embedding.table.weight.T


def by_length(targets: Rows, tokens: int, draw: torch.Generator) -> Iterator[Int[Tensor, "batch position"]]:
    """All targets once, in batches of about so many tokens and about equal lengths, the batches in random order."""
    shuffled = [targets[i] for i in torch.randperm(len(targets), generator=draw).tolist()]
    ordered = sorted(shuffled, key=len)
    starts, room = [0], 0
    for place, row in enumerate(ordered):
        room += len(row)
        if room > tokens:
            starts, room = [*starts, place], len(row)
    ends = [*starts[1:], len(ordered)]
    for batch in torch.randperm(len(starts), generator=draw).tolist():
        yield pad_rows(ordered[starts[batch] : ends[batch]])


def never_a_source(sentences: int = 500, steps: int = 1500, tokens: int = 1000, seed: int = 0) -> dict[str, Any]:
    """Train a decoder on the German side alone; how many tokens of the test sentences it finds while it is fed."""
    translator, corpus = load_pretrained("en-de"), tatoeba()
    pad_id, start_id = translator.model.config.pad_id, translator.model.config.start_id
    train = [translator.encode(pair.target) for pair in corpus.train]
    torch.manual_seed(seed)
    model, draw = TargetOnly(translator.model.config.target_vocab), torch.Generator().manual_seed(seed)
    optimizer = torch.optim.Adam(model.parameters(), betas=(0.9, 0.98), fused=True)
    batches = (batch for _ in iter(int, 1) for batch in by_length(train, tokens, draw))
    for step in range(1, steps + 1):
        optimizer.param_groups[0]["lr"] = 2e-3 * min(step / 100, (steps - step + 1) / (steps - 100))
        target = next(batches)
        loss = F.cross_entropy(model(shift_right(target, start_id)).mT, target, ignore_index=pad_id)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    targets = [translator.encode(example.references[0]) for example in corpus.test[:sentences]]
    right, costs = [], []
    with torch.inference_mode():
        for row in targets:
            target = torch.tensor([row])
            logits = model.eval()(shift_right(target, start_id))
            right.append((logits.argmax(-1) == target)[0].float().tolist())
            costs.append(F.cross_entropy(logits.mT, target, reduction="none")[0].tolist())
    return {
        "never a source": sentences,
        "parameters": sum(part.numel() for part in model.parameters()),
        "steps": steps,
        "training pairs": len(train),
        "seed": seed,
        "fed accuracy": mean_interval(padded(right)),
        "loss": mean_interval(padded(costs)),
    }


if __name__ == "__main__":
    from .record import record

    record("decoder", lambda: [*real_text(), never_a_source()])
