"""Weights from and to Hugging Face's BERT, an encoder."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from blockbyblock.classifier import Classifier, ClassifierConfig, Pooling
from blockbyblock.interop.common import (
    ACTIVATIONS,
    like,
    norm_eps,
    our_activation,
    require,
    require_of_peer,
    weight_and_bias,
)

if TYPE_CHECKING:
    from transformers import BertModel


def to_bert(model: Classifier) -> BertModel:
    """Hugging Face's `BertModel` with the same weights; needs the package `transformers`.

    Its `last_hidden_state` is what `model.states` returns. The linear layer stays behind: BERT's own classifiers put a
    layer with tanh before theirs (the "pooler"), so this BERT is made without one. There is one type of token, whose
    vector is zero.

    Raises:
        ValueError: BERT has no such model (pre-norm, a final norm, sinusoidal positions, scaled embeddings or none that
            are normalised, head widths that do not add up to d_model, dropout inside the feed-forward network).
    """
    from transformers import BertConfig, BertModel

    config = model.config
    wanted = {
        "pre_norm": False, "ends_with_norm": False, "embedding_norm": True, "positions": "learned",
        "embedding_scale": 1, "key_width": config.d_model, "value_width": config.d_model, "activation_dropout": 0,
    }  # fmt: skip
    require(wanted, config, "BERT")
    peer = BertModel(
        BertConfig(
            vocab_size=config.vocab,
            hidden_size=config.d_model,
            num_hidden_layers=config.layers,
            num_attention_heads=config.heads,
            intermediate_size=config.d_ff,
            hidden_act=ACTIVATIONS[config.activation],
            hidden_dropout_prob=config.dropout,
            attention_probs_dropout_prob=config.attention_dropout,
            max_position_embeddings=config.max_length,
            type_vocab_size=1,
            layer_norm_eps=config.norm_eps,
            pad_token_id=config.pad_id,
        ),
        add_pooling_layer=False,
    )
    like(peer, model)
    with torch.no_grad():
        for ours, theirs in _pairs(model, peer):
            theirs.copy_(ours)
        peer.embeddings.token_type_embeddings.weight.zero_()
    return peer


def from_bert(peer: BertModel, *, classes: int, cls_id: int, pooling: Pooling = "cls") -> Classifier:
    """Our `Classifier` with the weights of a Hugging Face `BertModel`, and a new linear layer that is to be trained.

    BERT adds a vector to each token that says which of two texts it belongs to. Here there is one text, so the vector
    of the first is added to that of each position.

    Args:
        peer: made with `add_pooling_layer=False`.
        classes: as in `ClassifierConfig`, like the next two.
        cls_id: 101 in the vocabularies of the published models.
        pooling: what the new layer reads.

    Raises:
        ValueError: a BERT that we do not have (a decoder, one with a pooling layer, another activation), or one without
            a token for padding.
    """
    theirs_config: Any = peer.config
    require_of_peer({"is_decoder": False, "add_cross_attention": False}, theirs_config, "BERT")
    if peer.pooler is not None:
        raise ValueError("the pooling layer of this BERT has no counterpart here: load it with add_pooling_layer=False")
    if theirs_config.pad_token_id is None:
        raise ValueError("a classifier here needs a token for padding, this BERT has pad_token_id=None")
    model = Classifier(
        ClassifierConfig(
            d_model=theirs_config.hidden_size,
            heads=theirs_config.num_attention_heads,
            d_ff=theirs_config.intermediate_size,
            dropout=theirs_config.hidden_dropout_prob,
            attention_dropout=theirs_config.attention_probs_dropout_prob,
            activation=our_activation("hidden_act", theirs_config, "BERT"),
            norm_eps=norm_eps(peer),
            vocab=theirs_config.vocab_size,
            layers=theirs_config.num_hidden_layers,
            positions="learned",
            max_length=theirs_config.max_position_embeddings,
            embedding_scale=1.0,
            embedding_norm=True,
            pad_id=theirs_config.pad_token_id,
            classes=classes,
            cls_id=cls_id,
            pooling=pooling,
        )
    )
    like(model, peer)
    with torch.no_grad():
        for ours, theirs in _pairs(model, peer):
            ours.copy_(theirs)
        model.positions.get_parameter("table.weight").add_(peer.embeddings.token_type_embeddings.weight[0])
    return model


def _pairs(model: Any, peer: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Each tensor of ours beside its counterpart; writing to either side writes to its module."""
    yield model.embedding.table.weight, peer.embeddings.word_embeddings.weight
    yield model.positions.table.weight, peer.embeddings.position_embeddings.weight
    yield from weight_and_bias(model.embedding_norm, peer.embeddings.LayerNorm)
    for layer, block in zip(model.encoder.layers, peer.encoder.layer, strict=True):
        attention, theirs = layer.self_attention, block.attention
        yield from weight_and_bias(attention.query_projection, theirs.self.query)
        yield from weight_and_bias(attention.key_projection, theirs.self.key)
        yield from weight_and_bias(attention.value_projection, theirs.self.value)
        yield from weight_and_bias(attention.output_projection, theirs.output.dense)
        yield from weight_and_bias(layer.self_attention_add_norm.norm, theirs.output.LayerNorm)
        yield from weight_and_bias(layer.feed_forward.hidden_projection, block.intermediate.dense)
        yield from weight_and_bias(layer.feed_forward.output_projection, block.output.dense)
        yield from weight_and_bias(layer.feed_forward_add_norm.norm, block.output.LayerNorm)
