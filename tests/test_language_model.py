"""The language model: what a token may see, where it is, and what a cache may change, which is nothing."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blockbyblock import LanguageModel, LanguageModelConfig, record_attention
from blockbyblock.language_model import LanguageModelCache

EXACT = {"rtol": 0.0, "atol": 1e-11}  # float64 through two layers
PAD = 0
VARIANTS = pytest.mark.parametrize(
    "options", [{}, {"pre_norm": True}, {"positions": "learned"}], ids=["paper", "pre-norm", "learned"]
)


def small(**options):
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "layers": 2, "vocab": 20, "max_length": 12}
    return LanguageModelConfig(**{**sizes, **options})


def model(**options):
    return LanguageModel(small(**options)).double().eval()


def ids(*shape):
    return torch.randint(3, 20, shape)


def padded(rows, width, side):
    """Each row in a batch of this width, with its padding on this side."""
    batch = torch.full((len(rows), width), PAD)
    for row, text in enumerate(rows):
        batch[row, : len(text)] = text
        if side == "left":
            batch[row] = batch[row].roll(width - len(text))
    return batch


# The parts -----------------------------------------------------------------------------------------------------------


@VARIANTS
def test_logits_by_the_parts(options):
    net, text = model(**options), ids(2, 5)
    causal = torch.ones(5, 5).tril().bool()
    states = net.decoder(net.positions(net.embedding(text)), causal)
    assert torch.equal(net.states(text), states)
    logits = net(text)
    assert logits.shape == (2, 5, 20)
    torch.testing.assert_close(logits, states @ net.embedding.table.weight.T, **EXACT)


def test_probabilities_are_distributions_over_the_vocabulary():
    probabilities = model().probabilities(ids(2, 5))
    assert probabilities.shape == (2, 5, 20)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, 5, dtype=torch.float64))


def test_a_tied_weight_is_one_parameter_and_gathers_both_gradients():
    net, text = model(), ids(2, 5)
    assert net.output.weight is net.embedding.table.weight
    assert "output.weight" not in dict(net.named_parameters())
    twin = model(tied=False)
    twin.load_state_dict(net.state_dict())
    for one in (net, twin):
        one(text).square().sum().backward()
    both = twin.embedding.table.weight.grad + twin.output.weight.grad
    torch.testing.assert_close(net.embedding.table.weight.grad, both, rtol=1e-9, atol=1e-9)


def test_an_untied_output_layer_is_another_one_and_starts_as_wide():
    net = LanguageModel(small(d_model=256, vocab=500, tied=False, output_bias=True))
    assert net.output.weight is not net.embedding.table.weight
    # 128,000 draws around a standard deviation of 1/16.
    assert net.output.weight.std().item() == pytest.approx(1 / 16, rel=0.02)
    assert (net.output.bias == 0).all()
    assert LanguageModel(small()).output.bias is None


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, 0),
        ({"tied": False}, 20 * 8),
        ({"output_bias": True}, 20),
        ({"positions": "learned"}, 12 * 8),
        ({"pre_norm": True}, 2 * 8),
        ({"layers": 3}, 4 * 9 * 8 + 9 * 16 + 17 * 8 + 4 * 8),
    ],
)
def test_parameters_by_the_formula(options, more):
    """A decoder layer without encoder-decoder attention: four projections, two linear layers, two norms."""
    layer = 4 * 9 * 8 + 9 * 16 + 17 * 8 + 4 * 8
    assert sum(parameter.numel() for parameter in model(**options).parameters()) == 20 * 8 + 2 * layer + more


def test_gpt2_has_its_published_size():
    """124 million, as in Radford et al.'s released code; on `meta`, where numbers take no room."""
    with torch.device("meta"):
        net = LanguageModel(
            LanguageModelConfig(
                vocab=50257, d_model=768, heads=12, d_ff=3072, layers=12, max_length=1024, pre_norm=True,
                positions="learned", embedding_scale=1.0,
            )
        )  # fmt: skip
    assert sum(parameter.numel() for parameter in net.parameters()) == 124_439_808


@pytest.mark.parametrize("scale", [None, 1.0, 3.0])
def test_an_embedding_is_multiplied_by_the_scale(scale):
    net, text = model(embedding_scale=scale), ids(1, 4)
    factor = math.sqrt(8) if scale is None else scale
    torch.testing.assert_close(net.embedding(text), net.embedding.table.weight[text] * factor, **EXACT)


def test_dropout_on_the_sum_of_embeddings_and_positions_only_in_training():
    net, text = model(dropout=0.5, d_model=64), ids(1, 8)
    given_to_stack = []
    net.decoder.register_forward_pre_hook(lambda _, arguments: given_to_stack.append(arguments[0].detach()))
    for training in (False, True):
        net.train(training)(text)
    without, with_dropout = given_to_stack
    torch.testing.assert_close(without, net.positions(net.embedding(text)), **EXACT)
    dropped = with_dropout == 0
    assert 0.35 < dropped.double().mean() < 0.65  # 512 draws: the standard deviation is 0.022
    torch.testing.assert_close(with_dropout[~dropped], 2 * without[~dropped], **EXACT)


@VARIANTS
def test_gradient_reaches_every_parameter(options):
    """And of the position table each row that was used, and no other."""
    net = model(output_bias=True, tied=False, **options).train()
    net(padded([torch.arange(1, 10), torch.arange(3, 6)], 9, "left")).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    if "positions" in options:
        assert net.positions.table.weight.grad.any(1).tolist() == [True] * 9 + [False] * 3


# Who sees whom -------------------------------------------------------------------------------------------------------


@VARIANTS
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
@pytest.mark.parametrize("place", [1, 3, 5])
def test_no_logit_sees_a_later_token(place, training, options):
    net = model(dropout=0.0, **options).train(training)
    text = ids(2, 6)
    changed = text.clone()
    changed[:, place:] = (changed[:, place:] + 1) % 17 + 3
    before, after = net(text), net(changed)
    torch.testing.assert_close(before[:, :place], after[:, :place], **EXACT)
    assert not torch.allclose(before[:, place], after[:, place])


@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_every_earlier_token_is_seen_and_no_later_one_by_gradient(training):
    """d logits[i] / d embedding[j] is zero exactly where j is later than i."""
    net, text = model(layers=1, dropout=0.0).train(training), ids(1, 5)
    held = []

    def hold(_, __, output):
        held.append(output.detach().requires_grad_())
        return held[-1]

    net.embedding.register_forward_hook(hold)
    logits = net(text)
    sees = [
        [bool(row.any()) for row in torch.autograd.grad(logits[0, i].square().sum(), held[0], retain_graph=True)[0][0]]
        for i in range(5)
    ]
    assert sees == [[j <= i for j in range(5)] for i in range(5)]


def test_every_layer_and_every_call_has_the_causal_mask():
    """It comes from the model and not from the caller: there is no argument by which to leave it out."""
    net, text = model(), ids(2, 5)
    with record_attention(net) as records:
        net(text)
    assert list(records) == ["decoder.layers.0.self_attention", "decoder.layers.1.self_attention"]
    for record in records.values():
        assert (record.weights.triu(1) == 0).all()
        assert (record.weights.tril().sum(-1) - 1).abs().max() < 1e-12
    with pytest.raises(TypeError, match="mask"):
        net(text, mask=None)


def test_the_order_of_earlier_tokens_counts_only_by_their_positions():
    """With positions off, the last token of a one-layer model sees a bag; with them, a sequence."""
    net = model(layers=1)
    text, order = ids(1, 6), torch.tensor([3, 0, 4, 2, 1, 5])
    assert not torch.allclose(net(text)[:, -1], net(text[:, order])[:, -1])
    net.positions = NoPositions()
    torch.testing.assert_close(net(text)[:, -1], net(text[:, order])[:, -1], **EXACT)


class NoPositions(torch.nn.Module):
    def forward(self, x, start=0):
        return x


# Padding -------------------------------------------------------------------------------------------------------------


@VARIANTS
@pytest.mark.parametrize("side", ["left", "right"])
@settings(max_examples=12)
@given(lengths=st.lists(st.integers(1, 12), min_size=1, max_size=4), more=st.integers(0, 3))
def test_padding_changes_nothing(side, options, lengths, more):
    """Each text alone equals itself in a batch with others, on either side of its padding, however much there is."""
    torch.manual_seed(1)
    net, rows = model(**options), [ids(length) for length in lengths]
    batch = padded(rows, max(lengths) + more, side)
    logits = net(batch)
    assert logits.isfinite().all()
    for row, text in enumerate(rows):
        torch.testing.assert_close(logits[row][batch[row] != PAD], net(text[None])[0], **EXACT)


@pytest.mark.parametrize("side", ["left", "right"])
def test_what_padding_holds_does_not_matter(side):
    net = model(tied=False)
    batch = padded([ids(3), ids(6)], 6, side)
    before = net(batch)[batch != PAD]
    with torch.no_grad():
        net.embedding.table.weight[PAD] = 1e3
    assert torch.equal(net(batch)[batch != PAD], before)


def test_padding_is_hidden_from_every_token():
    net, batch = model(), padded([ids(3), ids(6)], 6, "left")
    with record_attention(net) as records:
        net(batch)
    for record in records.values():
        assert not record.weights[0, :, 3:, :3].any()
        assert (record.weights[0, :, 3:].sum(-1) - 1).abs().max() < 1e-12


def test_a_text_of_padding_alone_gives_finite_logits_and_gradients():
    net = model().train()
    logits = net(torch.zeros(1, 4, dtype=torch.long))
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


# The cache -----------------------------------------------------------------------------------------------------------


@VARIANTS
@pytest.mark.parametrize("side", ["left", "right"])
@settings(max_examples=12)
@given(lengths=st.lists(st.integers(1, 3), min_size=1, max_size=3), pieces=st.lists(st.integers(1, 3), max_size=3))
def test_cached_equals_full_at_every_step(side, options, lengths, pieces):
    """A padded prompt, then pieces of one to three tokens: what was padding stays so, and takes no position."""
    torch.manual_seed(1)
    net = model(**options)
    texts = [ids(length + sum(pieces)) for length in lengths]
    prompts = padded([text[:length] for text, length in zip(texts, lengths, strict=True)], max(lengths), side)
    cache = net.new_cache()
    net(prompts, cache)
    done = 0
    for piece in pieces:
        new = torch.stack([text[n + done : n + done + piece] for text, n in zip(texts, lengths, strict=True)])
        got = net(new, cache)
        done += piece
        for row, (text, length) in enumerate(zip(texts, lengths, strict=True)):
            full = net(text[None, : length + done])[0]
            torch.testing.assert_close(got[row], full[-piece:], **EXACT)
    assert cache.length == max(lengths) + done


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_cache_follows_its_rows(side):
    """Rows leave, change places and stand twice; each keeps its own padding and its own place."""
    net = model()
    texts = [ids(8), ids(6), ids(9)]
    prompts = padded([text[:-4] for text in texts], 5, side)
    cache = net.new_cache()
    net(prompts, cache)
    order = [2, 0, 2]
    cache.select(torch.tensor(order))
    for step in range(4):
        new = torch.stack([texts[row][len(texts[row]) - 4 + step] for row in order])[:, None]
        got = net(new, cache)
        for place, row in enumerate(order):
            full = net(texts[row][None, : len(texts[row]) - 3 + step])
            torch.testing.assert_close(got[place], full[0, -1:], **EXACT)
        if step == 1:
            order = [order[1], order[0]]
            cache.select(torch.tensor([1, 0]))


def test_a_cache_that_holds_nothing_selects_nothing():
    cache = LanguageModelCache(2)
    cache.select(torch.tensor([0]))
    assert cache.real is None
    assert cache.length == 0


@pytest.mark.unhooked
def test_a_cache_refuses_another_batch_and_another_model():
    net = model()
    cache = net.new_cache()
    net(ids(2, 3), cache)
    with pytest.raises(ValueError, match="holds a batch of 2, the new tokens are one of 3"):
        net(ids(3, 1), cache)
    with pytest.raises(ValueError, match="a cache for 3 layers, but the decoder has 2"):
        net(ids(2, 3), LanguageModelCache(3))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_other_precisions(dtype):
    net = model().to(dtype)
    cache = net.new_cache()
    net(ids(2, 3), cache)
    logits = net(ids(2, 1), cache)
    assert logits.dtype == dtype
    assert logits.isfinite().all()


# Limits and errors at the door ---------------------------------------------------------------------------------------


@pytest.mark.unhooked
@VARIANTS
def test_a_text_as_long_as_the_model_is_read_and_a_longer_one_refused(options):
    net = model(**options)
    assert net(ids(1, 12)).isfinite().all()
    with pytest.raises(ValueError, match="positions 0 to 12 do not lie within max_length=12"):
        net(ids(1, 13))
    cache = net.new_cache()
    net(ids(1, 12), cache)
    with pytest.raises(ValueError, match="position 12 does not lie within max_length=12"):
        net(ids(1, 1), cache)


@pytest.mark.unhooked
def test_a_refused_token_leaves_the_cache_as_it_was():
    net, text = model().eval(), ids(1, 12)
    cache = net.new_cache()
    before = net(text[:, :11], cache)
    with pytest.raises(ValueError, match="positions 11 to 12 do not lie"):
        net(text[:, :2], cache)
    assert cache.length == 11
    torch.testing.assert_close(torch.cat((before, net(text[:, 11:], cache)), 1), net(text))


@pytest.mark.parametrize("side", ["left", "right"])
def test_padding_does_not_count_towards_the_length(side):
    net, text = model(), ids(12)
    batch = padded([text, text[:3]], 15, side)
    torch.testing.assert_close(net(batch)[0][batch[0] != PAD], net(text[None])[0], **EXACT)


@pytest.mark.unhooked
@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        (torch.zeros(0, 3, dtype=torch.long), ValueError, r"shape \(0, 3\)"),
        (torch.zeros(2, 0, dtype=torch.long), ValueError, r"shape \(2, 0\)"),
        (torch.tensor([3, 4]), ValueError, r"shape \(2,\)"),
        (torch.tensor([[3, 20]]), ValueError, "from 3 to 20, outside the vocabulary 0 to 19"),
        (torch.tensor([[3, -1]]), ValueError, "from -1 to 3"),
        (torch.tensor([[3.0, 4.0]]), TypeError, "whole numbers, got torch.float32"),
        (torch.tensor([[True]]), TypeError, "whole numbers, got torch.bool"),
    ],
)
def test_bad_ids(text, error, message):
    with pytest.raises(error, match=message):
        model()(text)


@pytest.mark.unhooked
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"vocab": 0}, "vocab=0"),
        ({"layers": 0}, "layers=0"),
        ({"max_length": 0}, "max_length=0"),
        ({"positions": "rotary"}, "positions='rotary' is not one of sinusoidal, learned"),
        ({"d_model": 7, "heads": 1}, "d_model=7 must be even"),
        ({"embedding_scale": 0.0}, "embedding_scale=0.0"),
        ({"embedding_scale": math.nan}, "embedding_scale=nan"),
        ({"embedding_scale": math.inf}, "embedding_scale=inf"),
        ({"pad_id": 20}, "pad_id=20 lies outside a vocabulary of 20"),
        ({"start_id": -1}, "start_id=-1"),
        ({"end_id": 20}, "end_id=20"),
        ({"start_id": 0}, "start_id=0 is pad_id too, and padding is hidden"),
        ({"end_id": 5, "pad_id": 5}, "end_id=5 is pad_id too"),
    ],
)
def test_bad_sizes(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_start_and_end_may_be_one_token():
    assert small(start_id=2, end_id=2).start_id == 2
