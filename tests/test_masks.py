"""Who may look at whom."""

import torch
from hypothesis import given
from hypothesis import strategies as st

from blockbyblock import causal_mask, padding_mask


def test_padding_mask_allows_real_tokens_only():
    ids = torch.tensor([[5, 7, 0, 0], [3, 0, 4, 9]])
    mask = padding_mask(ids, pad_id=0)
    assert mask.shape == (2, 1, 1, 4)
    assert mask.dtype == torch.bool
    assert mask[:, 0, 0].tolist() == [[True, True, False, False], [True, False, True, True]]


def test_padding_mask_takes_any_padding_id():
    assert padding_mask(torch.tensor([[5, 7, 0]]), pad_id=7)[0, 0, 0].tolist() == [True, False, True]


def test_causal_mask_by_hand():
    assert causal_mask(3).tolist() == [[True, False, False], [True, True, False], [True, True, True]]


def test_causal_mask_of_a_cached_decoder_is_aligned_with_the_last_key():
    assert causal_mask(2, 4).tolist() == [[True, True, True, False], [True, True, True, True]]


@given(query=st.integers(1, 6), held=st.integers(0, 6))
def test_a_query_sees_itself_and_all_before(query, held):
    mask = causal_mask(query, held + query)
    assert mask.shape == (query, held + query)
    for q in range(query):
        for k in range(held + query):
            assert mask[q, k] == (k <= held + q)


def test_causal_mask_is_made_on_the_device_asked_for():
    assert causal_mask(2, device="meta").device.type == "meta"
