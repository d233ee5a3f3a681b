"""From a trained model to text, token by token: greedy and beam search (paper, section 6.1).

A `Transformer` translates a source; a `LanguageModel` continues a prompt. Both keep the keys and values of what they
have read (`DecoderCache`), here and in `blockbyblock.sampling`. They decode a whole batch side by side, and a finished
text leaves it. A result depends on its own source or prompt, not on its neighbours. Padding and the start token are
never produced: their logits are set to -inf before the softmax.
"""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import torch
from jaxtyping import Int
from torch import Tensor, nn

from blockbyblock.checks import check_positive
from blockbyblock.language_model import LanguageModel
from blockbyblock.products import fast_products
from blockbyblock.transformer import Transformer

Writer = Transformer | LanguageModel  # a model that writes text

EXTRA_LENGTH = 50  # the paper's limit: the output may be this much longer than the input


@dataclass(frozen=True)
class Hypothesis:
    """One translation of one sentence, or one continuation of one prompt, as ids.

    Attributes:
        ids: the tokens, without start and end.
        log_probability: natural logarithm of the product of the tokens' probabilities, the end token's among them.
        score: what beam search compares: `log_probability` over `length_divisor`. Elsewhere `log_probability` itself.
        finished: False if the length limit came before the end token.
    """

    ids: tuple[int, ...]
    log_probability: float
    score: float
    finished: bool


def length_divisor(length: int, length_penalty: float) -> float:
    """((5 + length) / 6) ** length_penalty (Wu et al. 2016, equation 14), by which a log-probability is divided.

    Each further token makes a log-probability smaller, so without a divisor the shortest translation would win.

    Args:
        length: number of tokens, the end token counted.
        length_penalty: the α of the paper; 0 divides by one.
    """
    return ((5 + length) / 6) ** length_penalty


def greedy(model: Writer, source: Int[Tensor, "batch source"], max_length: int | None = None) -> list[Hypothesis]:
    """Take the most probable token at each step.

    Args:
        model: decodes in evaluation mode, whatever mode it is in, and gets its mode back.
        source: ids, `[batch, source]`, padded with `config.pad_id`: what a `Transformer` translates, padded on the
            right; or what a `LanguageModel` continues, beginning with its start token, padded on either side.
        max_length: the most tokens of an output, the end token counted. If not given: of a translation 50 more than its
            input has, as in the paper, or `config.max_length` where that is less; of a continuation what
            `config.max_length` leaves, which is its limit in any case.

    Returns:
        One hypothesis per row. That of a prompt does not repeat it.

    Raises:
        ValueError: a row is empty, padded in the wrong place or over the model's length, `max_length` is out of range,
            an id is outside the vocabulary, or the model's output is not a number.
    """
    limits = length_limits(model, source, max_length)
    return one_token_at_a_time(model, source, limits, lambda log_probabilities, *_: log_probabilities.argmax(-1))


@torch.inference_mode()
def beam_search(
    model: Transformer,
    source: Int[Tensor, "batch source"],
    beam: int = 4,
    length_penalty: float = 0.6,
    max_length: int | None = None,
    *,
    n_best: int = 1,
) -> list[list[Hypothesis]]:
    """Keep the `beam` most probable prefixes of each sentence at each step; the defaults are the paper's.

    A prefix that ends leaves the beam and is compared by score with the others that have ended.

    Args:
        model: as for `greedy`.
        source: as for `greedy`.
        beam: number of prefixes that are kept. A beam of one is greedy decoding.
        length_penalty: see `length_divisor`.
        max_length: as for `greedy`.
        n_best: how many hypotheses to return.

    Returns:
        For each sentence at most `n_best` different hypotheses, the best first. Where fewer than `n_best` have ended at
        the length limit, unfinished ones follow.

    Raises:
        ValueError: as for `greedy`; or `beam` or `n_best` is out of range, or `length_penalty` is negative.
    """
    check_positive(beam=beam, n_best=n_best)
    if n_best > beam:
        raise ValueError(f"n_best={n_best} hypotheses do not come out of a beam={beam}")
    if not 0 <= length_penalty < math.inf:
        raise ValueError(f"length_penalty={length_penalty} must be zero or positive")
    limits = length_limits(model, source, max_length)
    start_id, end_id, vocab = model.config.start_id, model.config.end_id, model.config.target_vocab
    searches = every_search = [_Search(limit, length_penalty, n_best) for limit in limits]
    with evaluating(model), fast_products(model.encoder, model.decoder, model.output):
        reader = _SourceReader(model, source)
        # One row for each sentence still searched, and `width` prefixes in it: one at first, then up to `beam`.
        prefixes = torch.full((len(limits), 1, 1), start_id, device=source.device)  # [sentences, width, length]
        totals = reader.zeros(len(limits), 1)  # their log-probabilities, [sentences, width]
        parents = torch.zeros_like(prefixes[:, 0])  # which prefix of the step before each one extends
        for length in range(1, max(limits) + 1):
            # Among the best of all successors are only the best of each prefix: [sentences, width, up to `beam`].
            steps, tokens = reader.read(prefixes[:, :, -1], parents).topk(min(beam, vocab))
            candidates = (totals[:, :, None] + steps).flatten(1)
            totals, places = candidates.topk(min(beam, candidates.shape[1]))
            parents, tokens = places // steps.shape[2], tokens.flatten(1).gather(1, places)
            prefixes = torch.cat((prefixes.take_along_dim(parents[:, :, None], 1), tokens[:, :, None]), 2)

            ended = tokens == end_id
            for row, slot in (ended & totals.isfinite()).nonzero().tolist():
                searches[row].add(prefixes[row, slot, 1:-1].tolist(), float(totals[row, slot]), finished=True)
            totals = totals.masked_fill(ended, -math.inf)  # an ended prefix has no successor
            open_rows = []
            for row, (search, best) in enumerate(zip(searches, totals.amax(1).tolist(), strict=True)):
                if length < search.limit and search.may_be_improved(best):
                    open_rows.append(row)
                elif length == search.limit:
                    for slot in totals[row].isfinite().nonzero().flatten().tolist():
                        search.add(prefixes[row, slot, 1:].tolist(), float(totals[row, slot]), finished=False)
            if not open_rows:
                break
            if len(open_rows) < len(searches):
                searches = [searches[row] for row in open_rows]
                rows = torch.tensor(open_rows, device=source.device)
                parents, prefixes, totals = parents[rows], prefixes[rows], totals[rows]
                reader.select(rows)
    return [search.found for search in every_search]


@dataclass
class _Search:
    """The search for the translation of one sentence: the `n_best` hypotheses so far, and when it may stop."""

    limit: int
    length_penalty: float
    n_best: int
    found: list[Hypothesis] = field(default_factory=list)

    def add(self, ids: list[int], log_probability: float, *, finished: bool) -> None:
        """Remember a hypothesis if it is among the best; one that has ended is better than any that has not."""
        score = log_probability / length_divisor(len(ids) + finished, self.length_penalty)
        self.found.append(Hypothesis(tuple(ids), log_probability, score, finished))
        self.found.sort(key=lambda hypothesis: (hypothesis.finished, hypothesis.score), reverse=True)
        del self.found[self.n_best :]

    def may_be_improved(self, log_probability: float) -> bool:
        """Whether a prefix of this log-probability, the best that is open, can still grow into one of the best.

        It is not enough that a finished hypothesis leads: the divisor grows with the length, so a longer one may
        overtake it. But a log-probability only falls, and the divisor is largest at the limit. No successor of a prefix
        scores more than the prefix would if it reached the limit at no further cost.
        """
        if len(self.found) < self.n_best:
            return log_probability > -math.inf
        return log_probability / length_divisor(self.limit, self.length_penalty) > self.found[-1].score


class _Reader:
    """What follows the texts of a batch, each of which grows by one token at a time."""

    def __init__(self, model: Writer, dtype: torch.dtype, device: torch.device) -> None:
        self.output, self.device = model.output, device
        self.dtype = torch.promote_types(dtype, torch.float32)  # half precision is too coarse to add up
        config = model.config
        self.never = torch.tensor(sorted({config.pad_id, config.start_id} - {config.end_id}), device=device)

    def zeros(self, *shape: int) -> Tensor:
        """The log-probabilities of texts that hold nothing yet."""
        return torch.zeros(shape, dtype=self.dtype, device=self.device)

    def log_probabilities(self, states: Tensor) -> Tensor:
        """Of what follows, `[..., vocab]`, from what the output layer reads, `[..., d_model]`."""
        logits = self.output(states)
        log_probabilities = logits.to(self.dtype).index_fill_(-1, self.never, -math.inf).log_softmax(-1)
        if log_probabilities.flatten(0, -2)[:, 0].isnan().any():  # the softmax spreads a NaN over its whole row
            raise ValueError("the model's output is not a number (NaN): look at its parameters")
        return log_probabilities


class _SourceReader(_Reader):
    """The decoder over the prefixes of each sentence: reads one more token of each, remembers all that it has read.

    The prefixes of a sentence are so many queries over one memory, and over one cache: the keys and values of all their
    tokens stand in it once, one step behind the other. `own` says which of them belong to which prefix. So nothing is
    copied when a prefix gets several successors or none.
    """

    def __init__(self, model: Transformer, source: Tensor) -> None:
        self.model = model
        self.memory, mask = model.encode(source)
        super().__init__(model, self.memory.dtype, self.memory.device)
        self.memory_mask = None if mask.all() else mask
        self.cache, self.position = model.new_cache(), 0
        self.own = mask.new_ones(len(source), 1, 0)  # [sentences, width, key]

    def begin(self) -> Tensor:
        """Log-probabilities of the first token of each translation, `[sentences, vocab]`."""
        start_id = self.model.config.start_id
        return self.step(torch.full((len(self.memory),), start_id, device=self.device))

    def step(self, tokens: Tensor) -> Tensor:
        """The same after one more token of each, `[sentences]`."""
        return self.read(tokens[:, None])[:, 0]

    def read(self, tokens: Tensor, parents: Tensor | None = None) -> Tensor:
        """Log-probabilities of what follows, `[sentences, width, vocab]`, once each prefix has got one more token.

        Args:
            tokens: that token, `[sentences, width]`.
            parents: which prefix of the last call it extends, `[sentences, width]`; None if a sentence has only one.
        """
        mask = None
        if parents is not None:
            newest = torch.eye(tokens.shape[1], dtype=torch.bool, device=tokens.device).expand(len(tokens), -1, -1)
            self.own = torch.cat((self.own.take_along_dim(parents[:, :, None], 1), newest), 2)
            mask = self.own[:, None]
        states = self.model.decode_prefixes(tokens, self.position, mask, self.memory, self.memory_mask, self.cache)
        self.position += 1
        return self.log_probabilities(states)

    def select(self, rows: Tensor) -> None:
        """Keep these sentences, in this order."""
        self.cache.select(rows)
        self.memory, self.own = self.memory[rows], self.own[rows]
        self.memory_mask = None if self.memory_mask is None else self.memory_mask[rows]


class _PromptReader(_Reader):
    """A language model over its prompts: reads them once, then one more token of each."""

    def __init__(self, model: LanguageModel, prompts: Tensor) -> None:
        super().__init__(model, model.embedding.table.weight.dtype, prompts.device)
        self.model, self.prompts, self.cache = model, prompts, model.new_cache()

    def begin(self) -> Tensor:
        """Log-probabilities of what follows each prompt, `[prompts, vocab]`."""
        places = torch.arange(self.prompts.shape[1], device=self.device)
        last = ((self.prompts != self.model.config.pad_id) * places).argmax(1)  # of each prompt's own tokens
        states = self.model.states(self.prompts, self.cache)
        return self.log_probabilities(states.take_along_dim(last[:, None, None], 1)[:, 0])

    def step(self, tokens: Tensor) -> Tensor:
        """The same after one more token of each, `[prompts]`."""
        return self.log_probabilities(self.model.states(tokens[:, None], self.cache)[:, 0])

    def select(self, rows: Tensor) -> None:
        """Keep these prompts, in this order."""
        self.cache.select(rows)


@torch.inference_mode()
def one_token_at_a_time(
    model: Writer,
    source: Int[Tensor, "batch source"],
    limits: list[int],
    choose: Callable[[Tensor, Tensor, int], Tensor],
) -> list[Hypothesis]:
    """Extend each text by one token after the other, until its end or its limit.

    Args:
        model: as for `greedy`.
        source: as for `greedy`.
        limits: from `length_limits`.
        choose: takes the next tokens' log-probabilities `[open, vocab]`, the places in the batch of the texts that are
            still open, `[open]`, and the number of the step, from 0; returns a token for each, `[open]`.

    Returns:
        One hypothesis per text.

    Raises:
        ValueError: an id is outside the vocabulary, or the model's output is not a number.
    """
    end_id = model.config.end_id
    once = model.encoder if isinstance(model, Transformer) else nn.Identity()
    with evaluating(model), fast_products(once, model.decoder, model.output):
        reader = _SourceReader(model, source) if isinstance(model, Transformer) else _PromptReader(model, source)
        texts = torch.arange(len(limits), device=source.device)  # those still open, by their place in the batch
        last_steps = torch.tensor(limits, device=source.device) - 1
        output = torch.full((len(limits), max(limits)), end_id, device=source.device)
        totals = reader.zeros(len(limits))
        log_probabilities = reader.begin()
        for step in range(max(limits)):
            tokens = choose(log_probabilities, texts, step)
            output[texts, step] = tokens
            totals = totals.index_add(0, texts, log_probabilities.gather(1, tokens[:, None]).squeeze(1))
            is_open = (tokens != end_id) & (step < last_steps)
            if not is_open.all():
                rows = is_open.nonzero().flatten()
                if not len(rows):
                    break
                reader.select(rows)
                texts, last_steps, tokens = texts[rows], last_steps[rows], tokens[rows]
            log_probabilities = reader.step(tokens)
    hypotheses = []
    for ids, total, length in zip(output.tolist(), totals.tolist(), limits, strict=True):
        finished = end_id in ids[:length]
        hypotheses.append(Hypothesis(tuple(ids[: ids.index(end_id) if finished else length]), total, total, finished))
    return hypotheses


def length_limits(model: Writer, source: Tensor, max_length: int | None) -> list[int]:
    """For each row the most tokens of its output; arguments as for `greedy`.

    Raises:
        ValueError: the source cannot be decoded (empty, padded in the wrong place), or `max_length` is out of range.
    """
    if source.ndim != 2 or source.numel() == 0:
        raise ValueError(f"the source has shape {tuple(source.shape)}; expected a non-empty [batch, source]")
    translates, longest = isinstance(model, Transformer), model.config.max_length
    real = source != model.config.pad_id
    lengths = real.sum(1)
    places = torch.arange(source.shape[1], device=source.device)
    misplaced = (real != (places < lengths[:, None])).any(1)
    if not translates:
        misplaced &= (real != (places >= source.shape[1] - lengths[:, None])).any(1)
    wrong = (misplaced | (lengths == 0)).nonzero().flatten().tolist()
    if wrong:
        text, side = ("sentence", "its right") if translates else ("prompt", "one side")
        raise ValueError(
            f"{text} {wrong[0]} of the source, {source[wrong[0]].tolist()}, must hold a token and be padded on {side} "
            f"with pad_id={model.config.pad_id}"
        )
    if max_length is not None:
        check_positive(max_length=max_length)
        if max_length > longest:
            raise ValueError(f"max_length={max_length} is over the model's own, config.max_length={longest}")
    if translates:
        return [min(n + EXTRA_LENGTH, longest) if max_length is None else max_length for n in lengths.tolist()]
    for row, length in enumerate(lengths.tolist()):
        if length > longest:
            raise ValueError(f"prompt {row} has {length} tokens, over the model's limit of {longest}")
    # The last token that is written is never read, so it takes no position.
    return [min(longest + 1 - length, max_length or longest) for length in lengths.tolist()]


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Evaluation mode inside; afterwards each module is in the mode in which it was."""
    training = [module for module in model.modules() if module.training]
    model.eval()
    try:
        yield
    finally:
        for module in training:
            module.training = True
