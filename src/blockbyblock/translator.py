"""A trained model with its tokenizer: text in, text out."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from blockbyblock.attention import record_attention
from blockbyblock.decoding import Hypothesis, beam_search, evaluating, greedy
from blockbyblock.text_model import TextModel
from blockbyblock.transformer import Transformer, shift_right


@dataclass(frozen=True)
class AttentionMaps:
    """Where every head looked while a sentence was read and its translation was written.

    Attributes:
        source: the pieces that the encoder read, <end> the last.
        read: the pieces that the decoder read, <start> the first.
        written: the piece that the decoder wrote at each of these steps; <end> is the last if it has finished.
        encoder: weights `[layers, heads, source, source]`; here as below, a row sums to one.
        decoder: `[layers, heads, written, read]`; zero where the future begins.
        cross: `[layers, heads, written, source]`.
    """

    source: tuple[str, ...]
    read: tuple[str, ...]
    written: tuple[str, ...]
    encoder: Float[Tensor, "encoder_layers heads source source"]
    decoder: Float[Tensor, "decoder_layers heads written written"]
    cross: Float[Tensor, "decoder_layers heads written source"]


class Translator(TextModel):
    """A model that translates text.

    Args:
        model: put into evaluation mode.
        tokenizer: of both languages.
        about: what is known about the model: languages, data, licence, scores. JSON values.

    Raises:
        ValueError: model and tokenizer have vocabularies of different sizes.
    """

    task = "translation"
    model: Transformer

    def encode(self, text: str) -> list[int]:
        """The ids of a sentence, closed with <end>; white space around it is left out, as in training.

        Raises:
            ValueError: the sentence is longer than the model's longest sequence, or holds half a surrogate pair.
        """
        ids = [*self.tokenizer.encode(text.strip()), self.tokenizer.end_id]
        self.require_room(ids, "sentence", "<end>")
        return ids

    def translate(
        self, texts: Sequence[str], *, beam: int = 4, length_penalty: float = 0.6, max_length: int | None = None
    ) -> list[str]:
        """Translate sentences. A text of nothing but white space has an empty translation.

        Args:
            texts: one sentence each, in any order of length: they are batched by like length.
            beam: number of prefixes kept; 1 is greedy decoding.
            length_penalty: as for `beam_search`.
            max_length: the most tokens of a translation; as for `beam_search`.

        Returns:
            As many texts, in the same order.

        Raises:
            TypeError: `texts` is one string.
            ValueError: a sentence is too long or no Unicode, with its number, from 1; or an argument is out of range.
        """
        found = self.hypotheses(texts, beam=beam, length_penalty=length_penalty, max_length=max_length)
        return ["" if best is None else self.tokenizer.decode(best.ids) for best in found]

    def hypotheses(
        self, texts: Sequence[str], *, beam: int = 4, length_penalty: float = 0.6, max_length: int | None = None
    ) -> list[Hypothesis | None]:
        """The best hypothesis for each text, None for an empty one; arguments and errors as for `translate`."""
        rows = self.encode_each(texts)
        filled = [index for index, ids in enumerate(rows) if len(ids) > 1]
        found: list[Hypothesis | None] = [None] * len(rows)
        for places, source in self.batches([rows[index] for index in filled]):
            if beam == 1:
                best = greedy(self.model, source, max_length)
            else:
                best = [first for first, *_ in beam_search(self.model, source, beam, length_penalty, max_length)]
            for place, hypothesis in zip(places, best, strict=True):
                found[filled[place]] = hypothesis
        return found

    @torch.inference_mode()
    def attention(self, text: str, translation: Hypothesis) -> AttentionMaps:
        """Where each head of each layer looked while the model read a sentence and wrote a translation of it.

        Args:
            text: the sentence.
            translation: what was found for it.

        Raises:
            ValueError: as for `encode`; or the translation is over the model's longest sequence.
        """
        source = self.encode(text)
        written = [*translation.ids, self.tokenizer.end_id][: len(translation.ids) + translation.finished]
        read = shift_right(self.tensor([written]), self.model.config.start_id)
        with evaluating(self.model), record_attention(self.model) as records:
            self.model(self.tensor([source]), read)

        def weights(stack: str, attention: str) -> Tensor:
            names = [name for name in records if name.startswith(stack) and name.endswith(attention)]
            return torch.cat([records[name].weights for name in names])

        pieces = self.tokenizer.pieces
        return AttentionMaps(
            source=tuple(pieces(source)),
            read=tuple(pieces(read[0].tolist())),
            written=tuple(pieces(written)),
            encoder=weights("encoder", "self_attention"),
            decoder=weights("decoder", "self_attention"),
            cross=weights("decoder", "cross_attention"),
        )
