"""BPE-dropout: each time a training sentence is read, it is cut into other pieces (Provilkov et al., 2020).

A tokenizer cuts a word in one way only. With some merges passed over at random, a model reads the same word in many
ways, in smaller pieces too, and comes to know these from more words than one. Text to be translated is cut as ever.
"""

import json
import random
from itertools import pairwise
from typing import Any

from blockbyblock.checks import check_probability
from blockbyblock.data.batches import Encoded
from blockbyblock.data.tokenizer import Tokenizer


class BpeDropout:
    """BPE-dropout: cuts encoded text anew, with some merges passed over (Provilkov et al., 2020).

    The `tokenizers` library has this too, but takes its random numbers from where no seed reaches.

    Args:
        tokenizer: whose merges.
        probability: with which a merge that could be made next is passed over, each time anew. 0 cuts as the tokenizer
            does. Its authors take 0.1.

    Raises:
        ValueError: the probability lies outside [0, 1).
    """

    def __init__(self, tokenizer: Tokenizer, probability: float = 0.1) -> None:
        check_probability(bpe_dropout=probability)
        self.tokenizer, self.probability = tokenizer, probability
        model = json.loads(tokenizer.to_json())["model"]
        self._ids: dict[str, int] = model["vocab"]
        self._ranks = {tuple(pair): rank for rank, pair in enumerate(model["merges"])}

    def __call__(self, example: Encoded, generator: random.Random) -> Any:
        """The same example, each of its texts cut anew."""
        return example.recut(lambda ids: self.resample(ids, generator))

    def resample(self, ids: list[int], generator: random.Random) -> list[int]:
        """The same text in other tokens.

        Args:
            ids: a sentence closed with <end>.
            generator: where the random numbers come from.

        Returns:
            Ids that decode to the same text, closed with <end>.
        """
        words = self.tokenizer.words(self.tokenizer.decode(ids))
        return [*(self._ids[symbol] for word in words for symbol in self._cut(word, generator)), self.tokenizer.end_id]

    def _cut(self, word: str, generator: random.Random) -> list[str]:
        """Begin with single bytes; again and again make the earliest-learned merge of those not passed over."""
        symbols = [*word]
        while merges := [
            (self._ranks[pair], place)
            for place, pair in enumerate(pairwise(symbols))
            if pair in self._ranks and generator.random() >= self.probability
        ]:
            _, place = min(merges)
            symbols[place : place + 2] = ["".join(symbols[place : place + 2])]
        return symbols
