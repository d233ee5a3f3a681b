"""Equal to Hugging Face's GPT-2, built from a configuration with random weights; nothing is downloaded."""

import pytest
import torch
from comparison import LIMITS, largest_difference, randomise
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.generation.logits_process import RepetitionPenaltyLogitsProcessor

from blockbyblock import LanguageModel, LanguageModelConfig, sampling
from blockbyblock.decoding import greedy
from blockbyblock.interop import from_gpt2, to_gpt2
from blockbyblock.sampling import sample

SIZES = {
    "d_model": 32, "heads": 4, "d_ff": 48, "dropout": 0.0, "layers": 3, "vocab": 50, "max_length": 24,
    "pre_norm": True, "positions": "learned", "embedding_scale": 1.0,
}  # fmt: skip
PAD, START, END = 0, 1, 2
ON_THE_RIGHT = torch.tensor([[1, 6, 7, 8, 9, 10, 4], [1, 12, 13, 14, 0, 0, 0], [1, 0, 0, 0, 0, 0, 0]])
ON_THE_LEFT = torch.tensor([[1, 6, 7, 8, 9, 10, 4], [0, 0, 0, 1, 12, 13, 14], [0, 0, 0, 0, 0, 0, 1]])
both_sides = pytest.mark.parametrize("ids", [ON_THE_RIGHT, ON_THE_LEFT], ids=["padded right", "padded left"])


def language_model(**options):
    return randomise(LanguageModel(LanguageModelConfig(**{**SIZES, **options})))


def run_gpt2(peer, ids):
    """Logits at the tokens; the places of tokens behind padding are counted as GPT-2's `generate` counts them."""
    real = ids != PAD
    places = (real.long().cumsum(1) - 1).clamp(min=0)
    return peer(input_ids=ids, attention_mask=real, position_ids=places, use_cache=False).logits[real]


@both_sides
@pytest.mark.parametrize("dtype", LIMITS, ids=["float64", "float32"])
@pytest.mark.parametrize(
    "options",
    [{}, {"activation": "gelu", "norm_eps": 1e-3}, {"activation": "gelu_tanh"}, {"activation": "silu", "tied": False}],
    ids=["relu", "gelu", "gelu_tanh", "silu-untied"],
)
def test_gpt2(options, dtype, ids, report):
    ours = language_model(**options).to(dtype)
    peer = to_gpt2(ours)
    difference = largest_difference(ours, lambda: ours(ids)[ids != PAD], peer, lambda: run_gpt2(peer, ids), (), to_gpt2)
    report("Hugging Face GPT2LMHeadModel, 3 layers", dtype, difference)
    assert difference < LIMITS[dtype]


def gpt2_config(**options):
    sizes = {
        "vocab_size": 50, "n_positions": 24, "n_embd": 32, "n_layer": 2, "n_head": 4, "pad_token_id": 0,
        "bos_token_id": 1, "eos_token_id": 2,
    }  # fmt: skip
    return GPT2Config(**{**sizes, **options})


@both_sides
@pytest.mark.parametrize("activation", ["gelu_new", "gelu_pytorch_tanh", "gelu", "relu", "swish"])
def test_from_gpt2(activation, ids, report):
    """With the inner width and the activation that GPT-2 has if none is named, and weights of its own."""
    peer = randomise(GPT2LMHeadModel(gpt2_config(activation_function=activation))).double().eval()
    with torch.no_grad():
        difference = (from_gpt2(peer)(ids)[ids != PAD] - run_gpt2(peer, ids)).abs().max().item()
    report("from_gpt2", torch.float64, difference)
    assert difference < LIMITS[torch.float64]


# Generation ----------------------------------------------------------------------------------------------------------


def writer(seed, end=0.0):
    """A model that does not repeat one token: untied, so that what it reads need not be what it writes."""
    torch.manual_seed(seed)
    model = language_model(tied=False, activation="gelu_tanh").double().eval()
    with torch.no_grad():
        model.output.weight[END] *= end
    return model


def generated(peer, ids, **options):
    """What GPT-2's own `generate` writes after each prompt, up to the end; `ids` are padded on the left."""
    output = peer.generate(
        input_ids=ids, attention_mask=ids != PAD, do_sample=False, suppress_tokens=[PAD, START], **options
    )
    texts = []
    for row in output[:, ids.shape[1] :].tolist():
        ended = END in row
        texts.append((tuple(row[: row.index(END) if ended else len(row)]), ended))
    return texts


def test_greedy_writes_the_tokens_of_generate():
    """One prompt at a time, and a batch of different lengths, on either side of their padding."""
    found = []
    for seed in range(8):
        model = writer(seed, end=1.5)
        peer = to_gpt2(model)
        expected = generated(peer, ON_THE_LEFT, max_new_tokens=16)
        for prompts in (ON_THE_LEFT, ON_THE_RIGHT):
            ours = [(one.ids, one.finished) for one in greedy(model, prompts, 16)]
            assert ours == expected
        for row, prompt in enumerate(ON_THE_LEFT):
            alone = prompt[prompt != PAD][None]
            assert generated(peer, alone, max_new_tokens=16) == expected[row : row + 1]
        found += expected
    assert {ended for _, ended in found} == {True, False}, "texts that end and texts that do not, or less is shown"
    assert len({ids for ids, _ in found}) > 12, "texts that differ, or nothing is shown"


def test_greedy_writes_as_far_as_generate_can():
    """GPT-2 has one vector for each place. The last token written is never read: it needs none."""
    model = writer(0)
    peer = to_gpt2(model)
    prompt = torch.tensor([[1, *range(5, 15)]])  # 11 tokens, and 24 places
    (found,) = greedy(model, prompt)
    assert len(found.ids) == 14
    assert generated(peer, prompt, max_new_tokens=14) == [(found.ids, False)]


def test_the_repetition_penalty_is_that_of_transformers_on_log_probabilities(monkeypatch):
    """Theirs divides positive logits and multiplies negative ones; a log-probability is never positive."""
    model, seen = writer(3), []
    probabilities = sampling.sampling_probabilities

    def spy(logits, *options):
        seen.append(logits)
        return probabilities(logits, *options)

    monkeypatch.setattr(sampling, "sampling_probabilities", spy)
    prompts = ON_THE_LEFT[:2]
    found = sample(model, prompts, 6, repetition_penalty=1.7, generator=torch.Generator().manual_seed(0))
    assert [len(one.ids) for one in found] == [6, 6]
    processor = RepetitionPenaltyLogitsProcessor(1.7)
    for row, prompt in enumerate(prompts):
        text = prompt[prompt != PAD][None]
        for step, token in enumerate(found[row].ids):
            with torch.no_grad():
                logits = model(text)[:, -1]
            logits[:, [PAD, START]] = -torch.inf
            expected = processor(text, logits.log_softmax(-1))
            torch.testing.assert_close(seen[step][row], expected[0], rtol=0, atol=1e-10)
            text = torch.cat((text, torch.tensor([[token]])), 1)


# There and back ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tied", [True, False])
def test_there_and_back_again(tied):
    options = {"attention_dropout": 0.2, "dropout": 0.1, "end_id": 7, "start_id": 8, "pad_id": 9}
    ours = language_model(tied=tied, **options).double().eval()
    peer = to_gpt2(ours)
    assert (peer.config.eos_token_id, peer.config.bos_token_id, peer.config.pad_token_id) == (7, 8, 9)
    assert (peer.lm_head.weight is peer.transformer.wte.weight) == tied
    back = from_gpt2(peer)
    assert back.config == ours.config
    assert not back.training
    assert (back.output.weight is back.embedding.table.weight) == tied
    for (name, here), there in zip(ours.state_dict().items(), back.state_dict().values(), strict=True):
        assert torch.equal(here, there), name
        assert here.data_ptr() != there.data_ptr(), name


def test_what_is_no_weight_has_its_place_on_both_sides():
    peer = GPT2LMHeadModel(gpt2_config(resid_pdrop=0.11, embd_pdrop=0.11, attn_pdrop=0.12, n_inner=40))
    config = from_gpt2(peer).config
    assert (config.dropout, config.attention_dropout, config.activation_dropout) == (0.11, 0.12, 0.0)
    assert (config.d_ff, config.max_length, config.activation) == (40, 24, "gelu_tanh")
    assert from_gpt2(GPT2LMHeadModel(gpt2_config())).config.d_ff == 4 * 32
    theirs = to_gpt2(LanguageModel(config)).config
    assert (theirs.resid_pdrop, theirs.embd_pdrop, theirs.attn_pdrop, theirs.n_inner) == (0.11, 0.11, 0.12, 40)


@pytest.mark.unhooked  # its own type check would refuse first
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"pre_norm": False}, "GPT-2 needs pre_norm=True, this model has False"),
        ({"final_norm": False}, "ends_with_norm=True"),
        ({"positions": "sinusoidal"}, "positions='learned', this model has 'sinusoidal'"),
        ({"embedding_scale": None}, "embedding_scale=1, this model has None"),
        ({"embedding_scale": 2.0}, "this model has 2.0"),
        ({"output_bias": True}, "output_bias=False"),
        ({"d_k": 5}, "key_width=32, this model has 20"),
        ({"d_v": 5}, "value_width=32, this model has 20"),
        ({"activation_dropout": 0.1}, "activation_dropout=0, this model has 0.1"),
    ],
)
def test_what_gpt2_has_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        to_gpt2(language_model(**options))


@pytest.mark.unhooked  # its own type check would refuse first
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"scale_attn_weights": False}, "scale_attn_weights=False"),
        ({"scale_attn_by_inverse_layer_idx": True}, "scale_attn_by_inverse_layer_idx=True"),
        ({"add_cross_attention": True}, "add_cross_attention=True"),
        ({"activation_function": "tanh"}, "activation_function='tanh' has no counterpart"),
        ({"embd_pdrop": 0.3}, "resid_pdrop=0.1, embd_pdrop=0.3"),
        ({"pad_token_id": None}, "pad_token_id=None"),
        ({"eos_token_id": [2, 3]}, r"eos_token_id=\[2, 3\]"),
        ({"bos_token_id": None}, "bos_token_id=None"),
        ({"pad_token_id": 2}, "end_id=2 is pad_id too"),
    ],
)
def test_what_we_have_not_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        from_gpt2(GPT2LMHeadModel(gpt2_config(**options)))


def test_a_gpt2_without_padding_gets_a_token_for_it():
    """As the docstring says: the published one has 50,257 tokens, and one of them is start and end at once."""
    peer = GPT2LMHeadModel(gpt2_config(pad_token_id=None, bos_token_id=49, eos_token_id=49)).double().eval()
    with torch.no_grad():
        before = peer(torch.tensor([[49, 6, 7]])).logits
    peer.resize_token_embeddings(51)
    peer.config.pad_token_id = 50
    ours = from_gpt2(peer)
    assert (ours.config.vocab, ours.config.pad_id, ours.config.start_id, ours.config.end_id) == (51, 50, 49, 49)
    with torch.no_grad():
        logits = ours(torch.tensor([[50, 49, 6, 7]]))[:, 1:, :50]
    torch.testing.assert_close(logits, before, rtol=0, atol=1e-10)
