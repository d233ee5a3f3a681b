"""Scores and losses, held to their definitions and to sacreBLEU's own corpus score."""

import math

import pytest
import torch
from sacrebleu import corpus_bleu, corpus_chrf

from blockbyblock import Transformer, TransformerConfig
from blockbyblock.evaluation import (
    ExactMatches,
    Interval,
    Score,
    TokenLoss,
    bleu,
    bleu_difference,
    bleu_interval,
    chrf,
    exact_matches,
    token_loss,
)

TEXTS = ["The cat sat on the mat.", "A dog is running in the park, fast.", "Two men.", "nothing that is right here"]
REFERENCES = [
    ["The cat sat on the mat.", "The cat was sitting on the mat."],
    ["A dog runs fast in the park."],
    ["Two Men.", "Two men are there.", "Some men."],
    ["Something entirely different was said."],
]
FIRST = [[texts[0] for texts in REFERENCES]]  # a stream, as sacreBLEU takes them


def one_each(texts):
    return [[text] for text in texts]


# BLEU, chrF, exact matches -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("lowercase", [False, True])
def test_bleu_is_that_of_sacrebleu(lowercase):
    score = bleu(TEXTS, one_each(FIRST[0]), lowercase=lowercase)
    assert score.value == corpus_bleu(TEXTS, FIRST, lowercase=lowercase, tokenize="13a").score
    assert f"|case:{'lc' if lowercase else 'mixed'}|" in score.signature
    for part in ("nrefs:1", "tok:13a", "smooth:exp", "version:"):
        assert part in score.signature


def test_case_matters_only_without_lowercase():
    texts, references = ["THE CAT SAT ON THE MAT"], [["the cat sat on the mat"]]
    assert bleu(texts, references).value == 0
    assert bleu(texts, references, lowercase=True).value == pytest.approx(100)


def test_chrf_is_that_of_sacrebleu():
    score = chrf(TEXTS, one_each(FIRST[0]))
    assert score.value == corpus_chrf(TEXTS, FIRST).score
    assert score.name == "chrF2"
    assert "nc:6|nw:0" in score.signature


def test_every_reference_of_a_sentence_counts_and_their_number_may_differ():
    streams = [[texts[i] if i < len(texts) else None for texts in REFERENCES] for i in range(3)]
    assert bleu(TEXTS, REFERENCES).value == corpus_bleu(TEXTS, streams).score > bleu(TEXTS, one_each(FIRST[0])).value
    assert "nrefs:var" in bleu(TEXTS, REFERENCES).signature
    last = ["Some men." if text == "Two men." else text for text in TEXTS]
    assert exact_matches(last, REFERENCES) == ExactMatches(2, 4)


def test_exact_matches_are_exact():
    texts = ["a b", "a b ", "A b", "", "a  b"]
    assert exact_matches(texts, [["a b"]] * 5) == ExactMatches(1, 5)
    assert ExactMatches(1, 5).share == 0.2


# Bootstrap -----------------------------------------------------------------------------------------------------------


def corpus(sentences=60):
    """Translations of which every third is wrong in a word, and their references."""
    references = [f"the number {i} is followed by {i + 1} and then by {i + 2}" for i in range(sentences)]
    texts = [text.replace("followed", "chased") if i % 3 == 0 else text for i, text in enumerate(references)]
    return texts, one_each(references)


def test_an_interval_is_around_the_score_and_narrows_with_more_sentences():
    few, many = (bleu_interval(*corpus(sentences), samples=200) for sentences in (30, 480))
    for interval, sentences in ((few, 30), (many, 480)):
        assert interval.value == pytest.approx(bleu(*corpus(sentences)).value, abs=1e-9)
        assert interval.low < interval.value < interval.high
    # Sixteen times the sentences, a quarter of the width; 200 samples know it to about 10 %.
    assert (many.high - many.low) / (few.high - few.low) == pytest.approx(0.25, abs=0.1)


def test_the_interval_holds_the_share_of_the_samples_that_it_says():
    wide, narrow = (bleu_interval(*corpus(), samples=200, confidence=share) for share in (0.95, 0.5))
    assert wide.low < narrow.low < narrow.high < wide.high
    assert narrow.confidence == 0.5


def test_corpora_of_one_sentence_kind_have_no_spread():
    interval = bleu_interval(["the cat sat on the mat"] * 5, [["the cat sat on a mat"]] * 5, samples=50)
    assert interval.low == interval.high == interval.value


def test_lowercase_and_all_references_reach_the_interval():
    lowered = bleu_interval(TEXTS, REFERENCES, lowercase=True, samples=10)
    assert lowered.value == pytest.approx(bleu(TEXTS, REFERENCES, lowercase=True).value, abs=1e-9)
    assert lowered.value > bleu_interval(TEXTS, REFERENCES, samples=10).value


def test_reproducible_by_seed():
    assert bleu_interval(*corpus(), samples=50) == bleu_interval(*corpus(), samples=50)
    assert bleu_interval(*corpus(), samples=50) != bleu_interval(*corpus(), samples=50, seed=1)


def test_paired_samples_know_a_difference_better_than_two_intervals_do():
    """One more word wrong in every twelfth sentence: both intervals overlap, the difference is certain."""
    better, references = corpus(120)
    worse = [text.replace("then", "there") if i % 12 == 0 else text for i, text in enumerate(better)]
    difference = bleu_difference(better, worse, references, samples=200)
    first, second = (bleu_interval(texts, references, samples=200) for texts in (better, worse))
    assert difference.value == pytest.approx(first.value - second.value, abs=1e-9)
    assert second.high > first.low
    assert 0 < difference.low < difference.value < difference.high
    turned = bleu_difference(worse, better, references, samples=200)
    assert (turned.low, turned.high) == pytest.approx((-difference.high, -difference.low), abs=1e-9)


def test_a_system_does_not_differ_from_itself():
    texts, references = corpus()
    difference = bleu_difference(texts, texts, references, samples=50)
    assert difference.low == difference.value == difference.high == 0


# Loss per token ------------------------------------------------------------------------------------------------------

SOURCE = torch.tensor([[5, 6, 2], [4, 2, 0]])
TARGET = torch.tensor([[3, 4, 5, 2], [6, 2, 0, 0]])


def tiny_model(**options):
    sizes = {"d_model": 8, "heads": 2, "d_ff": 16, "encoder_layers": 1, "decoder_layers": 1, "max_length": 16}
    return Transformer(TransformerConfig(**sizes, source_vocab=7, target_vocab=7, **options)).double()


def by_hand(model, source, target):
    """Each token's -log p, from its own forward pass over source and true prefix."""
    losses = []
    for words, ids in zip(source.tolist(), target.tolist(), strict=True):
        ids = [token for token in ids if token != 0]
        for i, token in enumerate(ids):
            logits = model(torch.tensor([words]), torch.tensor([[1, *ids[:i]]]))[0, -1]
            losses.append(-logits.log_softmax(-1)[token].item())
    return losses


def test_the_loss_is_the_mean_over_tokens_without_padding():
    model = tiny_model().eval()
    losses = by_hand(model, SOURCE, TARGET)
    found = token_loss(model, [(SOURCE, TARGET)])
    assert found.tokens == len(losses) == 6
    assert found.total == pytest.approx(sum(losses), abs=1e-10)
    assert found.loss == pytest.approx(sum(losses) / 6, abs=1e-10)
    assert found.perplexity == pytest.approx(math.exp(sum(losses) / 6), rel=1e-10)


def test_each_token_counts_the_same_in_whatever_batch():
    model = tiny_model().eval()
    together = token_loss(model, [(SOURCE, TARGET)])
    apart = token_loss(model, ((SOURCE[row, None], TARGET[row, None]) for row in (1, 0)))
    assert apart.tokens == together.tokens
    assert apart.total == pytest.approx(together.total, abs=1e-10)


def test_a_model_that_knows_nothing_is_as_unsure_as_the_vocabulary_is_large():
    model = tiny_model(tying="none").eval()
    torch.nn.init.zeros_(model.output.weight)
    assert token_loss(model, [(SOURCE, TARGET)]).perplexity == pytest.approx(7)


def test_the_model_is_in_evaluation_mode_meanwhile_and_takes_no_gradient():
    model = tiny_model(dropout=0.5).eval()
    expected = token_loss(model, [(SOURCE, TARGET)])
    model.train()
    assert token_loss(model, [(SOURCE, TARGET)]) == expected
    assert model.training


def test_half_precision_is_summed_in_float32():
    model = tiny_model().eval()
    exact = token_loss(model, [(SOURCE, TARGET)]).loss
    # bfloat16 has 8 bits: weights and activations are off by up to 0.4 % each, the loss by a few of these.
    assert token_loss(model.to(torch.bfloat16), [(SOURCE, TARGET)]).loss == pytest.approx(exact, rel=0.03)


def test_a_perplexity_beyond_the_floating_point_range_is_infinite():
    assert TokenLoss(total=1e4, tokens=1).perplexity == math.inf


# What is printed, what is refused ------------------------------------------------------------------------------------


def test_what_is_printed():
    assert str(Score("BLEU", 38.126, "nrefs:1|tok:13a")) == "BLEU 38.13 (nrefs:1|tok:13a)"
    assert str(Interval(38.126, 37.0, 39.5, 0.95, 1000)) == "38.13 [37.00, 39.50] (95% of 1,000 bootstrap samples)"
    assert str(ExactMatches(991, 1000)) == "991 of 1,000 exactly right (99.1%)"
    assert str(TokenLoss(2000.0, 1000)) == "loss 2.0000 per token, perplexity 7.39 (1,000 tokens)"


@pytest.mark.unhooked
@pytest.mark.parametrize("score", [bleu, chrf, exact_matches, bleu_interval])
@pytest.mark.parametrize(
    ("texts", "references", "error", "message"),
    [
        ([], [], ValueError, "0 translations, references for 0 sentences"),
        (["a", "b"], [["a"]], ValueError, "2 translations, references for 1 sentences"),
        (["a", "b"], [["a"], []], ValueError, "sentence 1 has no reference"),
        (["a", "b"], ["a", "b"], TypeError, "references of sentence 0 are one string"),
    ],
)
def test_bad_texts(score, texts, references, error, message):
    with pytest.raises(error, match=message):
        score(texts, references)


@pytest.mark.unhooked
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"samples": 0}, "samples=0"),
        ({"confidence": 0.0}, r"confidence=0.0 is not in \(0, 1\)"),
        ({"confidence": 95}, "confidence=95"),
    ],
)
def test_bad_bootstrap_arguments(options, message):
    with pytest.raises(ValueError, match=message):
        bleu_interval(TEXTS, REFERENCES, **options)


def test_the_paired_baseline_must_have_as_many_sentences():
    with pytest.raises(ValueError, match="3 translations, references for 4"):
        bleu_difference(TEXTS, TEXTS[:3], REFERENCES, samples=10)


def test_no_token_has_no_loss():
    with pytest.raises(ValueError, match="no target token"):
        token_loss(tiny_model(), [])
    with pytest.raises(ValueError, match="no target token"):
        token_loss(tiny_model(), [(SOURCE, torch.zeros_like(TARGET))])


def test_the_interval_smooths_as_the_score_does():
    """Without a run of four words in common, BLEU is smoothed; the interval must be about the same number."""
    translations, references = ["the cat sat here now"], [["the cat lay here again"]]
    score = bleu(translations, references).value
    assert score > 0
    assert bleu_interval(translations, references, samples=5).value == pytest.approx(score)
