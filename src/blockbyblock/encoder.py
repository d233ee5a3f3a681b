"""The encoder: N layers of self-attention and feed-forward (paper, section 3.1)."""

from jaxtyping import Bool, Float
from torch import Tensor, nn

from blockbyblock.cache import DecoderCache, LayerCache, caches
from blockbyblock.checks import check_positive
from blockbyblock.config import BlockConfig


class EncoderLayer(nn.Module):
    """Self-attention, Add & Norm, feed-forward, Add & Norm."""

    def __init__(self, config: BlockConfig) -> None:
        super().__init__()
        self.config = config
        self.self_attention = config.attention()
        self.self_attention_add_norm = config.add_norm()
        self.feed_forward = config.feed_forward()
        self.feed_forward_add_norm = config.add_norm()

    def forward(
        self,
        x: Float[Tensor, "batch position d_model"],
        mask: Bool[Tensor, "*_"] | None = None,
        cache: LayerCache | None = None,
    ) -> Float[Tensor, "batch position d_model"]:
        """Every position looks at every position that `mask` allows; shape in = shape out.

        Args:
            x: `[batch, position, d_model]`.
            mask: True where allowed, `[position, position]` or broadcast to `[batch, heads, position, position]`.
            cache: keys and values of earlier calls, which come before those of `x`; extended in place. It is for a
                causal mask, `[position, key]`: where a later position may be seen, no earlier one is ever finished.
        """
        cache = LayerCache() if cache is None else cache  # so that there is one path, whether or not somebody keeps it

        def attend(x: Tensor) -> Tensor:
            return self.self_attention.attend(x, *cache.extend(*self.self_attention.project(x, x)), mask)

        x = self.self_attention_add_norm(x, attend)
        return self.feed_forward_add_norm(x, self.feed_forward)


class Encoder(nn.Module):
    """N encoder layers, one after the other.

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
        self.layers = nn.ModuleList(EncoderLayer(config) for _ in range(layers))
        self.norm = config.stack_norm()

    def forward(
        self,
        x: Float[Tensor, "batch position d_model"],
        mask: Bool[Tensor, "*_"] | None = None,
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "batch position d_model"]:
        """Through all layers; arguments as for one layer."""
        for layer, layer_cache in zip(self.layers, caches(cache, self.layers), strict=True):
            x = layer(x, mask, layer_cache)
        return self.norm(x)
