"""What a decoder keeps of what it has read: keys and values, so that each new token is computed once."""

from collections.abc import Sequence, Sized

import torch
from jaxtyping import Int
from torch import Tensor

KeyValue = tuple[Tensor, Tensor]  # keys [batch, heads, position, d_k] and values [batch, heads, position, d_v]


class LayerCache:
    """The keys and values that one decoder layer has already computed, of its target prefix and of the memory.

    Those of the target stand in buffers with room for more positions: a new one is written behind the others, which are
    not copied. This is for decoding; torch refuses a backward pass through a buffer that has been written to since.
    """

    def __init__(self) -> None:
        self.target: KeyValue | None = None  # the buffers, of which the first `length` positions are in use
        self.length = 0
        self.memory: KeyValue | None = None
        self._source: Tensor | None = None  # the memory that these were computed from

    def require_memory(self, memory: Tensor) -> None:
        """Refuse another memory than that whose keys and values are held, which would be read instead of it.

        Raises:
            ValueError: the memory has another shape, or holds other numbers.
        """
        held = self._source
        if held is not None and held is not memory:  # the same object at each step, until rows are selected
            if (held.shape, held.dtype, held.device) != (memory.shape, memory.dtype, memory.device):
                raise ValueError(
                    f"the cache holds the keys and values of a memory {list(held.shape)}, and this one is "
                    f"{list(memory.shape)}: take a new cache"
                )
            if not torch.equal(held, memory):
                raise ValueError("the cache holds the keys and values of another memory: take a new cache")
        self._source = memory

    def extend(self, key: Tensor, value: Tensor) -> KeyValue:
        """Append the keys and values of new target positions; returns those of all positions so far.

        Raises:
            ValueError: the batch has another size than what is held.
        """
        if self.target is None:
            self.target, self.length = (key, value), key.shape[2]
            return self.target
        keys, values = self.target
        if keys.shape[0] != key.shape[0]:
            raise ValueError(f"the cache holds a batch of {keys.shape[0]}, the new target one of {key.shape[0]}")
        start, self.length = self.length, self.length + key.shape[2]
        if self.length > keys.shape[2]:
            room = 2 * self.length  # so that over all steps a position is copied about once
            self.target = keys, values = _with_room(keys, room), _with_room(values, room)
        keys[:, :, start : self.length], values[:, :, start : self.length] = key, value
        return keys[:, :, : self.length], values[:, :, : self.length]

    def select(self, rows: Int[Tensor, "rows"]) -> None:
        """Keep these rows of the batch, in this order."""
        self.target, self.memory = (
            pair and (pair[0].index_select(0, rows), pair[1].index_select(0, rows))
            for pair in (self.target, self.memory)
        )
        self._source = None if self._source is None else self._source.index_select(0, rows)


def _with_room(held: Tensor, positions: int) -> Tensor:
    """A copy of `held` at the beginning of a buffer for so many positions."""
    batch, heads, length, width = held.shape
    buffer = held.new_empty(batch, heads, positions, width)
    buffer[:, :, :length] = held
    return buffer


class DecoderCache:
    """What a decoder need not compute again when it appends tokens: one `LayerCache` per layer.

    The keys and values of earlier target positions never change, because no position sees a later one; those of the
    memory never change at all. So a cache serves one batch of sentences: with another memory it is refused.

    Args:
        layers: number of decoder layers.
    """

    def __init__(self, layers: int) -> None:
        self.layers = [LayerCache() for _ in range(layers)]

    @property
    def length(self) -> int:
        """Number of target positions held: the position of the next token."""
        return self.layers[0].length

    def select(self, rows: Int[Tensor, "rows"]) -> None:
        """Keep these rows of the batch, in this order: finished sentences leave.

        Args:
            rows: indices into the batch; one may stand several times or not at all.
        """
        for layer in self.layers:
            layer.select(rows)


def caches(cache: DecoderCache | None, layers: Sized) -> Sequence[LayerCache | None]:
    """The cache of each layer of a stack; None for each where nothing is kept.

    Raises:
        ValueError: the cache is for another number of layers.
    """
    if cache is None:
        return [None] * len(layers)
    if len(cache.layers) != len(layers):
        raise ValueError(f"a cache for {len(cache.layers)} layers, but the decoder has {len(layers)}")
    return cache.layers
