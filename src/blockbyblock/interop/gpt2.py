"""Weights from and to Hugging Face's GPT-2, a language model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from blockbyblock.interop.common import (
    ACTIVATIONS,
    joined_projections,
    like,
    norm_eps,
    one,
    our_activation,
    require,
    require_of_peer,
    weight_and_bias,
)
from blockbyblock.language_model import LanguageModel, LanguageModelConfig

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel


def to_gpt2(model: LanguageModel) -> GPT2LMHeadModel:
    """Hugging Face's `GPT2LMHeadModel` with the same weights; needs the package `transformers`.

    GPT-2 does not derive positions from padding. For a batch that is padded on the left give it
    `position_ids=(attention_mask.cumsum(1) - 1).clamp(min=0)`, as its `generate` does.

    Raises:
        ValueError: GPT-2 has no such model (post-norm, no final norm, sinusoidal positions, scaled embeddings, an
            output bias, head widths that do not add up to d_model, dropout inside the feed-forward network).
    """
    from transformers import GPT2Config, GPT2LMHeadModel

    config = model.config
    wanted = {
        "pre_norm": True, "ends_with_norm": True, "positions": "learned", "embedding_scale": 1, "output_bias": False,
        "key_width": config.d_model, "value_width": config.d_model, "activation_dropout": 0,
    }  # fmt: skip
    require(wanted, config, "GPT-2")
    peer = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab,
            n_positions=config.max_length,
            n_embd=config.d_model,
            n_layer=config.layers,
            n_head=config.heads,
            n_inner=config.d_ff,
            activation_function=ACTIVATIONS[config.activation],
            resid_pdrop=config.dropout,
            embd_pdrop=config.dropout,
            attn_pdrop=config.attention_dropout,
            layer_norm_epsilon=config.norm_eps,
            pad_token_id=config.pad_id,
            bos_token_id=config.start_id,
            eos_token_id=config.end_id,
            tie_word_embeddings=config.tied,
        )
    )
    like(peer, model)
    with torch.no_grad():
        for ours, theirs in _pairs(model, peer):
            theirs.copy_(ours)
    return peer


def from_gpt2(peer: GPT2LMHeadModel) -> LanguageModel:
    """Our `LanguageModel` with the weights of a Hugging Face `GPT2LMHeadModel`; the inverse of `to_gpt2`.

    Here padding is a token of its own, which no text holds. The published GPT-2 has none: give it one first, with
    `peer.resize_token_embeddings(len(tokenizer) + 1)` and `peer.config.pad_token_id = len(tokenizer)`.

    Raises:
        ValueError: a GPT-2 that we do not have (scores scaled in another way, attention to an encoder, another
            activation, dropout of two strengths), or one without tokens for padding, start and end.
    """
    theirs_config: Any = peer.config
    same = {"scale_attn_weights": True, "scale_attn_by_inverse_layer_idx": False, "add_cross_attention": False}
    require_of_peer(same, theirs_config, "GPT-2")
    special = {name: getattr(theirs_config, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    for name, token in special.items():
        if not isinstance(token, int):
            raise ValueError(f"a language model here needs one token each, this GPT-2 has {name}_token_id={token}")
    d_model, d_ff = theirs_config.n_embd, theirs_config.n_inner
    model = LanguageModel(
        LanguageModelConfig(
            d_model=d_model,
            heads=theirs_config.n_head,
            d_ff=4 * d_model if d_ff is None else d_ff,
            dropout=one({name: getattr(theirs_config, name) for name in ("resid_pdrop", "embd_pdrop")}),
            attention_dropout=theirs_config.attn_pdrop,
            activation=our_activation("activation_function", theirs_config, "GPT-2"),
            pre_norm=True,
            norm_eps=norm_eps(peer),
            vocab=theirs_config.vocab_size,
            layers=theirs_config.n_layer,
            positions="learned",
            max_length=theirs_config.n_positions,
            embedding_scale=1.0,
            tied=peer.lm_head.weight is peer.transformer.wte.weight,
            pad_id=special["pad"],
            start_id=special["bos"],
            end_id=special["eos"],
        )
    )
    like(model, peer)
    with torch.no_grad():
        for ours, theirs in _pairs(model, peer):
            ours.copy_(theirs)
    return model


def _pairs(model: Any, peer: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Each tensor of ours beside its counterpart; writing to either side writes to its module."""
    body = peer.transformer
    yield model.embedding.table.weight, body.wte.weight
    yield model.positions.table.weight, body.wpe.weight
    if not model.config.tied:
        yield model.output.weight, peer.lm_head.weight
    for layer, block in zip(model.decoder.layers, body.h, strict=True):
        # Their Conv1D multiplies by its weight, [in, out], and a linear layer by the transpose of it.
        attention, feed_forward = layer.self_attention, layer.feed_forward
        yield from joined_projections(attention, block.attn.c_attn.weight.T, block.attn.c_attn.bias)
        for ours, theirs in (
            (attention.output_projection, block.attn.c_proj),
            (feed_forward.hidden_projection, block.mlp.c_fc),
            (feed_forward.output_projection, block.mlp.c_proj),
        ):
            yield ours.weight, theirs.weight.T
            yield ours.bias, theirs.bias
        yield from weight_and_bias(layer.self_attention_add_norm.norm, block.ln_1)
        yield from weight_and_bias(layer.feed_forward_add_norm.norm, block.ln_2)
    yield from weight_and_bias(model.decoder.norm, body.ln_f)
