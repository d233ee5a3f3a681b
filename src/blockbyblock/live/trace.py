"""One translation with every tensor that the model computes on the way, and what of it a page needs for the rest.

A page holds neither the model nor these tensors. It gets the outputs of the linear layers of one translation, as
float16, and the little else that cannot be computed from them: the rows of the embedding table in use, gains and biases
of the norms, the columns of the strongest hidden units. Scores, weights, sums and norms follow from these.
"""

import json
import math
import re
import struct
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import torch
from safetensors.torch import save
from torch import Tensor, nn

from blockbyblock.attention import MultiHeadAttention, record_attention, split_heads
from blockbyblock.decoding import evaluating
from blockbyblock.portable import SCALE, quantise_rows
from blockbyblock.sublayers import FeedForward
from blockbyblock.transformer import Transformer, shift_right
from blockbyblock.translator import Translator
from blockbyblock.weights import KEY, WEIGHTS, model_weights

TOP = 10  # tokens of an output that are shown
STRONGEST = 4  # hidden units whose contributions are shown
OUTPUTS = ".outputs"  # what a linear layer made of each position
COLUMNS = ".columns"  # what each of the strongest hidden units adds, a row each
_TABLE = "target_embedding.table.weight"
_HEADS = re.compile(r"attention\.(query|key|value)_projection\.")  # what a page shows of one head


@dataclass(frozen=True)
class Trace:
    """A sentence, the translation that greedy search finds for it, and the model that reads and writes them.

    Args:
        translator: a trained model.
        text: a sentence.

    Raises:
        ValueError: the sentence is empty, or it or its translation is longer than the model's longest sequence.
    """

    translator: Translator
    text: str

    def __post_init__(self) -> None:
        if not self.text.strip():
            raise ValueError("an empty sentence has no translation, and nothing to look at")
        _ = self.source, self.written  # in this order: what is too long is told of the sentence

    @property
    def model(self) -> Transformer:
        """The model."""
        return self.translator.model

    @cached_property
    def source(self) -> list[int]:
        """The ids that the encoder reads, <end> the last."""
        return self.translator.encode(self.text)

    @cached_property
    def written(self) -> list[int]:
        """The id that the decoder writes at each step; <end> is the last if it has finished."""
        (found,) = self.translator.hypotheses([self.text], beam=1)
        assert found is not None  # the text is not empty
        return [*found.ids, self.translator.tokenizer.end_id][: len(found.ids) + found.finished]

    @cached_property
    def read(self) -> list[int]:
        """The id that the decoder reads at each step, <start> the first."""
        return shift_right(torch.tensor([self.written]), self.model.config.start_id)[0].tolist()

    @property
    def translation(self) -> str:
        """What is written, as text."""
        end = self.translator.tokenizer.end_id
        return self.translator.tokenizer.decode([id for id in self.written if id != end])

    @torch.no_grad()  # not inference mode: a learner may go on with these tensors, in place too
    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the translation, by the name of the module that computes it, without the batch axis.

        Returns:
            the output of each module, `[position, features]`: "source_embedding", "source_positions" (their sum with
            the positions), "encoder.layers.0.self_attention.query_projection" and so on to "output", the logits
            `[written, vocab]`. And of each attention its "scores" and "weights", `[heads, query, key]`, and the heads'
            sums side by side, "concat", `[query, d_model]`. Scores are divided by √d_k; they are -inf where hidden.
        """
        found: dict[str, Tensor] = {}

        def keep(name: str) -> Any:
            return lambda module, inputs, output: found.__setitem__(name, output[0])

        def keep_input(name: str) -> Any:
            return lambda module, inputs, output: found.__setitem__(name, inputs[0][0])

        hooks = []
        for name, module in self.model.named_modules():
            parts = (nn.Linear, FeedForward)
            if isinstance(module, parts) or name.endswith(("_embedding", "_positions", "_add_norm")):
                hooks.append(module.register_forward_hook(keep(name)))
            if isinstance(module, MultiHeadAttention):
                hooks.append(module.output_projection.register_forward_hook(keep_input(f"{name}.concat")))
        try:
            with evaluating(self.model), record_attention(self.model) as records:
                memory, mask = self.model.encode(torch.tensor([self.source]))
                if self.model.source_embedding is self.model.target_embedding:  # one module: its name is the target's
                    found["source_embedding"] = found.pop("target_embedding")
                self.model.decode(torch.tensor([self.read]), memory, mask)
        finally:
            for hook in hooks:
                hook.remove()
        for name, record in records.items():
            found[name] = found[f"{name}.output_projection"]  # a decoder calls no attention as a whole
            query, key = (found[f"{name}.{kind}_projection"] for kind in ("query", "key"))
            query, key = (split_heads(each[None], self.model.config.heads)[0] for each in (query, key))
            scores = query @ key.mT / math.sqrt(query.shape[-1])  # [heads, query, key]
            hidden = record.mask is not None and ~record.mask.view(-1, *record.mask.shape[-2:])
            found[f"{name}.scores"] = scores if hidden is False else scores.masked_fill(hidden, -math.inf)
            found[f"{name}.weights"] = record.weights[0]
        return found

    @torch.inference_mode()
    def stored(self, places: Mapping[str, tuple[int, int]]) -> bytes:
        """The translation as a page takes it, one safetensors file.

        Args:
            places: where each tensor stands in the file of the whole model, for a page that fetches a part of one.
        """
        found, weights = self.tensors(), model_weights(self.model)
        logits = found["output"]
        top = logits.topk(min(TOP, logits.shape[-1])).indices
        ids = sorted({*self.source, *self.read, *self.written, *top.flatten().tolist()})
        tensors: dict[str, Tensor] = {}
        tensors[WEIGHTS + _TABLE], tensors[WEIGHTS + _TABLE + SCALE] = quantise_rows(weights[WEIGHTS + _TABLE][ids])
        units: dict[str, list[int]] = {}
        for name, module in self.model.named_modules():
            if name == "output":
                continue
            if isinstance(module, nn.LayerNorm):
                tensors |= {
                    WEIGHTS + f"{name}.{part}": weights[WEIGHTS + f"{name}.{part}"] for part in ("weight", "bias")
                }
            elif isinstance(module, nn.Linear):
                tensors[WEIGHTS + name + OUTPUTS] = found[name].half()
            elif isinstance(module, FeedForward):
                # Of the rounded numbers, and of equal ones the first: as the page chooses, or it missed a column.
                strength = found[f"{name}.hidden_projection"].half().float().relu()
                order = strength.argsort(dim=-1, descending=True, stable=True)
                chosen = order[:, : min(STRONGEST, strength.shape[-1])].flatten().unique()
                units[name] = chosen.tolist()
                matrix, scales = quantise_rows(module.output_projection.weight.detach())
                tensors[WEIGHTS + name + COLUMNS], tensors[WEIGHTS + name + COLUMNS + SCALE] = (
                    matrix[:, chosen].T,
                    scales,
                )
        values = {
            "config": asdict(self.model.config),
            "text": self.text,
            "translation": self.translation,
            "source": self.source,
            "written": self.written,
            "pieces": dict(zip(ids, self.translator.tokenizer.pieces(ids), strict=True)),
            "ids": ids,
            "top": top.tolist(),
            "logTotals": logits.double().logsumexp(-1).tolist(),
            "units": units,
            "places": {name: place for name, place in places.items() if _HEADS.search(name)},
        }
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"))
        return save({name: tensor.contiguous() for name, tensor in tensors.items()}, {KEY: text})


def places(content: bytes) -> dict[str, tuple[int, int]]:
    """The first byte of each tensor in a safetensors file, and the byte after its last."""
    (length,) = struct.unpack_from("<Q", content)
    start = 8 + length
    header = json.loads(content[8:start])
    del header["__metadata__"]
    return {name: (start + each["data_offsets"][0], start + each["data_offsets"][1]) for name, each in header.items()}
