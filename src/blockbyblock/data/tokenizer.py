"""A byte-level BPE tokenizer, one vocabulary for both languages (paper, section 5.1; Sennrich et al., 2016).

Every text is a sequence of bytes, and each of the 256 bytes is a token. So no character is unknown, and what is decoded
is what was encoded, exactly. Merges learned from the training text join bytes to frequent pieces of words.
"""

from collections.abc import Iterable, Sequence
from os import PathLike
from pathlib import Path

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from blockbyblock.texts import read_text
from blockbyblock.transformer import TransformerConfig

SPECIAL_TOKENS = {
    "<pad>": TransformerConfig.pad_id,
    "<start>": TransformerConfig.start_id,
    "<end>": TransformerConfig.end_id,
}
SMALLEST_VOCABULARY = len(SPECIAL_TOKENS) + 256


class Tokenizer:
    """Text to token ids and back.

    Make one by `Tokenizer.train` or `Tokenizer.load`. The ids 0, 1 and 2 are <pad>, <start> and <end>, as in
    `TransformerConfig`. Text never becomes one of these: "<end>" typed by a user is five characters.

    Args:
        inner: a byte-level BPE of the `tokenizers` library with these special tokens.

    Raises:
        ValueError: it is another kind of tokenizer.
    """

    pad_id, start_id, end_id = SPECIAL_TOKENS.values()

    def __init__(self, inner: tokenizers.Tokenizer) -> None:
        kinds = (inner.model, inner.pre_tokenizer, inner.decoder)
        if not all(map(isinstance, kinds, (models.BPE, pre_tokenizers.ByteLevel, decoders.ByteLevel))):
            raise ValueError(f"not a byte-level BPE: {', '.join(type(kind).__name__ for kind in kinds)}")
        if inner.normalizer is not None:
            raise ValueError(f"{type(inner.normalizer).__name__} changes the text, so that it cannot be had back")
        if inner.pre_tokenizer.add_prefix_space:
            raise ValueError("it puts a space before each text, so that the text cannot be had back")
        expected = {**SPECIAL_TOKENS, **dict.fromkeys(pre_tokenizers.ByteLevel.alphabet())}
        for token, id in expected.items():
            found = inner.token_to_id(token)
            if found is None or id not in (None, found):
                raise ValueError(
                    f"the vocabulary must hold the 256 bytes and {SPECIAL_TOKENS}; {token!r} has id {found}"
                )
        inner.no_padding()
        inner.no_truncation()
        inner.encode_special_tokens = True  # special tokens in a text are encoded like any other text
        self._inner = inner

    @classmethod
    def train(cls, texts: Iterable[str], vocab_size: int = 8000) -> "Tokenizer":
        """Learn the merges from texts, which must be training text only.

        Args:
            texts: sentences of both languages (`corpus.training_text()`).
            vocab_size: the largest number of tokens; fewer if the text gives out before.

        Raises:
            ValueError: the vocabulary cannot hold the special tokens and the 256 bytes, or a text is not Unicode.
        """
        if vocab_size < SMALLEST_VOCABULARY:
            raise ValueError(
                f"vocab_size={vocab_size} cannot hold {len(SPECIAL_TOKENS)} special tokens and the 256 bytes: "
                f"at least {SMALLEST_VOCABULARY}"
            )
        inner = tokenizers.Tokenizer(models.BPE())
        inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        inner.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            min_frequency=2,  # what stands only once is no pattern
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),  # all 256 bytes, also those that no text shows
            show_progress=False,
        )
        inner.train_from_iterator((_unicode(text) for text in texts), trainer)
        return cls(inner)

    @classmethod
    def load(cls, path: str | PathLike[str]) -> "Tokenizer":
        """Read a `tokenizer.json`.

        Raises:
            FileNotFoundError: there is no such file.
            ValueError: the file is no tokenizer of this kind.
        """
        text = read_text(path)
        try:
            return cls.from_json(text)
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from error

    @classmethod
    def from_json(cls, text: str) -> "Tokenizer":
        """Make one from what a `tokenizer.json` holds.

        Raises:
            ValueError: the text describes no tokenizer of this kind.
        """
        try:
            return cls(tokenizers.Tokenizer.from_str(text))
        except Exception as error:  # the library raises no narrower one
            raise ValueError(f"not a tokenizer of this book: {error}") from error

    def save(self, path: str | PathLike[str]) -> None:
        """Write a `tokenizer.json`, which the `tokenizers` library reads too."""
        Path(path).write_text(self.to_json(), encoding="utf-8", newline="\n")

    def to_json(self) -> str:
        """What a `tokenizer.json` holds, indented."""
        return self._inner.to_str(pretty=True)

    def __len__(self) -> int:
        """The number of tokens: `source_vocab` and `target_vocab` of the model."""
        return self._inner.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """The ids of a text's tokens, without <start> and <end>.

        Raises:
            ValueError: the text holds half a surrogate pair, which is no character.
        """
        return self._inner.encode(_unicode(text), add_special_tokens=False).ids

    def encode_sentences(self, texts: Sequence[str]) -> list[list[int]]:
        """The ids of each text, closed with <end>: what encoder and loss read. Errors as in `encode`.

        The <end> of a source gives even an empty text one position to attend to.
        """
        encodings = self._inner.encode_batch_fast([_unicode(text) for text in texts], add_special_tokens=False)
        return [[*encoding.ids, self.end_id] for encoding in encodings]

    def decode(self, ids: Sequence[int]) -> str:
        """The text of ids, special tokens left out. Bytes that are not UTF-8, which a model may emit, become U+FFFD.

        Raises:
            ValueError: an id lies outside the vocabulary.
        """
        if outside := [id for id in ids if not 0 <= id < len(self)]:
            raise ValueError(f"id {outside[0]} lies outside a vocabulary of {len(self)} tokens")
        return self._inner.decode(ids)

    def words(self, text: str) -> list[str]:
        """The stretches that no merge reaches across: words with the space before them, numbers, punctuation.

        Each byte is one character, as byte-level BPE writes it: a space is "Ġ". Errors as in `encode`.
        """
        return [word for word, _ in self._inner.pre_tokenizer.pre_tokenize_str(_unicode(text))]

    def pieces(self, ids: Sequence[int]) -> list[str]:
        """What each id stands for by itself, to label a figure with; errors as in `decode`.

        A special token has its name. A token that is part of a character is U+FFFD.
        """
        names = {id: name for name, id in SPECIAL_TOKENS.items()}
        return [names[id] if id in names else self.decode([id]) for id in ids]


def _unicode(text: str) -> str:
    """Refuse what the library would refuse without saying why."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(
            f"character {error.start} of the text is {text[error.start]!a}, half of a surrogate pair and no "
            "character; read the file as UTF-8 with errors='replace' to get rid of it"
        ) from error
    return text
