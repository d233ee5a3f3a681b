"""The decoder: N layers of masked self-attention, encoder-decoder attention and feed-forward (paper, section 3.1)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from blockbyblock.cache import DecoderCache, LayerCache, caches
from blockbyblock.checks import check_positive
from blockbyblock.config import BlockConfig


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
        for layer, layer_cache in zip(self.layers, caches(cache, self.layers), strict=True):
            x = layer(x, memory, mask, memory_mask, layer_cache)
        return self.norm(x)
