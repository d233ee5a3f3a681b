"""The other libraries, each used as its manual says: `torch.nn`, Hugging Face's Marian, CTranslate2.

Each gets the weights of a `Transformer` of ours. `Translator`s are called like ours: ids in, logits out.
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import ctranslate2  # type: ignore[import-untyped]
import torch
import torch.nn.functional as F
from ctranslate2.converters.transformers import BartLoader  # type: ignore[import-untyped]
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence
from torch.utils.data import DataLoader

from blockbyblock import Transformer
from blockbyblock.data import Batch, EncodedPair
from blockbyblock.interop import to_marian, to_torch
from blockbyblock.training import TrainingConfig

Decode = Callable[[Int[Tensor, "batch source"], int], list[tuple[int, ...]]]  # source, beam -> the ids of each output


class TorchTranslator(nn.Module):
    """`nn.Transformer` with what it leaves to its user: embedding, positions, masks, the tied output layer.

    Args:
        model: ours, with one matrix for both embeddings and the output; its weights are copied.

    Raises:
        ValueError: ours is tied in another way, has an output bias or learned positions; or torch has no such blocks.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        config = model.config
        for name, value in {"tying": "three-way", "output_bias": False, "positions": "sinusoidal"}.items():
            if getattr(config, name) != value:
                raise ValueError(f"this peer has {name}={value!r}, and the model {getattr(config, name)!r}")
        self.pad_id, self.scale = config.pad_id, math.sqrt(config.d_model)
        self.embedding = nn.Embedding.from_pretrained(
            model.target_embedding.table.weight.detach().clone(), freeze=False
        )
        wavelengths = 10_000 ** (torch.arange(0, config.d_model, 2) / config.d_model)
        angles = torch.arange(config.max_length)[:, None] / wavelengths
        self.positions: Tensor
        self.register_buffer("positions", torch.stack((angles.sin(), angles.cos()), dim=2).flatten(1), persistent=False)
        self.dropout = nn.Dropout(config.dropout)
        self.transformer = to_torch(model)

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token that follows each target position."""
        padding = source == self.pad_id
        length = target.shape[1]
        future = torch.ones(length, length, dtype=torch.bool, device=target.device).triu(1)
        hidden = self.transformer(
            self._embed(source),
            self._embed(target),
            tgt_mask=future,
            src_key_padding_mask=padding,
            memory_key_padding_mask=padding,
            tgt_is_causal=True,
        )
        return F.linear(hidden, self.embedding.weight)

    def _embed(self, ids: Tensor) -> Tensor:
        return self.dropout(self.embedding(ids) * self.scale + self.positions[: ids.shape[1]])


class MarianTranslator(nn.Module):
    """Hugging Face's `MarianMTModel`.

    Args:
        model: ours; its weights are copied.
    """

    def __init__(self, model: Transformer) -> None:
        super().__init__()
        self.pad_id = model.config.pad_id
        self.marian = to_marian(model)

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token that follows each target position."""
        mask = source != self.pad_id
        return self.marian(input_ids=source, attention_mask=mask, decoder_input_ids=target, use_cache=False).logits


def training_step(
    network: nn.Module, config: TrainingConfig, *, pad_id: int, learning_rate: float, device: torch.device
) -> Callable[[Batch], Tensor]:
    """One update with the loss and the optimizer of `blockbyblock.training.Updater`, written in plain PyTorch.

    Args:
        network: `network(source, decoder_input)` gives logits.
        config: with `fast`, autocast to bfloat16, and on a GPU `torch.compile`, as ours.
        pad_id: what counts for nothing in the loss.
        learning_rate: of each step.
        device: where to compute.

    Returns:
        A function that makes an update and returns its loss, the mean over the target tokens.
    """
    network = network.to(device).train()
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate, betas=config.betas, eps=config.eps, fused=True)
    forward = torch.compile(network, dynamic=True) if config.fast and device.type == "cuda" else network

    def step(batch: Batch) -> Tensor:
        batch = batch.to(device)
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device.type, torch.bfloat16, enabled=config.fast):
            logits = forward(batch.source, batch.decoder_input)
        labels = batch.target.flatten()
        loss = F.cross_entropy(
            logits.flatten(0, 1).float(), labels, ignore_index=pad_id, label_smoothing=config.smoothing
        )
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def shuffled_batches(pairs: Sequence[EncodedPair], sentences: int, *, pad_id: int, start_id: int) -> Iterator[Batch]:
    """Epoch after epoch: the pairs in random order, so many to a batch, padded to the longest of each side."""

    def collate(rows: Sequence[EncodedPair]) -> Batch:
        source, target = (
            pad_sequence([torch.tensor(row[side]) for row in rows], batch_first=True, padding_value=pad_id)
            for side in (0, 1)
        )
        return Batch((source, F.pad(target, (1, -1), value=start_id)), target)

    loader: DataLoader[EncodedPair] = DataLoader(pairs, batch_size=sentences, shuffle=True, collate_fn=collate)  # type: ignore[arg-type]
    while True:
        yield from loader


def marian_decoder(model: Transformer, length: int, device: torch.device, dtype: torch.dtype) -> Decode:
    """Marian's `generate`, with the weights of ours; a beam of one is greedy.

    Args:
        model: on a CPU.
        length: tokens of each output.
        device: where to compute.
        dtype: of the weights.
    """
    marian: Any = to_marian(model)
    marian.to(device, dtype)
    pad_id = model.config.pad_id

    def decode(source: Tensor, beam: int) -> list[tuple[int, ...]]:
        output = marian.generate(
            input_ids=source, attention_mask=source != pad_id, num_beams=beam, max_new_tokens=length, do_sample=False
        )
        return [tuple(row[1:]) for row in output.tolist()]  # without the start token

    return decode


def ctranslate2_decoder(model: Transformer, length: int, device: torch.device, *, threads: int) -> Decode:
    """CTranslate2, a compiled decoder, with the weights of ours, in a process of its own; a beam of one is greedy.

    Args:
        model: on a CPU, in float32.
        length: tokens of each output.
        device: where to compute: in float32 on a CPU, in bfloat16 on a GPU.
        threads: cores that it may use.
    """
    config = model.config
    marian: Any = to_marian(model)
    marian.config.normalize_before = marian.config.normalize_embedding = False  # Bart has a choice, Marian has not
    # CTranslate2's loader for Marian would drop the last token, which in published models is padding. The one for Bart,
    # from which it derives, drops nothing.
    spec = BartLoader().get_model_spec(marian)
    tokens = [str(id) for id in range(config.target_vocab)]
    spec.register_source_vocabulary(tokens)
    spec.register_target_vocabulary(tokens)
    spec.config.decoder_start_token = spec.config.bos_token = tokens[config.start_id]
    spec.config.eos_token, spec.config.unk_token = tokens[config.end_id], tokens[config.pad_id]
    spec.validate()
    spec.optimize()
    process = _other_process()
    with tempfile.TemporaryDirectory() as folder:
        spec.save(folder)
        translator = folder, device.type, threads
        process.submit(_translate, [], 1, 1, *translator).result()  # reads the folder before it goes

    def decode(source: Tensor, beam: int) -> list[tuple[int, ...]]:
        sentences = [[tokens[id] for id in row if id != config.pad_id] for row in source.tolist()]
        outputs = process.submit(_translate, sentences, beam, length, *translator).result()
        return [tuple(map(int, output)) for output in outputs]

    return decode


@cache
def _other_process() -> ProcessPoolExecutor:
    """Where CTranslate2 decodes.

    It brings threads of its own. In one process they and PyTorch's outnumber the cores, and then GNU OpenMP lets each
    thread that waits fall asleep at once, where it would have spun: from CTranslate2's first sentence on, small
    operations of PyTorch would take up to twice the time.
    """
    return ProcessPoolExecutor(max_workers=1, mp_context=get_context("spawn"))


@cache
def _translator(folder: str, device: str, threads: int) -> ctranslate2.Translator:
    """The translator that was saved in `folder`; kept, so that the folder is read once."""
    compute_type = "bfloat16" if device == "cuda" else "float32"
    return ctranslate2.Translator(folder, device=device, compute_type=compute_type, intra_threads=threads)


def _translate(sentences: list[list[str]], beam: int, length: int, *translator: Any) -> list[list[str]]:
    """The best translation of each sentence, as tokens; the last arguments are those of `_translator`."""
    results = _translator(*translator).translate_batch(sentences, beam_size=beam, max_decoding_length=length)
    return [result.hypotheses[0] for result in results]
