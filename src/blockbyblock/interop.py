"""Weights from and to other libraries: `torch.nn`, and Hugging Face's Marian.

A converted module computes what the original computes. Weights are copied, never shared.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, overload

import torch
from torch import Tensor, nn

from blockbyblock.attention import MultiHeadAttention
from blockbyblock.config import BlockConfig
from blockbyblock.decoder import Decoder, DecoderLayer
from blockbyblock.encoder import Encoder, EncoderLayer
from blockbyblock.transformer import Transformer, TransformerConfig

if TYPE_CHECKING:
    from transformers import MarianMTModel

# torch.nn ------------------------------------------------------------------------------------------------------------


@overload
def to_torch(module: MultiHeadAttention) -> nn.MultiheadAttention: ...
@overload
def to_torch(module: EncoderLayer) -> nn.TransformerEncoderLayer: ...
@overload
def to_torch(module: DecoderLayer) -> nn.TransformerDecoderLayer: ...
@overload
def to_torch(module: Encoder) -> nn.TransformerEncoder: ...
@overload
def to_torch(module: Decoder) -> nn.TransformerDecoder: ...
@overload
def to_torch(module: Transformer) -> nn.Transformer: ...
def to_torch(module: nn.Module) -> nn.Module:
    """The `torch.nn` module of the same architecture, batch first, with the same weights and dropout.

    `nn.Transformer` has neither embeddings nor an output layer, so those of a `Transformer` stay behind. Its masks mean
    the opposite of ours: pass `~mask`.

    Raises:
        ValueError: torch has no such module (head widths that do not add up to d_model, SiLU).
        TypeError: not one of ours.
    """
    peer = _torch_peer(module)
    _like(peer, module)
    with torch.no_grad():
        for ours, theirs in _torch_pairs(module, peer):
            theirs.copy_(ours)
    return peer


@overload
def from_torch(peer: nn.MultiheadAttention) -> MultiHeadAttention: ...
@overload
def from_torch(peer: nn.TransformerEncoderLayer) -> EncoderLayer: ...
@overload
def from_torch(peer: nn.TransformerDecoderLayer) -> DecoderLayer: ...
@overload
def from_torch(peer: nn.TransformerEncoder) -> Encoder: ...
@overload
def from_torch(peer: nn.TransformerDecoder) -> Decoder: ...
def from_torch(peer: nn.Module) -> nn.Module:
    """Our module of the same architecture, with the weights and dropout of a `torch.nn` one.

    Convert an `nn.Transformer` by its two halves, `peer.encoder` and `peer.decoder`.

    Raises:
        ValueError: a module that we do not have: without biases, with key and value widths of their own or another
            activation; one whose parts were changed so that they differ, as layers of another order, layer norms of
            another `eps`, or numbers of another kind; or one that computes by a `forward` of its own.
        TypeError: not a module of `torch.nn` that this knows.
    """
    module = _our_peer(peer)
    _like(module, peer)
    with torch.no_grad():
        for ours, theirs in _torch_pairs(module, peer):
            ours.copy_(theirs)
    return module


def _torch_peer(module: nn.Module) -> nn.Module:
    if isinstance(module, MultiHeadAttention):
        d_model, heads = module.d_model, module.heads
        if not heads * module.d_k == heads * module.d_v == module.d_out == d_model:
            raise ValueError(
                f"nn.MultiheadAttention needs heads * d_k = heads * d_v = d_out = d_model, got heads={heads}, "
                f"d_k={module.d_k}, d_v={module.d_v}, d_out={module.d_out}, d_model={d_model}"
            )
        return nn.MultiheadAttention(d_model, heads, dropout=module.dropout, batch_first=True)
    if isinstance(module, EncoderLayer | DecoderLayer):
        _torch_peer(module.self_attention)  # raises if torch has no such attention
        config = module.config
        if config.activation == "silu":
            raise ValueError("torch.nn's layers take the activations relu and gelu, not silu")
        layer_class = nn.TransformerEncoderLayer if isinstance(module, EncoderLayer) else nn.TransformerDecoderLayer
        layer = layer_class(
            config.d_model,
            config.heads,
            config.d_ff,
            config.dropout,
            config.activation,
            layer_norm_eps=config.norm_eps,
            batch_first=True,
            norm_first=config.pre_norm,
        )
        # There one number sets every dropout of a layer; the paper drops only the sublayers' outputs.
        layer.dropout.p = config.activation_dropout
        layer.self_attn.dropout = config.attention_dropout
        if isinstance(layer, nn.TransformerDecoderLayer):
            layer.multihead_attn.dropout = config.attention_dropout
        return layer
    if isinstance(module, Encoder | Decoder):
        peer_layer: Any = _torch_peer(module.layers[0])
        norm = nn.LayerNorm(module.config.d_model, module.config.norm_eps) if module.config.ends_with_norm else None
        if isinstance(module, Encoder):
            return nn.TransformerEncoder(peer_layer, len(module.layers), norm, enable_nested_tensor=False)
        return nn.TransformerDecoder(peer_layer, len(module.layers), norm)
    if isinstance(module, Transformer):
        config = module.config
        return nn.Transformer(
            config.d_model,
            config.heads,
            custom_encoder=_torch_peer(module.encoder),
            custom_decoder=_torch_peer(module.decoder),
            batch_first=True,
        )
    raise TypeError(f"cannot convert a {type(module).__name__} to torch.nn")


def _our_peer(peer: nn.Module) -> nn.Module:
    if len(kinds := {parameter.dtype for parameter in peer.parameters()}) > 1:
        raise ValueError(f"a module here has numbers of one kind, this {type(peer).__name__} of {kinds}")
    if isinstance(peer, nn.MultiheadAttention):
        _require_plain(peer, nn.MultiheadAttention)
        if peer.in_proj_weight is None or peer.in_proj_bias is None or peer.bias_k is not None or peer.add_zero_attn:
            raise ValueError(
                "only an nn.MultiheadAttention with biases, one width for query, key and value, and no added keys has "
                f"a counterpart here; got {peer}"
            )
        if not peer.batch_first:
            raise ValueError(
                "this nn.MultiheadAttention expects [position, batch, d_model]; make it with batch_first=True"
            )
        return MultiHeadAttention(peer.embed_dim, peer.num_heads, dropout=peer.dropout)
    if isinstance(peer, nn.TransformerEncoderLayer | nn.TransformerDecoderLayer):
        config = _layer_config(peer, final_norm=None)
        return EncoderLayer(config) if isinstance(peer, nn.TransformerEncoderLayer) else DecoderLayer(config)
    if isinstance(peer, nn.TransformerEncoder | nn.TransformerDecoder):
        ours, theirs = (
            (Encoder, nn.TransformerEncoder)
            if isinstance(peer, nn.TransformerEncoder)
            else (Decoder, nn.TransformerDecoder)
        )
        _require_plain(peer, theirs)
        configs = [_layer_config(layer, final_norm=peer.norm is not None) for layer in peer.layers]
        if peer.norm is not None:
            norm = (_norm_eps(peer.norm, configs[0].d_model), configs[0].norm_eps)
            _one({"the final norm's eps": norm[0], "the layers' eps": norm[1]})
        for number, config in enumerate(configs[1:], start=1):
            if config != configs[0]:
                raise ValueError(f"all layers are alike here, but layer {number} is {config}, and layer 0 {configs[0]}")
        return ours(configs[0], len(configs))
    raise TypeError(f"cannot convert a {type(peer).__name__} from torch.nn")


def _layer_config(
    layer: nn.TransformerEncoderLayer | nn.TransformerDecoderLayer, *, final_norm: bool | None
) -> BlockConfig:
    """What a layer is, from each of its parts: any of them may have been changed since it was made.

    Raises:
        ValueError: no one configuration says what the layer computes.
    """
    decodes = isinstance(layer, nn.TransformerDecoderLayer)
    _require_plain(layer, nn.TransformerDecoderLayer if decodes else nn.TransformerEncoderLayer)
    attentions: dict[str, Any] = {"self_attn": layer.self_attn}
    if decodes:
        attentions["multihead_attn"] = layer.multihead_attn
    for attention in attentions.values():
        _our_peer(attention)  # raises if we have no such attention
    names = {torch.nn.functional.relu: "relu", torch.nn.functional.gelu: "gelu"}
    activation = names.get(layer.activation)
    if activation is None:
        raise ValueError(f"the activation {layer.activation} is neither relu nor gelu")
    # An encoder layer's fast path, without gradients, does not look at `activation` but at this note of it.
    noted = getattr(layer, "activation_relu_or_gelu", None)
    if noted not in (None, {"relu": 1, "gelu": 2}[activation]):
        raise ValueError(
            f"the activation was changed to {activation} after the layer was made: its fast path ignores it"
        )
    d_model = _one({name: attention.embed_dim for name, attention in attentions.items()})
    d_ff = layer.linear1.out_features
    for linear, sizes in ((layer.linear1, (d_model, d_ff)), (layer.linear2, (d_ff, d_model))):
        _require_plain(linear, nn.Linear)
        if linear.bias is None or (linear.in_features, linear.out_features) != sizes:
            raise ValueError(f"the feed-forward network needs biases, and here a linear layer of {sizes}: got {linear}")
    numbers = (1, 2, 3) if decodes else (1, 2)
    return BlockConfig(
        d_model=d_model,
        heads=_one({name: attention.num_heads for name, attention in attentions.items()}),
        d_ff=d_ff,
        dropout=_one({f"dropout{number}": getattr(layer, f"dropout{number}").p for number in numbers}),
        attention_dropout=_one({name: attention.dropout for name, attention in attentions.items()}),
        activation_dropout=layer.dropout.p,
        activation=activation,  # type: ignore[arg-type]
        pre_norm=layer.norm_first,
        final_norm=final_norm,
        norm_eps=_one({f"norm{number}.eps": _norm_eps(getattr(layer, f"norm{number}"), d_model) for number in numbers}),
    )


def _norm_eps(norm: Any, d_model: int) -> float:
    _require_plain(norm, nn.LayerNorm)
    if norm.weight is None or norm.bias is None or norm.normalized_shape != (d_model,):
        raise ValueError(f"a layer norm here has a weight and a bias of {d_model} numbers each; got {norm}")
    return float(norm.eps)


def _one(values: dict[str, Any]) -> Any:
    """What all of these are.

    Raises:
        ValueError: they differ.
    """
    if len({*values.values()}) > 1:
        each = ", ".join(f"{name}={value}" for name, value in values.items())
        raise ValueError(f"one number serves for all of these here, and they differ: {each}")
    return next(iter(values.values()))


def _require_plain(module: nn.Module, kind: type[nn.Module]) -> None:
    """Refuse another module in the place of one that is known, and one that computes something else under its name.

    Raises:
        ValueError: naming both.
    """
    if not isinstance(module, kind) or type(module).forward is not kind.forward or "forward" in vars(module):
        raise ValueError(
            f"a {type(module).__module__}.{type(module).__name__} does not compute what nn.{kind.__name__} does"
        )


def _torch_pairs(module: Any, peer: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Each tensor of ours beside its counterpart; writing to either side writes to its module."""
    if isinstance(module, MultiHeadAttention):
        ours = (module.query_projection, module.key_projection, module.value_projection)
        weights, biases = peer.in_proj_weight.chunk(3), peer.in_proj_bias.chunk(3)  # theirs stand in one matrix
        for projection, weight, bias in zip(ours, weights, biases, strict=True):
            yield projection.weight, weight
            yield projection.bias, bias
        yield from _weight_and_bias(module.output_projection, peer.out_proj)
    elif isinstance(module, EncoderLayer | DecoderLayer):
        yield from _torch_pairs(module.self_attention, peer.self_attn)
        yield from _weight_and_bias(module.self_attention_add_norm.norm, peer.norm1)
        yield from _weight_and_bias(module.feed_forward.hidden_projection, peer.linear1)
        yield from _weight_and_bias(module.feed_forward.output_projection, peer.linear2)
        if isinstance(module, DecoderLayer):
            yield from _torch_pairs(module.cross_attention, peer.multihead_attn)
            yield from _weight_and_bias(module.cross_attention_add_norm.norm, peer.norm2)
            yield from _weight_and_bias(module.feed_forward_add_norm.norm, peer.norm3)
        else:
            yield from _weight_and_bias(module.feed_forward_add_norm.norm, peer.norm2)
    elif isinstance(module, Encoder | Decoder):
        for layer, peer_layer in zip(module.layers, peer.layers, strict=True):
            yield from _torch_pairs(layer, peer_layer)
        if peer.norm is not None:
            yield from _weight_and_bias(module.norm, peer.norm)
    else:
        yield from _torch_pairs(module.encoder, peer.encoder)
        yield from _torch_pairs(module.decoder, peer.decoder)


# Marian --------------------------------------------------------------------------------------------------------------


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
    for name, value in wanted.items():
        if getattr(config, name) != value:
            raise ValueError(f"Marian needs {name}={value!r}, this model has {getattr(config, name)!r}")
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
            activation_function=config.activation,
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
    _like(peer, model)
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
    for name in ("scale_embedding", "share_encoder_decoder_embeddings", "tie_word_embeddings"):
        if not getattr(theirs_config, name):
            raise ValueError(f"a Marian model with {name}=False has no counterpart here")
    activation = {"swish": "silu"}.get(theirs_config.activation_function, theirs_config.activation_function)
    norms = [module for module in peer.modules() if isinstance(module, nn.LayerNorm)]
    model = Transformer(
        TransformerConfig(
            norm_eps=_one({f"norm {number}'s eps": norm.eps for number, norm in enumerate(norms)}),
            d_model=theirs_config.d_model,
            heads=theirs_config.encoder_attention_heads,
            d_ff=theirs_config.encoder_ffn_dim,
            dropout=theirs_config.dropout,
            attention_dropout=theirs_config.attention_dropout,
            activation_dropout=theirs_config.activation_dropout,
            activation=activation,
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
    _like(model, peer)
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


def _weight_and_bias(module: Any, peer: Any) -> Iterator[tuple[Tensor, Tensor]]:
    yield module.weight, peer.weight
    yield module.bias, peer.bias


def _like(module: nn.Module, other: nn.Module) -> None:
    """Move `module` to the device, dtype and mode of `other`."""
    first = next(other.parameters())
    module.to(device=first.device, dtype=first.dtype).train(other.training)
