"""The exercises of chapter 13: parameters by hand, the whole model, the work of one decoding step, a diagnosis."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn

from blockbyblock.config import BlockConfig
from blockbyblock.decoder import Decoder
from blockbyblock.embedding import sinusoids
from blockbyblock.encoder import Encoder
from blockbyblock.masks import causal_mask, padding_mask
from blockbyblock.practice.exercise import Exercise, Inputs, Mistake, choose

# A small model, as in the chapter's test on one batch, with a larger vocabulary.
LAYERS, D_MODEL, D_FF, HEADS, VOCAB, MAX_LENGTH = 2, 64, 256, 4, 1000, 1024
_ATTENTION = 4 * (D_MODEL + 1) * D_MODEL
_FEED_FORWARD = (D_MODEL + 1) * D_FF + (D_FF + 1) * D_MODEL
_NORM = 2 * D_MODEL
_TABLE = VOCAB * D_MODEL
_ENCODER_LAYER = _ATTENTION + _FEED_FORWARD + 2 * _NORM
_DECODER_LAYER = 2 * _ATTENTION + _FEED_FORWARD + 3 * _NORM
_COUNT = _TABLE + LAYERS * (_ENCODER_LAYER + _DECODER_LAYER)

Stack = Callable[..., Tensor]


class Frozen(nn.Module):
    """A stack of random parameters that asks for no gradient.

    Args:
        stack: an encoder or a decoder.
        generator: draws the parameters.
    """

    def __init__(self, stack: nn.Module, generator: torch.Generator) -> None:
        super().__init__()
        self.stack = stack.eval()
        for parameter in stack.parameters():
            drawn = torch.randn(parameter.shape, generator=generator) / 2
            parameter.detach().copy_(drawn)
            parameter.requires_grad = False

    def forward(self, *inputs: Tensor | None) -> Tensor:
        """What the stack gives."""
        output: Tensor = self.stack(*inputs)
        return output


def _embedded(ids: Tensor, table: Tensor) -> Tensor:
    width = table.shape[1]
    return table[ids] * math.sqrt(width) + sinusoids(ids.shape[1], width)


def transformer(source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int) -> Tensor:
    """The logits `[batch, target, vocab]` of a Transformer with one tied table `[vocab, d_model]`."""
    memory_mask = padding_mask(source, pad_id)
    memory = encoder(_embedded(source, table), memory_mask)
    x = decoder(_embedded(target, table), memory, causal_mask(target.shape[1]), memory_mask)
    return x @ table.T


def _transformer_cases(generator: torch.Generator) -> Iterable[Inputs]:
    sizes = BlockConfig(d_model=4, heads=2, d_ff=8, dropout=0.0)
    for source, target in (
        ([[3, 4, 2, 0], [5, 3, 4, 2]], [[1, 3, 4], [1, 4, 3]]),
        ([[5, 6, 3, 4, 2], [4, 6, 2, 0, 0], [5, 2, 0, 0, 0]], [[1, 6, 5, 3], [1, 4, 5, 6], [1, 3, 0, 0]]),
    ):
        yield {
            "source": torch.tensor(source),
            "target": torch.tensor(target),
            "table": torch.randn(7, 4, generator=generator) / 2,
            "encoder": Frozen(Encoder(sizes, 1), generator),
            "decoder": Frozen(Decoder(sizes, 1), generator),
            "pad_id": 0,
        }


def _padding_in_the_memory(
    source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int
) -> Tensor:
    memory = encoder(_embedded(source, table), padding_mask(source, pad_id))
    return decoder(_embedded(target, table), memory, causal_mask(target.shape[1]), None) @ table.T


def _no_padding_mask(
    source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int
) -> Tensor:
    memory = encoder(_embedded(source, table), None)
    return decoder(_embedded(target, table), memory, causal_mask(target.shape[1]), None) @ table.T


def _no_causal_mask(
    source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int
) -> Tensor:
    memory_mask = padding_mask(source, pad_id)
    memory = encoder(_embedded(source, table), memory_mask)
    return decoder(_embedded(target, table), memory, None, memory_mask) @ table.T


def _causal_encoder(
    source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int
) -> Tensor:
    memory_mask = padding_mask(source, pad_id)
    memory = encoder(_embedded(source, table), memory_mask & causal_mask(source.shape[1]))
    return decoder(_embedded(target, table), memory, causal_mask(target.shape[1]), memory_mask) @ table.T


def _encoder_skipped(
    source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int
) -> Tensor:
    memory_mask = padding_mask(source, pad_id)
    memory = _embedded(source, table)
    return decoder(_embedded(target, table), memory, causal_mask(target.shape[1]), memory_mask) @ table.T


def _not_scaled(source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int) -> Tensor:
    width, memory_mask = table.shape[1], padding_mask(source, pad_id)
    memory = encoder(table[source] + sinusoids(source.shape[1], width), memory_mask)
    x = table[target] + sinusoids(target.shape[1], width)
    return decoder(x, memory, causal_mask(target.shape[1]), memory_mask) @ table.T


def _no_positions_in_the_target(
    source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int
) -> Tensor:
    memory_mask = padding_mask(source, pad_id)
    memory = encoder(_embedded(source, table), memory_mask)
    x = table[target] * math.sqrt(table.shape[1])
    return decoder(x, memory, causal_mask(target.shape[1]), memory_mask) @ table.T


def _probabilities(
    source: Tensor, target: Tensor, table: Tensor, encoder: Stack, decoder: Stack, pad_id: int
) -> Tensor:
    return transformer(source, target, table, encoder, decoder, pad_id).softmax(-1)


def step_cost(read: int, source: int, d_model: int, d_ff: int, layers: int, vocab: int) -> int:
    """Multiply-adds of one decoding step with a cache: the new token is number `read`, counted from 1."""
    self_attention = 4 * d_model**2 + 2 * read * d_model
    cross_attention = 2 * d_model**2 + 2 * source * d_model
    return layers * (self_attention + cross_attention + 2 * d_model * d_ff) + d_model * vocab


def _step_cases(generator: torch.Generator) -> Iterable[Inputs]:
    for read, source, d_model, d_ff, layers, vocab in ((3, 5, 4, 8, 1, 10), (20, 25, 512, 2048, 6, 37_000)):
        yield {
            "read": read,
            "source": source,
            "d_model": d_model,
            "d_ff": d_ff,
            "layers": layers,
            "vocab": vocab,
        }


EXERCISES = (
    Exercise(
        name="13-count",
        title="Count the parameters of a whole model",
        solution=_COUNT,
        mistakes=(
            Mistake(
                "the table was counted three times",
                _COUNT + 2 * _TABLE,
                "Tied three ways, source embedding, target embedding and output layer are one table.",
            ),
            Mistake(
                "the table was counted twice",
                _COUNT + _TABLE,
                "Tied three ways, the output layer is the table too: one table in all.",
            ),
            Mistake(
                "the decoder was given one attention per layer",
                _COUNT - LAYERS * (_ATTENTION + _NORM),
                "A decoder layer has two: masked self-attention and encoder-decoder attention, each with Add & Norm.",
            ),
            Mistake(
                "the decoder was given two layer norms per layer",
                _COUNT - LAYERS * _NORM,
                "A decoder layer has three sublayers, and an Add & Norm around each.",
            ),
            Mistake(
                "the biases and the norms were left out",
                _TABLE + LAYERS * (12 * D_MODEL**2 + 4 * D_MODEL * D_FF),
                "Each linear layer inside the stacks has a bias, and each norm a scale and a shift.",
            ),
            Mistake(
                "only one layer of each stack was counted",
                _TABLE + _ENCODER_LAYER + _DECODER_LAYER,
                "Right for one layer. Each of the two has parameters of its own.",
            ),
            Mistake(
                "the position table was counted",
                _COUNT + MAX_LENGTH * D_MODEL,
                "The sinusoids are computed, not learned: the position table holds no parameters.",
            ),
            Mistake(
                "the matrices were multiplied by the number of heads",
                _COUNT + 3 * LAYERS * 3 * (HEADS - 1) * (D_MODEL + 1) * D_MODEL,
                "The heads share the width: all heads together have one matrix of each kind.",
            ),
            Mistake(
                "the table was left out",
                _COUNT - _TABLE,
                "Right for the two stacks. The embedding table has a row of d_model numbers for each token.",
            ),
        ),
        hint="One table. Encoder layer: one attention, one feed-forward, two norms. Decoder layer: two, one, three.",
    ),
    Exercise(
        name="13-transformer",
        title="Put the whole model together",
        solution=transformer,
        cases=_transformer_cases,
        mistakes=(
            Mistake(
                "the decoder looks at the source's padding",
                _padding_in_the_memory,
                "The padding mask is needed twice: in the encoder, and where the decoder reads the memory.",
            ),
            Mistake(
                "padding is not masked",
                _no_padding_mask,
                "Give `padding_mask(source, pad_id)` to the encoder, and to the decoder as its last argument.",
            ),
            Mistake(
                "the causal mask is missing",
                _no_causal_mask,
                "The decoder's third argument hides later target tokens: `causal_mask(target.shape[1])`.",
            ),
            Mistake(
                "the encoder has a causal mask",
                _causal_encoder,
                "The source is known from the start: the encoder looks both ways, and only padding is hidden.",
            ),
            Mistake(
                "the decoder reads the embeddings of the source",
                _encoder_skipped,
                "The memory is the encoder's *output*. Nothing complains, because the shapes are the same.",
            ),
            Mistake(
                "the embeddings are not scaled",
                _not_scaled,
                "Section 3.4 of the paper: the rows of the table are multiplied by the square root of d_model.",
            ),
            Mistake(
                "the target has no positions",
                _no_positions_in_the_target,
                "Both sides are embedded in the same way: scaled row plus sinusoids.",
            ),
            Mistake(
                "these are probabilities",
                _probabilities,
                "The probabilities are right. Asked for are the logits: the softmax belongs to the loss.",
            ),
        ),
    ),
    Exercise(
        name="13-step-cost",
        title="Count the work of one decoding step",
        solution=step_cost,
        cases=_step_cases,
        mistakes=(
            Mistake(
                "the whole prefix is computed again",
                lambda read, source, d_model, d_ff, layers, vocab: (
                    read * step_cost(read, source, d_model, d_ff, layers, vocab)
                ),
                "With a cache only the new token passes through the layers; the others have left keys and values.",
            ),
            Mistake(
                "the memory is projected again",
                lambda read, source, d_model, d_ff, layers, vocab: (
                    step_cost(read, source, d_model, d_ff, layers, vocab) + layers * 2 * source * d_model**2
                ),
                "Keys and values of the memory do not change: they are computed once, at the first step.",
            ),
            Mistake(
                "the output layer is missing",
                lambda read, source, d_model, d_ff, layers, vocab: (
                    step_cost(read, source, d_model, d_ff, layers, vocab) - d_model * vocab
                ),
                "Each step ends with d_model * vocab multiply-adds for the logits, often the largest single part.",
            ),
            Mistake(
                "an addition and a multiplication are counted as two",
                lambda read, source, d_model, d_ff, layers, vocab: (
                    2 * step_cost(read, source, d_model, d_ff, layers, vocab)
                ),
                "These are floating-point operations. A multiply-add is one multiplication with its addition.",
            ),
            Mistake(
                "encoder-decoder attention is missing",
                lambda read, source, d_model, d_ff, layers, vocab: (
                    step_cost(read, source, d_model, d_ff, layers, vocab)
                    - layers * (2 * d_model**2 + 2 * source * d_model)
                ),
                "The new token also asks the memory: a query, scores, weighted sums, and the output projection.",
            ),
            Mistake(
                "the weighted sums are missing",
                lambda read, source, d_model, d_ff, layers, vocab: (
                    step_cost(read, source, d_model, d_ff, layers, vocab) - layers * (read + source) * d_model
                ),
                "A key costs d_model multiply-adds for its score, and as many again where its value is added.",
            ),
            Mistake(
                "the number of layers is missing",
                lambda read, source, d_model, d_ff, layers, vocab: step_cost(read, source, d_model, d_ff, 1, vocab),
                "Every layer does this work; only the output layer is there once. With one layer it goes unnoticed.",
            ),
        ),
    ),
    Exercise(
        name="13-diagnosis",
        title="Name the fault from what the test shows",
        solution="b",
        use=choose,
        mistakes=(
            Mistake(
                "the causal mask would not show in the first loss",
                "a",
                "A fresh model without a causal mask still has to guess: its first loss is log(vocab) and a half. Here "
                "the first loss is too low: something hands the answer over before anything has been learned.",
            ),
            Mistake(
                "labels one too far would start at log(vocab)",
                "c",
                "Then the model is asked for a token that it has not read, and its first loss is that of a guess. Ask "
                "where a tied model would find its answer ready.",
            ),
            Mistake(
                "unmasked padding does not hand the answer over",
                "d",
                "Padding that is seen changes little: the model learns to live with it, and greedy decoding is right.",
            ),
        ),
        hint="One of a, b, c, d.",
    ),
)
