"""Greedy decoding, beam search and sampling, held to slow and plain versions of themselves."""

import itertools
import math

import pytest
import torch

from blockbyblock import DecoderCache, Transformer, TransformerConfig, decoding
from blockbyblock.decoding import Hypothesis, beam_search, greedy, length_divisor
from blockbyblock.sampling import sample, sampling_probabilities

PAD, START, END = 0, 1, 2
SOURCE = torch.tensor([[5, 6, 3, 2, 0], [4, 3, 3, 5, 2], [6, 2, 0, 0, 0], [2, 0, 0, 0, 0]])
# float64 throughout: the order of the sums differs between a cache and none, a batch and a single sentence.
CLOSE = {"rel": 1e-9, "abs": 1e-9}


def tiny_model(seed=7, *, vocab=7, end=0.0, **options):
    """A model whose outputs vary with what it reads; `end` makes the end token more likely."""
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "encoder_layers": 1, "decoder_layers": 2, "max_length": 64}
    config = TransformerConfig(
        **sizes, source_vocab=vocab, target_vocab=vocab, tying="none", output_bias=True, **options
    )
    model = Transformer(config).double().eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 2:
                parameter.normal_(generator=generator)
        model.output.bias[config.end_id] += end
    return model


def log_probabilities(model, source, prefixes):
    """What follows each position of each prefix, by a full forward pass, without any of the module's own code."""
    logits = model(source, prefixes).detach().clone()
    for never in {model.config.pad_id, model.config.start_id} - {model.config.end_id}:
        logits[:, :, never] = -math.inf
    return logits.log_softmax(-1)


def same(first, second):
    """Equal hypotheses, their numbers up to rounding."""
    assert [(one.ids, one.finished) for one in first] == [(one.ids, one.finished) for one in second]
    for one, two in zip(first, second, strict=True):
        assert one.log_probability == pytest.approx(two.log_probability, **CLOSE)
        assert one.score == pytest.approx(two.score, **CLOSE)


def plain_beam_search(model, sentence, beam, length_penalty, limit, n_best):
    """The definition: no cache, no batch, no early stop."""
    prefixes, ended = [((), 0.0)], []
    for length in range(1, limit + 1):
        ids = torch.tensor([[START, *prefix] for prefix, _ in prefixes])
        following = log_probabilities(model, sentence.expand(len(ids), -1), ids)[:, -1].tolist()
        grown = [
            ((*prefix, token), total + step)
            for (prefix, total), steps in zip(prefixes, following, strict=True)
            for token, step in enumerate(steps)
            if step > -math.inf
        ]
        best = sorted(grown, key=lambda item: -item[1])[:beam]
        ended += [(ids[:-1], total, length) for ids, total in best if ids[-1] == END]
        prefixes = [(ids, total) for ids, total in best if ids[-1] != END]
        if not prefixes:
            break
    found = [Hypothesis(ids, total, total / length_divisor(n, length_penalty), True) for ids, total, n in ended]
    found.sort(key=lambda one: -one.score)
    open_ones = [
        Hypothesis(ids, total, total / length_divisor(limit, length_penalty), False) for ids, total in prefixes
    ]
    return (found + open_ones)[:n_best]


class CheckedReader(decoding._SourceReader):
    """Compares each reading of one more token with a full forward pass over source and prefix."""

    def __init__(self, model, source):
        super().__init__(model, source)
        self.source, self.prefixes = source, source[:, None, :0]  # [sentences, width, length]

    def read(self, tokens, parents=None):
        if parents is not None:
            self.prefixes = self.prefixes[torch.arange(len(tokens))[:, None], parents]
        self.prefixes = torch.cat((self.prefixes, tokens[:, :, None]), 2)
        got = super().read(tokens, parents)
        for slot in range(tokens.shape[1]):
            expected = log_probabilities(self.model, self.source, self.prefixes[:, slot])[:, -1]
            torch.testing.assert_close(got[:, slot], expected, rtol=0, atol=1e-10)
        return got

    def select(self, rows):
        super().select(rows)
        self.source, self.prefixes = self.source[rows], self.prefixes[rows]


class Script:
    """Stands in for the reader: the same distribution for every row, one per step; counts the steps."""

    def __init__(self, *steps):
        self.steps, self.read_so_far = [torch.tensor(step, dtype=torch.float64) for step in steps], 0

    def __call__(self, model, source):
        return self

    def zeros(self, *shape):
        return torch.zeros(shape, dtype=torch.float64)

    def read(self, tokens, parents):
        step = self.steps[min(self.read_so_far, len(self.steps) - 1)]
        self.read_so_far += 1
        return step.log().expand(*tokens.shape, -1)

    def select(self, rows):
        pass


# Cached, batched, in any company -------------------------------------------------------------------------------------

DECODERS = {
    "greedy": lambda model, source: greedy(model, source, 12),
    "beam": lambda model, source: [
        one for best in beam_search(model, source, 3, max_length=12, n_best=3) for one in best
    ],
    "sample": lambda model, source: sample(model, source, 12, generator=torch.Generator().manual_seed(0)),
}


@pytest.mark.parametrize("options", [{}, {"pre_norm": True, "positions": "learned"}], ids=["paper", "pre-norm"])
@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_cached_equals_uncached_at_every_step(monkeypatch, decode, options):
    monkeypatch.setattr(decoding, "_SourceReader", CheckedReader)
    for seed in (6, 7, 8):
        decode(tiny_model(seed, end=1.0, **options), SOURCE)


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_a_log_probability_is_that_of_the_ids(decode):
    model = tiny_model(end=1.0)
    results = decode(model, SOURCE)
    sources = SOURCE.repeat_interleave(len(results) // len(SOURCE), 0)
    for one, source in zip(results, sources, strict=True):
        produced = [*one.ids, END] if one.finished else list(one.ids)
        steps = log_probabilities(model, source[None], torch.tensor([[START, *produced[:-1]]]))[0]
        total = sum(float(step[token]) for step, token in zip(steps, produced, strict=True))
        assert one.log_probability == pytest.approx(total, **CLOSE)


@pytest.mark.parametrize("seed", [4, 6, 7, 8, 11])
@pytest.mark.parametrize("name", ["greedy", "beam"])
def test_a_batch_in_any_order_equals_its_sentences_alone(name, seed):
    model, decode = tiny_model(seed, end=1.0), DECODERS[name]
    alone = [decode(model, sentence[sentence != PAD][None]) for sentence in SOURCE]
    for order in ([0, 1, 2, 3], [3, 1, 0, 2]):
        same(decode(model, SOURCE[order]), [one for row in order for one in alone[row]])


def test_finished_sentences_leave_the_batch():
    model, rows = tiny_model(6, end=1.0), []
    decode = model.decode_prefixes
    model.decode_prefixes = lambda tokens, *rest: rows.append(len(tokens)) or decode(tokens, *rest)
    lengths = [len(one.ids) + one.finished for one in greedy(model, SOURCE, 12)]
    assert len(set(lengths)) > 1, "sentences of different lengths, or nothing is shown"
    assert rows == [sum(length > step for length in lengths) for step in range(max(lengths))]


def test_the_memory_is_projected_once_and_no_beam_moves_a_cache(monkeypatch):
    """Nothing is copied while no sentence ends, though prefixes die out and others multiply."""
    model, calls = tiny_model(end=-50), []
    for layer in model.decoder.layers:
        project = layer.cross_attention.project
        monkeypatch.setattr(layer.cross_attention, "project", lambda *args, p=project: calls.append("p") or p(*args))
    select = DecoderCache.select
    monkeypatch.setattr(DecoderCache, "select", lambda cache, rows: calls.append("s") or select(cache, rows))
    greedy(model, SOURCE, 6)
    beam_search(model, SOURCE, 3, max_length=6)
    assert calls == ["p", "p"] * 2


def test_the_beams_of_a_sentence_read_one_memory(monkeypatch):
    """Three prefixes of four sentences are three queries each, and not twelve copies of what they read."""
    model, seen = tiny_model(end=-50), []
    attention = model.decoder.layers[0].cross_attention
    attend = attention.attend
    monkeypatch.setattr(attention, "attend", lambda x, key, *rest: seen.append((x, key)) or attend(x, key, *rest))
    beam_search(model, SOURCE, 3, max_length=3)
    assert [tuple(x.shape[:2]) for x, _ in seen] == [(4, 1), (4, 3), (4, 3)]
    assert len({key.data_ptr() for _, key in seen}) == 1


# Beam search ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_a_beam_of_one_is_greedy(length_penalty):
    for seed in range(10):
        model = tiny_model(seed, end=1.0)
        beams = [best for (best,) in beam_search(model, SOURCE, 1, length_penalty, 12)]
        for one, two in zip(beams, greedy(model, SOURCE, 12), strict=True):
            assert (one.ids, one.finished) == (two.ids, two.finished)
            assert one.log_probability == pytest.approx(two.log_probability, **CLOSE)


@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
@pytest.mark.parametrize("seed", range(3))
def test_a_wide_beam_finds_what_exhaustive_search_finds(seed, length_penalty):
    """Two words and an end token: 63 sentences that end within six tokens."""
    model, limit, words = tiny_model(seed, vocab=5, end=-0.5), 6, (3, 4)
    source = torch.tensor([[3, 4, 2]])
    everything = []
    for length in range(1, limit + 1):
        sentences = [(*ids, END) for ids in itertools.product(words, repeat=length - 1)]
        targets = torch.tensor([[START, *ids[:-1]] for ids in sentences])
        steps = log_probabilities(model, source.expand(len(targets), -1), targets)
        totals = steps.gather(2, torch.tensor(sentences)[:, :, None]).sum((1, 2)).tolist()
        for ids, total in zip(sentences, totals, strict=True):
            score = total / ((5 + length) / 6) ** length_penalty
            everything.append(Hypothesis(ids[:-1], total, score, True))
    everything.sort(key=lambda one: -one.score)
    (found,) = beam_search(model, source, 64, length_penalty, limit, n_best=20)
    same(found, everything[:20])


@pytest.mark.parametrize("n_best", [1, 3])
@pytest.mark.parametrize("length_penalty", [0.0, 0.6, 2.0])
def test_the_same_as_a_plain_search_that_never_stops_early(length_penalty, n_best):
    for seed in (4, 6, 7, 8):
        model = tiny_model(seed, end=1.0)
        found = beam_search(model, SOURCE, 3, length_penalty, 12, n_best=n_best)
        for row, sentence in enumerate(SOURCE):
            alone = sentence[sentence != PAD][None]
            same(found[row], plain_beam_search(model, alone, 3, length_penalty, 12, n_best))


def test_a_finished_hypothesis_may_be_overtaken_by_a_longer_one(monkeypatch):
    """At once to the end: log 0.5. Six words first: log 0.49, a little lower, but divided by more."""
    script = Script([0, 0, 0.5, 0.49, 0.01], *[[0, 0, 1e-9, 1, 1e-9]] * 5, [0, 0, 1, 0, 0])
    monkeypatch.setattr(decoding, "_SourceReader", script)
    ((best,),) = beam_search(tiny_model(vocab=5), torch.tensor([[3]]), 2, 0.6, 20)
    assert best.ids == (3,) * 6
    assert best.score == pytest.approx(math.log(0.49) / 2**0.6)


@pytest.mark.parametrize(("limit", "steps"), [(20, 20), (5, 5), (4, 1)])
def test_the_search_ends_as_soon_as_the_limit_leaves_no_room_to_overtake(monkeypatch, limit, steps):
    """log 0.5 / 1 against log 0.35 / ((5 + limit) / 6): at 4 tokens the longer one cannot win, at 5 it could."""
    script = Script([0, 0, 0.5, 0.35, 0.15], [0, 0, 1e-9, 1, 1e-9])
    monkeypatch.setattr(decoding, "_SourceReader", script)
    ((best,),) = beam_search(tiny_model(vocab=5), torch.tensor([[3]]), 2, 1.0, limit)
    assert best.ids == ()
    assert script.read_so_far == steps


def test_no_hypothesis_twice_and_the_best_first():
    for seed in range(10):
        for found in beam_search(tiny_model(seed, end=1.0), SOURCE, 8, max_length=10, n_best=8):
            assert len({(one.ids, one.finished) for one in found}) == len(found) == 8
            order = [(one.finished, one.score) for one in found]
            assert order == sorted(order, reverse=True)


def test_a_vocabulary_smaller_than_the_beam():
    """One word only, so that a length is a sentence: there are as many hypotheses as lengths."""
    (found,) = beam_search(tiny_model(vocab=4), torch.tensor([[3, 2]]), 6, max_length=3, n_best=6)
    assert {(one.ids, one.finished) for one in found} == {((), True), ((3,), True), ((3, 3), True), ((3, 3, 3), False)}


def test_the_divisor_is_that_of_wu_et_al():
    assert length_divisor(1, 0.6) == 1
    assert length_divisor(7, 1.0) == 2
    assert length_divisor(40, 0.0) == 1


# Sampling ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{}, {"temperature": 2.0}, {"temperature": 0.7, "top_k": 3}, {"top_p": 0.8}])
def test_drawn_as_often_as_the_model_says(options):
    """Chi-square over the 21 outputs of at most two tokens; 45.3 is exceeded once in 1,000 times by chance."""
    model, draws = tiny_model(), 20_000
    source = torch.tensor([[5, 6, 2]])

    def distribution(*prefix):
        return sampling_probabilities(
            log_probabilities(model, source, torch.tensor([[START, *prefix]]))[:, -1], **options
        )[0]

    first = distribution()
    expected = {(END,): float(first[END])}
    for word in range(3, 7):
        second = distribution(word)
        expected |= {(word, token): float(first[word] * second[token]) for token in range(2, 7)}
    assert sum(expected.values()) == pytest.approx(1)
    found = sample(model, source.repeat(draws, 1), 2, **options, generator=torch.Generator().manual_seed(0))
    outputs = [(*one.ids, END) if one.finished else one.ids for one in found]
    statistic = 0.0
    for output, probability in expected.items():
        if probability == 0:
            assert output not in outputs
        else:
            statistic += (outputs.count(output) - draws * probability) ** 2 / (draws * probability)
    assert set(outputs) <= set(expected)
    assert statistic < 45.3


LOGITS = torch.tensor([[0.1, 0.4, 0.1, 0.25, 0.15]], dtype=torch.float64).log()


@pytest.mark.parametrize(
    ("options", "kept"),
    [
        ({}, [0, 1, 2, 3, 4]),
        ({"top_k": 1}, [1]),
        ({"top_k": 3}, [1, 3, 4]),
        ({"top_k": 4}, [0, 1, 3, 4]),  # a tie between 0 and 2: the smaller id
        ({"top_k": 5}, [0, 1, 2, 3, 4]),
        ({"top_k": 99}, [0, 1, 2, 3, 4]),
        ({"top_p": 1.0}, [0, 1, 2, 3, 4]),
        ({"top_p": 1e-9}, [1]),
        ({"top_p": 0.39}, [1]),
        ({"top_p": 0.41}, [1, 3]),
        ({"top_p": 0.64}, [1, 3]),
        ({"top_p": 0.66}, [1, 3, 4]),
        ({"top_p": 0.85}, [0, 1, 3, 4]),
        ({"top_k": 2, "top_p": 0.6}, [1]),  # 0.4 of the 0.65 that top_k has left is 0.62
        ({"top_k": 2, "top_p": 0.63}, [1, 3]),
    ],
)
def test_what_takes_part(options, kept):
    probabilities = sampling_probabilities(LOGITS, **options)
    assert probabilities[0].nonzero().flatten().tolist() == kept
    share = LOGITS.exp()[0, kept] / LOGITS.exp()[0, kept].sum()
    torch.testing.assert_close(probabilities[0, kept], share, rtol=0, atol=1e-12)


def test_a_share_reached_exactly_is_enough():
    probabilities = torch.tensor([[0.5, 0.25, 0.125, 0.125]])  # powers of two: no rounding
    for top_p, kept in ((0.5, 1), (0.75, 2), (0.875, 3), (0.876, 4)):
        assert sampling_probabilities(probabilities.log(), top_p=top_p).count_nonzero() == kept


def test_top_p_of_one_keeps_even_what_rounding_would_lose():
    logits = torch.tensor([[0.0, 0.0, -17.5, -17.6]])  # in float32 the first two sum to one
    assert sampling_probabilities(logits, top_p=1.0).count_nonzero() == 4


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1e-20, 1e-38, 1e-46, 5e-324])
def test_the_lowest_temperatures_leave_the_largest_of_every_kind_of_number(temperature, dtype):
    logits = torch.tensor([[-2.0, 0.5, 0.25, -1.0]], dtype=dtype)
    for options in ({}, {"top_k": 2}, {"top_p": 0.5}):
        assert sampling_probabilities(logits, temperature, **options).tolist() == [[0.0, 1.0, 0.0, 0.0]]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_a_probability_at_a_temperature_is_its_power(temperature):
    powers = LOGITS.exp() ** (1 / temperature)
    torch.testing.assert_close(sampling_probabilities(LOGITS, temperature), powers / powers.sum(), rtol=0, atol=1e-12)


@pytest.mark.parametrize("temperature", [1e-6, 1e-307])
def test_a_temperature_near_zero_leaves_the_largest(temperature):
    expected = torch.tensor([[0.0, 1.0, 0.0, 0.0, 0.0]], dtype=torch.float64)
    assert torch.equal(sampling_probabilities(1000 * LOGITS, temperature), expected)


@pytest.mark.parametrize("options", [{"top_k": 1}, {"temperature": 1e-6}, {"top_p": 1e-6}])
def test_sampling_from_one_token_is_greedy(options):
    for seed in range(5):
        model = tiny_model(seed, end=1.0)
        same(sample(model, SOURCE, 12, **options), greedy(model, SOURCE, 12))


def test_reproducible_by_seed_and_by_nothing_else():
    model = tiny_model(end=-1.0)

    def run(seed):
        return sample(model, SOURCE, 12, generator=torch.Generator().manual_seed(seed))

    assert run(0) == run(0)
    assert run(0) != run(1)
    torch.manual_seed(5)
    by_default = sample(model, SOURCE, 12)
    assert by_default != sample(model, SOURCE, 12)
    torch.manual_seed(5)
    assert by_default == sample(model, SOURCE, 12)


def test_a_sample_does_not_depend_on_its_neighbours():
    """Neither on what they are, nor on how many follow, nor on the padding that they bring."""
    model = tiny_model(end=1.0)

    def run(*rows):
        return sample(model, SOURCE[list(rows)], generator=torch.Generator().manual_seed(0))

    first, second = run(2, 3)
    same(run(2, 1)[:1], [first])
    same(run(2, 3, 0, 1, 1, 0)[:2], [first, second])
    same(sample(model, SOURCE[2:3, :2], generator=torch.Generator().manual_seed(0)), [first])


def test_the_same_sentence_twice_is_drawn_twice():
    found = sample(tiny_model(end=-1.0), SOURCE[:1].repeat(8, 1), 12, generator=torch.Generator().manual_seed(0))
    assert len({one.ids for one in found}) == 8


# Limits, special tokens, modes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("decode", [greedy, sample, lambda *args: [best for (best,) in beam_search(*args)]])
def test_an_output_ends_at_the_limit(decode):
    """50 tokens more than the input, the padding not counted, and no more than the model has positions."""
    never_ending = tiny_model(end=-200.0)
    lengths = [len(one.ids) for one in decode(never_ending, SOURCE)]
    assert lengths == [54, 55, 52, 51]
    assert not any(one.finished for one in decode(never_ending, SOURCE))
    long_source = torch.full((1, 64), 3)
    assert [len(one.ids) for one in decode(never_ending, long_source)] == [64]


def test_max_length_counts_the_end_token():
    at_once = tiny_model(end=200.0)
    assert greedy(at_once, SOURCE, 1) == [Hypothesis((), 0.0, 0.0, True)] * 4
    assert [len(one.ids) for one in greedy(tiny_model(end=-200.0), SOURCE, 1)] == [1] * 4
    assert beam_search(at_once, SOURCE, max_length=1)[0][0].finished


@pytest.mark.parametrize(
    "special", [{}, {"start_id": 0}, {"start_id": 2}], ids=["all different", "start is padding", "start is end"]
)
def test_padding_and_start_are_never_produced(special):
    model = tiny_model(end=1.0, **special)
    with torch.no_grad():
        for never in {PAD, model.config.start_id} - {END}:
            model.output.bias[never] = 100.0
    found = greedy(model, SOURCE, 12) + sample(model, SOURCE, 12, temperature=5.0)
    found += [one for best in beam_search(model, SOURCE, 4, max_length=12, n_best=4) for one in best]
    assert not {PAD, model.config.start_id, END} & {token for one in found for token in one.ids}
    assert any(one.finished for one in found)


@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_decoding_is_in_evaluation_mode_and_leaves_the_mode_as_it_was(decode):
    model = tiny_model(end=1.0, dropout=0.5)
    expected = decode(model, SOURCE)
    model.train()
    model.encoder.eval()  # a frozen encoder, say
    modes = [module.training for module in model.modules()]
    same(decode(model, SOURCE), expected)
    assert [module.training for module in model.modules()] == modes


def test_the_mode_comes_back_after_an_error_too():
    model = tiny_model().train()
    with pytest.raises(ValueError, match="outside the vocabulary"):
        greedy(model, torch.tensor([[99]]))
    assert all(module.training for module in model.modules())


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
@pytest.mark.parametrize("decode", DECODERS.values(), ids=DECODERS)
def test_other_precisions(decode, dtype):
    found = decode(tiny_model(end=1.0).to(dtype), SOURCE)
    assert all(-math.inf < one.log_probability <= 0 for one in found)


def test_results_are_plain_numbers():
    one = greedy(tiny_model(end=-200.0), SOURCE)[0]
    assert {type(token) for token in one.ids} == {int}
    assert type(one.log_probability) is type(one.score) is float


# Errors at the door --------------------------------------------------------------------------------------------------


@pytest.mark.unhooked
@pytest.mark.parametrize("decode", [greedy, sample, beam_search])
@pytest.mark.parametrize(
    ("source", "message"),
    [
        (torch.zeros(0, 3, dtype=torch.long), r"shape \(0, 3\)"),
        (torch.zeros(2, 0, dtype=torch.long), r"shape \(2, 0\)"),
        (torch.tensor([3, 4]), r"shape \(2,\)"),
        (torch.tensor([[3, 2], [0, 0]]), r"sentence 1 of the source, \[0, 0\], must hold a token"),
        (torch.tensor([[3, 2], [0, 3]]), r"sentence 1 .* padded on its right with pad_id=0"),
        (torch.tensor([[3, 0, 4]]), r"sentence 0 of the source, \[3, 0, 4\]"),
        (torch.tensor([[3, 7]]), "outside the vocabulary 0 to 6"),
        (torch.full((1, 65), 3), "max_length=64"),
    ],
)
def test_bad_sources(decode, source, message):
    with pytest.raises(ValueError, match=message):
        decode(tiny_model(), source)


@pytest.mark.unhooked
@pytest.mark.parametrize(
    ("decode", "options", "message"),
    [
        (greedy, {"max_length": 0}, "max_length=0"),
        (greedy, {"max_length": 65}, "max_length=65 is over .* config.max_length=64"),
        (sample, {"max_length": 2.5}, "max_length=2.5"),
        (sample, {"temperature": 0.0}, "temperature=0.0 must be positive; for the limit at 0 use greedy"),
        (sample, {"temperature": -1.0}, "temperature=-1.0"),
        (sample, {"temperature": math.nan}, "temperature=nan"),
        (sample, {"temperature": math.inf}, "temperature=inf"),
        (sample, {"top_k": 0}, "top_k=0"),
        (sample, {"top_p": 0.0}, r"top_p=0.0 is not in \(0, 1\]"),
        (sample, {"top_p": 1.1}, "top_p=1.1"),
        (sample, {"top_p": math.nan}, "top_p=nan"),
        (beam_search, {"beam": 0}, "beam=0"),
        (beam_search, {"beam": 2, "n_best": 3}, "n_best=3 .* beam=2"),
        (beam_search, {"n_best": 0}, "n_best=0"),
        (beam_search, {"length_penalty": -0.1}, "length_penalty=-0.1"),
        (beam_search, {"length_penalty": math.nan}, "length_penalty=nan"),
        (beam_search, {"max_length": 65}, "max_length=65"),
    ],
)
def test_bad_arguments(decode, options, message):
    with pytest.raises(ValueError, match=message):
        decode(tiny_model(), SOURCE, **options)


@pytest.mark.parametrize("decode", [greedy, sample, beam_search])
def test_a_model_without_numbers_is_no_translation(decode):
    model = tiny_model()
    with torch.no_grad():
        model.output.bias[4] = math.nan
    with pytest.raises(ValueError, match="not a number"):
        decode(model, SOURCE)
