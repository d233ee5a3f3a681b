"""The task of two partners, and what its runs compute, beside the package's own attention."""

import torch
from torch.testing import assert_close

from blockbyblock import MultiHeadAttention
from blockbyblock.experiments import recorded
from blockbyblock.experiments.multi_head_attention import multi_head, shares, train, two_links


def test_each_token_finds_the_numbers_of_the_two_that_it_names():
    tokens, first, second, links = two_links((3, 50), torch.Generator().manual_seed(0))
    names, numbers = tokens[..., :24].unflatten(-1, (3, 8)).argmax(-1), tokens[..., 24:]
    for place, brought in enumerate((first, second)):
        link = links[..., place]
        assert torch.equal(names[..., place], names[..., 2].gather(-1, link))
        assert torch.equal(brought, numbers.gather(-2, link[..., None].expand_as(numbers)))
    assert (links != torch.arange(6)[:, None]).all()
    assert (links[..., 0] != links[..., 1]).all()


def test_it_is_the_packages_attention_without_biases():
    torch.manual_seed(0)
    attention = MultiHeadAttention(32, 4).double()
    projections = ("query_projection", "key_projection", "value_projection", "output_projection")
    for parameter in (attention.get_submodule(name).bias for name in projections):
        torch.nn.init.zeros_(parameter)
    x = torch.randn(2, 6, 32, dtype=torch.float64)
    matrices = [attention.get_submodule(name).weight.T for name in projections]
    output, weights = multi_head(x, matrices, 4)
    assert_close(output, attention(x, x, x))
    assert weights.shape == (2, 4, 6, 6)


def test_runs_side_by_side_do_not_touch_each_other():
    """Heads that start alike stay alike, in each run by itself; those that do not part."""
    alike, apart = (train(2, -1, steps=5, runs=3, alike=number) for number in (4, 0))
    assert_close(alike.weights[:, :, 0], alike.weights[:, :, 1])
    assert ((apart.weights[:, :, 0] - apart.weights[:, :, 1]).abs().amax((1, 2, 3)) > 0.1).all()
    looks = shares(alike.weights, alike.links)
    assert looks.shape == (3, 2, 2)
    assert (looks.sum(-1) < 1).all()


def test_two_hundred_runs_of_each_are_recorded():
    rows = recorded("multi_head_attention")["rows"]
    assert [(row["heads"], row["run"]) for row in rows] == [(heads, run) for heads in (2, 4) for run in range(200)]
    assert all(len(row["looks"]) == row["heads"] for row in rows)
