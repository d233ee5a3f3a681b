"""Bad input is refused at the door, with the numbers in the message: never NaN, never silence."""

import dataclasses
import re

import pytest
import torch

from blockbyblock import (
    AddNorm,
    BlockConfig,
    Decoder,
    DecoderCache,
    Encoder,
    FeedForward,
    LearnedPositionalEncoding,
    MultiHeadAttention,
    SinusoidalPositionalEncoding,
    TokenEmbedding,
    Transformer,
    TransformerConfig,
    causal_mask,
    scaled_dot_product_attention,
    split_heads,
)
from blockbyblock.attention import head_width

pytestmark = pytest.mark.unhooked
SMALL = {"d_model": 8, "heads": 2, "d_ff": 16, "encoder_layers": 1, "decoder_layers": 1, "max_length": 6}
SMALL |= {"source_vocab": 20, "target_vocab": 20}
MODEL = Transformer(TransformerConfig(**SMALL))
IDS = torch.tensor([[3, 4, 5], [6, 7, 0]])


def zeros(*shape):
    return torch.zeros(shape)


# What is built -------------------------------------------------------------------------------------------------------


def test_heads_that_do_not_divide():
    message = r"d_model=512 is not divisible by heads=7; pass d_k to choose the head width yourself"
    for build in (
        lambda: MultiHeadAttention(512, 7),
        lambda: MultiHeadAttention(512, 7, d_k=64),
        lambda: MultiHeadAttention(512, 7, d_v=64),
        lambda: BlockConfig(heads=7),
        lambda: BlockConfig(heads=7, d_v=64),
    ):
        with pytest.raises(ValueError, match=message):
            build()
    assert BlockConfig(heads=7, d_k=64, d_v=64).key_width == 448


def test_head_width():
    assert head_width(512, 8) == 64
    for sizes, message in (((0, 2), "d_model=0 must be"), ((8, 0), "heads=0 must be")):
        with pytest.raises(ValueError, match=message):
            head_width(*sizes)


@pytest.mark.parametrize("bad", [0, -1, 2.5, True])
@pytest.mark.parametrize("name", ["d_model", "heads", "d_k", "d_v", "d_out"])
def test_attention_sizes(name, bad):
    sizes = {"d_model": 8, "heads": 2, "d_k": 4, "d_v": 4, "d_out": 8}
    with pytest.raises(ValueError, match=f"{name}={bad} must be a whole number above zero"):
        MultiHeadAttention(**{**sizes, name: bad})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: FeedForward(0, 4), "d_model=0 must be"),
        (lambda: FeedForward(4, 0), "d_ff=0 must be"),
        (lambda: FeedForward(4, 4, activation="tanh"), "activation='tanh' is not one of relu, gelu, gelu_tanh, silu"),
        (lambda: FeedForward(4, 4, dropout=1.0), "dropout=1.0 is not a probability"),
        (lambda: AddNorm(0), "d_model=0 must be"),
        (lambda: AddNorm(4, dropout=-0.1), "dropout=-0.1 is not a probability"),
        (lambda: MultiHeadAttention(4, 2, dropout=1.5), "dropout=1.5 is not a probability"),
        (lambda: TokenEmbedding(0, 4), "vocab=0 must be"),
        (lambda: TokenEmbedding(4, 0), "d_model=0 must be"),
        (lambda: SinusoidalPositionalEncoding(7, 10), "d_model=7 must be even"),
        (lambda: SinusoidalPositionalEncoding(0, 10), "d_model=0 must be even"),
        (lambda: SinusoidalPositionalEncoding(8, 0), "max_length=0 must be"),
        (lambda: LearnedPositionalEncoding(8, 0), "max_length=0 must be"),
        (lambda: Encoder(BlockConfig(), 0), "layers=0 must be"),
        (lambda: Decoder(BlockConfig(), 0), "layers=0 must be"),
        (lambda: causal_mask(0), "query=0 and key=0"),
        (lambda: causal_mask(4, 3), "query=4 and key=3"),
        (lambda: split_heads(zeros(1, 2, 8), 3), "a width of 8 does not divide into heads=3"),
    ],
)
def test_parts_refuse_bad_sizes(build, message):
    with pytest.raises(ValueError, match=message):
        build()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"d_model": 0}, "d_model=0 must be"),
        ({"heads": 0}, "heads=0 must be"),
        ({"d_ff": 0}, "d_ff=0 must be"),
        ({"d_ff": 2.0}, "d_ff=2.0 must be"),
        ({"d_k": 0}, "d_k=0 must be"),
        ({"d_v": -3}, "d_v=-3 must be"),
        ({"dropout": 1.0}, "dropout=1.0 is not"),
        ({"attention_dropout": -0.5}, "attention_dropout=-0.5 is not"),
        ({"activation_dropout": 2.0}, "activation_dropout=2.0 is not"),
        ({"activation": "swish"}, "activation='swish' is not one of"),
        ({"norm_eps": 0.0}, "norm_eps=0.0 must be positive"),
        ({"source_vocab": 0}, "source_vocab=0 must be"),
        ({"target_vocab": 0}, "target_vocab=0 must be"),
        ({"encoder_layers": 0}, "encoder_layers=0 must be"),
        ({"decoder_layers": 0}, "decoder_layers=0 must be"),
        ({"max_length": 0}, "max_length=0 must be"),
        ({"positions": "rotary"}, "positions='rotary' is not one of sinusoidal, learned"),
        ({"tying": "yes"}, "tying='yes' is not one of none, two-way, three-way"),
        ({"d_model": 9, "heads": 3}, "d_model=9 must be even for sinusoidal positions"),
        ({"target_vocab": 30}, "source_vocab=20 and target_vocab=30"),
        ({"pad_id": 20}, "pad_id=20 lies outside a vocabulary of 20"),
        ({"start_id": -1}, "start_id=-1 lies outside"),
        ({"end_id": 25}, "end_id=25 lies outside"),
        ({"tying": "none", "source_vocab": 5, "pad_id": 7}, "pad_id=7 lies outside a vocabulary of 5"),
    ],
)
def test_config_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        TransformerConfig(**{**SMALL, **options})


def test_config_is_frozen_and_checked_again_when_replaced():
    config = TransformerConfig(**SMALL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        config.d_model = 16
    with pytest.raises(ValueError, match="d_model=9"):
        dataclasses.replace(config, d_model=9)
    assert dataclasses.replace(config, d_model=16).key_width == 16
    assert TransformerConfig(**{**SMALL, "d_model": 9, "heads": 3, "positions": "learned"}).d_model == 9


# What is passed in ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mask", "error", "message"),
    [
        (torch.ones(3, 3), TypeError, r"dtype torch.float32; it must be boolean"),
        (torch.ones(3, 3, dtype=torch.long), TypeError, r"dtype torch.int64; it must be boolean"),
        (torch.ones(3, 4).bool(), ValueError, r"shape \(3, 4\), the scores have \(2, 2, 3, 3\)"),
        (torch.ones(2, 3).bool(), ValueError, r"shape \(2, 3\)"),
        (torch.ones(3, 1).bool(), ValueError, r"shape \(3, 1\)"),
        (torch.ones(3).bool(), ValueError, r"shape \(3,\)"),
        (torch.ones(2, 3, 3).bool(), ValueError, r"shape \(2, 3, 3\)"),
        (torch.ones(3, 1, 3, 3).bool(), ValueError, r"shape \(3, 1, 3, 3\)"),
        (torch.ones(2, 3, 3, 3).bool(), ValueError, r"shape \(2, 3, 3, 3\)"),
        (torch.ones(2, 1, 2, 3).bool(), ValueError, r"shape \(2, 1, 2, 3\)"),
        (torch.ones(2, 1, 1, 1).bool(), ValueError, r"shape \(2, 1, 1, 1\)"),
        (torch.ones(1, 2, 1, 1, 3).bool(), ValueError, r"shape \(1, 2, 1, 1, 3\)"),
    ],
)
def test_masks_of_the_wrong_kind_or_shape(mask, error, message):
    attention = MultiHeadAttention(8, 2)
    x = torch.randn(2, 3, 8)
    with pytest.raises(error, match=message):
        attention(x, x, x, mask)
    heads = split_heads(x, 2)
    with pytest.raises(error, match=message):
        scaled_dot_product_attention(heads, heads, heads, mask)


def test_the_refusal_of_a_mask_says_what_would_fit():
    attention = MultiHeadAttention(8, 2)
    query, memory = torch.randn(4, 3, 8), torch.randn(4, 5, 8)
    wrong_shape = (
        "the mask has shape (5, 3), the scores have (4, 2, 3, 5): a mask is [query, key] = (3, 5), or has "
        "4 dimensions, each the size of the scores' or 1, the last one key = 5"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(wrong_shape)}$"):
        attention(query, memory, memory, torch.ones(5, 3, dtype=torch.bool))
    wrong_kind = (
        "the mask has dtype torch.float32; it must be boolean, True where attention is allowed "
        "(for a mask of 0 and 1 pass mask.bool())"
    )
    with pytest.raises(TypeError, match=f"^{re.escape(wrong_kind)}$"):
        attention(query, memory, memory, torch.ones(3, 5))


@pytest.mark.parametrize("shape", [(3, 3), (1, 1, 1, 3), (2, 1, 1, 3), (2, 2, 3, 3), (1, 2, 1, 3), (1, 1, 3, 3)])
def test_masks_of_every_right_shape(shape):
    x = torch.randn(2, 3, 8)
    assert MultiHeadAttention(8, 2)(x, x, x, torch.ones(shape, dtype=torch.bool)).isfinite().all()


@pytest.mark.parametrize(
    ("query", "key", "value", "message"),
    [
        (zeros(2, 3, 8), zeros(1, 3, 8), zeros(1, 3, 8), r"batch \(or head\) sizes differ: query \(2, 2, 3, 4\)"),
        (zeros(2, 3, 8), zeros(2, 3, 8), zeros(1, 3, 8), r"batch \(or head\) sizes differ"),
        (zeros(2, 3, 8), zeros(2, 4, 8), zeros(2, 5, 8), r"each key needs one value"),
        (zeros(2, 3, 6), zeros(2, 3, 8), zeros(2, 3, 8), r"query has shape \(2, 3, 6\).*d_model=8"),
        (zeros(2, 3, 8), zeros(2, 3, 6), zeros(2, 3, 8), r"key has shape \(2, 3, 6\).*d_model=8"),
        (zeros(2, 3, 8), zeros(2, 3, 8), zeros(2, 3, 6), r"value has shape \(2, 3, 6\).*d_model=8"),
        (zeros(3, 8), zeros(3, 8), zeros(3, 8), r"key has shape \(3, 8\)"),
        (zeros(0, 3, 8), zeros(0, 3, 8), zeros(0, 3, 8), r"\(0, 3, 8\): the batch and the sequence must not be empty"),
        (zeros(2, 0, 8), zeros(2, 3, 8), zeros(2, 3, 8), r"query has shape \(2, 0, 8\)"),
        (zeros(2, 3, 8), zeros(2, 0, 8), zeros(2, 0, 8), r"key has shape \(2, 0, 8\)"),
    ],
)
def test_sizes_that_do_not_fit(query, key, value, message):
    with pytest.raises(ValueError, match=message):
        MultiHeadAttention(8, 2)(query, key, value)


@pytest.mark.parametrize(
    ("query", "key", "value", "message"),
    [
        (zeros(2, 3, 8), zeros(2, 3, 6), zeros(2, 3, 6), r"the same width d_k: query \(2, 3, 8\), key \(2, 3, 6\)"),
        (zeros(2, 3, 8), zeros(2, 4, 8), zeros(2, 3, 8), r"each key needs one value"),
        (zeros(1, 3, 8), zeros(2, 3, 8), zeros(2, 3, 8), r"sizes differ"),
        (zeros(2, 3, 8), zeros(2, 3, 8), zeros(1, 3, 8), r"sizes differ"),
        (zeros(2, 3, 8), zeros(2, 0, 8), zeros(2, 0, 8), r"nothing to attend to or from"),
        (zeros(2, 0, 8), zeros(2, 3, 8), zeros(2, 3, 8), r"nothing to attend to or from"),
    ],
)
def test_the_function_refuses_too(query, key, value, message):
    with pytest.raises(ValueError, match=message):
        scaled_dot_product_attention(query, key, value)


@pytest.mark.parametrize(
    ("ids", "error", "message"),
    [
        (torch.tensor([[3, 20]]), ValueError, "token ids reach from 3 to 20, outside the vocabulary 0 to 19"),
        (torch.tensor([[-1, 3]]), ValueError, "token ids reach from -1 to 3"),
        (torch.tensor([[1.0, 3.0]]), TypeError, "whole numbers, got torch.float32"),
        (torch.tensor([[True, False]]), TypeError, "whole numbers, got torch.bool"),
        (torch.tensor([3, 4]), ValueError, r"shape \(2,\); expected a non-empty \[batch, position\]"),
        (torch.zeros(0, 3, dtype=torch.long), ValueError, r"shape \(0, 3\)"),
        (torch.zeros(2, 0, dtype=torch.long), ValueError, r"shape \(2, 0\)"),
    ],
)
def test_token_ids(ids, error, message):
    with pytest.raises(error, match=message):
        MODEL.source_embedding(ids)
    if ids.ndim == 2:
        with pytest.raises(error, match=message):
            MODEL(ids, torch.ones(len(ids), 2, dtype=torch.long))


def test_sequences_over_the_maximum_length():
    long, short = torch.full((1, 7), 3), torch.full((1, 2), 3)
    for source, target in ((long, short), (short, long)):
        with pytest.raises(ValueError, match=r"positions 0 to 6 do not lie within max_length=6"):
            MODEL(source, target)
    assert MODEL(long[:, :6], long[:, :6]).shape == (1, 6, 20)
    memory, mask = MODEL.encode(short)
    cache = MODEL.new_cache()
    MODEL.decode(long[:, :6], memory, mask, cache)
    with pytest.raises(ValueError, match=r"position 6 does not lie within max_length=6"):
        MODEL.decode(short[:, :1], memory, mask, cache)
    with pytest.raises(ValueError, match=r"positions -1 to 1"):
        MODEL.source_positions(zeros(1, 3, 8), start=-1)


def test_mismatched_batches():
    with pytest.raises(ValueError, match=r"the target is a batch of 1, the source one of 2"):
        MODEL(IDS, IDS[:1])


def test_a_cache_of_another_batch_or_depth():
    decoder = Decoder(BlockConfig(d_model=8, heads=2, d_ff=16), 2)
    cache = DecoderCache(2)
    decoder(zeros(4, 1, 8), zeros(4, 3, 8), cache=cache)
    with pytest.raises(ValueError, match=r"a memory \[4, 3, 8\], and this one is \[3, 3, 8\]: take a new cache"):
        decoder(zeros(3, 1, 8), zeros(3, 3, 8), cache=cache)
    with pytest.raises(ValueError, match=r"a cache for 3 layers, but the decoder has 2"):
        decoder(zeros(2, 1, 8), zeros(2, 3, 8), cache=DecoderCache(3))


def test_one_token_is_enough():
    assert MODEL(torch.tensor([[3]]), torch.tensor([[1]])).isfinite().all()
