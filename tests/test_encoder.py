"""Encoder layers and their stack."""

import pytest
import torch

from blockbyblock import BlockConfig, DecoderCache, Encoder, EncoderLayer, causal_mask, padding_mask, record_attention
from blockbyblock.cache import caches

SMALL = {"d_model": 8, "heads": 2, "d_ff": 16}


def encoder(layers=2, **options):
    return Encoder(BlockConfig(**{**SMALL, **options}), layers).double().eval()


def test_one_layer_by_its_parts():
    layer = EncoderLayer(BlockConfig(**SMALL)).double().eval()
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    attended = layer.self_attention_add_norm.norm(x + layer.self_attention(x, x, x))
    expected = layer.feed_forward_add_norm.norm(attended + layer.feed_forward(attended))
    torch.testing.assert_close(layer(x), expected, rtol=0, atol=1e-12)


def test_a_stack_is_its_layers_one_after_the_other():
    stack = encoder(3)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    assert len(stack.layers) == 3
    assert torch.equal(stack(x), stack.layers[2](stack.layers[1](stack.layers[0](x))))


def test_layers_do_not_share_parameters():
    stack = encoder(2)
    assert not torch.equal(stack.layers[0].self_attention.query_projection.weight,
                           stack.layers[1].self_attention.query_projection.weight)  # fmt: skip


@pytest.mark.parametrize(
    ("options", "ends"),
    [
        ({}, False),
        ({"pre_norm": True}, True),
        ({"final_norm": True}, True),
        ({"pre_norm": True, "final_norm": False}, False),
    ],
)
def test_a_final_norm_by_default_only_with_pre_norm(options, ends):
    stack = encoder(2, **options)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    body = stack.layers[1](stack.layers[0](x))
    expected = torch.nn.functional.layer_norm(body, (8,)) if ends else body
    torch.testing.assert_close(stack(x), expected, rtol=0, atol=1e-12)
    assert (not torch.allclose(expected, body)) == (ends and options.get("pre_norm", False))


@pytest.mark.parametrize("options", [{}, {"pre_norm": True}])
def test_without_positions_a_permutation_goes_in_and_comes_out(options):
    stack = encoder(2, **options)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(stack(x)[:, order], stack(x[:, order]), rtol=0, atol=1e-12)


def test_padding_changes_nothing():
    """A sentence alone equals the same sentence in a longer batch, whatever stands in the padding."""
    stack = encoder()
    x = torch.randn(1, 3, 8, dtype=torch.float64)
    padded = torch.cat((x, 100 * torch.randn(1, 4, 8, dtype=torch.float64)), dim=1)
    mask = padding_mask(torch.tensor([[5, 6, 7, 0, 0, 0, 0]]), 0)
    torch.testing.assert_close(stack(padded, mask)[:, :3], stack(x), rtol=0, atol=1e-12)


def test_every_layer_gets_the_mask():
    stack = encoder(3)
    mask = padding_mask(torch.tensor([[5, 6, 0]]), 0)
    with record_attention(stack) as records:
        stack(torch.randn(1, 3, 8, dtype=torch.float64), mask)
    assert list(records) == [f"layers.{i}.self_attention" for i in range(3)]
    for record in records.values():
        assert record.mask is mask
        assert (record.weights[..., 2] == 0).all()


def test_config_reaches_every_part():
    config = BlockConfig(
        d_model=8, heads=2, d_ff=16, d_k=3, d_v=5, dropout=0.2, attention_dropout=0.3, activation_dropout=0.4,
        activation="gelu", pre_norm=True, norm_eps=1e-3,
    )  # fmt: skip
    layer = EncoderLayer(config)
    assert (layer.self_attention.d_k, layer.self_attention.d_v) == (3, 5)
    assert layer.self_attention.dropout == 0.3
    assert layer.feed_forward.dropout.p == 0.4
    assert layer.feed_forward.activation == "gelu"
    assert layer.feed_forward.hidden_projection.out_features == 16
    for add_norm in (layer.self_attention_add_norm, layer.feed_forward_add_norm):
        assert (add_norm.dropout.p, add_norm.pre_norm, add_norm.norm.eps) == (0.2, True, 1e-3)
    assert Encoder(config, 1).norm.eps == 1e-3


@pytest.mark.parametrize("options", [{}, {"pre_norm": True}])
@pytest.mark.parametrize("steps", [(1, 1, 1, 1, 1), (3, 2)])
def test_with_a_causal_mask_cached_equals_full_at_every_step(options, steps):
    stack = encoder(3, **options)
    x = torch.randn(2, 5, 8, dtype=torch.float64)
    full, cache, start = stack(x, causal_mask(5)), DecoderCache(3), 0
    for step in steps:
        end = start + step
        got = stack(x[:, start:end], causal_mask(step, end), cache)
        torch.testing.assert_close(got, full[:, start:end], rtol=0, atol=1e-12)
        start = end
        assert cache.length == end


def test_each_layer_has_its_own_cache_or_none():
    stack, cache = encoder(3), DecoderCache(3)
    assert list(caches(None, stack.layers)) == [None] * 3
    assert caches(cache, stack.layers) is cache.layers
    assert len({id(layer) for layer in cache.layers}) == 3
    with pytest.raises(ValueError, match="a cache for 3 layers, but the decoder has 2"):
        caches(cache, encoder(2).layers)
