"""The language model in the box beside n-gram models, on the sentences that none of them has seen.

All predict the same tokens of the same test part, from the same training part. `BLOCKBYBLOCK_DATA` names the folder
with the corpus.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from blockbyblock.data import TextCorpus, sentence_key, tatoeba_sentences
from blockbyblock.evaluation import TokenLoss
from blockbyblock.pretrained import load_pretrained
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_scores import perplexity_interval, text_losses, total_loss

from .ngrams import NgramModel

ORDERS = (3, 5)
SHOWN = 30


def ngram_losses(generator: TextGenerator, corpus: TextCorpus, order: int) -> list[TokenLoss]:
    """The loss of each test text under an n-gram model of the generator's tokens."""
    encode = generator.tokenizer.encode_sentences
    model = NgramModel(encode(corpus.train), order, len(generator.tokenizer), generator.tokenizer.start_id)
    return [model.loss(ids) for ids in encode(corpus.test)]


def beginnings(texts: Sequence[str], words: int = 2) -> list[str]:
    """The first words of the first texts that have more, as they come."""
    return [" ".join(text.split()[:words]) for text in texts if len(text.split()) > words][:SHOWN]


def in_training(texts: Sequence[str], corpus: TextCorpus) -> list[bool]:
    """Whether each text stands in the training part, but for case and punctuation."""
    known = {sentence_key(text) for text in corpus.train}
    return [sentence_key(text) in known for text in texts]


def row(model: str, losses: Sequence[TokenLoss]) -> dict[str, Any]:
    """What is recorded of a model: its perplexity per token, and where that lies by chance of the sentences."""
    interval, loss = perplexity_interval(losses), total_loss(losses)
    return {
        "model": model, "perplexity": round(interval.value, 3), "low": round(interval.low, 3),
        "high": round(interval.high, 3), "loss": round(loss.loss, 5), "tokens": loss.tokens, "texts": len(losses),
    }  # fmt: skip


def run() -> Iterator[dict[str, Any]]:
    """The model in the box, as it is there (int8), and the n-gram models."""
    generator, corpus = load_pretrained("en"), tatoeba_sentences()
    yield row("transformer, int8", text_losses(generator, corpus.test))
    for order in ORDERS:
        yield row(f"{order}-gram", ngram_losses(generator, corpus, order))


if __name__ == "__main__":
    from .record import record

    record("language_model", lambda: list(run()))
