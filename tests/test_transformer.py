"""The whole model."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock import (
    Transformer,
    TransformerConfig,
    parameter_count,
    parameter_counts,
    record_attention,
    shift_right,
)
from blockbyblock.paper import TABLE_3

EXACT = {"rtol": 0.0, "atol": 1e-11}  # float64 through two layers


def small(**options):
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "encoder_layers": 2, "decoder_layers": 2, "max_length": 32}
    return TransformerConfig(**{**sizes, "source_vocab": 20, "target_vocab": 20, **options})


def model(**options):
    return Transformer(small(**options)).double().eval()


def ids(*shape):
    return torch.randint(3, 20, shape)


def test_logits_by_the_parts():
    net = model()
    source, target = ids(2, 5), ids(2, 4)
    memory = net.encoder(net.source_positions(net.source_embedding(source)))
    causal = torch.ones(4, 4).tril().bool()
    states = net.decoder(net.target_positions(net.target_embedding(target)), memory, causal)
    logits = net(source, target)
    assert logits.shape == (2, 4, 20)
    torch.testing.assert_close(logits, states @ net.target_embedding.table.weight.T, **EXACT)


def test_probabilities_are_distributions_over_the_vocabulary():
    net = model()
    probabilities = net.probabilities(ids(2, 5), ids(2, 4))
    assert probabilities.shape == (2, 4, 20)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, 4, dtype=torch.float64))


@pytest.mark.parametrize("options", [{}, {"pre_norm": True}, {"positions": "learned"}])
@pytest.mark.parametrize("training", [False, True])
def test_no_logit_sees_a_later_target_token(options, training):
    net = model(dropout=0.0, **options).train(training)
    source, target = ids(2, 5), ids(2, 6)
    changed = target.clone()
    changed[:, 3:] = (changed[:, 3:] + 1) % 17 + 3
    before, after = net(source, target), net(source, changed)
    torch.testing.assert_close(before[:, :3], after[:, :3], **EXACT)
    assert not torch.allclose(before[:, 3], after[:, 3])


def test_padding_changes_nothing():
    """A pair alone equals the same pair in a batch with a longer one, on both sides."""
    net = model()
    source, target = ids(1, 3), ids(1, 4)
    longer_source, longer_target = ids(1, 7), ids(1, 6)
    pad_source = torch.cat((torch.nn.functional.pad(source, (0, 4)), longer_source))
    pad_target = torch.cat((torch.nn.functional.pad(target, (0, 2)), longer_target))
    batch = net(pad_source, pad_target)
    torch.testing.assert_close(batch[:1, :4], net(source, target), **EXACT)
    torch.testing.assert_close(batch[1:], net(longer_source, longer_target), **EXACT)


@pytest.mark.parametrize("options", [{}, {"pre_norm": True}, {"positions": "learned"}])
def test_cached_decoding_equals_full_decoding_at_every_step(options):
    """Also the positions: a cached step must not start again from position 0."""
    net = model(**options)
    source, target = torch.nn.functional.pad(ids(2, 5), (0, 2)), ids(2, 6)
    full = net(source, target)
    memory, mask = net.encode(source)
    cache = net.new_cache()
    for i in range(6):
        step = net.decode(target[:, i : i + 1], memory, mask, cache)
        torch.testing.assert_close(step[:, 0], full[:, i], **EXACT)


def test_a_source_of_padding_alone_gives_finite_logits_and_gradients():
    net = model().train()
    logits = net(torch.zeros(1, 4, dtype=torch.long), ids(1, 3))
    logits.square().sum().backward()
    assert logits.isfinite().all()
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_all_attention_of_a_forward_pass_is_recorded_by_name():
    net = model()
    source = torch.nn.functional.pad(ids(1, 3), (0, 2))
    with record_attention(net) as records:
        net(source, ids(1, 4))
    expected = [f"encoder.layers.{i}.self_attention" for i in range(2)]
    expected += [f"decoder.layers.{i}.{kind}_attention" for i in range(2) for kind in ("self", "cross")]
    assert list(records) == expected
    assert (records["encoder.layers.1.self_attention"].weights[..., 3:] == 0).all()
    assert (records["decoder.layers.1.cross_attention"].weights[..., 3:] == 0).all()
    assert records["decoder.layers.0.cross_attention"].mask.tolist() == [[[[True, True, True, False, False]]]]
    assert (records["decoder.layers.0.self_attention"].weights.triu(1) == 0).all()


def test_shift_right_by_hand():
    target = torch.tensor([[7, 8, 9, 2], [5, 2, 0, 0]])
    assert shift_right(target, 1).tolist() == [[1, 7, 8, 9], [1, 5, 2, 0]]


def test_tying():
    three, two, none = (model(tying=tying) for tying in ("three-way", "two-way", "none"))
    assert three.source_embedding is three.target_embedding
    for tied in (three, two):
        assert tied.output.weight is tied.target_embedding.table.weight
    assert two.source_embedding is not two.target_embedding
    assert none.output.weight is not none.target_embedding.table.weight
    assert model(tying="two-way", source_vocab=30).source_embedding.table.num_embeddings == 30


def test_the_output_layer_starts_as_wide_as_a_tied_one_and_its_bias_at_zero():
    net = Transformer(small(d_model=256, tying="none", target_vocab=500, output_bias=True))
    # 128,000 draws around a standard deviation of 1/16.
    assert net.output.weight.std().item() == pytest.approx(1 / 16, rel=0.02)
    assert (net.output.bias == 0).all()
    assert Transformer(small()).output.bias is None


@pytest.mark.parametrize("side", ["encode", "decode", "decode_prefixes"])
def test_dropout_on_the_sum_of_embeddings_and_positions_only_in_training(side):
    net, ids_read = model(dropout=0.5, d_model=64), ids(1, 5)
    stack = net.encoder if side == "encode" else net.decoder
    embedding, positions = (
        (net.source_embedding, net.source_positions)
        if side == "encode"
        else (net.target_embedding, net.target_positions)
    )
    given = []
    stack.register_forward_pre_hook(lambda _, arguments: given.append(arguments[0].detach()))
    memory = torch.randn(1, 3, 64, dtype=torch.double)
    read = {
        "encode": lambda: net.encode(ids_read),
        "decode": lambda: net.decode(ids_read, memory),
        "decode_prefixes": lambda: net.decode_prefixes(ids_read[:, :1], 0, None, memory, None, net.new_cache()),
    }[side]
    expected = positions(embedding(ids_read)).detach()
    with torch.no_grad():  # a cache is for decoding alone
        read()
        net.train()
        read()
    plain, dropped = given
    expected = expected[:, : plain.shape[1]]
    torch.testing.assert_close(plain, expected, rtol=0, atol=0)
    torch.testing.assert_close(dropped, torch.where(dropped == 0, 0, 2 * expected), rtol=0, atol=0)
    assert 0.2 < (dropped == 0).float().mean() < 0.8


@given(
    d_k=st.none() | st.integers(1, 5),
    d_v=st.none() | st.integers(1, 5),
    layers=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    tying=st.sampled_from(["none", "two-way", "three-way"]),
    positions=st.sampled_from(["sinusoidal", "learned"]),
    pre_norm=st.booleans(),
    final_norm=st.none() | st.booleans(),
    output_bias=st.booleans(),
    source_vocab=st.integers(5, 30),
)
def test_parameter_count_equals_numel(layers, tying, source_vocab, **options):
    config = small(
        encoder_layers=layers[0],
        decoder_layers=layers[1],
        tying=tying,
        source_vocab=20 if tying == "three-way" else source_vocab,
        **options,
    )
    net = Transformer(config)
    assert parameter_count(config) == sum(parameter.numel() for parameter in net.parameters())
    parts = parameter_counts(config)
    assert parts["encoder"] == sum(parameter.numel() for parameter in net.encoder.parameters())
    assert parts["decoder"] == sum(parameter.numel() for parameter in net.decoder.parameters())


@pytest.mark.parametrize("name", TABLE_3)
def test_the_paper_s_rows_count_what_numel_counts(name):
    config = TABLE_3[name].config
    with torch.device("meta"):
        net = Transformer(config)
    assert parameter_count(config) == sum(parameter.numel() for parameter in net.parameters())


def test_the_paper_s_printed_counts_are_near():
    """By formula with 37,000 word pieces: between 6.5 % below and 0.6 % above the printed column."""
    for name, row in TABLE_3.items():
        if row.parameters is not None:
            share = parameter_count(row.config) / (1e6 * row.parameters)
            assert 0.934 < share < 1.007, f"{name}: {share:.3f} of the printed count"
    assert parameter_count(TABLE_3["base"].config) == 63_082_496


def test_the_paper_s_rows_differ_from_base_only_where_they_say():
    base = TABLE_3["base"].config
    assert (base.d_model, base.heads, base.d_ff, base.encoder_layers, base.decoder_layers) == (512, 8, 2048, 6, 6)
    assert (base.dropout, base.activation, base.pre_norm, base.positions) == (0.1, "relu", False, "sinusoidal")
    big = TABLE_3["big"].config
    assert (big.d_model, big.heads, big.d_ff, big.encoder_layers, big.dropout) == (1024, 16, 4096, 6, 0.3)
    for name, row in TABLE_3.items():
        _, _, change = name.partition(" ")
        field, _, value = change.partition("=")
        if field == "layers":
            assert row.config.encoder_layers == row.config.decoder_layers == int(value)
        elif field == "smoothing":
            assert row.label_smoothing == float(value)
        elif value:
            assert getattr(row.config, field) == float(value)
        else:
            assert name in ("base", "big", "E learned positions")
    assert TABLE_3["E learned positions"].config.positions == "learned"
