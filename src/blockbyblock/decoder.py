"""The decoder: N layers of masked self-attention, encoder-decoder attention and feed-forward (paper, section 3.1)."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from blockbyblock.checks import check_positive
from blockbyblock.config import BlockConfig

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


class DecoderLayer(nn.Module):
    """Masked self-attention, Add & Norm, encoder-decoder attention, Add & Norm, feed-forward, Add & Norm."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        self.self_attention = config.attention()
        self.self_attention_add_norm = config.add_norm()
        self.cross_attention = config.attention()  # the paper's "encoder-decoder attention"
        self.cross_attention_add_norm = config.add_norm()
        self.feed_forward = config.feed_forward()
        self.feed_forward_add_norm = config.add_norm()

    def forward(
        self,
        x: Float[Tensor, "batch position d_model"],
        memory: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "*_"] | None = None,
        memory_mask: Bool[Tensor, "*_"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch position d_model"]:
        """One layer; with a cache, `x` holds only the new positions.

        Args:
            x: the target so far, `[batch, position, d_model]`.
            memory: the encoder's output, `[batch, source, d_model]`.
            mask: over the target, True where allowed: a causal mask.
            memory_mask: over the memory, True where allowed: the source's padding mask.
            cache: keys and values of earlier calls; extended in place.

        Raises:
            ValueError: sizes do not fit together; in particular the batches of target and memory differ. Or the cache
                was filled from another memory.
        """
        kept = cache is not None
        if cache is not None:
            cache.require_memory(memory)
        if cache is None:
            cache = LayerCache()  # so that there is one path, whether or not somebody keeps it

        def attend_to_target(x: Tensor) -> Tensor:
            return self.self_attention.attend(x, *cache.extend(*self.self_attention.project(x, x)), mask)

        def attend_to_memory(x: Tensor) -> Tensor:
            if cache.memory is None:
                keys, values = self.cross_attention.project(memory, memory)
                if kept:  # what every step reads is worth a copy that stands head by head
                    keys, values = keys.contiguous(), values.contiguous()
                cache.memory = keys, values
            return self.cross_attention.attend(x, *cache.memory, memory_mask)

        x = self.self_attention_add_norm(x, attend_to_target)
        x = self.cross_attention_add_norm(x, attend_to_memory)
        return self.feed_forward_add_norm(x, self.feed_forward)


class Decoder(nn.Module):
    """N decoder layers, one after the other.

    Args:
        config: the sizes of each layer.
        layers: their number, N.

    Raises:
        ValueError: there is no layer.
    """

    def __init__(self, config: BlockConfig, layers: int) -> None:
        super().__init__()
        check_positive(layers=layers)
        self.config = config
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(layers))
        self.norm = config.stack_norm()

    def forward(
        self,
        x: Float[Tensor, "batch position d_model"],
        memory: Float[Tensor, "batch source d_model"],
        mask: Bool[Tensor, "*_"] | None = None,
        memory_mask: Bool[Tensor, "*_"] | None = None,
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "batch position d_model"]:
        """Through all layers; arguments as for one layer."""
        if cache is not None and len(cache.layers) != len(self.layers):
            raise ValueError(f"a cache for {len(cache.layers)} layers, but the decoder has {len(self.layers)}")
        layer_caches = [None] * len(self.layers) if cache is None else cache.layers
        for layer, layer_cache in zip(self.layers, layer_caches, strict=True):
            x = layer(x, memory, mask, memory_mask, layer_cache)
        return self.norm(x)
