"""Weights from and to Hugging Face's Marian, a translator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from blockbyblock.decoder import DecoderLayer
from blockbyblock.interop.common import ACTIVATIONS, like, norm_eps, our_activation, require, require_of_peer
from blockbyblock.transformer import Transformer, TransformerConfig

if TYPE_CHECKING:
    from transformers import MarianMTModel


def to_marian(model: Transformer) -> MarianMTModel:
    """Hugging Face's `MarianMTModel` with the same weights; needs the package `transformers`.

    Marian writes the sines of a position first and the cosines after them, the paper alternates. So the features of
    d_model are renumbered on the way, in every matrix that reads or writes them; the logits stay what they were.

    Raises:
        ValueError: Marian has no such model (learned positions, pre-norm, head widths that do not add up to d_model,
            embeddings that are not tied to the output layer).
    """
    from transformers import MarianConfig, MarianMTModel

    config = model.config
    wanted = {
        "positions": "sinusoidal", "pre_norm": False, "ends_with_norm": False, "tying": "three-way",
        "key_width": config.d_model, "value_width": config.d_model, "norm_eps": 1e-5,
    }  # fmt: skip
    require(wanted, config, "Marian")
    peer = MarianMTModel(
        MarianConfig(
            vocab_size=config.target_vocab,
            d_model=config.d_model,
            encoder_layers=config.encoder_layers,
            decoder_layers=config.decoder_layers,
            encoder_attention_heads=config.heads,
            decoder_attention_heads=config.heads,
            encoder_ffn_dim=config.d_ff,
            decoder_ffn_dim=config.d_ff,
            activation_function=ACTIVATIONS[config.activation],
            dropout=config.dropout,
            attention_dropout=config.attention_dropout,
            activation_dropout=config.activation_dropout,
            max_position_embeddings=config.max_length,
            scale_embedding=True,
            pad_token_id=config.pad_id,
            decoder_start_token_id=config.start_id,
            eos_token_id=config.end_id,
            forced_eos_token_id=None,
            bos_token_id=None,
        )
    )
    like(peer, model)
    order = _sines_first(config.d_model)
    with torch.no_grad():
        for ours, theirs, feature_dim in _marian_pairs(model, peer):
            theirs.copy_(ours if feature_dim is None else ours.index_select(feature_dim, order.to(ours.device)))
    return peer


def from_marian(peer: MarianMTModel) -> Transformer:
    """Our `Transformer` with the weights of a Hugging Face `MarianMTModel`; the inverse of `to_marian`.

    Raises:
        ValueError: a Marian model that we do not have (unscaled embeddings, separate vocabularies, encoder and decoder
            of different widths, another activation).
    """
    theirs_config: Any = peer.config
    equal = (("encoder_attention_heads", "decoder_attention_heads"), ("encoder_ffn_dim", "decoder_ffn_dim"))
    for first, second in equal:
        if getattr(theirs_config, first) != getattr(theirs_config, second):
            raise ValueError(
                f"{first}={getattr(theirs_config, first)}, {second}={getattr(theirs_config, second)}: "
                "encoder and decoder must be of one width"
            )
    shared = ("scale_embedding", "share_encoder_decoder_embeddings", "tie_word_embeddings")
    require_of_peer(dict.fromkeys(shared, True), theirs_config, "Marian")
    model = Transformer(
        TransformerConfig(
            norm_eps=norm_eps(peer),
            d_model=theirs_config.d_model,
            heads=theirs_config.encoder_attention_heads,
            d_ff=theirs_config.encoder_ffn_dim,
            dropout=theirs_config.dropout,
            attention_dropout=theirs_config.attention_dropout,
            activation_dropout=theirs_config.activation_dropout,
            activation=our_activation("activation_function", theirs_config, "Marian"),
            source_vocab=theirs_config.vocab_size,
            target_vocab=theirs_config.vocab_size,
            encoder_layers=theirs_config.encoder_layers,
            decoder_layers=theirs_config.decoder_layers,
            max_length=theirs_config.max_position_embeddings,
            tying="three-way",
            output_bias=True,
            pad_id=theirs_config.pad_token_id,
            start_id=theirs_config.decoder_start_token_id,
            end_id=theirs_config.eos_token_id,
        )
    )
    like(model, peer)
    order = _sines_first(model.config.d_model).argsort()
    with torch.no_grad():
        for ours, theirs, feature_dim in _marian_pairs(model, peer):
            ours.copy_(theirs if feature_dim is None else theirs.index_select(feature_dim, order.to(theirs.device)))
    return model


def _sines_first(d_model: int) -> Tensor:
    """Where Marian's features stand among the paper's: 0, 2, 4, ... and then 1, 3, 5, ..."""
    return torch.arange(d_model).view(-1, 2).T.flatten()


def _marian_pairs(model: Any, peer: Any) -> Iterator[tuple[Tensor, Tensor, int | None]]:
    """Each tensor of ours, its counterpart, and the dimension of both that runs over the features of d_model."""
    yield model.target_embedding.table.weight, peer.model.shared.weight, 1
    if model.output.bias is not None:
        yield model.output.bias, peer.final_logits_bias[0], None
    for stack, peer_stack in ((model.encoder, peer.model.encoder), (model.decoder, peer.model.decoder)):
        for layer, peer_layer in zip(stack.layers, peer_stack.layers, strict=True):
            attentions = [(layer.self_attention, peer_layer.self_attn)]
            norms = [
                (layer.self_attention_add_norm.norm, peer_layer.self_attn_layer_norm),
                (layer.feed_forward_add_norm.norm, peer_layer.final_layer_norm),
            ]
            if isinstance(layer, DecoderLayer):
                attentions.append((layer.cross_attention, peer_layer.encoder_attn))
                norms.append((layer.cross_attention_add_norm.norm, peer_layer.encoder_attn_layer_norm))
            readers = [(layer.feed_forward.hidden_projection, peer_layer.fc1)]
            writers = [(layer.feed_forward.output_projection, peer_layer.fc2)]
            for attention, peer_attention in attentions:
                readers += [
                    (attention.query_projection, peer_attention.q_proj),
                    (attention.key_projection, peer_attention.k_proj),
                    (attention.value_projection, peer_attention.v_proj),
                ]
                writers.append((attention.output_projection, peer_attention.out_proj))
            for ours, theirs in readers:  # from d_model: the features are the columns of the weight
                yield ours.weight, theirs.weight, 1
                yield ours.bias, theirs.bias, None
            for ours, theirs in writers + norms:  # to d_model: the rows of the weight, and the bias
                yield ours.weight, theirs.weight, 0
                yield ours.bias, theirs.bias, 0
