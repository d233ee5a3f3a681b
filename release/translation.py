"""What the card of a translator tells of it."""

from collections.abc import Sequence
from typing import Any

from blockbyblock.data import Batches, Corpus, Example, encode_pairs, to_pairs
from blockbyblock.evaluation import bleu, bleu_difference, bleu_interval, chrf, exact_matches, token_loss
from blockbyblock.text_model import BATCH_TOKENS
from blockbyblock.translator import Translator
from release.tables import table

SHOWN = 30


def languages(name: str) -> dict[str, str]:
    """The languages, by the codes that a browser knows."""
    *_, source, target = name.split("-")
    return {"source_language": source, "target_language": target}


def values(exact: Translator, rounded: Translator, corpus: Corpus) -> dict[str, Any]:
    """Scores on the test part, what rounding changes, and the first translations."""
    sources = [example.source for example in corpus.test]
    references = [example.references for example in corpus.test]
    translations = {
        ("float32", 4): exact.translate(sources),
        ("int8", 4): rounded.translate(sources),
        ("int8", 1): rounded.translate(sources, beam=1),
    }
    ours = translations["int8", 4]
    first = list(zip(sources, ours, (" / ".join(texts) for texts in references), strict=True))[:SHOWN]
    return {
        "scores": _scores(translations, references),
        "signature": bleu(ours, references).signature,
        "lost": bleu_difference(ours, translations["float32", 4], references),
        "exact": exact_matches(ours, references),
        "loss": _loss(rounded, corpus.test),
        "first": table(("source", "translation", "references"), first),
    }


def _scores(translations: dict[tuple[str, int], list[str]], references: list[tuple[str, ...]]) -> str:
    rows = []
    for (weights, beam), texts in translations.items():
        cased, lowercased = bleu_interval(texts, references), bleu(texts, references, lowercase=True)
        search = "greedy" if beam == 1 else f"beam {beam}"
        interval = f"{cased.value:.2f} [{cased.low:.2f}, {cased.high:.2f}]"
        rows.append((weights, search, interval, f"{lowercased.value:.2f}", f"{chrf(texts, references).value:.2f}"))
    return table(("weights", "search", "BLEU, 95 % interval", "BLEU lowercased", "chrF2"), rows)


def _loss(translator: Translator, examples: Sequence[Example]) -> str:
    batches = Batches(encode_pairs(translator.tokenizer, to_pairs(examples)), BATCH_TOKENS)
    return str(token_loss(translator.model, ((batch.source, batch.target) for batch in batches.epoch(0))))
