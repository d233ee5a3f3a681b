"""Chapter 07's experiments: what attention learns alone, the width that a table takes, detectors switched off."""

import random
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from blockbyblock import Encoder, EncoderLayer, load_pretrained, shift_right
from blockbyblock.config import BlockConfig
from blockbyblock.translator import Translator

from .tagging import Draw, accuracy, fit

BITS = 9
XOR = torch.tensor([0, 1, 1, 0])
SMALL = BlockConfig(d_model=16, heads=4, d_ff=64, dropout=0.0)


def look_up(length: int, seed: int, bits: int = BITS, tokens: int = 512) -> Draw:
    """A token has some features, each 1 or -1; answer yes or no, by a random table of all possible tokens.

    With two features the table is XOR: yes if exactly one of them is 1.
    """
    random_table = torch.randint(2, (2**bits,), generator=torch.Generator().manual_seed(seed))
    table, places = XOR if bits == 2 else random_table, 2 ** torch.arange(bits)

    def draw(generator: torch.Generator) -> tuple[Tensor, Tensor]:
        drawn = torch.randint(2, (tokens // length, length, bits), generator=generator)
        return 2.0 * drawn - 1, table[(drawn * places).sum(-1)]

    return draw


class AttentionLayer(nn.Module):
    """An encoder layer without its feed-forward half."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.attention = config.attention()
        self.add_norm = config.add_norm()

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, position, d_model]` to the same."""
        return self.add_norm(x, lambda x: self.attention(x, x, x))


class BareAttentionLayer(nn.Module):
    """Attention and the residual connection, and no layer norm."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.attention = config.attention()

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, position, d_model]` to the same."""
        return x + self.attention(x, x, x)


class FeedForwardLayer(nn.Module):
    """An encoder layer without its attention half."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.feed_forward = config.feed_forward()
        self.add_norm = config.add_norm()

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, position, d_model]` to the same."""
        return self.add_norm(x, self.feed_forward)


def without_activation(config: BlockConfig) -> EncoderLayer:
    """An encoder layer whose feed-forward network has lost its ReLU."""
    layer = EncoderLayer(config)
    inner = layer.feed_forward
    layer.feed_forward = nn.Sequential(inner.hidden_projection, inner.output_projection)  # type: ignore[assignment]
    return layer


# What stands in a layer, the layers' sizes, and their number.
KINDS: dict[str, tuple[Callable[[BlockConfig], nn.Module], BlockConfig, int]] = {
    "attention and feed-forward": (EncoderLayer, SMALL, 2),
    "feed-forward alone": (FeedForwardLayer, SMALL, 2),
    "feed-forward without ReLU": (without_activation, SMALL, 2),
    "attention": (AttentionLayer, SMALL, 2),
    "attention, no norm": (BareAttentionLayer, SMALL, 2),
    "attention, 12 heads": (AttentionLayer, replace(SMALL, heads=12, d_k=4, d_v=4), 2),
    "attention, wider": (AttentionLayer, replace(SMALL, d_model=28), 2),
    "attention, 6 layers": (AttentionLayer, SMALL, 6),
}
WITHOUT_FEED_FORWARD = ("attention, 12 heads", "attention, wider", "attention, 6 layers")  # of about equal size


def model_of(kind: str, seed: int, bits: int = BITS, d_ff: int = SMALL.d_ff) -> tuple[nn.Module, int]:
    """A model whose input is a linear layer, and the parameters of what lies between input and output."""
    torch.manual_seed(seed)
    layer, config, layers = KINDS[kind]
    config = replace(config, d_ff=d_ff)
    body = nn.Sequential(*(layer(config) for _ in range(layers)))
    model = nn.Sequential(nn.Linear(bits, config.d_model), body, nn.Linear(config.d_model, 2))
    return model, sum(parameter.numel() for parameter in body.parameters())


def trained(
    kind: str, length: int, seed: int, *, steps: int = 600, bits: int = BITS, d_ff: int = SMALL.d_ff
) -> dict[str, Any]:
    """Train one model. For every kind the rate 0.01 was no worse than 0.003, with a smaller table and another seed."""
    model, parameters = model_of(kind, seed, bits, d_ff)
    draw = look_up(length, seed, bits)
    fit(model, draw, steps=steps, seed=seed, rate=0.01, warmup=steps // 10)
    setting = {"kind": kind, "length": length, "seed": seed, "steps": steps, "bits": bits, "d_ff": d_ff}
    return {**setting, "parameters": parameters, "accuracy": accuracy(model, draw)}


def exclusive_or(seeds: int = 5, steps: int = 200) -> Iterator[dict[str, Any]]:
    """XOR of a token's two features, the token by itself or among seven others."""
    settings = (
        ("attention, no norm", 1),
        ("attention, no norm", 8),
        ("attention", 1),
        ("attention and feed-forward", 1),
    )
    for kind, length in settings:
        for seed in range(seeds):
            yield {"task": "xor", **trained(kind, length, seed, steps=steps, bits=2)}


def tables(seeds: int = 5) -> Iterator[dict[str, Any]]:
    """A random table of 512 tokens: every kind in sequences of eight, some with the token by itself."""
    for seed in range(seeds):
        for kind in ("attention and feed-forward", "feed-forward alone", "feed-forward without ReLU"):
            yield {"task": "table", **trained(kind, 8, seed)}
        for kind in WITHOUT_FEED_FORWARD:
            yield {"task": "table", **trained(kind, 8, seed)}
        for kind in ("attention and feed-forward", "attention, 12 heads", "attention, 6 layers"):
            yield {"task": "table", **trained(kind, 1, seed)}
        yield {"task": "table", **trained("attention, 12 heads", 8, seed, steps=2400)}


def widths(seeds: int = 5, tables: tuple[int, ...] = (BITS, 11, 12)) -> Iterator[dict[str, Any]]:
    """Feed-forward layers of several widths, at each position by themselves, for tables of several sizes."""
    for bits in tables:
        for seed in range(seeds):
            for d_ff in (8, 16, 32, 64, 128, 256):
                yield {"task": "width", **trained("feed-forward alone", 8, seed, bits=bits, d_ff=d_ff)}


WORDS = {
    "number": ["two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "twenty"],
    "relative": ["mother", "father", "brother", "sister", "son", "daughter", "uncle", "aunt", "husband", "cousin"],
    "colour": ["red", "blue", "green", "black", "white", "yellow", "brown"],
    "animal": ["cat", "dog", "horse", "bird", "fish", "cow", "bear"],
    "verb": ["bought", "sold", "found", "lost", "saw", "wanted", "forgot", "took"],
    "food": ["bread", "milk", "rice", "cheese", "coffee", "tea", "water", "soup", "meat"],
    "place": ["Germany", "France", "Japan", "Australia", "Boston", "Canada", "America", "China"],
}
PATTERNS = (
    "My {relative} {verb} the {colour} {animal} in {place}.",
    "The {animal} did not drink the {colour} {food} of your {relative}.",
    "{number} years ago his {relative} lived in {place}.",
    "I {verb} {number} books and some {food} yesterday.",
    "Does your {relative} like {food} from {place}?",
    "She {verb} her {colour} car {number} days later.",
    "There are {number} people and a {animal} in the {colour} house.",
    "If you go to {place}, buy {food} for your {relative}.",
)


def sentences(number: int, seed: int = 0) -> list[str]:
    """English sentences, the patterns in turn, their places filled at random."""
    choose = random.Random(seed).choice
    filled = []
    for index in range(number):
        words = {kind: choose(choices) for kind, choices in WORDS.items()}
        text = PATTERNS[index % len(PATTERNS)].format(**words)
        filled.append(text[0].upper() + text[1:])
    return filled


def hidden_projections(encoder: Encoder) -> list[nn.Module]:
    """The linear map to the hidden units, of each layer."""
    return [encoder.get_submodule(f"layers.{n}.feed_forward.hidden_projection") for n in range(len(encoder.layers))]


class Reading:
    """Sentences as a model has read them: which hidden units fired, at which position, of which token.

    Attributes:
        tokens: the token at each position of all sentences, in lower case, without its space.
        pattern: the number of the pattern that each position's sentence was made from.
        fired: for each encoder layer `[position, unit]`, True where the ReLU let something through.
        features: for each layer what its feed-forward network read, `[position, d_model]`.
    """

    def __init__(self, translator: Translator, texts: list[str]) -> None:
        self.translator, self.texts = translator, texts
        encoder, decode = translator.model.encoder, translator.tokenizer.decode
        self.source = pad_sequence([torch.tensor(translator.encode(text)) for text in texts], batch_first=True)
        found: list[tuple[Tensor, Tensor]] = []
        hooks = [
            projection.register_forward_hook(lambda module, inputs, output: found.append((inputs[0], output)))
            for projection in hidden_projections(encoder)
        ]
        with torch.inference_mode():
            translator.model.encode(self.source)
        for hook in hooks:
            hook.remove()
        real = self.source != translator.model.config.pad_id
        self.tokens = [decode([token]).strip().lower() for token in self.source[real].tolist()]
        self.pattern = (torch.arange(len(texts)) % len(PATTERNS))[:, None].expand_as(self.source)[real]
        self.fired = [hidden[real] > 0 for _, hidden in found]
        self.hidden = [hidden[real].relu() for _, hidden in found]
        self.features = [features[real] for features, _ in found]

    def where(self, words: list[str]) -> Tensor:
        """True at the positions of these words."""
        lower = {word.lower() for word in words}
        return torch.tensor([token in lower for token in self.tokens])


def detector(reading: Reading, fired: Tensor, words: list[str]) -> tuple[int, float, float]:
    """The best detector of every other word in every other pattern, and its shares on what it was not chosen on.

    Args:
        reading: of the sentences.
        fired: `[position, candidate]`.
        words: of one kind.

    Returns:
        The candidate's number; then, in the other patterns, the share of the other words and of all other positions
        where it fires.
    """
    seen, new = reading.where(words[::2]), reading.where(words[1::2])
    rest, even = ~(seen | new), reading.pattern % 2 == 0
    share = fired.float()
    best = int((share[seen & even].mean(0) - share[rest & even].mean(0)).argmax())
    return best, share[new & ~even, best].mean().item(), share[rest & ~even, best].mean().item()


def losses(reading: Reading, target: Tensor, silenced: list[list[int]]) -> Tensor:
    """Nats that a model's own translation costs it, for each sentence, with these units of each encoder layer at 0."""
    model = reading.translator.model
    hooks = []
    for projection, units in zip(hidden_projections(model.encoder), silenced, strict=True):

        def silence(module: nn.Module, inputs: Any, output: Tensor, units: list[int] = units) -> Tensor:
            output = output.clone()
            output[..., units] = 0  # before the ReLU: nothing is let through
            return output

        hooks.append(projection.register_forward_hook(silence))
    with torch.inference_mode():
        logits = model(reading.source, shift_right(target, model.config.start_id))
    for hook in hooks:
        hook.remove()
    chances = logits.log_softmax(-1).gather(-1, target[..., None])[..., 0]
    return -(chances * (target != model.config.pad_id)).sum(-1)


def translated(reading: Reading) -> Tensor:
    """The model's own translations, closed with <end>, `[sentence, position]`."""
    found = reading.translator.hypotheses(reading.texts, beam=1)
    end = reading.translator.model.config.end_id
    return pad_sequence([torch.tensor([*best.ids, end]) for best in found if best is not None], batch_first=True)


def controls(
    reading: Reading, chosen: list[int], generator: torch.Generator, among: int = 40, by: str = "rate"
) -> list[list[int]]:
    """A random unit for each chosen one, of the same layer, out of those that are most like it.

    Args:
        reading: of sentences.
        chosen: one unit of each layer.
        generator: draws.
        among: out of how many.
        by: "rate", about as often at work; or "size", what it adds about as long: mean activation times its vector's
            length.
    """
    drawn = []
    layers = reading.translator.model.encoder.layers
    for number, unit in enumerate(chosen):
        alike = reading.fired[number].float().mean(0)
        if by == "size":
            rows = layers[number].get_submodule("feed_forward.output_projection").get_parameter("weight")
            alike = reading.hidden[number].mean(0) * rows.detach().norm(dim=0)
        near = (alike - alike[unit]).abs().argsort()[: among + 1]
        near = near[near != unit]
        drawn.append([int(near[torch.randint(len(near), (1,), generator=generator)])])
    return drawn


def silenced(kinds: int = len(WORDS), draws: int = 10, texts: int = 160) -> Iterator[dict[str, Any]]:
    """For each kind of word: its best unit in each layer at 0; as many random ones, as often at work or as large."""
    reading = Reading(load_pretrained("en-de"), sentences(texts))
    target = translated(reading)
    before = losses(reading, target, [[], [], []])
    generators = {"rate": torch.Generator().manual_seed(0), "size": torch.Generator().manual_seed(0)}
    for kind, words in list(WORDS.items())[:kinds]:
        chosen = [detector(reading, fired, words)[0] for fired in reading.fired]
        holds = torch.tensor([f"{{{kind}}}" in PATTERNS[index % len(PATTERNS)] for index in range(texts)])
        for name in ("chosen", *("rate",) * draws, *("size",) * draws):
            alone = name == "chosen"
            units = [[unit] for unit in chosen] if alone else controls(reading, chosen, generators[name], by=name)
            cost = losses(reading, target, units) - before
            parts = {"with": cost[holds].mean().item(), "without": cost[~holds].mean().item()}
            parts["median with"] = cost[holds].median().item()
            yield {"task": "silence", "kind": kind, "units": name, "which": [unit for (unit,) in units], **parts}


def by_chance(draws: int = 100, texts: int = 160) -> Iterator[dict[str, Any]]:
    """How good a detector of a made-up kind is: eight words drawn at random from all kinds."""
    reading = Reading(load_pretrained("en-de"), sentences(texts))
    choose = random.Random(0)
    every = [word for words in WORDS.values() for word in words]
    for draw in range(draws):
        words = choose.sample(every, 8)
        shares = [detector(reading, fired, words)[1:] for fired in reading.fired]
        yield {"task": "made up", "draw": draw, "shares": shares}


if __name__ == "__main__":
    from .record import record

    record("feed_forward", lambda: [*exclusive_or(), *tables(), *widths(), *silenced(), *by_chance()])
