"""CTranslate2, a compiled decoder. It is loaded by whom it is asked for: no build of it is on every machine."""

import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

import ctranslate2  # type: ignore[import-untyped]
import torch
from ctranslate2.converters.transformers import BartLoader  # type: ignore[import-untyped]
from torch import Tensor

from benchmarks.peers import Decode
from blockbyblock import Transformer
from blockbyblock.interop import to_marian


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
