"""A trained language model with its tokenizer: the beginning of a text in, the rest of it out."""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float

from blockbyblock.attention import record_attention
from blockbyblock.checks import check_positive
from blockbyblock.decoding import Hypothesis, evaluating, greedy
from blockbyblock.language_model import LanguageModel
from blockbyblock.sampling import sample
from blockbyblock.text_model import TextModel


@dataclass(frozen=True)
class NextTokens:
    """What may follow a text.

    Attributes:
        read: the pieces that the model read, <start> the first.
        pieces: what may come next, the most probable first.
        probabilities: of each of them, at temperature 1.
        attention: where each head of each layer looked from the last piece, `[layers, heads, read]`.
    """

    read: tuple[str, ...]
    pieces: tuple[str, ...]
    probabilities: tuple[float, ...]
    attention: Float[torch.Tensor, "layers heads read"]


class TextGenerator(TextModel):
    """A model that continues text.

    Args:
        model: put into evaluation mode.
        tokenizer: of the text that it was trained on.
        about: what is known about the model: language, data, licence, scores. JSON values.

    Raises:
        ValueError: model and tokenizer have vocabularies of different sizes.
    """

    task = "generation"
    model: LanguageModel

    def encode(self, text: str) -> list[int]:
        """The ids of the beginning of a text, after <start>; white space around it is left out.

        The space before the next word belongs to that word's token. A space at the end of the beginning would be a
        token of its own, which the model has hardly ever seen.

        Raises:
            ValueError: the text is longer than the model's longest sequence, or holds half a surrogate pair.
        """
        ids = [self.tokenizer.start_id, *self.tokenizer.encode(text.strip())]
        self.require_room(ids, "text", "<start>")
        return ids

    def generate(
        self,
        texts: Sequence[str],
        *,
        max_length: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int | None = None,
        place: int = 0,
    ) -> list[str]:
        """Continue texts by tokens drawn one after the other. Nothing but white space starts from nothing.

        Args:
            texts: the beginnings, of any lengths; one may stand several times.
            max_length: the most tokens to write; up to the model's length if not given.
            temperature: as for `sample`; 0 takes the most probable token each time, after the penalty if there is one.
            top_k: as for `sample`, like the next two.
            top_p: the probability that the tokens that take part must reach.
            repetition_penalty: above 1 makes repetition rarer.
            seed: of the draws; the same seed and texts give the same result. Not given, torch's own generator draws.
            place: of the first text among all, where they come in several calls: they get what they would in one.

        Returns:
            As many texts, in the same order, each with its beginning.

        Raises:
            TypeError: `texts` is one string.
            ValueError: a text is too long or no Unicode, with its number, from 1; or an argument is out of range.
        """
        found = self.hypotheses(
            texts,
            max_length=max_length,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
            place=place,
        )
        return [text.strip() + self.tokenizer.decode(best.ids) for text, best in zip(texts, found, strict=True)]

    def hypotheses(
        self,
        texts: Sequence[str],
        *,
        max_length: int | None = None,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        repetition_penalty: float = 1.0,
        seed: int | None = None,
        place: int = 0,
    ) -> list[Hypothesis]:
        """What is written after each text, as ids; arguments and errors as for `generate`."""
        rows = self.encode_each(texts)
        first = int(torch.randint(2**63 - 1, ())) if seed is None else seed
        found: dict[int, Hypothesis] = {}
        for rows_here, prompts in self.batches(rows):
            if temperature == 0 and repetition_penalty == 1:
                written = greedy(self.model, prompts, max_length)
            else:
                written = sample(
                    self.model,
                    prompts,
                    max_length,
                    temperature=temperature or 1.0,
                    top_k=top_k if temperature else 1,
                    top_p=top_p,
                    repetition_penalty=repetition_penalty,
                    seeds=[_seed(first, place + row) for row in rows_here],  # its own, whatever it is batched with
                )
            found |= zip(rows_here, written, strict=True)
        return [found[row] for row in range(len(rows))]

    @torch.inference_mode()
    def next_tokens(self, text: str, count: int = 10) -> NextTokens:
        """The most probable tokens after a text, and where the model looked.

        Args:
            text: the beginning.
            count: how many tokens.

        Raises:
            ValueError: as for `encode`; or `count` is not above zero.
        """
        check_positive(count=count)
        ids = self.encode(text)
        with evaluating(self.model), record_attention(self.model) as records:
            probabilities = self.model.probabilities(self.tensor([ids]))[0, -1]
        best = probabilities.topk(min(count, len(probabilities)))
        return NextTokens(
            read=tuple(self.tokenizer.pieces(ids)),
            pieces=tuple(self.tokenizer.pieces(best.indices.tolist())),
            probabilities=tuple(best.values.tolist()),
            attention=torch.stack([record.weights[0, :, -1] for record in records.values()]),
        )


def _seed(seed: int, place: int) -> int:
    """A number for each text: neighbours of neighbouring seeds have nothing in common."""
    return random.Random(f"{seed} {place}").getrandbits(63)
