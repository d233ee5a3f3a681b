"""Equal to Hugging Face's BERT, built from a configuration with random weights; nothing is downloaded."""

import pytest
import torch
from comparison import LIMITS, largest_difference, randomise
from transformers import BertConfig, BertModel

from blockbyblock import Classifier, ClassifierConfig
from blockbyblock.interop import from_bert, to_bert

SIZES = {
    "d_model": 32, "heads": 4, "d_ff": 48, "dropout": 0.0, "layers": 3, "vocab": 50, "max_length": 24, "classes": 5,
    "positions": "learned", "embedding_scale": 1.0, "embedding_norm": True,
}  # fmt: skip
PAD = 0
IDS = torch.tensor([[1, 6, 7, 8, 9, 10, 4], [1, 12, 13, 14, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]])
REAL = IDS != PAD


def classifier(**options):
    return randomise(Classifier(ClassifierConfig(**{**SIZES, **options})))


def run_bert(peer):
    return peer(input_ids=IDS, attention_mask=REAL).last_hidden_state


@pytest.mark.parametrize("dtype", LIMITS, ids=["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [{}, {"activation": "gelu", "norm_eps": 1e-12}, {"activation": "gelu_tanh"}, {"activation": "silu"}],
    ids=["relu", "gelu-eps-of-bert", "gelu_tanh", "silu"],
)
def test_bert(options, dtype, report):
    ours = classifier(**options).to(dtype)
    peer = to_bert(ours)
    # One type of token, whose vector is zero: it is no parameter of ours, so there is no gradient to compare.
    types = peer.embeddings.token_type_embeddings.weight.requires_grad_(False)
    assert not types.any()
    difference = largest_difference(ours, lambda: states(ours), peer, lambda: run_bert(peer)[REAL], (), to_bert)
    report("Hugging Face BertModel, 3 layers", dtype, difference)
    assert difference < LIMITS[dtype]


def states(model):
    """At the tokens; the head takes part with no weight, so that every parameter has a gradient."""
    return model.states(IDS)[REAL] + 0 * model(IDS).sum()


@pytest.mark.parametrize("dtype", LIMITS, ids=["float64", "float32"])
@pytest.mark.parametrize("pooling", ["cls", "mean"])
def test_the_head_on_what_bert_computes(pooling, dtype, report):
    """The logits, from BERT's last states, read as the Classifier says that it reads them."""
    ours = classifier(pooling=pooling).to(dtype).eval()
    with torch.no_grad():
        theirs = run_bert(to_bert(ours))
        read = (
            theirs[:, 0]
            if pooling == "cls"
            else torch.stack([row[real].mean(0) for row, real in zip(theirs, REAL, strict=True)])
        )
        expected = read @ ours.output.weight.T + ours.output.bias
        difference = (ours(IDS) - expected).abs().max().item()
    report(f"linear layer on BertModel's {pooling}", dtype, difference)
    assert difference < LIMITS[dtype] * expected.abs().max()


def bert_config(**options):
    sizes = {
        "vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48,
        "max_position_embeddings": 24, "pad_token_id": 0,
    }  # fmt: skip
    return BertConfig(**{**sizes, **options})


@pytest.mark.parametrize("activation", ["gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "swish"])
def test_from_bert(activation, report):
    """BERT's vector of the first text is not zero; here it comes with the positions."""
    peer = BertModel(bert_config(hidden_act=activation), add_pooling_layer=False).double().eval()
    randomise(peer)
    ours = from_bert(peer, classes=4, cls_id=1)
    with torch.no_grad():
        difference = (ours.states(IDS) - run_bert(peer))[REAL].abs().max().item()
        assert ours(IDS).shape == (3, 4)
    report("from_bert", torch.float64, difference)
    assert difference < LIMITS[torch.float64]


def test_there_and_back_again():
    """All but the head, which is new."""
    ours = classifier(attention_dropout=0.2, dropout=0.1, pad_id=9, cls_id=3, pooling="mean").double().eval()
    peer = to_bert(ours)
    assert (peer.config.pad_token_id, peer.pooler) == (9, None)
    back = from_bert(peer, classes=5, cls_id=3, pooling="mean")
    assert back.config == ours.config
    assert not back.training
    there = back.state_dict()
    for name, here in ours.state_dict().items():
        assert there[name].dtype == torch.float64
        assert here.data_ptr() != there[name].data_ptr(), name
        assert torch.equal(here, there[name]) == (not name.startswith("output.")), name


def test_what_is_no_weight_has_its_place_on_both_sides():
    peer = BertModel(bert_config(hidden_dropout_prob=0.11, attention_probs_dropout_prob=0.12), add_pooling_layer=False)
    config = from_bert(peer, classes=2, cls_id=1).config
    assert (config.dropout, config.attention_dropout, config.activation_dropout) == (0.11, 0.12, 0.0)
    assert (config.d_ff, config.max_length, config.activation, config.norm_eps) == (48, 24, "gelu", 1e-12)
    theirs = to_bert(Classifier(config)).config
    assert (theirs.hidden_dropout_prob, theirs.attention_probs_dropout_prob) == (0.11, 0.12)
    assert (theirs.layer_norm_eps, theirs.max_position_embeddings, theirs.hidden_act) == (1e-12, 24, "gelu")


@pytest.mark.unhooked  # its own type check would refuse first
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pre_norm": True}, "BERT needs pre_norm=False, this model has True"),
        ({"final_norm": True}, "ends_with_norm=False"),
        ({"embedding_norm": False}, "embedding_norm=True, this model has False"),
        ({"positions": "sinusoidal"}, "positions='learned', this model has 'sinusoidal'"),
        ({"embedding_scale": None}, "embedding_scale=1, this model has None"),
        ({"d_k": 5}, "key_width=32, this model has 20"),
        ({"d_v": 5}, "value_width=32, this model has 20"),
        ({"activation_dropout": 0.1}, "activation_dropout=0, this model has 0.1"),
    ],
)
def test_what_bert_has_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        to_bert(classifier(**options))


@pytest.mark.unhooked  # its own type check would refuse first
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"is_decoder": True}, "is_decoder=True"),
        ({"is_decoder": True, "add_cross_attention": True}, "is_decoder=True"),
        ({"hidden_act": "tanh"}, "hidden_act='tanh' has no counterpart"),
        ({"pad_token_id": None}, "pad_token_id=None"),
        ({"pad_token_id": 1}, "cls_id=1 is pad_id too"),
    ],
)
def test_what_we_have_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        from_bert(BertModel(bert_config(**options), add_pooling_layer=False), classes=2, cls_id=1)


@pytest.mark.unhooked  # its own type check would refuse first
def test_a_pooling_layer_is_refused_and_norms_that_differ():
    with pytest.raises(ValueError, match="add_pooling_layer=False"):
        from_bert(BertModel(bert_config()), classes=2, cls_id=1)
    peer = BertModel(bert_config(), add_pooling_layer=False)
    peer.embeddings.LayerNorm.eps = 1e-3
    with pytest.raises(ValueError, match=r"norm 0's eps=0\.001"):
        from_bert(peer, classes=2, cls_id=1)
