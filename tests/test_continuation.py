"""A language model writes on: greedy and sampled, in any company, on either side of its padding."""

import math

import pytest
import torch

from blockbyblock import LanguageModel, LanguageModelConfig, Transformer, TransformerConfig, decoding
from blockbyblock.decoding import Hypothesis, beam_search, greedy
from blockbyblock.language_model import LanguageModelCache
from blockbyblock.sampling import sample

PAD, START, END = 0, 1, 2
TEXTS = ([1, 5, 6, 3], [1, 4, 3, 3, 5, 6], [1, 6], [1])
LEFT = torch.tensor([[PAD] * (6 - len(text)) + text for text in TEXTS])
RIGHT = torch.tensor([text + [PAD] * (6 - len(text)) for text in TEXTS])
BOTH = torch.stack((LEFT[0], RIGHT[1], RIGHT[2], LEFT[3]))
SIDES = pytest.mark.parametrize("prompts", [LEFT, RIGHT, BOTH], ids=["left", "right", "each as it likes"])
# float64 throughout: the order of the sums differs between a cache and none, a batch and a single text.
CLOSE = {"rel": 1e-9, "abs": 1e-9}


def tiny_model(seed=7, *, end=0.0, **options):
    """A model whose outputs vary with what it reads; `end` makes the end token more likely."""
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "layers": 2, "vocab": 9, "max_length": 20}
    model = LanguageModel(LanguageModelConfig(**{**sizes, "tied": False, "output_bias": True, **options})).double()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(generator=generator)
        model.output.bias[model.config.end_id] += end
    return model.eval()


def following(model, text):
    """Log-probabilities of what follows a text, by a full forward pass, without any of the module's own code."""
    logits = model(text[text != PAD][None])[0, -1].detach().clone()
    logits[[PAD, START]] = -math.inf
    return logits.log_softmax(-1)


def same(first, second):
    """Equal hypotheses, their numbers up to rounding."""
    assert [(one.ids, one.finished) for one in first] == [(one.ids, one.finished) for one in second]
    for one, two in zip(first, second, strict=True):
        assert one.log_probability == pytest.approx(two.log_probability, **CLOSE)
        assert one.score == one.log_probability


def seeded(model, prompts, *arguments, **options):
    return sample(model, prompts, *arguments, **options, generator=torch.Generator().manual_seed(0))


class CheckedReader(decoding._PromptReader):
    """Compares each reading of one more token with a full forward pass over the whole text."""

    steps = 0

    def __init__(self, model, prompts):
        super().__init__(model, prompts)
        self.texts = [prompt[prompt != PAD] for prompt in prompts]

    def begin(self):
        return self.checked(super().begin())

    def step(self, tokens):
        self.texts = [torch.cat((text, token[None])) for text, token in zip(self.texts, tokens, strict=True)]
        return self.checked(super().step(tokens))

    def select(self, rows):
        super().select(rows)
        self.texts = [self.texts[row] for row in rows]

    def checked(self, got):
        CheckedReader.steps += 1
        expected = torch.stack([following(self.model, text) for text in self.texts])
        torch.testing.assert_close(got, expected, rtol=0, atol=1e-10)
        return got


# Cached, batched, in any company -------------------------------------------------------------------------------------

DECODERS = {"greedy": greedy, "sample": seeded}
ALL_DECODERS = pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)


@SIDES
@pytest.mark.parametrize("options", [{}, {"pre_norm": True, "positions": "learned"}], ids=["paper", "pre-norm"])
@ALL_DECODERS
def test_cached_equals_uncached_at_every_step(monkeypatch, decode, options, prompts):
    monkeypatch.setattr(decoding, "_PromptReader", CheckedReader)
    CheckedReader.steps = 0
    lengths = set()
    for seed in (6, 8):
        found = decode(tiny_model(seed, end=1.0, **options), prompts, 7)
        lengths |= {len(one.ids) for one in found}
    assert len(lengths) > 2, "texts that leave at different steps, or nothing is shown"
    assert CheckedReader.steps > 10


def test_greedy_takes_the_most_probable_token():
    for seed in (6, 8):
        model = tiny_model(seed, end=1.0)
        for text, one in zip(TEXTS, greedy(model, LEFT, 7), strict=True):
            ids, total = torch.tensor(text), 0.0
            for token in [*one.ids, END] if one.finished else one.ids:
                steps = following(model, ids)
                assert int(steps.argmax()) == token
                total += float(steps[token])
                ids = torch.cat((ids, torch.tensor([token])))
            assert one.log_probability == pytest.approx(total, **CLOSE)


@SIDES
@pytest.mark.parametrize("seed", [4, 6, 7])
def test_a_batch_in_any_order_equals_its_texts_alone(seed, prompts):
    model = tiny_model(seed, end=1.0)
    alone = [greedy(model, torch.tensor([text]))[0] for text in TEXTS]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        same(greedy(model, prompts[order]), [alone[row] for row in order])


@SIDES
def test_a_sample_depends_on_its_place_and_not_on_its_neighbours(prompts):
    """Neither on what they are, nor on how many follow, nor on the padding that they bring, nor on its side."""
    model = tiny_model(end=0.5)
    first, second = seeded(model, LEFT[[2, 3]])
    same(seeded(model, prompts[[2, 1]])[:1], [first])
    same(seeded(model, prompts[[2, 3, 0, 1, 1, 0]])[:2], [first, second])
    same(seeded(model, torch.tensor([TEXTS[2]])), [first])
    assert seeded(model, LEFT[[0, 2]])[1].ids != first.ids, "another place, other numbers"


def test_the_same_prompt_twice_is_drawn_twice():
    found = seeded(tiny_model(end=-1.0), LEFT[:1].repeat(8, 1))
    assert len({one.ids for one in found}) == 8


def test_finished_texts_leave_the_batch_and_its_cache():
    model, rows = tiny_model(6, end=1.0), []
    states = model.states
    model.states = lambda ids, cache: rows.append((len(ids), cache)) or states(ids, cache)
    lengths = [len(one.ids) + one.finished for one in greedy(model, LEFT)]
    assert len(set(lengths)) > 1, "texts of different lengths, or nothing is shown"
    assert [count for count, _ in rows] == [sum(length > step for length in lengths) for step in range(max(lengths))]
    [cache] = {cache for _, cache in rows}
    assert isinstance(cache, LanguageModelCache)


def test_each_token_is_read_once():
    model, seen = tiny_model(end=-50), []
    states = model.states
    model.states = lambda ids, cache: seen.append(tuple(ids.shape)) or states(ids, cache)
    greedy(model, LEFT, 5)
    assert seen == [(4, 6)] + [(4, 1)] * 4


# The penalty of repetition -------------------------------------------------------------------------------------------


def test_a_penalty_of_one_changes_nothing():
    model = tiny_model(end=-1.0)
    same(seeded(model, LEFT, repetition_penalty=1.0), seeded(model, LEFT))


@SIDES
def test_a_high_penalty_leaves_no_token_twice_neither_of_the_prompt_nor_of_what_was_written(prompts):
    model = tiny_model(end=-50)
    plain = seeded(model, prompts, 4)
    assert any(set(one.ids) & set(text) for one, text in zip(plain, TEXTS, strict=True)), "or nothing is shown"
    for one, text in zip(seeded(model, prompts, 3, repetition_penalty=1e6), TEXTS, strict=True):
        own = {*text, PAD, START, END}
        free = 9 - len(own)  # tokens that the text does not hold yet
        assert not own & set(one.ids[:free])
        assert len(set(one.ids[:free])) == len(one.ids[:free])


def test_a_penalty_counts_what_stands_in_the_text_itself_and_not_in_its_neighbours():
    model = tiny_model(end=-1.0)
    alone = seeded(model, torch.tensor([TEXTS[2]]), repetition_penalty=1.8)
    same(seeded(model, LEFT[[2, 1, 0]], repetition_penalty=1.8)[:1], alone)
    same(seeded(model, RIGHT[[2, 3, 3]], repetition_penalty=1.8)[:1], alone)


def test_a_penalty_stays_with_its_text_when_another_leaves():
    """The first prompt is as long as the model, and ends after one token; beside a short one nothing ends."""
    model = tiny_model(end=-50)
    full = torch.tensor([[1, *[5, 6] * 9, 5], TEXTS[0] + [PAD] * 16])
    beside_full = seeded(model, full, 8, repetition_penalty=1.8)
    assert [len(one.ids) for one in beside_full] == [1, 8]
    same(beside_full[1:], seeded(model, LEFT[[3, 0]], 8, repetition_penalty=1.8)[1:])


def test_a_penalty_of_a_translation_counts_what_was_written_and_not_the_source():
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "encoder_layers": 1, "decoder_layers": 1, "max_length": 20}
    model = Transformer(TransformerConfig(**sizes, source_vocab=9, target_vocab=9, output_bias=True)).double()
    with torch.no_grad():
        model.output.bias[END] -= 50
        model.output.bias[4] += 3  # a word of the source, and the most probable one of the translation
    source = torch.tensor([[4, 4, 5, 2]])
    assert seeded(model, source, 1, repetition_penalty=1e6, top_k=1)[0].ids == (4,)
    written = seeded(model, source, 6, repetition_penalty=1e6)[0].ids
    assert len(set(written)) == 6


def test_a_log_probability_is_the_models_own_whatever_the_penalty():
    model = tiny_model(end=0.5)
    for text, one in zip(TEXTS, seeded(model, LEFT, repetition_penalty=2.0, temperature=0.7), strict=True):
        ids, total = torch.tensor(text), 0.0
        for token in [*one.ids, END] if one.finished else one.ids:
            total += float(following(model, ids)[token])
            ids = torch.cat((ids, torch.tensor([token])))
        assert one.log_probability == pytest.approx(total, **CLOSE)


# Limits, special tokens, modes ---------------------------------------------------------------------------------------


@SIDES
@ALL_DECODERS
def test_a_continuation_ends_where_the_model_ends(decode, prompts):
    """A model of 20 places reads 20 tokens; one more is written, and never read."""
    found = decode(tiny_model(end=-200.0), prompts)
    assert [len(one.ids) for one in found] == [21 - len(text) for text in TEXTS]
    assert not any(one.finished for one in found)
    assert [len(one.ids) for one in decode(tiny_model(end=-200.0), prompts, 16)] == [16, 15, 16, 16]


@ALL_DECODERS
def test_a_prompt_as_long_as_the_model_has_one_token_to_come_and_a_longer_one_is_refused(decode):
    full = torch.tensor([[1, *[5] * 19]])
    found = decode(tiny_model(end=-200.0), torch.cat((full, torch.tensor([[1, 5] + [PAD] * 18]))))
    assert [len(one.ids) for one in found] == [1, 19]
    longer = torch.tensor([[1, 5] + [PAD] * 19, [1, *[5] * 20]])
    with pytest.raises(ValueError, match="prompt 1 has 21 tokens, over the model's limit of 20"):
        decode(tiny_model(), longer)


def test_max_length_counts_the_end_token():
    at_once = tiny_model(end=200.0)
    assert greedy(at_once, LEFT, 1) == [Hypothesis((), 0.0, 0.0, True)] * 4
    assert [len(one.ids) for one in greedy(tiny_model(end=-200.0), LEFT, 1)] == [1] * 4


@pytest.mark.parametrize("special", [{}, {"start_id": 2}], ids=["all different", "start is end"])
def test_padding_and_start_are_never_written(special):
    model = tiny_model(end=1.0, **special)
    with torch.no_grad():
        for never in {PAD, model.config.start_id} - {END}:
            model.output.bias[never] = 100.0
    found = greedy(model, LEFT) + seeded(model, LEFT, temperature=5.0)
    assert not {PAD, model.config.start_id, END} & {token for one in found for token in one.ids}
    assert any(one.finished for one in found)


@ALL_DECODERS
def test_writing_is_in_evaluation_mode_and_leaves_the_mode_as_it_was(decode):
    model = tiny_model(end=1.0, dropout=0.5)
    expected = decode(model, LEFT)
    model.train()
    model.embedding.eval()  # frozen, say
    modes = [module.training for module in model.modules()]
    same(decode(model, LEFT), expected)
    assert [module.training for module in model.modules()] == modes


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@ALL_DECODERS
def test_other_precisions(decode, dtype):
    found = decode(tiny_model(end=1.0).to(dtype), LEFT)
    assert all(-math.inf < one.log_probability <= 0 for one in found)


@ALL_DECODERS
def test_ids_are_whole_numbers_of_any_width(decode):
    model = tiny_model(end=1.0)
    same(decode(model, LEFT.int()), decode(model, LEFT))


# Errors at the door --------------------------------------------------------------------------------------------------


@pytest.mark.unhooked
@ALL_DECODERS
@pytest.mark.parametrize(
    ("prompts", "error", "message"),
    [
        (torch.zeros(0, 3, dtype=torch.long), ValueError, r"shape \(0, 3\)"),
        (torch.zeros(2, 0, dtype=torch.long), ValueError, r"shape \(2, 0\)"),
        (torch.tensor([3, 4]), ValueError, r"shape \(2,\)"),
        (torch.tensor([[1, 3], [0, 0]]), ValueError, r"prompt 1 of the source, \[0, 0\], must hold a token"),
        (
            torch.tensor([[1, 0, 4]]),
            ValueError,
            r"\[1, 0, 4\], must hold a token and be padded on one side with pad_id=0",
        ),
        (torch.tensor([[0, 1, 0]]), ValueError, r"prompt 0 of the source, \[0, 1, 0\]"),
        (torch.tensor([[1, 9]]), ValueError, "outside the vocabulary 0 to 8"),
        (torch.tensor([[-1, 1]]), ValueError, "outside the vocabulary 0 to 8"),
        (torch.tensor([[1.0, 5.0]]), TypeError, "whole numbers, got torch.float32"),
    ],
)
def test_bad_prompts(decode, prompts, error, message):
    with pytest.raises(error, match=message):
        decode(tiny_model(), prompts)


@pytest.mark.unhooked
@pytest.mark.parametrize(
    ("decode", "options", "message"),
    [
        (greedy, {"max_length": 0}, "max_length=0"),
        (greedy, {"max_length": 21}, "max_length=21 is over .* config.max_length=20"),
        (sample, {"max_length": 2.5}, "max_length=2.5"),
        (sample, {"repetition_penalty": 0.0}, "repetition_penalty=0.0 must be positive"),
        (sample, {"repetition_penalty": -1.0}, "repetition_penalty=-1.0"),
        (sample, {"repetition_penalty": math.nan}, "repetition_penalty=nan"),
        (sample, {"repetition_penalty": math.inf}, "repetition_penalty=inf"),
    ],
)
def test_bad_arguments(decode, options, message):
    with pytest.raises(ValueError, match=message):
        decode(tiny_model(), LEFT, **options)


@ALL_DECODERS
def test_a_model_without_numbers_writes_nothing(decode):
    model = tiny_model()
    with torch.no_grad():
        model.output.bias[4] = math.nan
    with pytest.raises(ValueError, match="not a number"):
        decode(model, LEFT)
    assert not model.training


def test_translations_take_whole_numbers_of_any_width():
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "encoder_layers": 1, "decoder_layers": 1, "max_length": 20}
    model = Transformer(TransformerConfig(**sizes, source_vocab=9, target_vocab=9)).double()
    source = torch.tensor([[4, 5, 2]])
    for decode in (greedy, seeded, lambda *arguments: beam_search(*arguments)[0]):
        same_ids = [[one.ids for one in decode(model, ids)] for ids in (source, source.int())]
        assert same_ids[0] == same_ids[1]
