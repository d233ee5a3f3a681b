"""The language model beside Hugging Face's GPT-2 of the same shape and weights: a step of training, and writing on."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from benchmarks.decoding import agreement
from benchmarks.measuring import processor_peak, spread
from benchmarks.peers import GPT2, gpt2_writer, training_step
from benchmarks.report import Row, compared
from benchmarks.settings import Sentences, Settings
from benchmarks.training import LEARNING_RATE, made_up_sentences, operations_of, share_of_peak
from blockbyblock import LanguageModel, shift_right
from blockbyblock.data import Batch
from blockbyblock.decoding import greedy
from blockbyblock.training import TrainingConfig

PEER = "Hugging Face GPT-2"


def language_step(settings: Settings) -> list[Row]:
    """Forward, loss, backward and Adam on a padded batch of made-up texts, with one and the same loop for both."""
    steps = language_steps(settings)
    peak = processor_peak(settings.device, settings.dtype, settings.clock)
    rows = []
    for sentences in settings.training:
        batch = made_up_texts(settings, sentences)
        tasks = {by: partial(step, batch) for by, step in steps.items()}
        samples = settings.clock.compare(tasks, settings.device)
        seconds = {by: sample.seconds for by, sample in samples.items()}
        model = LanguageModel(settings.language_model)
        operations = operations_of(model, batch.decoder_input, device=settings.device)
        notes = {by: share_of_peak(operations / spread(values).median, peak) for by, values in seconds.items()}
        rows += compared("language-step", str(sentences), seconds, notes=notes)
    return rows


def made_up_texts(settings: Settings, sentences: Sentences) -> Batch:
    """Random tokens, each text closed with <end>."""
    texts = made_up_sentences(settings, sentences)
    return Batch((shift_right(texts, settings.language_model.start_id),), texts)


def language_steps(settings: Settings) -> dict[str, Callable[[Batch], Any]]:
    """For ours and for GPT-2 a function that updates its own copy of one model on a batch."""
    model = LanguageModel(settings.language_model)
    config = TrainingConfig(fast=settings.device.type == "cuda")
    return {
        by: training_step(
            network,
            config,
            pad_id=settings.language_model.pad_id,
            learning_rate=LEARNING_RATE,
            device=settings.device,
            inputs=lambda batch: (batch.decoder_input,),
        )
        for by, network in (("ours", copy.deepcopy(model)), (PEER, GPT2(model)))
    }


def write_on(settings: Settings) -> list[Row]:
    """Greedy continuation of prompts of different lengths, with the cache of keys and values, by the same weights."""
    writers = all_writers(settings, untrained_writer(settings))
    rows = []
    for sentences in settings.decoding:
        prompts = made_up_prompts(settings, sentences).to(settings.device)
        tasks = {by: partial(writer, prompts) for by, writer in writers.items()}
        samples = settings.clock.compare(tasks, settings.device)
        outputs = {by: sample.results[-1] for by, sample in samples.items()}
        task = f"greedy, {str(sentences).replace('sentence', 'prompt')}, {settings.decoded} tokens each"
        seconds = {by: sample.seconds for by, sample in samples.items()}
        rows += compared("write-on", task, seconds, notes={PEER: agreement(outputs["ours"], outputs[PEER])})
    return rows


def all_writers(
    settings: Settings, model: LanguageModel
) -> dict[str, Callable[[Int[Tensor, "batch position"]], list[tuple[int, ...]]]]:
    """Each library's way to write on with these weights; ours first."""
    length, device, dtype = settings.decoded, settings.device, settings.dtype
    twin = copy.deepcopy(model).to(device, dtype)
    return {
        "ours": lambda prompts: [one.ids for one in greedy(twin, prompts, length)],
        PEER: gpt2_writer(model, length, device, dtype),
    }


def untrained_writer(settings: Settings) -> LanguageModel:
    """A model that never ends a text, so that all have the same work, and does not say one word over and over."""
    config = replace(settings.language_model, dropout=0.0)
    model = LanguageModel(config).eval()
    with torch.no_grad():
        # As in `decoding.untrained_model`: signs at the end, so that a tied output layer does not repeat its input. And
        # tokens that are louder than what the layers add, so that what is written next depends on the last one.
        last_norm = model.decoder.get_parameter("norm.weight")
        last_norm.mul_(torch.randint(2, last_norm.shape) * 2 - 1)
        model.embedding.table.weight.mul_(config.d_model**0.5)
        for parameter in model.decoder.parameters():
            if parameter.ndim == 2:
                parameter.mul_(0.7)
        # Among thousands of logits around zero, one that is zero is never the largest.
        model.embedding.table.weight[[config.pad_id, config.start_id, config.end_id]] = 0
    return model


def made_up_prompts(settings: Settings, sentences: Sentences) -> Int[Tensor, "prompts position"]:
    """The start token and random ones, padded on the left, as GPT-2 needs them."""
    texts = shift_right(made_up_sentences(settings, sentences), settings.language_model.start_id)
    config = settings.language_model
    texts = texts.masked_fill(texts == config.end_id, config.pad_id)  # nothing has ended yet
    return torch.stack([row.roll(int((row == config.pad_id).sum())) for row in texts])
