"""Weights from and to `torch.nn`."""

from collections.abc import Iterator
from typing import Any, overload

import torch
from torch import Tensor, nn

from blockbyblock.attention import MultiHeadAttention
from blockbyblock.config import BlockConfig
from blockbyblock.decoder import Decoder, DecoderLayer
from blockbyblock.encoder import Encoder, EncoderLayer
from blockbyblock.interop.common import joined_projections, like, one, require_plain, weight_and_bias
from blockbyblock.transformer import Transformer


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
        ValueError: torch has no such module (head widths that do not add up to d_model, an activation that is neither
            ReLU nor GELU).
        TypeError: not one of ours.
    """
    peer = _torch_peer(module)
    like(peer, module)
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
    like(module, peer)
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
        if config.activation not in ("relu", "gelu"):
            raise ValueError(f"torch.nn's layers take the activations relu and gelu, not {config.activation}")
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
        require_plain(peer, nn.MultiheadAttention)
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
        require_plain(peer, theirs)
        configs = [_layer_config(layer, final_norm=peer.norm is not None) for layer in peer.layers]
        if peer.norm is not None:
            norm = (_norm_eps(peer.norm, configs[0].d_model), configs[0].norm_eps)
            one({"the final norm's eps": norm[0], "the layers' eps": norm[1]})
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
    require_plain(layer, nn.TransformerDecoderLayer if decodes else nn.TransformerEncoderLayer)
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
    d_model = one({name: attention.embed_dim for name, attention in attentions.items()})
    d_ff = layer.linear1.out_features
    for linear, sizes in ((layer.linear1, (d_model, d_ff)), (layer.linear2, (d_ff, d_model))):
        require_plain(linear, nn.Linear)
        if linear.bias is None or (linear.in_features, linear.out_features) != sizes:
            raise ValueError(f"the feed-forward network needs biases, and here a linear layer of {sizes}: got {linear}")
    numbers = (1, 2, 3) if decodes else (1, 2)
    return BlockConfig(
        d_model=d_model,
        heads=one({name: attention.num_heads for name, attention in attentions.items()}),
        d_ff=d_ff,
        dropout=one({f"dropout{number}": getattr(layer, f"dropout{number}").p for number in numbers}),
        attention_dropout=one({name: attention.dropout for name, attention in attentions.items()}),
        activation_dropout=layer.dropout.p,
        activation=activation,  # type: ignore[arg-type]
        pre_norm=layer.norm_first,
        final_norm=final_norm,
        norm_eps=one({f"norm{number}.eps": _norm_eps(getattr(layer, f"norm{number}"), d_model) for number in numbers}),
    )


def _norm_eps(norm: Any, d_model: int) -> float:
    require_plain(norm, nn.LayerNorm)
    if norm.weight is None or norm.bias is None or norm.normalized_shape != (d_model,):
        raise ValueError(f"a layer norm here has a weight and a bias of {d_model} numbers each; got {norm}")
    return float(norm.eps)


def _torch_pairs(module: Any, peer: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Each tensor of ours beside its counterpart; writing to either side writes to its module."""
    if isinstance(module, MultiHeadAttention):
        yield from joined_projections(module, peer.in_proj_weight, peer.in_proj_bias)
        yield from weight_and_bias(module.output_projection, peer.out_proj)
    elif isinstance(module, EncoderLayer | DecoderLayer):
        yield from _torch_pairs(module.self_attention, peer.self_attn)
        yield from weight_and_bias(module.self_attention_add_norm.norm, peer.norm1)
        yield from weight_and_bias(module.feed_forward.hidden_projection, peer.linear1)
        yield from weight_and_bias(module.feed_forward.output_projection, peer.linear2)
        if isinstance(module, DecoderLayer):
            yield from _torch_pairs(module.cross_attention, peer.multihead_attn)
            yield from weight_and_bias(module.cross_attention_add_norm.norm, peer.norm2)
            yield from weight_and_bias(module.feed_forward_add_norm.norm, peer.norm3)
        else:
            yield from weight_and_bias(module.feed_forward_add_norm.norm, peer.norm2)
    elif isinstance(module, Encoder | Decoder):
        for layer, peer_layer in zip(module.layers, peer.layers, strict=True):
            yield from _torch_pairs(layer, peer_layer)
        if peer.norm is not None:
            yield from weight_and_bias(module.norm, peer.norm)
    else:
        yield from _torch_pairs(module.encoder, peer.encoder)
        yield from _torch_pairs(module.decoder, peer.decoder)
