"""Text drawn by chance, token by token: temperature, top-k, top-p. The steps are those of `decoding`."""

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from blockbyblock.checks import check_positive
from blockbyblock.decoding import Hypothesis, Writer, length_limits, one_token_at_a_time
from blockbyblock.language_model import LanguageModel


def sample(
    model: Writer,
    source: Int[Tensor, "batch source"],
    max_length: int | None = None,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    repetition_penalty: float = 1.0,
    generator: torch.Generator | None = None,
    seeds: Sequence[int] | None = None,
) -> list[Hypothesis]:
    """Draw each token from `sampling_probabilities`.

    The numbers drawn for a text depend on the generator and on the text's place in the batch, and not on what the other
    texts are or when they end.

    Args:
        model: as for `greedy`.
        source: as for `greedy`; repeat a row to draw several outputs for it.
        max_length: as for `greedy`.
        temperature: as for `sampling_probabilities`, like the next two.
        top_k: the most probable tokens that take part.
        top_p: the probability that the tokens that take part must reach.
        repetition_penalty: what the log-probability of each token is multiplied by that stands in the text already, in
            a prompt or in what was written; 1 changes nothing, more makes repetition rarer. (CTRL, Keskar et al. 2019,
            divides the logit instead, which depends on a constant that may be added to all logits and softmax ignores.)
        generator: the source of chance, on the CPU wherever the model is; torch's global one if not given.
        seeds: of each row, in the place of a generator: what is drawn for a row is then its own, in any batch.

    Returns:
        One hypothesis per row; its log-probability is the model's own, at temperature 1 and with all tokens.

    Raises:
        ValueError: as for `greedy` and `sampling_probabilities`; or there is not one seed for each row.
    """
    _check_sampling(temperature, top_k, top_p)
    if not 0 < repetition_penalty < math.inf:
        raise ValueError(f"repetition_penalty={repetition_penalty} must be positive; 1 changes nothing")

    def draw(log_probabilities: Tensor, texts: Tensor, step: int) -> Tensor:
        if repetition_penalty != 1:
            penalised = log_probabilities * repetition_penalty
            log_probabilities = torch.where(written[texts], penalised, log_probabilities)
        reached = sampling_probabilities(log_probabilities, temperature, top_k, top_p).cumsum(-1)
        # The first token at which the running sum reaches the number drawn. The number is above zero and at most the
        # whole sum, so a token of probability zero is never met and one is always found.
        drawn = torch.searchsorted(reached, chance[texts, step, None] * reached[:, -1:]).squeeze(-1)
        if repetition_penalty != 1:
            written[texts, drawn] = True
        return drawn

    limits = length_limits(model, source, max_length)
    if seeds is not None and len(seeds) != len(limits):
        raise ValueError(f"{len(seeds)} seeds for {len(limits)} rows")
    prompts = source if isinstance(model, LanguageModel) else source[:, :0]
    vocab = model.output.out_features
    written = torch.zeros(len(source), vocab, dtype=torch.bool, device=source.device)  # which tokens each text holds
    written.scatter_(1, prompts.long().clamp(0, vocab - 1), True)  # what is no id is refused where it is read
    # A generator of its own for each text: a longer neighbour takes no number away from it.
    if seeds is None:
        seeds = torch.randint(2**63 - 1, (len(limits),), generator=generator).tolist()
    chance = torch.zeros(len(limits), max(limits))
    for row, (seed, limit) in enumerate(zip(seeds, limits, strict=True)):
        chance[row, :limit] = 1 - torch.rand(limit, generator=torch.Generator().manual_seed(seed))  # in (0, 1]
    chance = chance.to(source.device)
    return one_token_at_a_time(model, source, limits, draw)


def sampling_probabilities(
    logits: Float[Tensor, "batch vocab"], temperature: float = 1.0, top_k: int | None = None, top_p: float | None = None
) -> Float[Tensor, "batch vocab"]:
    """softmax(logits / temperature), cut to the most probable tokens; each row sums to one.

    Args:
        logits: `[batch, vocab]`; log-probabilities serve as well.
        temperature: below 1 sharpens the distribution, above 1 flattens it; near 0 only the largest logit is left.
        top_k: keep this many tokens. Of equally probable ones the smaller id goes first.
        top_p: then keep the smallest number of tokens whose share of what is left reaches this ("nucleus", Holtzman et
            al. 2020). 1 keeps all.

    Raises:
        ValueError: the temperature or `top_k` is not above zero, or `top_p` is not in (0, 1].
    """
    _check_sampling(temperature, top_k, top_p)
    # Torch divides in float32 or float64. A temperature that is 0 there would make 0 / 0 of the largest logit.
    divides_in = torch.promote_types(logits.dtype, torch.float32)
    temperature = max(temperature, torch.finfo(divides_in).smallest_normal)
    # The largest logit is subtracted before the division, so that a tiny temperature makes no infinity.
    probabilities = ((logits - logits.amax(-1, keepdim=True)) / temperature).softmax(-1)
    if top_p == 1:
        top_p = None  # rounding must not drop the last tokens
    if top_k is None and top_p is None:
        return probabilities
    ordered, ids = probabilities.sort(dim=-1, descending=True, stable=True)
    if top_k is not None:
        ordered[:, top_k:] = 0
        ordered /= ordered.sum(-1, keepdim=True)
    if top_p is not None:
        before = ordered.cumsum(-1) - ordered  # the share of the tokens that are more probable
        ordered = ordered.masked_fill(before >= top_p, 0)
        ordered /= ordered.sum(-1, keepdim=True)
    return torch.zeros_like(probabilities).scatter(-1, ids, ordered)


def _check_sampling(temperature: float, top_k: int | None, top_p: float | None) -> None:
    if not 0 < temperature < math.inf:
        raise ValueError(f"temperature={temperature} must be positive; for the limit at 0 use greedy decoding")
    if top_k is not None:
        check_positive(top_k=top_k)
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p={top_p} is not in (0, 1]")
