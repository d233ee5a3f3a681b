"""The original Transformer, block by block.

One module per noun of the book, in the order in which data flows: `embedding`, `masks`, `attention`, `sublayers`,
`encoder`, `decoder`, `transformer`; `language_model` and `classifier` from the same blocks. `interop` carries weights
to and from other libraries, `paper` holds the settings and results that the paper prints. `data`, `training`,
`decoding`, `sampling` and `evaluation` make them work, `load_pretrained` loads one that is trained.

A name is loaded when it is first asked for, and with it what it needs: attention needs torch, and no tokenizer.

Source of the architecture: Vaswani et al., "Attention Is All You Need" (2017), arXiv:1706.03762.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from blockbyblock.attention import (
        AttentionRecord,
        MultiHeadAttention,
        concat_heads,
        record_attention,
        scaled_dot_product_attention,
        split_heads,
    )
    from blockbyblock.cache import DecoderCache
    from blockbyblock.classifier import Classifier, ClassifierConfig
    from blockbyblock.config import BlockConfig
    from blockbyblock.decoder import Decoder, DecoderLayer
    from blockbyblock.embedding import LearnedPositionalEncoding, SinusoidalPositionalEncoding, TokenEmbedding
    from blockbyblock.encoder import Encoder, EncoderLayer
    from blockbyblock.language_model import LanguageModel, LanguageModelConfig
    from blockbyblock.masks import causal_mask, padding_mask
    from blockbyblock.pretrained import load_pretrained
    from blockbyblock.sublayers import AddNorm, FeedForward
    from blockbyblock.transformer import Transformer, TransformerConfig, parameter_count, parameter_counts, shift_right
    from blockbyblock.translator import Translator

__all__ = [
    "AddNorm",
    "AttentionRecord",
    "BlockConfig",
    "Classifier",
    "ClassifierConfig",
    "Decoder",
    "DecoderCache",
    "DecoderLayer",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
    "LanguageModel",
    "LanguageModelConfig",
    "LearnedPositionalEncoding",
    "MultiHeadAttention",
    "SinusoidalPositionalEncoding",
    "TokenEmbedding",
    "Transformer",
    "TransformerConfig",
    "Translator",
    "causal_mask",
    "concat_heads",
    "load_pretrained",
    "padding_mask",
    "parameter_count",
    "parameter_counts",
    "record_attention",
    "scaled_dot_product_attention",
    "shift_right",
    "split_heads",
]
__version__ = "0.1.0"

_HOMES = {
    "attention": (
        "AttentionRecord",
        "MultiHeadAttention",
        "concat_heads",
        "record_attention",
        "scaled_dot_product_attention",
        "split_heads",
    ),
    "cache": ("DecoderCache",),
    "classifier": (
        "Classifier",
        "ClassifierConfig",
    ),
    "config": ("BlockConfig",),
    "decoder": (
        "Decoder",
        "DecoderLayer",
    ),
    "embedding": (
        "LearnedPositionalEncoding",
        "SinusoidalPositionalEncoding",
        "TokenEmbedding",
    ),
    "encoder": (
        "Encoder",
        "EncoderLayer",
    ),
    "language_model": (
        "LanguageModel",
        "LanguageModelConfig",
    ),
    "masks": (
        "causal_mask",
        "padding_mask",
    ),
    "pretrained": ("load_pretrained",),
    "sublayers": (
        "AddNorm",
        "FeedForward",
    ),
    "transformer": (
        "Transformer",
        "TransformerConfig",
        "parameter_count",
        "parameter_counts",
        "shift_right",
    ),
    "translator": ("Translator",),
}
_HOME = {name: home for home, names in _HOMES.items() for name in names}

if not TYPE_CHECKING:  # to a type checker the names above are all there are

    def __getattr__(name: str) -> object:
        """Load a name of `__all__`, or a module of this package (PEP 562)."""
        if name in _HOME:
            value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
            globals()[name] = value
            return value
        if not name.startswith("_") and find_spec(f"{__name__}.{name}"):
            return import_module(f"{__name__}.{name}")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})
