"""Decoding: greedy and beam search against other libraries, and what the cache of keys and values is worth."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import torch
from jaxtyping import Int
from torch import Tensor

from benchmarks.peers import Decode, marian_decoder
from benchmarks.report import Row, compared
from benchmarks.settings import Sentences, Settings
from benchmarks.training import made_up_sentences
from blockbyblock import Transformer
from blockbyblock.decoding import beam_search, greedy

NEVER = -1e9  # a logit that no other falls below


def decode(settings: Settings) -> list[Row]:
    """Greedy and beam search with the same weights in each library.

    All outputs are equally long, so that no library's length penalty matters.
    """
    decoders = all_decoders(settings, untrained_model(settings))
    rows = []
    for sentences in settings.decoding:
        source = made_up_sentences(settings, sentences).to(settings.device)
        for beam in (1, settings.beam):
            tasks = {by: partial(decoder, source, beam) for by, decoder in decoders.items()}
            samples = settings.clock.compare(tasks, settings.device)
            outputs = {by: sample.results[-1] for by, sample in samples.items()}
            notes = {by: agreement(outputs["ours"], output) for by, output in outputs.items() if by != "ours"}
            method = "greedy" if beam == 1 else f"beam {beam}"
            task = f"{method}, {sentences}, {settings.decoded} tokens each"
            rows += compared("decode", task, {by: sample.seconds for by, sample in samples.items()}, notes=notes)
    return rows


def untrained_model(settings: Settings) -> Transformer:
    """A model that never ends a sentence, so that all have the same work, and does not say one word over and over."""
    model = Transformer(replace(settings.model, output_bias=True)).eval()
    config = model.config
    last_norm = model.decoder.layers[-1].get_submodule("feed_forward_add_norm.norm").get_parameter("weight")
    output_bias = model.get_parameter("output.bias")
    with torch.no_grad():
        # An untrained decoder with a tied output layer repeats the token that it has read. Random signs at its end
        # make it follow each token by another, and smaller layers keep that from converging to one token.
        for parameter in (*model.encoder.parameters(), *model.decoder.parameters()):
            if parameter.ndim == 2:
                parameter.mul_(0.7)
        last_norm.mul_(torch.randint(2, last_norm.shape) * 2 - 1)
        output_bias[[config.pad_id, config.start_id, config.end_id]] = NEVER
    return model


def all_decoders(settings: Settings, model: Transformer) -> dict[str, Decode]:
    """Each library's way to decode with these weights; ours first.

    Args:
        settings: where, in which precision, and how many tokens.
        model: on a CPU; it is copied.
    """
    from benchmarks.compiled import ctranslate2_decoder

    length, device, dtype = settings.decoded, settings.device, settings.dtype
    twin = copy.deepcopy(model).to(device, dtype)

    def ours(source: Tensor, beam: int) -> list[tuple[int, ...]]:
        if beam == 1:
            return [hypothesis.ids for hypothesis in greedy(twin, source, length)]
        return [found[0].ids for found in beam_search(twin, source, beam, max_length=length)]

    return {
        "ours": ours,
        "Hugging Face Marian": marian_decoder(model, length, device, dtype),
        "CTranslate2": ctranslate2_decoder(model, length, device, threads=torch.get_num_threads()),
    }


def agreement(ours: Sequence[Sequence[int]], theirs: Sequence[Sequence[int]]) -> str:
    """How many outputs are the same; near ties may fall either way, above all in bfloat16."""
    same = sum(tuple(one) == tuple(other) for one, other in zip(ours, theirs, strict=True))
    return f"{same} of {len(ours)} outputs as ours"


def cache(settings: Settings) -> list[Row]:
    """Time per token of one greedy output, with the cache and without."""
    model = untrained_model(settings).to(settings.device, settings.dtype)
    clock = replace(settings.clock, fewest=min(3, settings.clock.fewest))  # 512 tokens take seconds without a cache
    source = made_up_sentences(settings, Sentences(1, 15, 15)).to(settings.device)
    rows = []
    for length in settings.cache:
        tasks: dict[str, Callable[[], object]] = {
            "with the cache": partial(greedy, model, source, length),
            "without": partial(greedy_without_cache, model, source, length),
        }
        samples = clock.compare(tasks, settings.device)
        values = {by: [seconds / length for seconds in sample.seconds] for by, sample in samples.items()}
        rows += compared("cache", f"one token of {length}", values)
    return rows


@torch.inference_mode()
def greedy_without_cache(model: Transformer, source: Int[Tensor, "1 source"], length: int) -> tuple[int, ...]:
    """Read the whole output again for each new token. The model must never end a sentence."""
    memory, memory_mask = model.encode(source)
    target = source.new_full((1, 1), model.config.start_id)
    for _ in range(length):
        logits = model.decode(target, memory, memory_mask)[:, -1]
        target = torch.cat((target, logits.argmax(-1, keepdim=True)), dim=1)
    return tuple(target[0, 1:].tolist())
