"""Equal to `torch.nn` under copied weights: outputs, gradients of the inputs and of every parameter."""

import pytest
import torch
from comparison import LIMITS, largest_difference, randomise
from torch import nn
from torch.nn import functional as F

from blockbyblock import (
    BlockConfig,
    Classifier,
    ClassifierConfig,
    Decoder,
    DecoderLayer,
    Encoder,
    EncoderLayer,
    LanguageModel,
    LanguageModelConfig,
    MultiHeadAttention,
    Transformer,
    TransformerConfig,
    causal_mask,
)
from blockbyblock.interop import from_torch, to_torch

SIZES = {"d_model": 32, "heads": 4, "d_ff": 64, "dropout": 0.0}
CAUSAL = causal_mask(5)
SOURCE = torch.tensor([[True] * 7, [True] * 4 + [False] * 3])  # the second sentence has three places of padding
SOURCE_MASK = SOURCE[:, None, None]
VARIANTS = [
    pytest.param({}, id="post-norm"),
    pytest.param({"pre_norm": True}, id="pre-norm"),
    pytest.param({"activation": "gelu", "final_norm": True, "norm_eps": 1e-3}, id="gelu-final-norm"),
]
both_precisions = pytest.mark.parametrize("dtype", LIMITS, ids=["float64", "float32"])
all_variants = pytest.mark.parametrize("options", VARIANTS)


def target_and_memory(dtype):
    return torch.randn(2, 5, 32, dtype=dtype), torch.randn(2, 7, 32, dtype=dtype)


@both_precisions
def test_multi_head_attention(dtype, report):
    ours = randomise(MultiHeadAttention(32, 4)).to(dtype)
    peer = to_torch(ours)
    difference = largest_difference(
        ours,
        lambda x, memory: ours(x, memory, memory, SOURCE_MASK),
        peer,
        lambda x, memory: peer(x, memory, memory, key_padding_mask=~SOURCE, need_weights=False)[0],
        target_and_memory(dtype),
        to_torch,
    )
    report("nn.MultiheadAttention", dtype, difference)
    assert difference < LIMITS[dtype]


@both_precisions
@all_variants
@pytest.mark.parametrize("layers", [1, 3])
def test_encoder(layers, options, dtype, report):
    config = BlockConfig(**SIZES, **options)
    ours = randomise(EncoderLayer(config) if layers == 1 else Encoder(config, layers)).to(dtype)
    peer = to_torch(ours)
    difference = largest_difference(
        ours,
        lambda x: ours(x, SOURCE_MASK)[SOURCE],
        peer,
        lambda x: peer(x, src_key_padding_mask=~SOURCE)[SOURCE],
        target_and_memory(dtype)[1:],
        to_torch,
    )
    report("nn.TransformerEncoderLayer" if layers == 1 else "nn.TransformerEncoder, 3 layers", dtype, difference)
    assert difference < LIMITS[dtype]


@both_precisions
@all_variants
@pytest.mark.parametrize("layers", [1, 3])
def test_decoder(layers, options, dtype, report):
    config = BlockConfig(**SIZES, **options)
    ours = randomise(DecoderLayer(config) if layers == 1 else Decoder(config, layers)).to(dtype)
    peer = to_torch(ours)
    difference = largest_difference(
        ours,
        lambda x, memory: ours(x, memory, CAUSAL, SOURCE_MASK),
        peer,
        lambda x, memory: peer(x, memory, tgt_mask=~CAUSAL, memory_key_padding_mask=~SOURCE),
        target_and_memory(dtype),
        to_torch,
    )
    report("nn.TransformerDecoderLayer" if layers == 1 else "nn.TransformerDecoder, 3 layers", dtype, difference)
    assert difference < LIMITS[dtype]


class Core(nn.Module):
    """Encoder and decoder of a `Transformer` without embeddings and output layer: what `nn.Transformer` is."""

    def __init__(self, model):
        super().__init__()
        self.encoder, self.decoder = model.encoder, model.decoder
        self.model = [model]  # in a list, so that its other parameters are not counted as ours

    def forward(self, target, source):
        return self.decoder(target, self.encoder(source, SOURCE_MASK), CAUSAL, SOURCE_MASK)


def core_to_torch(core):
    carrier = core.model[0]
    carrier.encoder, carrier.decoder = core.encoder, core.decoder
    return to_torch(carrier)


@both_precisions
@all_variants
def test_whole_transformer(options, dtype, report):
    config = TransformerConfig(**SIZES, **options, encoder_layers=2, decoder_layers=3, source_vocab=11, target_vocab=11)
    core = Core(randomise(Transformer(config)).to(dtype))
    peer = core_to_torch(core)

    def run_peer(target, source):
        return peer(
            source,
            target,
            tgt_mask=~CAUSAL,
            src_key_padding_mask=~SOURCE,
            memory_key_padding_mask=~SOURCE,
        )

    difference = largest_difference(core, core, peer, run_peer, target_and_memory(dtype), core_to_torch)
    report("nn.Transformer, 2 + 3 layers", dtype, difference)
    assert difference < LIMITS[dtype]


@pytest.mark.parametrize(
    "module",
    [
        MultiHeadAttention(32, 4, dropout=0.3),
        EncoderLayer(BlockConfig(d_model=32, heads=4, d_ff=64, dropout=0.2, activation="gelu", pre_norm=True)),
        DecoderLayer(BlockConfig(d_model=32, heads=4, d_ff=64, attention_dropout=0.3, activation_dropout=0.4)),
        Encoder(BlockConfig(**SIZES, pre_norm=True, norm_eps=1e-3), 2),
        Decoder(BlockConfig(**SIZES, final_norm=False), 2),
    ],
    ids=lambda module: type(module).__name__,
)
def test_there_and_back_again(module):
    """Weights, dropout, mode and dtype survive the round trip, and nothing is shared."""
    original = randomise(module).double().eval()
    back = from_torch(to_torch(original))
    assert str(back) == str(original)
    assert not back.training
    assert getattr(back, "dropout", None) == getattr(original, "dropout", None)
    assert list(back.state_dict()) == list(original.state_dict())
    for (name, ours), theirs in zip(original.state_dict().items(), back.state_dict().values(), strict=True):
        assert torch.equal(ours, theirs), name
        assert ours.dtype == theirs.dtype == torch.float64
        assert ours.data_ptr() != theirs.data_ptr(), name


def test_every_dropout_has_its_place():
    """torch's layers take one number for all; a converted one keeps the three apart."""
    config = BlockConfig(d_model=8, heads=2, d_ff=8, dropout=0.1, attention_dropout=0.2, activation_dropout=0.3)
    peer = to_torch(DecoderLayer(config))
    assert (peer.dropout1.p, peer.dropout2.p, peer.dropout3.p) == (0.1, 0.1, 0.1)
    assert (peer.self_attn.dropout, peer.multihead_attn.dropout) == (0.2, 0.2)
    assert peer.dropout.p == 0.3
    back = from_torch(peer).config
    assert (back.dropout, back.attention_dropout, back.activation_dropout) == (0.1, 0.2, 0.3)


@pytest.mark.unhooked  # its own type check would refuse first
def test_what_torch_has_not_is_refused():
    with pytest.raises(ValueError, match=r"d_k=3"):
        to_torch(MultiHeadAttention(8, 2, d_k=3))
    with pytest.raises(ValueError, match=r"d_v=3"):
        to_torch(EncoderLayer(BlockConfig(d_model=8, heads=2, d_ff=8, d_v=3)))
    with pytest.raises(ValueError, match=r"d_out=5"):
        to_torch(MultiHeadAttention(8, 2, d_out=5))
    for activation in ("silu", "gelu_tanh"):
        with pytest.raises(ValueError, match=f"not {activation}"):
            to_torch(EncoderLayer(BlockConfig(d_model=8, heads=2, d_ff=8, activation=activation)))
    with pytest.raises(TypeError, match="Linear"):
        to_torch(nn.Linear(2, 2))


@pytest.mark.unhooked  # its own type check would refuse first
def test_what_we_have_not_is_refused():
    for options in ({"bias": False}, {"add_bias_kv": True}, {"add_zero_attn": True}, {"kdim": 4}):
        with pytest.raises(ValueError, match="counterpart"):
            from_torch(nn.MultiheadAttention(8, 2, batch_first=True, **options))
    with pytest.raises(ValueError, match="batch_first"):
        from_torch(nn.MultiheadAttention(8, 2))
    with pytest.raises(ValueError, match="neither relu nor gelu"):
        from_torch(nn.TransformerEncoderLayer(8, 2, 8, activation=torch.tanh, batch_first=True))
    with pytest.raises(TypeError, match="Linear"):
        from_torch(nn.Linear(2, 2))


def encoder_layer(**options):
    return nn.TransformerEncoderLayer(8, 2, 16, batch_first=True, **options)


def stack(layers=2, norm=None, **options):
    return nn.TransformerEncoder(encoder_layer(**options), layers, norm, enable_nested_tensor=False)


def decoder_layer():
    return nn.TransformerDecoderLayer(8, 2, 16, batch_first=True)


class Doubled(nn.TransformerEncoderLayer):
    def forward(self, *args, **kwargs):
        return 2 * super().forward(*args, **kwargs)


def changed(module, path, value):
    """The module with one attribute of a part set to another value."""
    *parts, name = path.split(".")
    owner = module.get_submodule(".".join(parts))
    setattr(owner, name, value)
    return module


CHANGED = {
    "another eps at the end": (lambda: stack(norm=nn.LayerNorm(8, eps=1e-5), layer_norm_eps=1e-12), "final norm's eps"),
    "another eps in a layer": (
        lambda: changed(encoder_layer(), "norm2.eps", 1e-3),
        r"norm1.eps=1e-05, norm2.eps=0.001",
    ),
    "another eps in a decoder": (lambda: changed(decoder_layer(), "norm3.eps", 1e-3), "norm3.eps=0.001"),
    "another eps in the second layer": (lambda: changed(stack(), "layers.1.norm1.eps", 1e-3), "norm1.eps=0.001"),
    "another order in the second layer": (
        lambda: changed(stack(), "layers.1.norm_first", True),
        "layer 1 is .*pre_norm",
    ),
    "another activation in the second layer": (
        lambda: changed(changed(stack(), "layers.1.activation", F.gelu), "layers.1.activation_relu_or_gelu", 2),
        "layer 1 is .*gelu",
    ),
    "an activation that the fast path ignores": (lambda: changed(encoder_layer(), "activation", F.gelu), "fast path"),
    "another width in the second layer": (
        lambda: changed(stack(), "layers.1", nn.TransformerEncoderLayer(8, 2, 24, batch_first=True)),
        "layer 1 is .*d_ff=24",
    ),
    "other heads over the memory": (
        lambda: changed(decoder_layer(), "multihead_attn", nn.MultiheadAttention(8, 4, batch_first=True)),
        "self_attn=2, multihead_attn=4",
    ),
    "other dropout over the memory": (lambda: changed(decoder_layer(), "multihead_attn.dropout", 0.5), "they differ"),
    "other dropout after a part": (lambda: changed(encoder_layer(), "dropout2.p", 0.5), "dropout1=0.1, dropout2=0.5"),
    "memory without biases": (
        lambda: changed(decoder_layer(), "multihead_attn", nn.MultiheadAttention(8, 2, bias=False, batch_first=True)),
        "counterpart",
    ),
    "a final norm without bias": (lambda: stack(norm=nn.LayerNorm(8, bias=False)), "a weight and a bias"),
    "a final norm without numbers": (lambda: stack(norm=nn.LayerNorm(8, elementwise_affine=False)), "a weight and a"),
    "another norm at the end": (lambda: stack(norm=nn.RMSNorm(8)), "RMSNorm does not compute what nn.LayerNorm does"),
    "another norm in a layer": (lambda: changed(encoder_layer(), "norm1", nn.Identity()), "Identity does not compute"),
    "a linear layer without bias": (
        lambda: changed(encoder_layer(), "linear2", nn.Linear(16, 8, bias=False)),
        "needs biases",
    ),
    "numbers of two kinds": (
        lambda: changed(encoder_layer(), "norm1", nn.LayerNorm(8).double()),
        "numbers of one kind",
    ),
    "a forward of its own": (lambda: Doubled(8, 2, 16, batch_first=True), "Doubled does not compute what nn.Transf"),
    "a layer with a forward of its own": (
        lambda: changed(stack(), "layers.1", Doubled(8, 2, 16, batch_first=True)),
        "Doubled does not compute",
    ),
}


@pytest.mark.unhooked  # its own type check would refuse first
@pytest.mark.parametrize("build, message", CHANGED.values(), ids=CHANGED.keys())
def test_what_would_not_compute_the_same_is_refused(build, message):
    with pytest.raises(ValueError, match=message):
        from_torch(build())


@pytest.mark.parametrize("eps", [1e-12, 1e-5, 1e-2])
def test_a_stack_whose_norms_agree_computes_the_same_where_eps_counts(eps):
    """Small weights and small numbers, so that the variance is no larger than `eps`."""
    peer = stack(norm=nn.LayerNorm(8, eps=eps), layer_norm_eps=eps).double().eval()
    with torch.no_grad():
        for parameter in peer.parameters():
            parameter.mul_(0.05)
    x = 1e-3 * torch.randn(2, 5, 8, dtype=torch.float64)
    torch.testing.assert_close(from_torch(peer)(x), peer(x), rtol=0, atol=1e-12)


# Both models of one stack --------------------------------------------------------------------------------------------

MODEL = {**SIZES, "layers": 3, "vocab": 11, "max_length": 9}


class Stack(nn.Module):
    """The stack of one of our models, on vectors that stand for its embeddings: what `nn.TransformerEncoder` is."""

    def __init__(self, model, kind):
        super().__init__()
        self.stack = getattr(model, kind)
        self.model = [model]  # in a list, so that its other parameters are not counted as ours

    def forward(self, ids, x):
        """The model itself, from its own `states` on; `x` comes out of its dropout."""
        [model] = self.model
        hook = model.dropout.register_forward_hook(lambda *_: x)
        try:
            return model.states(ids)
        finally:
            hook.remove()


def stack_to_torch(wrapper):
    return to_torch(wrapper.stack)


@both_precisions
@all_variants
@pytest.mark.parametrize("side", ["right", "left", "both"])
def test_a_language_model_is_a_causal_encoder_of_torch(side, options, dtype, report):
    """Its own masks, from its ids, against `~mask` of the peer: the first text is unpadded, the second padded."""
    real = torch.ones(2, 7, dtype=torch.bool)
    real[1, :3] = side == "right"
    real[1, 4:] = side == "left"
    ids = torch.randint(3, 11, (2, 7)).masked_fill(~real, 0)
    wrapper = Stack(randomise(LanguageModel(LanguageModelConfig(**MODEL, **options))).to(dtype), "decoder")
    peer = to_torch(wrapper.stack)
    future = ~causal_mask(7)

    def run_peer(x):
        # A query of padding before the text has no key, which torch answers with NaN; so it looks at itself there.
        hidden = future | ~real[:, None] & ~torch.eye(7, dtype=torch.bool)
        return peer(x, mask=hidden.repeat_interleave(4, 0))[real]

    x = torch.randn(2, 7, 32, dtype=dtype)
    difference = largest_difference(wrapper, lambda x: wrapper(ids, x)[real], peer, run_peer, (x,), stack_to_torch)
    report("nn.TransformerEncoder, causal: LanguageModel", dtype, difference)
    assert difference < LIMITS[dtype]


@both_precisions
@all_variants
def test_a_classifier_is_an_encoder_of_torch(options, dtype, report):
    ids = torch.randint(3, 11, (2, 7)).masked_fill(~SOURCE, 0)
    ids[:, 0] = 1
    wrapper = Stack(randomise(Classifier(ClassifierConfig(**MODEL, **options))).to(dtype), "encoder")
    peer = to_torch(wrapper.stack)
    difference = largest_difference(
        wrapper,
        lambda x: wrapper(ids, x)[SOURCE],
        peer,
        lambda x: peer(x, src_key_padding_mask=~SOURCE)[SOURCE],
        (torch.randn(2, 7, 32, dtype=dtype),),
        stack_to_torch,
    )
    report("nn.TransformerEncoder: Classifier", dtype, difference)
    assert difference < LIMITS[dtype]


@pytest.mark.parametrize("options", [{}, {"activation": "gelu", "pre_norm": True}], ids=["post-norm", "pre-norm"])
def test_both_models_from_embedding_to_logits_with_parts_of_torch(options, report):
    """Embedding, positions and output layer as well, written with `torch.nn` alone."""
    for dtype in LIMITS:
        writer = randomise(LanguageModel(LanguageModelConfig(**MODEL, **options))).to(dtype).eval()
        judge = randomise(Classifier(ClassifierConfig(**MODEL, **options, classes=4))).to(dtype).eval()
        ids = torch.tensor([[1, 7, 9, 3, 3, 10, 4]])
        wavelengths = 10_000 ** (torch.arange(0, 32, 2, dtype=torch.float64) / 32)
        angles = torch.arange(7)[:, None] / wavelengths
        places = torch.stack((angles.sin(), angles.cos()), 2).flatten(1).float().to(dtype)  # the table is float32
        with torch.no_grad():
            for model, stack, options_of_call in (
                (writer, writer.decoder, {"mask": ~causal_mask(7), "is_causal": True}),
                (judge, judge.encoder, {}),
            ):
                table = model.embedding.table.weight
                states = to_torch(stack)(table[ids] * 32**0.5 + places, **options_of_call)
                head = model.output
                expected = F.linear(states if model is writer else states[:, 0], head.weight, head.bias)
                difference = (model(ids) - expected).abs().max() / expected.abs().max()
                report(f"{type(model).__name__}, with parts of torch.nn", dtype, difference.item())
                assert difference < LIMITS[dtype]
