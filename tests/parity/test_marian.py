"""Equal to Hugging Face's Marian, built from a configuration with random weights; nothing is downloaded."""

import pytest
import torch
from comparison import LIMITS, largest_difference, randomise
from transformers import MarianConfig, MarianMTModel

from blockbyblock import Transformer, TransformerConfig
from blockbyblock.interop import from_marian, to_marian

SIZES = {
    "d_model": 32, "heads": 4, "d_ff": 64, "dropout": 0.0, "encoder_layers": 2, "decoder_layers": 3,
    "source_vocab": 50, "target_vocab": 50, "max_length": 32,
}  # fmt: skip
SOURCE = torch.tensor([[5, 6, 7, 8, 9, 10, 2], [11, 12, 13, 2, 0, 0, 0]])
TARGET = torch.tensor([[1, 20, 21, 22, 23], [1, 24, 25, 26, 27]])


def run_marian(peer):
    return peer(input_ids=SOURCE, attention_mask=SOURCE != 0, decoder_input_ids=TARGET, use_cache=False).logits


@pytest.mark.parametrize("dtype", LIMITS, ids=["float64", "float32"])
@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "silu"])
def test_marian(activation, dtype, report):
    ours = randomise(Transformer(TransformerConfig(**SIZES, activation=activation))).to(dtype)
    peer = to_marian(ours)
    difference = largest_difference(ours, lambda: ours(SOURCE, TARGET), peer, lambda: run_marian(peer), (), to_marian)
    report("Hugging Face MarianMTModel, 2 + 3 layers", dtype, difference)
    assert difference < LIMITS[dtype]


def marian_config(**options):
    sizes = {
        "vocab_size": 50, "d_model": 32, "encoder_layers": 2, "decoder_layers": 1, "encoder_attention_heads": 4,
        "decoder_attention_heads": 4, "encoder_ffn_dim": 64, "decoder_ffn_dim": 64, "max_position_embeddings": 32,
        "activation_function": "swish", "scale_embedding": True, "pad_token_id": 0, "eos_token_id": 2,
        "decoder_start_token_id": 0, "forced_eos_token_id": None,
    }  # fmt: skip
    return MarianConfig(**{**sizes, **options})


def test_from_marian_starting_from_padding_as_marian_does(report):
    """Marian's first decoder input is its padding id: it must be seen, although it is padding in the source."""
    peer = MarianMTModel(marian_config()).double().eval()
    with torch.no_grad():
        for name, parameter in peer.named_parameters():
            if "embed_positions" not in name:
                parameter.normal_(std=0.3)
        peer.final_logits_bias.normal_()
    ours = from_marian(peer)
    target = torch.tensor([[0, 20, 21], [0, 24, 25]])
    with torch.no_grad():
        expected = peer(input_ids=SOURCE, attention_mask=SOURCE != 0, decoder_input_ids=target).logits
        difference = (ours(SOURCE, target) - expected).abs().max().item()
    report("from_marian, with its output bias", torch.float64, difference)
    assert difference < LIMITS[torch.float64]


def test_what_is_no_weight_has_its_place_on_both_sides():
    rates = {"dropout": 0.11, "attention_dropout": 0.12, "activation_dropout": 0.13}
    config = from_marian(MarianMTModel(marian_config(**rates, max_position_embeddings=48, eos_token_id=3))).config
    assert {name: getattr(config, name) for name in rates} == rates
    assert (config.max_length, config.end_id, config.pad_id, config.start_id) == (48, 3, 0, 0)
    assert config.activation == "silu"  # which Marian calls swish
    sizes = SIZES | rates | {"max_length": 48, "end_id": 3, "start_id": 4}
    peer = to_marian(Transformer(TransformerConfig(**sizes))).config
    assert {name: getattr(peer, name) for name in rates} == rates
    assert (peer.max_position_embeddings, peer.eos_token_id, peer.decoder_start_token_id) == (48, 3, 4)


def test_there_and_back_again():
    ours = randomise(Transformer(TransformerConfig(**SIZES, output_bias=True))).double().eval()
    back = from_marian(to_marian(ours))
    assert back.config == ours.config
    assert not back.training
    for (name, here), there in zip(ours.state_dict().items(), back.state_dict().values(), strict=True):
        assert torch.equal(here, there), name


@pytest.mark.unhooked  # its own type check would refuse first
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"positions": "learned"}, "positions='sinusoidal'"),
        ({"pre_norm": True}, "pre_norm=False"),
        ({"final_norm": True}, "ends_with_norm=False"),
        ({"tying": "none"}, "tying='three-way'"),
        ({"d_k": 5}, "key_width=32"),
        ({"d_v": 5}, "value_width=32"),
        ({"norm_eps": 1e-3}, "norm_eps=1e-05"),
    ],
)
def test_what_marian_has_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        to_marian(Transformer(TransformerConfig(**SIZES, **options)))


@pytest.mark.unhooked  # its own type check would refuse first
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_embedding": False}, "scale_embedding=False"),
        ({"share_encoder_decoder_embeddings": False}, "share_encoder_decoder_embeddings=False"),
        ({"decoder_ffn_dim": 32}, "encoder_ffn_dim=64, decoder_ffn_dim=32"),
        ({"decoder_attention_heads": 2}, "encoder_attention_heads=4, decoder_attention_heads=2"),
        ({"activation_function": "tanh"}, "activation_function='tanh' has no counterpart"),
    ],
)
def test_what_we_have_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        from_marian(MarianMTModel(marian_config(**options)))
