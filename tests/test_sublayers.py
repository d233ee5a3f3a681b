"""Feed-forward, and Add & Norm."""

import pytest
import torch

from blockbyblock import AddNorm, FeedForward


def test_feed_forward_by_the_formula():
    network = FeedForward(6, 10).double()
    x = torch.randn(2, 3, 6, dtype=torch.float64)
    w1, w2 = network.hidden_projection, network.output_projection
    expected = (x @ w1.weight.T + w1.bias).clamp(min=0) @ w2.weight.T + w2.bias
    torch.testing.assert_close(network(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("activation", ["relu", "gelu", "silu"])
def test_the_activation_is_the_one_asked_for(activation):
    network = FeedForward(4, 4, activation=activation)
    torch.nn.init.eye_(network.hidden_projection.weight)
    torch.nn.init.eye_(network.output_projection.weight)
    x = torch.randn(1, 3, 4)
    torch.testing.assert_close(network(x), getattr(torch.nn.functional, activation)(x))


def test_feed_forward_treats_each_position_alone():
    network = FeedForward(6, 10)
    x = torch.randn(2, 5, 6)
    order = torch.tensor([3, 1, 4, 0, 2])
    torch.testing.assert_close(network(x)[:, order], network(x[:, order]))
    changed = x.clone()
    changed[:, 2] += 1
    same = (network(changed) == network(x)).all(-1)
    assert same.tolist() == [[True, True, False, True, True]] * 2


def test_feed_forward_dropout_only_in_training():
    network = FeedForward(6, 200, dropout=0.5)
    x = torch.randn(2, 5, 6)
    assert not torch.equal(network(x), network(x))
    network.eval()
    assert torch.equal(network(x), network(x))


def test_feed_forward_initialisation():
    network = FeedForward(30, 90)
    bound = (6 / 120) ** 0.5
    for projection in (network.hidden_projection, network.output_projection):
        assert (projection.bias == 0).all()
        assert 0.99 * bound < projection.weight.abs().max() <= bound


def double(x):
    return 2 * x


def turn(x):
    return x.roll(1, -1)


def normalise(x, eps=1e-5):
    """Mean and biased variance over the features of each position by itself."""
    return (x - x.mean(-1, keepdim=True)) / (x.var(-1, keepdim=True, unbiased=False) + eps).sqrt()


def test_post_norm_is_the_paper_and_the_default():
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    torch.testing.assert_close(AddNorm(8).double().eval()(x, double), normalise(3 * x), rtol=0, atol=1e-12)


def test_pre_norm_leaves_the_residual_path_alone():
    x = torch.randn(2, 3, 8, dtype=torch.float64)
    add_norm = AddNorm(8, pre_norm=True).double().eval()
    torch.testing.assert_close(add_norm(x, double), x + 2 * normalise(x), rtol=0, atol=1e-12)


def test_eps_reaches_the_norm():
    x = torch.full((1, 1, 4), 0.01, dtype=torch.float64) * torch.tensor([1.0, -1.0, 1.0, -1.0])
    add_norm = AddNorm(4, eps=1.0).double().eval()
    torch.testing.assert_close(add_norm(x, torch.zeros_like), normalise(x, eps=1.0), rtol=0, atol=1e-12)


@pytest.mark.parametrize("pre_norm", [False, True])
def test_dropout_hits_the_sublayer_and_not_the_residual_path(pre_norm):
    """With nearly everything dropped, what is left is the residual path: x, normalised in post-norm."""
    x = torch.randn(1, 3, 8)
    add_norm = AddNorm(8, dropout=0.999_999, pre_norm=pre_norm)
    kept = add_norm(x, turn)
    torch.testing.assert_close(kept, x if pre_norm else normalise(x), rtol=1e-4, atol=1e-5)
    assert not torch.allclose(add_norm.eval()(x, turn), kept)
