"""The running sentence: its rows can be told apart, and a layer norm leaves them as they are."""

import torch
import torch.nn.functional as F

from blockbyblock.sentence import ENGLISH, GERMAN, SOURCE, TRANSLATION, rows


def test_the_words_are_those_of_the_sentences():
    assert " ".join(ENGLISH) + "." == SOURCE
    assert " ".join(GERMAN) + "." == TRANSLATION


def test_each_row_is_nearest_to_itself_and_normed_already():
    table = rows()
    products = table @ table.T
    assert products.argmax(-1).equal(torch.arange(6))
    assert set((products - 4 * torch.eye(6)).flatten().tolist()) == {0.0, -4.0}
    torch.testing.assert_close(F.layer_norm(table, (4,), eps=0), table)
