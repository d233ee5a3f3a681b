"""The next token: a trained model's own logits, and what temperature, top-k and top-p make of them."""

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from traitlets import Dict, Enum, Int, List, TraitError, Unicode, validate

from blockbyblock.data.tokenizer import Tokenizer
from blockbyblock.live.figure import LiveFigure, table
from blockbyblock.sampling import sampling_probabilities
from blockbyblock.transformer import shift_right
from blockbyblock.translator import Translator

ALL = 0  # top-k that keeps every token
CHOICES: dict[str, tuple[float, ...]] = {
    "temperature": (0.1, 0.25, 0.5, 0.7, 1.0, 1.25, 1.5, 2.0, 3.0),
    "top_k": (1, 2, 3, 5, 10, 20, 50, 200, 1000, ALL),
    "top_p": (0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0),
}
NAMED = 40  # tokens whose text is kept
ROWS = 10  # of them with a row of their own
_DECIMALS = 1  # of the logits of the other tokens: counted, they take a hundredth of the room
EXAMPLES = 6  # of the other tokens of one rounded logit, those that keep their text: they are drawn for all of them


class SamplingFigure(LiveFigure):
    """A figure in which the distribution of the next token is changed by hand.

    Attributes:
        temperature: divides the logits; one of `CHOICES`, like the next two.
        top_k: how many tokens stay, 0 for all.
        top_p: then the smallest number of tokens whose share reaches this stays.
    """

    choices = Dict({name: list(values) for name, values in CHOICES.items()}).tag(sync=True)
    temperature = Enum(CHOICES["temperature"], 1.0).tag(sync=True)
    top_k = Enum(CHOICES["top_k"], ALL).tag(sync=True)
    top_p = Enum(CHOICES["top_p"], 1.0).tag(sync=True)

    def drawn_with(self, logits: Float[Tensor, " vocab"]) -> Float[Tensor, " vocab"]:
        """What each token is drawn with at the present values."""
        top_k = None if self.top_k == ALL else int(self.top_k)
        return sampling_probabilities(logits[None], float(self.temperature), top_k, float(self.top_p))[0]


def tokens_table(
    tokens: Sequence[str], own: Float[Tensor, " vocab"], kept: Float[Tensor, " vocab"], caption: str = "The next token"
) -> str:
    """The most probable tokens with the model's probability and the one they are drawn with, as HTML."""
    rows = [(tokens[place], f"{own[place]:.3f}", f"{kept[place]:.3f}") for place in range(ROWS)]
    rows.append((f"{len(own) - ROWS:,} others together", f"{own[ROWS:].sum():.3f}", f"{kept[ROWS:].sum():.3f}"))
    return table(caption, ("token", "the model's probability", "drawn with"), rows)


class NextTokenFigure(SamplingFigure):
    """The tokens that may come next, as a trained model sees them, and draws from them.

    The logits are the model's own. The most probable tokens keep their text and their logit; of the others, the logits
    are rounded and counted, and a few tokens of each rounded logit keep their text, so that a page need not carry the
    whole vocabulary. Which of a logit's tokens is drawn is one of those few; how often it
    is one of them, is exact.

    Arguments:
        translator: a trained model.
        sentence: what it translates, greedily; a step of the figure is a token of this translation.

    Attributes:
        step: before which token of the translation the model stands, from 0.
        drawn: the places of the tokens drawn so far, the most probable one 0; from `NAMED` on those of the examples.
            The figure empties it when one of the values above changes.

    Raises:
        ValueError: the sentence is empty, or too long for the model.
        traitlets.TraitError: a value is not among the choices, or there is no such step.
    """

    module = "next_token"
    room = (610, 758)

    sentence = Unicode().tag(sync=True)
    written = List(Unicode()).tag(sync=True)
    steps = List(Dict()).tag(sync=True)
    step = Int(min=0).tag(sync=True)
    drawn = List(Int(min=0)).tag(sync=True)

    def __init__(self, translator: Translator, sentence: str, **values: Any) -> None:
        found = translator.hypotheses([sentence], beam=1)[0]
        if found is None:
            raise ValueError("the sentence is empty: there is nothing to translate")
        ids = [*found.ids, translator.tokenizer.end_id][: len(found.ids) + found.finished]
        steps = [counted(logits, translator.tokenizer) for logits in _logits(translator, sentence, ids)]
        super().__init__(sentence=sentence, written=translator.tokenizer.pieces(ids), steps=steps, **values)

    @validate("step")
    def _within_the_translation(self, proposal: Any) -> int:
        if not proposal["value"] < len(self.steps):
            raise TraitError(f"step={proposal['value']}: the translation has the steps 0 to {len(self.steps) - 1}")
        return proposal["value"]

    def logits(self) -> Float[Tensor, " vocab"]:
        """The logits at the chosen step, largest first, float64; those without a name are rounded."""
        step = self.steps[self.step]
        values, counts, _ = zip(*step["others"], strict=True)
        named = torch.tensor(step["logits"], dtype=torch.float64)
        others = torch.tensor(values, dtype=torch.float64).repeat_interleave(torch.tensor(counts))
        return torch.cat((named, others))

    def probabilities(self) -> Float[Tensor, " vocab"]:
        """What each token is drawn with, in the order of `logits`."""
        return self.drawn_with(self.logits())

    def caption(self) -> str:
        """Return what is translated, how far it is, and the most probable token."""
        kept = self.probabilities()
        best = self.steps[self.step]["tokens"][0]
        return (
            f"The model translates “{self.sentence}”. It has written “{''.join(self.written[: self.step])}”. The next "
            f"token is “{best}” with probability {kept[0]:.3f} at temperature {self.temperature:g}; "
            f"{int(kept.count_nonzero()):,} of {len(kept):,} tokens can be drawn."
        )

    def still(self) -> str:
        """Return the most probable tokens with the model's probability and the one they are drawn with, as a table."""
        return tokens_table(self.steps[self.step]["tokens"], self.logits().softmax(-1), self.probabilities())


@torch.inference_mode()
def _logits(translator: Translator, sentence: str, written: list[int]) -> Float[Tensor, "step vocab"]:
    """The logits before each token of a translation."""
    device = next(translator.model.parameters()).device
    source, target = (torch.tensor([ids], device=device) for ids in (translator.encode(sentence), written))
    return translator.model(source, shift_right(target, translator.model.config.start_id))[0]


def counted(logits: Float[Tensor, " vocab"], tokenizer: Tokenizer) -> dict[str, Any]:
    """The most probable tokens with their logits, and how many others have which logit, rounded, largest first.

    Tokens with a logit of -inf, which are never written, are left out. With each logit of the others come a few
    of its tokens, from its most to its least frequent one in the vocabulary.
    """
    values, ids = logits.double().cpu().sort(descending=True)
    ids, values = ids[values.isfinite()], values[values.isfinite()]
    named, rest = values[:NAMED].tolist(), values[NAMED:]
    # A rounded logit must not pass a named one: the order is that of the tokens.
    rounded = rest.mul(10**_DECIMALS).round().div(10**_DECIMALS).clamp(max=named[-1])
    pieces = tokenizer.pieces
    others = []
    for value in rounded.unique().flip(0):
        group = ids[NAMED:][rounded == value].sort().values
        some = group[torch.linspace(0, len(group) - 1, min(len(group), EXAMPLES)).round().long()]
        others.append([value.item(), len(group), pieces(some.tolist())])
    return {"tokens": pieces(ids[:NAMED].tolist()), "logits": named, "others": others}
