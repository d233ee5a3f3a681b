"""What the card of a language model tells of it."""

from typing import Any

from blockbyblock.data import TextCorpus
from blockbyblock.experiments.language_model import ORDERS, SHOWN, beginnings, in_training, ngram_losses
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_scores import perplexity_interval, text_losses, total_loss
from release.tables import table

TEMPERATURE, SEED = 0.8, 0  # as the command draws
QUESTIONS = ("Where is the cat?", "What time is it?", "What's your name?", "Do you like music?", "Where were you born?")


def languages(name: str) -> dict[str, str]:
    """The language, by the code that a browser knows."""
    return {"language": name}


def values(exact: TextGenerator, rounded: TextGenerator, corpus: TextCorpus) -> dict[str, Any]:
    """Perplexity on the test part beside n-gram models, and what the model writes, unselected."""
    losses = {
        "Transformer, float32": text_losses(exact, corpus.test),
        "Transformer, int8": text_losses(rounded, corpus.test),
    }
    losses |= {f"{order}-gram, Kneser-Ney": ngram_losses(rounded, corpus, order) for order in ORDERS}
    rows = []
    for name, each in losses.items():
        interval, loss = perplexity_interval(each), total_loss(each)
        rows.append((name, f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]", f"{loss.loss:.3f}"))
    prompts = beginnings(corpus.test)
    written = rounded.generate(prompts, temperature=TEMPERATURE, seed=SEED)
    known = in_training(written, corpus)
    ends = sum(best.finished for best in rounded.hypotheses(prompts, temperature=TEMPERATURE, seed=SEED))
    pairs = zip(prompts, written, ("yes" if each else "no" for each in known), strict=True)
    asked = [f"Q: {question} A:" for question in QUESTIONS]
    answers = rounded.generate(asked, temperature=0, max_length=30)
    return {
        "scores": table(("model", "perplexity per token, 95 % interval", "nats per token"), rows),
        "tokens": f"{total_loss(losses['Transformer, int8']).tokens:,}",
        "first": table(("beginning", "text", "stands in the training text"), pairs),
        "known": f"{sum(known)} of {SHOWN}",
        "ended": f"{ends} of {SHOWN}",
        "questions": f"{sum(text.startswith('Q:') for text in corpus.train):,} of {len(corpus.train):,}",
        "longest": rounded.model.config.max_length - 1,
        "answers": table(("beginning", "text"), zip(asked, answers, strict=True)),
    }
