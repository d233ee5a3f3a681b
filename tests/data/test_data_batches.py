"""Batches: each pair once, never over the budget, in an order that can be resumed."""

from collections import Counter
from itertools import chain, islice

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock.data import Batches, BatchState, EncodedPair, Pair, Tokenizer, encode_pairs


def make_pairs(lengths):
    """Pairs of these lengths, recognisable by their first token."""
    return [
        EncodedPair([number + 3, *[3] * (source - 2), 2][:source], [number + 3, *[4] * (target - 2), 2][:target])
        for number, (source, target) in enumerate(lengths)
    ]


LENGTHS = st.lists(st.tuples(st.integers(2, 12), st.integers(2, 12)), min_size=1, max_size=60)
BUDGETS = st.integers(12, 80)
SHARED_BUDGETS = st.integers(
    24, 80
)  # two of the longest fit, so that any number of processes up to the pairs' can share


def first_tokens(batches):
    return [batch.target[:, 0].tolist() for batch in batches]


def equal(one, other):
    return len(one) == len(other) and all(
        torch.equal(getattr(a, name), getattr(b, name))
        for a, b in zip(one, other, strict=True)
        for name in ("source", "decoder_input", "target")
    )


def test_a_batch_by_hand():
    [batch] = Batches([EncodedPair([5, 6, 2], [7, 2]), EncodedPair([5, 2], [7, 8, 2])], tokens=6).epoch(3)
    rows = sorted(zip(batch.source.tolist(), batch.decoder_input.tolist(), batch.target.tolist(), strict=True))
    assert rows == [([5, 2, 0], [1, 7, 8], [7, 8, 2]), ([5, 6, 2], [1, 7, 2], [7, 2, 0])]
    assert batch.source.dtype == batch.decoder_input.dtype == batch.target.dtype == torch.long


@given(lengths=LENGTHS, tokens=SHARED_BUDGETS, epoch=st.integers(0, 3), ranks=st.integers(1, 4))
def test_every_pair_stands_in_exactly_one_batch_of_an_epoch_on_exactly_one_rank(lengths, tokens, epoch, ranks):
    ranks = min(ranks, len(lengths))
    pairs = make_pairs(lengths)
    shares = [list(Batches(pairs, tokens, rank=rank, ranks=ranks).epoch(epoch)) for rank in range(ranks)]
    found = Counter(
        (tuple(id for id in source if id), tuple(id for id in target if id))
        for share in shares
        for batch in share
        for source, target in zip(batch.source.tolist(), batch.target.tolist(), strict=True)
    )
    assert found == Counter((tuple(pair.source), tuple(pair.target)) for pair in pairs)


@given(lengths=LENGTHS, tokens=SHARED_BUDGETS, epoch=st.integers(0, 3), ranks=st.integers(1, 4))
def test_the_budget_is_never_exceeded(lengths, tokens, epoch, ranks):
    for batch in Batches(make_pairs(lengths), tokens, ranks=min(ranks, len(lengths))).epoch(epoch):
        assert batch.source.numel() <= tokens
        assert batch.target.numel() <= tokens


@given(lengths=LENGTHS, tokens=BUDGETS)
def test_no_batch_is_cut_without_need(lengths, tokens):
    pairs = make_pairs(lengths)
    sizes = sorted(pair.length for pair in pairs)
    best, start = 0, 0
    while start < len(sizes):  # as many as fit, from the shortest up
        best += 1
        start = next(
            (stop for stop in range(start + 1, len(sizes)) if (stop + 1 - start) * sizes[stop] > tokens), len(sizes)
        )
    assert len(Batches(pairs, tokens)) == best == len(list(Batches(pairs, tokens).epoch(1)))


@given(lengths=LENGTHS, tokens=SHARED_BUDGETS, ranks=st.integers(1, 4))
def test_ranks_have_equal_counts_and_no_batch_is_empty(lengths, tokens, ranks):
    ranks = min(ranks, len(lengths))
    shares = [Batches(make_pairs(lengths), tokens, rank=rank, ranks=ranks) for rank in range(ranks)]
    counts = {len(list(share.epoch(0))) for share in shares}
    assert counts == {len(shares[0])}
    assert all(len(batch.source) for share in shares for batch in share.epoch(0))


@given(lengths=LENGTHS, tokens=SHARED_BUDGETS, read=st.integers(0, 30), rank=st.integers(0, 1))
def test_resuming_anywhere_equals_never_having_stopped(lengths, tokens, read, rank):
    def fresh():
        ranks = min(2, len(lengths))
        return Batches(make_pairs(lengths), tokens, seed=7, rank=min(rank, ranks - 1), ranks=ranks)

    whole = list(islice(fresh().stream(), read + 10))
    state = whole[read - 1][1] if read else BatchState(7, 0, 0)
    again = list(islice(fresh().stream(state), 10))
    assert [state for _, state in again] == [state for _, state in whole[read:]]
    assert equal([batch for batch, _ in again], [batch for batch, _ in whole[read:]])


def longer_by_chance(pair, generator):
    """As many tokens more at the front of the source as the generator says."""
    return pair._replace(source=[99] * generator.randrange(4) + pair.source)


def test_resampled_pairs_depend_on_seed_epoch_and_pair_alone_so_that_they_too_can_be_resumed():
    def fresh(seed=7, resample=longer_by_chance):
        return Batches(make_pairs([(3, 4)] * 40), tokens=20, seed=seed, resample=resample)

    def drawn(batches, epoch):
        return {
            first: (source == 99).sum().item()
            for batch in batches.epoch(epoch)
            for first, source in zip(batch.target[:, 0].tolist(), batch.source, strict=True)
        }

    whole = list(islice(fresh().stream(), 20))
    assert len(fresh()) == 8
    for read in (1, 7, 8, 11):  # within an epoch, before its last batch, at its end, in the next
        again = list(islice(fresh().stream(whole[read - 1][1]), 20 - read))
        assert equal([batch for batch, _ in again], [batch for batch, _ in whole[read:]])
    draws = [drawn(fresh(), 0), drawn(fresh(), 1), drawn(fresh(seed=8), 0)]
    assert draws[0] != draws[1] != draws[2] != draws[0]
    assert {*draws[0].values()} == {0, 1, 2, 3}  # each pair its own


def test_resampled_pairs_are_sorted_by_what_they_have_in_this_epoch_into_as_many_batches():
    def stretch(pair, generator):
        return EncodedPair([9] * generator.randrange(3, 40), pair.target)

    pairs = make_pairs([(3, 3)] * 400)
    plain, stretched = Batches(pairs, tokens=60), Batches(pairs, tokens=60, resample=stretch)
    # in their first order each batch of 20 would have a source of about 39, on average half filled
    assert stretched.padding() < 0.05
    assert Counter(map(len, first_tokens(stretched.epoch(1)))) == Counter(map(len, first_tokens(plain.epoch(1))))
    assert sorted(chain.from_iterable(first_tokens(stretched.epoch(1)))) == sorted(pair.target[0] for pair in pairs)


def test_what_resampling_makes_too_long_for_the_model_stays_as_it_was():
    def double(pair, generator):
        return EncodedPair(pair.source * 2, pair.target)

    batches = Batches(make_pairs([(3, 3), (4, 3)]), tokens=40, max_length=7, resample=double)
    lengths = sorted(int((row > 0).sum()) for batch in batches.epoch(0) for row in batch.source)
    assert lengths == [4, 6]


def test_a_stream_is_its_epochs():
    batches = Batches(make_pairs([(3, 4)] * 10), tokens=12)
    joined = [*batches.epoch(0), *batches.epoch(1)]
    assert equal([batch for batch, _ in islice(batches.stream(), len(joined))], joined)


def test_seed_and_epoch_decide_the_order_and_the_company():
    pairs = make_pairs([(5, 5)] * 40)

    def order(seed, epoch):
        return first_tokens(Batches(pairs, tokens=20, seed=seed).epoch(epoch))

    assert order(1, 0) == order(1, 0)
    together = [{frozenset(batch) for batch in order(*key)} for key in ((1, 0), (1, 1), (2, 0))]
    assert together[0] != together[1] != together[2] != together[0]
    # (1, 11) and (11, 1) are not the same place.
    assert order(1, 11) != order(11, 1)


def test_batches_of_an_epoch_are_not_sorted_by_length():
    batches = Batches(make_pairs([(length, length) for length in range(2, 40) for _ in range(4)]), tokens=120)
    widths = [batch.target.shape[1] for batch in batches.epoch(0)]
    assert widths != sorted(widths)
    assert widths != sorted(widths, reverse=True)


def test_like_lengths_stand_together():
    generator = torch.Generator().manual_seed(0)
    lengths = [(length, length) for length in torch.randint(2, 50, (2000,), generator=generator).tolist()]
    # By chance alone half of each batch would be padding: the longest of a batch is near 50, the mean is 25.
    assert Batches(make_pairs(lengths), tokens=1000).padding() < 0.03


def test_padding_is_the_share_of_padded_positions():
    pairs = make_pairs([(2, 5), (4, 3), (9, 9), (3, 5)])
    batches = Batches(pairs, tokens=18)
    padded = positions = 0
    for batch in batches.epoch(2):
        padded += int((batch.source == 0).sum() + (batch.target == 0).sum())
        positions += batch.source.numel() + batch.target.numel()
    assert padded
    assert batches.padding(epoch=2) == pytest.approx(padded / positions)


def test_an_over_long_pair_is_refused_or_counted_as_the_caller_says():
    pairs = make_pairs([(3, 3), (3, 11), (12, 3), (10, 10)])
    with pytest.raises(ValueError, match=r"pair 1 has 11 tokens, over the limit of 10 .*max_length=10.*1 others"):
        Batches(pairs, tokens=40, max_length=10)
    with pytest.raises(ValueError, match=r"pair 0 has 3 tokens, over the limit of 2 \(tokens=2"):
        Batches(pairs, tokens=2)
    with pytest.raises(ValueError, match=r"over the limit of 10 \(tokens=10, max_length=40\)"):
        Batches(pairs, tokens=10, max_length=40)  # the smaller of the two, or a batch of one would break the budget
    batches = Batches(pairs, tokens=40, max_length=10, over_long="leave out")
    assert batches.left_out == [1, 2]
    assert sorted(id for batch in batches.epoch(0) for id in batch.target[:, 0].tolist()) == [3, 6]


@pytest.mark.unhooked
@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"tokens": 0}, "tokens=0"),
        ({"max_length": 0}, "max_length=0"),
        ({"over_long": "drop"}, "over_long='drop' is not one of refuse, leave out"),
        ({"rank": 2, "ranks": 2}, "rank=2 is not one of 2 processes"),
        ({"ranks": 3}, "2 batches of one pair each cannot be shared equally among 3 processes"),
        ({"ranks": 0}, "ranks=0"),
    ],
)
def test_arguments_that_cannot_be(arguments, message):
    with pytest.raises(ValueError, match=message):
        Batches(make_pairs([(3, 3), (4, 4)]), **({"tokens": 40} | arguments))


def test_a_side_without_a_token_is_refused():
    with pytest.raises(ValueError, match="no token at all"):
        Batches([EncodedPair([], [2])], tokens=40)


def test_a_state_of_another_order_is_refused():
    batches = Batches(make_pairs([(3, 3)]), tokens=40, seed=1)
    with pytest.raises(ValueError, match="belongs to seed=2, these batches to seed=1"):
        next(batches.stream(BatchState(2, 0, 0)))
    for position in (-1, 2):
        with pytest.raises(ValueError, match=f"position={position} lies outside an epoch of 1 batches"):
            next(batches.stream(BatchState(1, 0, position)))


def test_without_pairs_there_is_no_batch_and_no_endless_loop():
    batches = Batches([], tokens=40)
    assert (len(batches), list(batches.epoch(0)), batches.padding()) == (0, [], 0.0)
    with pytest.raises(ValueError, match="no pair"):
        next(batches.stream())


def test_pairs_are_encoded_with_an_end_on_each_side():
    tokenizer = Tokenizer.train([], vocab_size=259)
    [pair] = encode_pairs(tokenizer, [Pair("ab", "")])
    assert pair == ([*tokenizer.encode("ab"), 2], [2])


def test_a_batch_moves_to_a_device_as_a_whole():
    [batch] = Batches(make_pairs([(3, 4)]), tokens=40).epoch(0)
    moved = batch.to("meta")
    assert {moved.source.device.type, moved.decoder_input.device.type, moved.target.device.type} == {"meta"}
    assert moved.target.shape == batch.target.shape
