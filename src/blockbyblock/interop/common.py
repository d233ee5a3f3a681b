"""What the modules of this package share: pairs of tensors, and how what has no counterpart is refused."""

from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from blockbyblock.attention import MultiHeadAttention
from blockbyblock.sublayers import Activation

# Hugging Face's names of our activations. The tanh approximation has more than one.
ACTIVATIONS: dict[Activation, str] = {"relu": "relu", "gelu": "gelu", "gelu_tanh": "gelu_new", "silu": "silu"}
_OURS: dict[str, Activation] = {name: ours for ours, name in ACTIVATIONS.items()}
_OURS |= {"gelu_pytorch_tanh": "gelu_tanh", "swish": "silu"}


def like(module: nn.Module, other: nn.Module) -> None:
    """Move `module` to the device, dtype and mode of `other`."""
    first = next(other.parameters())
    module.to(device=first.device, dtype=first.dtype).train(other.training)


def weight_and_bias(module: Any, peer: Any) -> Iterator[tuple[Tensor, Tensor]]:
    """Those of a linear layer or a layer norm of ours, each beside its counterpart."""
    yield module.weight, peer.weight
    yield module.bias, peer.bias


def joined_projections(attention: MultiHeadAttention, weight: Tensor, bias: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """The projections of query, key and value beside their parts of one matrix, `[3 * d_model, d_model]`."""
    ours = (attention.query_projection, attention.key_projection, attention.value_projection)
    for projection, weight_part, bias_part in zip(ours, weight.chunk(3), bias.chunk(3), strict=True):
        yield projection.weight, weight_part
        yield projection.bias, bias_part


def require(wanted: Mapping[str, object], config: object, library: str) -> None:
    """Refuse a model of ours that another library has not.

    Args:
        wanted: what each attribute must be.
        config: has these attributes.
        library: whose model it is.

    Raises:
        ValueError: naming the first that is different.
    """
    for name, value in wanted.items():
        if getattr(config, name) != value:
            raise ValueError(f"{library} needs {name}={value!r}, this model has {getattr(config, name)!r}")


def require_of_peer(wanted: Mapping[str, object], config: object, library: str) -> None:
    """Refuse a model of another library that we have not; arguments as for `require`.

    Raises:
        ValueError: naming the first that is different.
    """
    for name, value in wanted.items():
        if getattr(config, name) != value:
            raise ValueError(f"a {library} model with {name}={getattr(config, name)!r} has no counterpart here")


def our_activation(name: str, config: object, library: str) -> Activation:
    """Our name of their activation.

    Args:
        name: of the attribute that holds it.
        config: has this attribute.
        library: whose model it is.

    Raises:
        ValueError: we do not have it.
    """
    theirs = getattr(config, name)
    if theirs not in _OURS:
        raise ValueError(f"a {library} model with {name}={theirs!r} has no counterpart here")
    return _OURS[theirs]


def one(values: dict[str, Any]) -> Any:
    """What all of these are.

    Raises:
        ValueError: they differ.
    """
    if len({*values.values()}) > 1:
        each = ", ".join(f"{name}={value}" for name, value in values.items())
        raise ValueError(f"one number serves for all of these here, and they differ: {each}")
    return next(iter(values.values()))


def norm_eps(peer: nn.Module) -> float:
    """What all layer norms of a model add to the variance.

    Raises:
        ValueError: they differ.
    """
    norms = [module for module in peer.modules() if isinstance(module, nn.LayerNorm)]
    return float(one({f"norm {number}'s eps": norm.eps for number, norm in enumerate(norms)}))


def require_plain(module: nn.Module, kind: type[nn.Module]) -> None:
    """Refuse another module in the place of one that is known, and one that computes something else under its name.

    Raises:
        ValueError: naming both.
    """
    if not isinstance(module, kind) or type(module).forward is not kind.forward or "forward" in vars(module):
        raise ValueError(
            f"a {type(module).__module__}.{type(module).__name__} does not compute what nn.{kind.__name__} does"
        )
