"""Decoder layers, their stack and the key/value cache."""

import pytest
import torch

from blockbyblock import BlockConfig, Decoder, DecoderCache, DecoderLayer, causal_mask, padding_mask, record_attention
from blockbyblock.decoder import LayerCache

CONFIG = BlockConfig(d_model=8, heads=2, d_ff=16)
EXACT = {"rtol": 0.0, "atol": 1e-12}


def decoder(layers=2, **options):
    return Decoder(BlockConfig(d_model=8, heads=2, d_ff=16, **options), layers).double().eval()


def inputs(batch=2, position=5, source=4):
    return torch.randn(batch, position, 8, dtype=torch.float64), torch.randn(batch, source, 8, dtype=torch.float64)


def test_one_layer_by_its_parts():
    layer = DecoderLayer(CONFIG).double().eval()
    x, memory = inputs()
    mask = causal_mask(5)
    one = layer.self_attention_add_norm.norm(x + layer.self_attention(x, x, x, mask))
    two = layer.cross_attention_add_norm.norm(one + layer.cross_attention(one, memory, memory))
    expected = layer.feed_forward_add_norm.norm(two + layer.feed_forward(two))
    torch.testing.assert_close(layer(x, memory, mask), expected, **EXACT)


@pytest.mark.parametrize("training", [False, True])
def test_causal_in_training_and_in_evaluation(training):
    """Change a later position, and earlier outputs do not move. Dropout is off so that training can be compared."""
    stack = decoder(dropout=0.0).train(training)
    x, memory = inputs()
    changed = x.clone()
    changed[:, 3:] += 10
    before, after = stack(x, memory, causal_mask(5)), stack(changed, memory, causal_mask(5))
    torch.testing.assert_close(before[:, :3], after[:, :3], **EXACT)
    assert not torch.allclose(before[:, 3:], after[:, 3:])


def test_padding_of_the_memory_changes_nothing():
    stack = decoder()
    x, memory = inputs()
    padded = torch.cat((memory, 100 * torch.randn(2, 3, 8, dtype=torch.float64)), dim=1)
    mask = padding_mask(torch.tensor([[1, 1, 1, 1, 0, 0, 0]] * 2), 0)
    expected = stack(x, memory, causal_mask(5))
    torch.testing.assert_close(stack(x, padded, causal_mask(5), mask), expected, **EXACT)


@pytest.mark.parametrize("options", [{}, {"pre_norm": True}, {"d_k": 3, "d_v": 5}])
@pytest.mark.parametrize("steps", [(1, 1, 1, 1, 1), (3, 2), (2, 1, 2)])
def test_cached_equals_full_at_every_step(options, steps):
    stack = decoder(3, **options)
    x, memory = inputs()
    memory_mask = torch.tensor([[True, True, True, False], [True] * 4])[:, None, None]
    full = stack(x, memory, causal_mask(5), memory_mask)
    cache, start = DecoderCache(3), 0
    for step in steps:
        end = start + step
        mask = causal_mask(step, end)
        new = stack(x[:, start:end], memory, mask, memory_mask, cache)
        torch.testing.assert_close(new, full[:, start:end], **EXACT)
        assert cache.length == end
        start = end


def test_the_memory_is_projected_once(monkeypatch):
    stack = decoder(1)
    x, memory = inputs()
    calls = []
    project = stack.layers[0].cross_attention.project
    monkeypatch.setattr(stack.layers[0].cross_attention, "project", lambda *args: calls.append(1) or project(*args))
    cache = DecoderCache(1)
    for i in range(3):
        stack(x[:, i : i + 1], memory, cache=cache)
    assert len(calls) == 1


def test_a_cache_follows_its_rows():
    """Reordering, repeating and dropping rows of the cache equals doing so to the sentences."""
    stack = decoder()
    x, memory = inputs(batch=3)
    cache = DecoderCache(2)
    stack(x[:, :4], memory, causal_mask(4), cache=cache)
    rows = torch.tensor([2, 0, 0, 2])
    cache.select(rows)
    assert cache.length == 4
    new = stack(x[rows, 4:], memory[rows], cache=cache)
    full = stack(x[rows], memory[rows], causal_mask(5))
    torch.testing.assert_close(new, full[:, 4:], **EXACT)


def test_new_positions_are_written_behind_the_others():
    """64 steps of one position: the buffer is left for a larger one 5 times, not 64 times."""
    cache, buffers = LayerCache(), []
    new = [(torch.randn(2, 3, 1, 4), torch.randn(2, 3, 1, 5)) for _ in range(64)]
    for step, pair in enumerate(new, 1):
        held = cache.extend(*pair)
        assert cache.length == step
        for got, parts in zip(held, zip(*new[:step], strict=True), strict=True):
            assert torch.equal(got, torch.cat(parts, dim=2))
        if not buffers or cache.target[0] is not buffers[-1]:
            buffers.append(cache.target[0])
    assert [buffer.shape[2] for buffer in buffers] == [1, 4, 10, 22, 46, 94]


def test_a_kept_memory_stands_head_by_head():
    stack = decoder(1)
    x, memory = inputs()
    cache = DecoderCache(1)
    stack(x, memory, causal_mask(5), cache=cache)
    assert all(held.is_contiguous() for held in cache.layers[0].memory)


def test_no_wrong_gradient_comes_out_of_a_cache():
    """A later step writes into the buffer that the gradient of an earlier one needs: torch says so."""
    stack = decoder(1)
    x, memory = inputs(position=4)
    x.requires_grad_()
    cache, outputs = DecoderCache(1), []
    for i in range(4):
        outputs.append(stack(x[:, i : i + 1], memory, cache=cache))
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        torch.cat(outputs, 1).sum().backward()


@pytest.mark.parametrize("one_layer", [False, True])
def test_a_cache_refuses_another_memory(one_layer):
    """The keys and values of the first would be read, and nobody would see it."""
    stack = decoder(1)
    x, memory = inputs()
    run, cache = (stack.layers[0], LayerCache()) if one_layer else (stack, DecoderCache(1))
    run(x[:, :1], memory, cache=cache)
    with pytest.raises(ValueError, match="keys and values of another memory: take a new cache"):
        run(x[:, 1:2], memory + 1, cache=cache)
    with pytest.raises(ValueError, match=r"of a memory \[2, 4, 8\], and this one is \[2, 3, 8\]: take a new cache"):
        run(x[:, 1:2], memory[:, :3], cache=cache)
    run(x[:, 1:2], memory.clone(), cache=cache)  # the same numbers are the same memory
    assert cache.length == 2


def test_a_cache_with_selected_rows_refuses_the_memory_of_others():
    stack = decoder(2)
    x, memory = inputs(batch=3)
    cache = DecoderCache(2)
    stack(x[:, :1], memory, cache=cache)
    cache.select(torch.tensor([2, 0]))
    with pytest.raises(ValueError, match="of another memory"):
        stack(x[:2, 1:2], memory[:2], cache=cache)
    stack(x[[2, 0], 1:2], memory[[2, 0]], cache=cache)
    assert cache.length == 2


def test_selecting_from_an_empty_cache_is_harmless():
    cache = DecoderCache(2)
    cache.select(torch.tensor([0]))
    assert cache.length == 0


def test_without_a_cache_nothing_is_kept():
    stack = decoder()
    x, memory = inputs()
    assert torch.equal(stack(x, memory), stack(x, memory))


def test_both_attentions_of_every_layer_are_recorded_with_their_masks():
    stack = decoder(2)
    x, memory = inputs()
    mask = causal_mask(5)
    memory_mask = torch.ones(2, 1, 1, 4, dtype=torch.bool)
    with record_attention(stack) as records:
        stack(x, memory, mask, memory_mask)
    assert list(records) == [f"layers.{i}.{kind}" for i in range(2) for kind in ("self_attention", "cross_attention")]
    assert records["layers.1.self_attention"].weights.shape == (2, 2, 5, 5)
    assert records["layers.1.self_attention"].mask is mask
    assert records["layers.1.cross_attention"].weights.shape == (2, 2, 5, 4)
    assert records["layers.1.cross_attention"].mask is memory_mask


def test_a_stack_ends_with_a_norm_only_when_asked():
    x, memory = inputs()
    for options, ends in (({}, False), ({"pre_norm": True}, True)):
        stack = decoder(1, **options)
        body = stack.layers[0](x, memory)
        expected = torch.nn.functional.layer_norm(body, (8,)) if ends else body
        torch.testing.assert_close(stack(x, memory), expected, **EXACT)


def test_pre_norm_reaches_all_three_sublayers():
    layer = DecoderLayer(BlockConfig(d_model=8, heads=2, d_ff=16, pre_norm=True, dropout=0.2))
    for add_norm in (layer.self_attention_add_norm, layer.cross_attention_add_norm, layer.feed_forward_add_norm):
        assert add_norm.pre_norm
        assert add_norm.dropout.p == 0.2
