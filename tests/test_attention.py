"""Scaled dot-product and multi-head attention, by property."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock import (
    MultiHeadAttention,
    causal_mask,
    concat_heads,
    record_attention,
    scaled_dot_product_attention,
    split_heads,
)

# float64 leaves about 16 digits; sums of a few dozen products lose two or three of them.
EXACT = {"rtol": 0.0, "atol": 1e-12}
size = st.integers(1, 5)


def qkv(batch=2, query=3, key=4, d_k=6, d_v=5, dtype=torch.float64):
    return (
        torch.randn(batch, query, d_k, dtype=dtype),
        torch.randn(batch, key, d_k, dtype=dtype),
        torch.randn(batch, key, d_v, dtype=dtype),
    )


def test_attention_by_hand():
    """Two keys, scores 4/√4 = 2 and 0: weights e²/(e² + 1) and 1/(e² + 1)."""
    query = torch.tensor([[2.0, 0.0, 0.0, 0.0]])
    key = torch.tensor([[2.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0]])
    value = torch.tensor([[1.0, 10.0], [0.0, 20.0]])
    output, weights = scaled_dot_product_attention(query, key, value)
    first = math.exp(2) / (math.exp(2) + 1)
    torch.testing.assert_close(weights, torch.tensor([[first, 1 - first]]))
    torch.testing.assert_close(output, torch.tensor([[first, 10 * first + 20 * (1 - first)]]))


@given(batch=size, heads=size, query=size, key=size, d_k=size, d_v=size)
def test_weights_are_distributions_over_the_keys(batch, heads, query, key, d_k, d_v):
    shape = (batch, heads)
    output, weights = scaled_dot_product_attention(
        torch.randn(*shape, query, d_k), torch.randn(*shape, key, d_k), torch.randn(*shape, key, d_v)
    )
    assert weights.shape == (batch, heads, query, key)
    assert output.shape == (batch, heads, query, d_v)
    assert (weights >= 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(batch, heads, query))


@given(batch=size, query=size, key=size, d_k=size)
def test_explicit_equals_the_fused_kernel(batch, query, key, d_k):
    q, k, v = qkv(batch, query, key, d_k)
    mask = torch.rand(batch, query, key) < 0.6
    ours, _ = scaled_dot_product_attention(q, k, v, mask)
    fused = torch.nn.functional.scaled_dot_product_attention(q, k, v, attn_mask=mask)
    torch.testing.assert_close(ours, fused, **EXACT)


def test_masked_weights_are_exactly_zero_and_the_rest_still_sums_to_one():
    q, k, v = qkv()
    mask = torch.tensor([[True, False, True, True], [False, True, False, False], [True] * 4])
    _, weights = scaled_dot_product_attention(100 * q, k, v, mask)
    assert (weights[:, ~mask] == 0).all()
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 3, dtype=torch.float64))


def test_what_a_masked_key_holds_does_not_matter():
    q, k, v = qkv()
    mask = torch.tensor([True, True, False, True]).expand(3, 4)
    before, _ = scaled_dot_product_attention(q, k, v, mask)
    k[:, 2], v[:, 2] = 1e6, -1e6
    after, _ = scaled_dot_product_attention(q, k, v, mask)
    assert torch.equal(before, after)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_masking_works_in_every_precision(dtype):
    q, k, v = qkv(dtype=dtype)
    output, weights = scaled_dot_product_attention(q, k, v, torch.tensor([True, False, True, True]).expand(3, 4))
    assert output.dtype == dtype
    assert output.isfinite().all()
    assert (weights[..., 1] == 0).all()


def test_a_query_that_may_look_at_nothing_gets_zeros_and_a_finite_gradient():
    tensors = [tensor.requires_grad_() for tensor in qkv()]
    mask = torch.ones(3, 4, dtype=torch.bool)
    mask[1] = False
    output, weights = scaled_dot_product_attention(*tensors, mask)
    assert (output[:, 1] == 0).all()
    assert (weights[:, 1] == 0).all()
    output.square().sum().backward()
    assert all(tensor.grad.isfinite().all() for tensor in tensors)


def test_permuting_keys_with_their_values_changes_nothing():
    q, k, v = qkv()
    order = torch.tensor([2, 0, 3, 1])
    one, weights = scaled_dot_product_attention(q, k, v)
    two, permuted = scaled_dot_product_attention(q, k[:, order], v[:, order])
    torch.testing.assert_close(one, two, **EXACT)
    torch.testing.assert_close(weights[..., order], permuted, **EXACT)


def test_dropout_hits_the_weights_that_meet_the_values_and_not_those_returned():
    q, k, v = qkv()
    plain, weights = scaled_dot_product_attention(q, k, v)
    dropped, returned = scaled_dot_product_attention(q, k, v, dropout=0.5)
    torch.testing.assert_close(returned, weights, **EXACT)
    assert not torch.allclose(plain, dropped)


def test_in_bfloat16_on_a_cpu_the_kernel_computes_in_float32():
    attention = MultiHeadAttention(16, 2).bfloat16()
    x = torch.randn(2, 3, 16, dtype=torch.bfloat16)
    seen = []

    class Watch(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            if function is torch.nn.functional.scaled_dot_product_attention:
                seen.append((args[0].dtype, torch.is_autocast_enabled("cpu")))
            return function(*args, **(kwargs or {}))

    for autocast in (False, True):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast), Watch():
            assert attention(x, x, x).dtype == torch.bfloat16
    assert seen == [(torch.float32, False)] * 2


def test_split_heads_on_numbered_cells():
    """Position p, feature f holds 10 p + f; head 1 of 2 must hold features 2 and 3 of every position."""
    x = torch.tensor([[[0.0, 1.0, 2.0, 3.0], [10.0, 11.0, 12.0, 13.0], [20.0, 21.0, 22.0, 23.0]]])
    heads = split_heads(x, 2)
    assert heads[0, 0].tolist() == [[0, 1], [10, 11], [20, 21]]
    assert heads[0, 1].tolist() == [[2, 3], [12, 13], [22, 23]]


@given(batch=size, position=size, heads=size, d_head=size)
def test_concat_heads_undoes_split_heads(batch, position, heads, d_head):
    x = torch.randn(batch, position, heads * d_head)
    split = split_heads(x, heads)
    assert split.shape == (batch, heads, position, d_head)
    assert torch.equal(concat_heads(split), x)


@given(batch=size, query=size, key=size, heads=size, d_k=size, d_v=size, d_out=size, d_model=size)
def test_every_shape_of_the_notes(batch, query, key, heads, d_k, d_v, d_out, d_model):
    """d_model -> h * d_k, concat back to h * d_v, and an output width that may be chosen."""
    attention = MultiHeadAttention(d_model, heads, d_k=d_k, d_v=d_v, d_out=d_out)
    assert attention.query_projection.weight.shape == (heads * d_k, d_model)
    assert attention.key_projection.weight.shape == (heads * d_k, d_model)
    assert attention.value_projection.weight.shape == (heads * d_v, d_model)
    assert attention.output_projection.weight.shape == (d_out, heads * d_v)
    memory = torch.randn(batch, key, d_model)
    assert attention(torch.randn(batch, query, d_model), memory, memory).shape == (batch, query, d_out)


def test_head_widths_default_to_a_share_of_d_model():
    attention = MultiHeadAttention(12, 3)
    assert (attention.d_k, attention.d_v, attention.d_out) == (4, 4, 12)
    assert MultiHeadAttention(12, 5, d_k=7, d_v=2).d_k == 7


def test_multi_head_equals_a_loop_over_the_heads():
    """The formula of section 3.2.2, head by head, with slices of the wide matrices."""
    attention = MultiHeadAttention(8, 2, d_k=3, d_v=5).double()
    x, memory = torch.randn(2, 4, 8, dtype=torch.float64), torch.randn(2, 6, 8, dtype=torch.float64)
    heads = []
    for h in range(2):
        keys, values = slice(3 * h, 3 * h + 3), slice(5 * h, 5 * h + 5)
        q = x @ attention.query_projection.weight[keys].T + attention.query_projection.bias[keys]
        k = memory @ attention.key_projection.weight[keys].T + attention.key_projection.bias[keys]
        v = memory @ attention.value_projection.weight[values].T + attention.value_projection.bias[values]
        heads.append(scaled_dot_product_attention(q, k, v)[0])
    expected = attention.output_projection(torch.cat(heads, dim=-1))
    torch.testing.assert_close(attention(x, memory, memory), expected, **EXACT)


def test_recording_changes_no_output_and_no_gradient():
    attention = MultiHeadAttention(8, 2).double()
    x = torch.randn(2, 4, 8, dtype=torch.float64)
    mask = causal_mask(4)
    fused = attention(x, x, x, mask)
    fused.square().sum().backward()
    gradients = [parameter.grad.clone() for parameter in attention.parameters()]
    attention.zero_grad()
    with record_attention(attention) as records:
        explicit = attention(x, x, x, mask)
    explicit.square().sum().backward()
    torch.testing.assert_close(fused, explicit, **EXACT)
    for before, parameter in zip(gradients, attention.parameters(), strict=True):
        torch.testing.assert_close(before, parameter.grad, **EXACT)
    record = records[""]
    assert record.weights.shape == (2, 2, 4, 4)
    assert not record.weights.requires_grad
    assert record.mask is mask


def test_recording_ends_with_its_context_even_after_an_error_and_may_be_nested():
    attention = MultiHeadAttention(4, 2)
    x = torch.randn(1, 3, 4)
    with record_attention(attention) as outer:
        with record_attention(attention) as inner:
            attention(x, x, x)
        assert inner
        assert not outer
        attention(x, x, x)
        assert outer
    with pytest.raises(RuntimeError, match="stop"), record_attention(attention):
        raise RuntimeError("stop")
    assert attention.recorder is None


@pytest.mark.parametrize("recorded", [False, True])
def test_dropout_only_in_training(recorded):
    attention = MultiHeadAttention(8, 2, dropout=0.5)
    x = torch.randn(2, 4, 8)

    def run():
        if not recorded:
            return attention(x, x, x)
        with record_attention(attention):
            return attention(x, x, x)

    attention.eval()
    assert torch.equal(run(), run())
    attention.train()
    assert not torch.equal(run(), run())


def test_both_paths_give_zeros_plus_the_output_bias_where_nothing_may_be_seen():
    attention = MultiHeadAttention(8, 2)
    torch.nn.init.normal_(attention.output_projection.bias)
    x = torch.randn(2, 3, 8, requires_grad=True)
    mask = torch.ones(2, 1, 1, 3, dtype=torch.bool)
    mask[1] = False
    fused = attention(x, x, x, mask)
    with record_attention(attention) as records:
        explicit = attention(x, x, x, mask)
    assert (records[""].weights[1] == 0).all()
    for output in (fused, explicit):
        torch.testing.assert_close(output[1], attention.output_projection.bias.expand(3, 8))
        (gradient,) = torch.autograd.grad(output.square().sum(), x, retain_graph=True)
        assert gradient.isfinite().all()


def test_a_mask_may_differ_by_head():
    attention = MultiHeadAttention(8, 2)
    x = torch.randn(1, 3, 8)
    mask = torch.stack((causal_mask(3), ~causal_mask(3)))[None]
    with record_attention(attention) as records:
        attention(x, x, x, mask)
    assert ((records[""].weights > 0) == mask).all()


def test_initialisation_is_xavier_with_zero_biases():
    attention = MultiHeadAttention(64, 4)
    for projection in (
        attention.query_projection,
        attention.key_projection,
        attention.value_projection,
        attention.output_projection,
    ):
        assert (projection.bias == 0).all()
        bound = math.sqrt(6 / (64 + 64))
        assert projection.weight.abs().max() <= bound
        # 4,096 uniform draws: their largest is within 1 % of the bound but for a chance of e^-40.
        assert projection.weight.abs().max() > 0.99 * bound


def test_its_sizes_stand_in_the_repr():
    assert "d_model=8, heads=2, d_k=3, d_v=4" in repr(MultiHeadAttention(8, 2, d_k=3))
