"""An n-gram language model to measure a Transformer against: interpolated, with Kneser-Ney's counts.

Discounts after Chen and Goodman (1999), "modified Kneser-Ney": three for each order, from how many n-grams were seen
once, twice, three and four times.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Sequence

from blockbyblock.checks import check_positive
from blockbyblock.evaluation import TokenLoss

Context = tuple[int, ...]


class NgramModel:
    """The probability of a token from the order - 1 tokens before it.

    An order's estimate is its counts less a discount; what the discounts take away is given to the next lower order,
    whose counts are not how often a token occurred, but after how many different tokens. The lowest order is
    interpolated with equal probabilities.

    Args:
        texts: ids of each, closed with <end>.
        order: n; 3 looks at two tokens.
        vocab: number of tokens.
        start_id: stands before each text.
    """

    def __init__(self, texts: Sequence[Sequence[int]], order: int, vocab: int, start_id: int) -> None:
        check_positive(order=order, vocab=vocab)
        self.order, self.vocab, self.start_id = order, vocab, start_id
        self.counts: list[dict[Context, Counter[int]]] = [defaultdict(Counter) for _ in range(order)]
        for text in texts:
            tokens = [start_id, *text]
            for end in range(1, len(tokens)):
                self._count(tokens, end)
        self.discounts = [_discounts(counts) for counts in self.counts]

    def _count(self, tokens: Sequence[int], end: int) -> None:
        """Count the token at `end` after each of its contexts, the longest first."""
        for length in range(min(self.order - 1, end), -1, -1):
            following = self.counts[length][tuple(tokens[end - length : end])]
            following[tokens[end]] += 1
            # A longer context that has been met before adds no new left neighbour to the shorter ones. Contexts that
            # begin with the start of a text have nothing before them: there occurrences are counted.
            if following[tokens[end]] > 1 and tokens[end - length] != self.start_id:
                break

    def probability(self, context: Sequence[int], token: int) -> float:
        """Of a token after a context, of which only the last order - 1 tokens count."""
        estimate = 1 / self.vocab
        for length in range(min(self.order - 1, len(context)) + 1):
            following = self.counts[length].get(tuple(context[len(context) - length :]))
            if following is None:
                break  # a context that was never seen says nothing, and no longer one was seen either
            count, total, discounts = following[token], following.total(), self.discounts[length]
            kept = max(count - discounts[min(count, 3)], 0.0) if count else 0.0
            seen = Counter(min(number, 3) for number in following.values())
            freed = sum(discounts[size] * number for size, number in seen.items())
            estimate = (kept + freed * estimate) / total
        return estimate

    def loss(self, text: Sequence[int]) -> TokenLoss:
        """The sum of -log probability over a text's tokens, in nats."""
        tokens = [self.start_id, *text]
        nats = -sum(math.log(self.probability(tokens[:end], tokens[end])) for end in range(1, len(tokens)))
        return TokenLoss(nats, len(text))


def _discounts(counts: dict[Context, Counter[int]]) -> tuple[float, float, float, float]:
    """What is taken from a count of 1, 2, and 3 or more (Chen and Goodman 1999, equation 26); from 0 nothing."""
    seen = Counter(number for following in counts.values() for number in following.values())
    one, two, three, four = (max(seen[number], 1) for number in (1, 2, 3, 4))
    ratio = one / (one + 2 * two)
    taken = (1 - 2 * ratio * two / one, 2 - 3 * ratio * three / two, 3 - 4 * ratio * four / three)
    return 0.0, *(min(max(each, 0.0), size) for size, each in enumerate(taken, start=1))  # type: ignore[return-value]
