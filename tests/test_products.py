"""Fast products: the same numbers as `nn.Linear`, and nothing left behind."""

import pytest
import torch
from torch import nn
from torch.testing import assert_close

from blockbyblock import Transformer, TransformerConfig, products
from blockbyblock.decoding import beam_search, greedy
from blockbyblock.products import fast_products


@pytest.fixture(params=["with oneDNN", "without oneDNN"])
def machine(request, monkeypatch):
    """A processor for which oneDNN is chosen, where PyTorch has it, and one for which it is not; whichever this is."""
    has_it = torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")
    monkeypatch.setattr(products, "_has_faster_product", lambda: has_it and request.param == "with oneDNN")


@pytest.mark.parametrize("shape", [(1, 1, 24), (1, 4, 24), (32, 1, 24), (3, 5, 24)])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("often", [True, False])
@torch.inference_mode()
def test_the_same_numbers(machine, shape, bias, often):
    linear, other, x = nn.Linear(24, 40, bias=bias), nn.Linear(24, 40), torch.randn(shape)
    expected = linear(x)
    with fast_products(other, linear) if often else fast_products(linear, other):
        assert_close(linear(x), expected)  # torch's own tolerance for float32: the order of the sums differs


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
@torch.inference_mode()
def test_another_precision_is_left_alone(machine, dtype):
    linear, x = nn.Linear(24, 40, dtype=dtype), torch.randn(2, 3, 24, dtype=dtype)
    expected = linear(x)
    with fast_products(linear, linear):
        assert "forward" not in vars(linear)
        assert torch.equal(linear(x), expected)


@torch.inference_mode()
def test_autocast_decides_the_precision_as_ever(machine):
    linear, x = nn.Linear(24, 40), torch.randn(2, 3, 24)
    with torch.autocast("cpu", torch.bfloat16):
        expected = linear(x)
        with fast_products(nn.ReLU(), linear):
            assert_close(linear(x), expected)
    assert expected.dtype == torch.bfloat16


@torch.inference_mode()
def test_hooks_run_and_a_replaced_forward_stays(machine):
    hooked, replaced, x = nn.Linear(24, 40), nn.Linear(24, 40), torch.randn(2, 3, 24)
    hooked.register_forward_hook(lambda module, inputs, output: output * 0)
    replaced.forward = lambda x: x + 1
    with fast_products(nn.ReLU(), hooked, replaced):
        assert not hooked(x).any()
        assert torch.equal(replaced(x), x + 1)
    assert torch.equal(replaced(x), x + 1)


def test_a_parametrized_weight_is_left_alone(machine):
    linear, x = nn.utils.parametrizations.weight_norm(nn.Linear(24, 40)), torch.randn(2, 3, 24)
    with fast_products(linear, linear), torch.inference_mode():
        linear.parametrizations.weight.original0.mul_(2)
        assert_close(linear(x), nn.functional.linear(x, linear.weight, linear.bias))


def test_a_linear_map_is_afterwards_as_it_was(machine):
    linear = nn.Linear(24, 40)
    weight, strides, values = linear.weight, linear.weight.stride(), linear.weight.detach().clone()
    with pytest.raises(RuntimeError, match="broke"), fast_products(linear, linear):
        raise RuntimeError("broke")
    assert vars(linear).keys() == vars(nn.Linear(24, 40)).keys()
    assert linear.weight is weight
    assert linear.weight.stride() == strides
    assert torch.equal(linear.weight, values)


def test_one_inside_another_ends_with_the_outer(machine):
    """As where two threads decode with one model."""
    linear, x = nn.Linear(24, 40), torch.randn(2, 3, 24)
    with torch.inference_mode(), fast_products(nn.ReLU(), linear):
        with fast_products(nn.ReLU(), linear):
            assert_close(linear(x), nn.functional.linear(x, linear.weight, linear.bias))
        assert_close(linear(x), nn.functional.linear(x, linear.weight, linear.bias))
    assert "forward" not in vars(linear)


def test_a_search_follows_the_weights_of_today(machine):
    """No copy of a matrix outlives the search that made it."""
    sizes = {"d_model": 32, "heads": 4, "d_ff": 64, "encoder_layers": 1, "decoder_layers": 1, "max_length": 32}
    model = Transformer(TransformerConfig(**sizes, source_vocab=50, target_vocab=50))
    source = torch.tensor([[5, 6, 7, 2], [8, 2, 0, 0]])
    for _ in range(2):
        for search in (greedy, lambda *inputs: [found[0] for found in beam_search(*inputs)]):
            found = search(model, source, 8)
            twin = Transformer(model.config).double()  # in float64 no product is replaced
            twin.load_state_dict(model.state_dict())
            expected = search(twin, source, 8)
            assert [one.ids for one in found] == [one.ids for one in expected]
            for one, other in zip(found, expected, strict=True):
                assert one.log_probability == pytest.approx(other.log_probability, rel=1e-5)  # float32
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn_like(parameter) * 0.05)
