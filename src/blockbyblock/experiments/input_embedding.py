"""Chapter 04's experiments: the length of a token's vector against the position's, and tied tables."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, get_args

import torch
from torch import nn

from blockbyblock import Transformer, TransformerConfig
from blockbyblock.config import BlockConfig
from blockbyblock.data import Batches, Tokenizer, encode_pairs, number_names
from blockbyblock.data.pairs import to_pairs
from blockbyblock.training import Processes, TrainingConfig, Updater, validation_loss
from blockbyblock.transformer import Tying, parameter_count
from blockbyblock.translator import Translator

from .tagging import Draw, Ids, Tagger, accuracy, fit

VOCAB = 32
SMALL = BlockConfig(d_model=32, heads=4, d_ff=64, dropout=0.0)
# How a table is initialised, and whether what is looked up is multiplied by the root of d_model.
STARTS = {
    "N(0, 1), times root": (1.0, True),
    "N(0, 1)": (1.0, False),
    "N(0, 1/d), times root": (SMALL.d_model**-0.5, True),
    "N(0, 1/d)": (SMALL.d_model**-0.5, False),
}


def two_before(generator: torch.Generator) -> tuple[Ids, Ids]:
    """Name the token that stands two places to the left: a question about positions."""
    ids = torch.randint(1, VOCAB, (32, 12), generator=generator)
    return ids, torch.cat([torch.full((32, 2), -100), ids[:, :-2]], dim=1)


def has_twin(generator: torch.Generator) -> tuple[Ids, Ids]:
    """Say whether the same token stands somewhere else too: a question about tokens, wherever they stand."""
    ids = torch.randint(1, VOCAB, (32, 12), generator=generator)
    return ids, ((ids[:, :, None] == ids[:, None]).sum(-1) > 1).long()


TASKS: dict[str, Draw] = {"two before": two_before, "has twin": has_twin}


def started(start: str, seed: int) -> Tagger:
    """A small encoder whose table starts in one of the four ways."""
    std, times_root = STARTS[start]
    torch.manual_seed(seed)
    model = Tagger(VOCAB, VOCAB, SMALL, layers=1)
    nn.init.normal_(model.embedding.table.weight, std=std)  # type: ignore[union-attr, arg-type]
    if not times_root:
        model.embedding.scale = 1.0  # type: ignore[assignment]
    return model


def scales(seeds: int = 5, steps: int = 600) -> Iterator[dict[str, Any]]:
    """Each task from each start."""
    for task, draw in TASKS.items():
        for start in STARTS:
            for seed in range(seeds):
                model = started(start, seed)
                fit(model, draw, steps=steps, seed=seed)
                yield {"task": task, "start": start, "seed": seed, "accuracy": accuracy(model, draw)}


def ties(seeds: int = 5, steps: int = 250) -> Iterator[dict[str, Any]]:
    """Number names, English to German, with tables of their own, two tied, and three tied."""
    for seed in range(seeds):
        corpus = number_names(seed=seed, test=300)
        tokenizer = Tokenizer.train(corpus.training_text(), 400)
        config = TransformerConfig(
            d_model=64,
            heads=4,
            d_ff=256,
            source_vocab=len(tokenizer),
            target_vocab=len(tokenizer),
            encoder_layers=2,
            decoder_layers=2,
            max_length=128,
        )
        training = TrainingConfig(steps=steps, schedule="cosine", warmup=50, peak=4e-3, clip_norm=1.0, seed=seed)
        for tying in get_args(Tying):
            torch.manual_seed(seed)
            model = Transformer(replace(config, tying=tying))
            batches = Batches(encode_pairs(tokenizer, corpus.train), tokens=700, seed=seed)
            updater = Updater(model, training, Processes(device=torch.device("cpu")))
            for step, (batch, _) in zip(range(1, steps + 1), batches.stream(), strict=False):
                updater.update([batch], training.learning_rate(step, config.d_model))
            model.eval()
            held_out = Batches(encode_pairs(tokenizer, to_pairs(corpus.validation)), tokens=700)
            translations = Translator(model, tokenizer).translate([example.source for example in corpus.test], beam=1)
            right = sum(found in example.references for found, example in zip(translations, corpus.test, strict=True))
            yield {
                "tying": tying,
                "seed": seed,
                "parameters": parameter_count(model.config),
                "loss": validation_loss(model, held_out, Processes(device=torch.device("cpu"))),
                "right": right / len(corpus.test),
            }


if __name__ == "__main__":
    from .record import record

    record("input_embedding", lambda: [*scales(), *ties()])
