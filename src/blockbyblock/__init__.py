"""The original Transformer, block by block.

One module per noun of the book, in the order in which data flows: `embedding`, `masks`, `attention`, `sublayers`,
`encoder`, `decoder`, `transformer`. `interop` carries weights to and from other libraries, `paper` holds the settings
and results that the paper prints. `data`, `training`, `decoding`, `sampling` and `evaluation` make a translator of it,
`load_pretrained` loads one that is trained.

Source of the architecture: Vaswani et al., "Attention Is All You Need" (2017), arXiv:1706.03762.
"""

from blockbyblock.attention import (
    AttentionRecord,
    MultiHeadAttention,
    concat_heads,
    record_attention,
    scaled_dot_product_attention,
    split_heads,
)
from blockbyblock.config import BlockConfig
from blockbyblock.decoder import Decoder, DecoderCache, DecoderLayer
from blockbyblock.embedding import LearnedPositionalEncoding, SinusoidalPositionalEncoding, TokenEmbedding
from blockbyblock.encoder import Encoder, EncoderLayer
from blockbyblock.masks import causal_mask, padding_mask
from blockbyblock.pretrained import load_pretrained
from blockbyblock.sublayers import AddNorm, FeedForward
from blockbyblock.transformer import Transformer, TransformerConfig, parameter_count, parameter_counts, shift_right
from blockbyblock.translator import Translator

__all__ = [
    "AddNorm",
    "AttentionRecord",
    "BlockConfig",
    "Decoder",
    "DecoderCache",
    "DecoderLayer",
    "Encoder",
    "EncoderLayer",
    "FeedForward",
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
