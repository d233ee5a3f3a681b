"""The classifier: [CLS] sees every token, padding is nothing, and the mean is over tokens alone."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from blockbyblock import Classifier, ClassifierConfig, record_attention

EXACT = {"rtol": 0.0, "atol": 1e-11}  # float64 through two layers
PAD, CLS = 0, 1
POOLINGS = pytest.mark.parametrize("pooling", ["cls", "mean"])
VARIANTS = pytest.mark.parametrize(
    "options",
    [{}, {"pre_norm": True}, {"positions": "learned", "embedding_norm": True}],
    ids=["paper", "pre-norm", "as BERT"],
)


def small(**options):
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "layers": 2, "vocab": 20, "max_length": 12, "classes": 3}
    return ClassifierConfig(**{**sizes, **options})


def model(**options):
    return Classifier(small(**options)).double().eval()


def texts(*lengths):
    """One text for each length, [CLS] counted."""
    return [torch.cat((torch.tensor([CLS]), torch.randint(3, 20, (length - 1,)))) for length in lengths]


def batch_of(rows, width):
    batch = torch.full((len(rows), width), PAD)
    for row, text in enumerate(rows):
        batch[row, : len(text)] = text
    return batch


class NoPositions(torch.nn.Module):
    def forward(self, x, start=0):
        return x


# The parts -----------------------------------------------------------------------------------------------------------


@VARIANTS
def test_logits_by_the_parts(options):
    net = model(**options)
    text = torch.stack(texts(5, 5))
    x = net.positions(net.embedding(text))
    if "embedding_norm" in options:
        x = torch.nn.functional.layer_norm(x, (8,))
    states = net.encoder(x)
    torch.testing.assert_close(net.states(text), states, **EXACT)
    torch.testing.assert_close(net.pooled(text), states[:, 0], **EXACT)
    logits = net(text)
    assert logits.shape == (2, 3)
    torch.testing.assert_close(logits, states[:, 0] @ net.output.weight.T + net.output.bias, **EXACT)


def test_probabilities_are_distributions_over_the_classes():
    probabilities = model().probabilities(torch.stack(texts(5, 5)))
    assert probabilities.shape == (2, 3)
    torch.testing.assert_close(probabilities.sum(-1), torch.ones(2, dtype=torch.float64))


@pytest.mark.parametrize(
    ("options", "more"),
    [
        ({}, 0),
        ({"pooling": "mean"}, 0),
        ({"classes": 5}, 2 * 9),
        ({"positions": "learned"}, 12 * 8),
        ({"embedding_norm": True}, 2 * 8),
        ({"pre_norm": True}, 2 * 8),
    ],
)
def test_parameters_by_the_formula(options, more):
    """[CLS] has a row of the table like every token, and the head is one linear layer."""
    layer = 4 * 9 * 8 + 9 * 16 + 17 * 8 + 4 * 8
    assert sum(parameter.numel() for parameter in model(**options).parameters()) == 20 * 8 + 2 * layer + 3 * 9 + more


def test_bert_has_its_published_size():
    """109 million without the pooling layer; on `meta`, where numbers take no room."""
    with torch.device("meta"):
        net = Classifier(
            ClassifierConfig(
                vocab=30522, d_model=768, heads=12, d_ff=3072, layers=12, max_length=512, positions="learned",
                embedding_scale=1.0, embedding_norm=True, norm_eps=1e-12,
            )
        )  # fmt: skip
    types, head = 2 * 768, 2 * 769  # BERT's two vectors for first and second text; our linear layer
    assert sum(parameter.numel() for parameter in net.parameters()) == 108_891_648 - types + head


def test_the_head_starts_small_and_without_preference():
    net = Classifier(small(d_model=256, classes=500))
    # 128,000 draws around a standard deviation of 1/16.
    assert net.output.weight.std().item() == pytest.approx(1 / 16, rel=0.02)
    assert (net.output.bias == 0).all()


@VARIANTS
@POOLINGS
def test_gradient_reaches_every_parameter(pooling, options):
    net = model(pooling=pooling, **options).train()
    net(batch_of(texts(9, 4), 9)).square().sum().backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.any(), name
    assert net.embedding.table.weight.grad[CLS].any(), "the vector of [CLS] is learned"
    assert not net.embedding.table.weight.grad[PAD].any()


@pytest.mark.parametrize("part", ["encoder", "output"])
def test_dropout_before_the_stack_and_before_the_head_only_in_training(part):
    net, [text] = model(dropout=0.5, d_model=64), texts(8)
    read = []
    net.get_submodule(part).register_forward_pre_hook(lambda _, arguments: read.append(arguments[0].detach()))
    net.eval()(text[None])
    assert not (read[0] == 0).any()
    net.train()(text.repeat(8, 1))
    assert 0.35 < (read[1] == 0).double().mean() < 0.65


def test_dropout_comes_after_the_norm_of_the_embeddings():
    """So the stack reads zeros; a norm behind it would make other numbers of them."""
    net, [text] = model(dropout=0.5, d_model=64, embedding_norm=True), texts(8)
    read = []
    net.encoder.register_forward_pre_hook(lambda _, arguments: read.append(arguments[0].detach()))
    net.train()(text[None])
    assert (read[0] == 0).any()


# [CLS] ---------------------------------------------------------------------------------------------------------------


@VARIANTS
@POOLINGS
@pytest.mark.parametrize("training", [False, True], ids=["eval", "train"])
def test_every_token_reaches_the_head(training, pooling, options):
    """The last as well as the first, through one layer alone."""
    net, [text] = model(layers=1, dropout=0.0, pooling=pooling, **options).train(training), texts(7)
    before = net(text[None])
    for place in range(1, 7):
        changed = text.clone()
        changed[place] = (changed[place] + 1) % 17 + 3
        assert not torch.allclose(net(changed[None]), before, rtol=0, atol=1e-9), place


def test_cls_looks_at_every_token_and_every_token_at_it():
    net = model()
    with record_attention(net) as records:
        net(batch_of(texts(6, 4), 6))
    assert list(records) == ["encoder.layers.0.self_attention", "encoder.layers.1.self_attention"]
    for record in records.values():
        assert (record.weights[0] > 0).all()
        assert (record.weights[1, :, :, :4] > 0).all()
        assert not record.weights[1, :, :, 4:].any()


def test_cls_is_read_and_nothing_else():
    """The head reads the first place, whatever else the encoder has computed."""
    net, [text] = model(), texts(6)
    states = net.states(text[None])
    assert torch.equal(net.pooled(text[None]), states[:, 0])
    net.encoder.register_forward_hook(lambda _, __, output: torch.cat((output[:, :1], 1e3 + output[:, 1:]), 1))
    assert torch.equal(net.pooled(text[None]), states[:, 0])


@POOLINGS
def test_the_order_of_tokens_counts_only_by_their_positions(pooling):
    net, [text] = model(pooling=pooling), texts(7)
    order = torch.tensor([0, 4, 2, 6, 1, 3, 5])
    assert not torch.allclose(net(text[None]), net(text[order][None]), rtol=0, atol=1e-9)
    net.positions = NoPositions()
    torch.testing.assert_close(net(text[None]), net(text[order][None]), **EXACT)


@POOLINGS
def test_cls_alone_is_a_text(pooling):
    net = model(pooling=pooling)
    text = torch.tensor([[CLS]])
    assert torch.equal(net.pooled(text), net.states(text)[:, 0])
    assert net(text).isfinite().all()


# Padding -------------------------------------------------------------------------------------------------------------


@VARIANTS
@POOLINGS
@settings(max_examples=12)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=4), more=st.integers(0, 3))
def test_padding_changes_nothing(pooling, options, lengths, more):
    """Each text alone equals itself in a batch with others, however much padding there is."""
    torch.manual_seed(1)
    net, rows = model(pooling=pooling, **options), texts(*lengths)
    batch = net(batch_of(rows, max(lengths) + more))
    for row, text in enumerate(rows):
        torch.testing.assert_close(batch[row], net(text[None])[0], **EXACT)


@POOLINGS
def test_what_padding_holds_does_not_matter(pooling):
    net, batch = model(pooling=pooling), batch_of(texts(3, 6), 8)
    before = net(batch)
    with torch.no_grad():
        net.embedding.table.weight[PAD] = 1e3
    assert torch.equal(net(batch), before)


def test_the_mean_is_over_the_tokens_and_not_over_padding():
    net, rows = model(pooling="mean"), texts(2, 5)
    batch = batch_of(rows, 7)
    states = net.states(batch)
    expected = torch.stack([states[row, : len(text)].mean(0) for row, text in enumerate(rows)])
    torch.testing.assert_close(net.pooled(batch), expected, **EXACT)


# Errors at the door --------------------------------------------------------------------------------------------------


@pytest.mark.unhooked
@pytest.mark.parametrize(
    ("text", "error", "message"),
    [
        ([[CLS, 4], [5, 6]], ValueError, r"begins with \[CLS\], cls_id=1; here first come \[1, 5\]"),
        ([[PAD, CLS, 4]], ValueError, r"begins with \[CLS\], cls_id=1; here first come \[0\]"),
        ([[PAD, PAD]], ValueError, r"here first come \[0\]"),
        ([], ValueError, r"shape \(0,\)"),
        ([[]], ValueError, r"shape \(1, 0\)"),
        ([CLS, 4], ValueError, r"shape \(2,\)"),
        ([[CLS, 20]], ValueError, "from 1 to 20, outside the vocabulary 0 to 19"),
        ([[1.0, 4.0]], TypeError, "whole numbers, got torch.float32"),
        ([[True]], TypeError, "whole numbers, got torch.bool"),
        ([[CLS] + [4] * 12], ValueError, "positions 0 to 12 do not lie within max_length=12"),
    ],
)
def test_bad_ids(text, error, message):
    ids = torch.tensor(text)
    with pytest.raises(error, match=message):
        model()(ids if ids.numel() else ids.long())


def test_a_text_as_long_as_the_model_is_read():
    assert model()(torch.stack(texts(12))).isfinite().all()


@pytest.mark.unhooked
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"classes": 0}, "classes=0"),
        ({"pooling": "max"}, "pooling='max' is not one of cls, mean"),
        ({"cls_id": 20}, "cls_id=20 lies outside a vocabulary of 20"),
        ({"cls_id": 0}, "cls_id=0 is pad_id too, and padding is hidden"),
        ({"pad_id": -1}, "pad_id=-1"),
        ({"embedding_scale": -1.0}, "embedding_scale=-1.0"),
        ({"layers": 0}, "layers=0"),
    ],
)
def test_bad_sizes(options, message):
    with pytest.raises(ValueError, match=message):
        small(**options)


def test_numbers_that_are_none_are_seen_in_the_logits():
    net = model()
    with torch.no_grad():
        net.encoder.layers[0].feed_forward.output_projection.bias[0] = torch.nan
    assert net(torch.stack(texts(5))).isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@POOLINGS
def test_other_precisions(pooling, dtype):
    logits = model(pooling=pooling).to(dtype)(batch_of(texts(3, 6), 8))
    assert logits.dtype == dtype
    assert logits.isfinite().all()
