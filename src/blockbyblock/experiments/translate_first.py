"""What the model in the box loses with each of its parts, and what it was trained on (chapter 00).

Its training corpus is read from the folder that BLOCKBYBLOCK_DATA names, or downloaded. Only counts of it are kept. Run
as `python -m blockbyblock.experiments.translate_first`.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from blockbyblock import AddNorm, Transformer, Translator, load_pretrained, record_attention, shift_right
from blockbyblock.data.batches import pad_rows
from blockbyblock.data.corpora import tatoeba
from blockbyblock.data.splitting import sentence_key
from blockbyblock.decoding import greedy
from blockbyblock.evaluation import bleu_difference, bleu_interval

from .record import record

SENTENCES = (  # those that the chapter translates
    "The cat sat on the mat.",
    "The cat sat on the mat because it was tired.",
    "The cat sat on the chair.",
    "Yesterday I saw a big dog in the park.",
    "The dog chased the cat.",
    "The cat chased the dog.",
    "It is raining again.",
    "What time does the train leave?",
    "If it rains tomorrow, we will stay at home.",
    "He gave the book to his sister.",
    "I have never been to Germany.",
    "The girl with the umbrella lives next door.",
)
LONGEST = 40  # tokens of a translation: a broken model may never write <end>
SEEDS = 5  # for what is broken by chance
NOTICEABLE = 0.1  # fall of a log-probability: the token is less probable by a tenth
SHUFFLED_HEADS = ("encoder heads", "decoder heads", "encoder-decoder heads")
Rows = Sequence[list[int]]


def parts(model: Transformer) -> dict[str, tuple[list[nn.Module], str]]:
    """What can be broken: the modules, and how. "zero" an output, "skip" a module, "shuffle" the heads before it."""
    encoder, decoder = list(model.encoder.layers), list(model.decoder.layers)
    both = [*encoder, *decoder]

    def after(layers: list[nn.Module], attention: str) -> list[nn.Module]:
        return [layer.get_submodule(f"{attention}.output_projection") for layer in layers]

    found: dict[str, tuple[list[nn.Module], str]] = {
        "source positions": ([model.source_positions], "skip"),
        "target positions": ([model.target_positions], "skip"),
        "encoder self-attention": (after(encoder, "self_attention"), "zero"),
        "decoder self-attention": (after(decoder, "self_attention"), "zero"),
        "encoder-decoder attention": (after(decoder, "cross_attention"), "zero"),
        "encoder feed-forward": ([layer.get_submodule("feed_forward") for layer in encoder], "zero"),
        "decoder feed-forward": ([layer.get_submodule("feed_forward") for layer in decoder], "zero"),
        "every Add": (
            [module for layer in both for module in layer.children() if isinstance(module, AddNorm)],
            "alone",
        ),
        "every Norm": ([module for module in model.modules() if isinstance(module, nn.LayerNorm)], "skip"),
    }
    for stack, layers in (("encoder", encoder), ("decoder", decoder)):
        found |= {f"{stack} layer {number}": ([layer], "skip") for number, layer in enumerate(layers, start=1)}
    attentions = (after(encoder, "self_attention"), after(decoder, "self_attention"), after(decoder, "cross_attention"))
    return found | {name: (modules, "shuffle") for name, modules in zip(SHUFFLED_HEADS, attentions, strict=True)}


@contextmanager
def broken(model: Transformer, *names: str, seed: int = 0) -> Iterator[None]:
    """The model without some of its `parts` while the context is open; its parameters are not touched.

    Args:
        model: the model.
        names: the keys of the parts.
        seed: the order in which heads are shuffled.
    """
    heads = model.config.heads
    order = torch.randperm(heads, generator=torch.Generator().manual_seed(seed))

    def shuffled(module: nn.Module, inputs: tuple[Tensor]) -> Tensor:
        return inputs[0].unflatten(-1, (heads, -1))[..., order, :].flatten(-2)

    def alone(module: nn.Module, inputs: tuple[Tensor, Callable[[Tensor], Tensor]]) -> Any:
        x, sublayer = inputs
        return x, lambda x: sublayer(x) - x  # Norm(x + (Sublayer(x) - x)): nothing is added

    handles = []
    for name in names:
        modules, how = parts(model)[name]
        for module in modules:
            if how == "zero":
                handles.append(module.register_forward_hook(lambda module, inputs, output: torch.zeros_like(output)))
            elif how == "skip":
                handles.append(module.register_forward_hook(lambda module, inputs, output: inputs[0]))
            else:
                handles.append(module.register_forward_pre_hook(shuffled if how == "shuffle" else alone))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def shuffled_words(rows: Rows, seed: int) -> list[list[int]]:
    """The tokens of each sentence in an order drawn by chance; <end> stays where it is."""
    generator = torch.Generator().manual_seed(seed)
    return [[*(row[i] for i in torch.randperm(len(row) - 1, generator=generator).tolist()), row[-1]] for row in rows]


def translated(model: Transformer, rows: Rows, longest: int = LONGEST) -> list[list[int]]:
    """The greedy translation of each source, as ids."""
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    found: list[list[int]] = [[] for _ in rows]
    for start in range(0, len(order), 250):
        places = order[start : start + 250]
        for place, hypothesis in zip(places, greedy(model, pad_rows([rows[i] for i in places]), longest), strict=True):
            found[place] = list(hypothesis.ids)
    return found


@torch.inference_mode()
def translated_anew(model: Transformer, rows: Rows, *, causal: bool, longest: int = LONGEST) -> list[list[int]]:
    """The same without a cache: at each step the decoder reads all that is written once more, masked or not."""
    config, found = model.config, []
    for row in rows:
        memory, _ = model.encode(pad_rows([row]))
        written = torch.tensor([[config.start_id]])
        for _ in range(longest):
            if causal:
                logits = model.decode(written, memory)[0, -1]
            else:
                embedded = model.target_positions(model.target_embedding(written))
                logits = model.output(model.decoder(embedded, memory))[0, -1]
            logits[[config.pad_id, config.start_id]] = -torch.inf
            written = torch.cat((written, logits.argmax()[None, None]), 1)
            if written[0, -1] == config.end_id:
                break
        found.append([id for id in written[0, 1:].tolist() if id != config.end_id])
    return found


@torch.inference_mode()
def dependence(model: Transformer, source: Sequence[int], written: Sequence[int]) -> Tensor:
    """How much less probable each written token is if one source token is hidden, from the encoder too.

    Args:
        model: the model.
        source: ids, <end> the last.
        written: ids of a translation, <end> the last.

    Returns:
        The fall of the log-probability, `[written, source]`.
    """
    ids, target = torch.tensor([source]), torch.tensor([written])
    read = shift_right(target, model.config.start_id)
    sources = len(source)
    allowed = ~torch.eye(sources, dtype=torch.bool)[:, None, None]  # row s hides position s
    embedded = model.source_positions(model.source_embedding(ids)).expand(sources, -1, -1)
    without = model.decode(read.expand(sources, -1), model.encoder(embedded, allowed), allowed)

    def of_written(logits: Tensor) -> Tensor:
        return logits.log_softmax(-1).gather(-1, target[:, :, None].expand(len(logits), -1, 1)).squeeze(-1)

    return (of_written(model(ids, read)) - of_written(without)).T


def agreement(translator: Translator, sources: Rows, translations: Rows) -> dict[str, list[float]]:
    """For each sentence the number of tokens that depend on the source, and of those that look at what matters most.

    A token counts if hiding some source token makes it less probable by `NOTICEABLE` or more. It looks at what matters
    if the largest weight, of the mean over the heads, is on the source token whose absence costs it most.
    """
    model, end = translator.model, translator.model.config.end_id
    layers = model.config.decoder_layers
    names = [*(f"layer {number + 1}" for number in range(layers)), "all layers"]
    counts: dict[str, list[float]] = {name: [] for name in ("written", "tokens", "chance", *names)}
    for source, ids in zip(sources, translations, strict=True):
        if not 0 < len(ids) < LONGEST:
            continue
        falls = dependence(model, source, [*ids, end])[:-1]
        noticed = falls.amax(1) >= NOTICEABLE
        most = falls[noticed].argmax(1)
        weights = cross_weights(model, source, [*ids, end])[:, :, :-1][:, :, noticed]
        counts["written"].append(len(ids))
        counts["tokens"].append(len(most))
        counts["chance"].append(len(most) / len(source))
        for layer, name in enumerate(names):
            mean = weights[layer].mean(0) if layer < layers else weights.mean((0, 1))
            counts[name].append(int((mean.argmax(1) == most).sum()))
    return counts


@torch.inference_mode()
def cross_weights(model: Transformer, source: Sequence[int], written: Sequence[int]) -> Tensor:
    """Weights of encoder-decoder attention, `[layers, heads, written, source]`."""
    with record_attention(model) as records:
        model(torch.tensor([source]), shift_right(torch.tensor([written]), model.config.start_id))
    return torch.cat([records[name].weights for name in records if name.endswith("cross_attention")])


def rates(counts: dict[str, list[float]], samples: int = 1000) -> list[dict[str, Any]]:
    """The share of tokens that agree, with the interval in which it lies if the sentences are drawn anew."""
    tokens = torch.tensor(counts["tokens"], dtype=torch.float64)
    drawn = torch.randint(len(tokens), (samples, len(tokens)), generator=torch.Generator().manual_seed(0))
    ends = torch.tensor([0.025, 0.975], dtype=torch.float64)
    total = {"written": int(sum(counts["written"])), "tokens": int(tokens.sum())}
    found = []
    for name in counts:
        if name not in total:
            agreed = torch.tensor(counts[name], dtype=torch.float64)
            low, high = (agreed[drawn].sum(1) / tokens[drawn].sum(1)).quantile(ends).tolist()
            found.append(
                {"agreement": name, "share": float(agreed.sum() / tokens.sum()), "low": low, "high": high} | total
            )
    return found


def run(sentences: int = 500) -> Iterator[dict[str, Any]]:
    """Yield what the corpus holds, then a row for each break, then how often weight and dependence agree."""
    translator, corpus = load_pretrained("en-de"), tatoeba()
    model, tokenizer = translator.model, translator.tokenizer
    trained = {sentence_key(pair.source) for pair in corpus.train}
    yield {
        "corpus": corpus.sha256,
        "pairs": len(corpus.train),
        "ours": {text: sentence_key(text) in trained for text in SENTENCES},
        "with": {
            word: sum(bool(re.search(rf"\b{word}\b", pair.source, re.IGNORECASE)) for pair in corpus.train)
            for word in ("mat", "chair", "cat", "dog")
        },
    }
    examples = corpus.test[:sentences]
    sources = [translator.encode(example.source) for example in examples]
    references = [example.references for example in examples]

    def texts(rows: Rows) -> list[str]:
        return [tokenizer.decode(row) for row in rows]

    whole_ids = translated(model, sources)
    whole = texts(whole_ids)

    def row(name: str, seed: int | None, found: list[str]) -> dict[str, Any]:
        score, change = bleu_interval(found, references), bleu_difference(found, whole, references)
        print(f"{name:28} {score}  {change}", flush=True)
        return {
            "without": name,
            "seed": seed,
            "bleu": [score.value, score.low, score.high],
            "difference": [change.value, change.low, change.high],
            "same": sum(map(str.__eq__, found, whole)),
            "sentences": len(found),
        }

    yield row("nothing", None, whole)
    for name in parts(model):
        for seed in range(SEEDS) if name in SHUFFLED_HEADS else (None,):
            with broken(model, name, seed=seed or 0):
                yield row(name, seed, texts(translated(model, sources)))
    with broken(model, "source positions", "target positions"):
        yield row("both positions", None, texts(translated(model, sources)))
    for seed in range(SEEDS):
        yield row("source order", seed, texts(translated(model, shuffled_words(sources, seed))))
    for causal in (True, False):
        name = "cache" if causal else "cache and causal mask"
        yield row(name, None, texts(translated_anew(model, sources, causal=causal)))
    yield from rates(agreement(translator, sources, whole_ids))


if __name__ == "__main__":
    record("translate_first", lambda: list(run()))
