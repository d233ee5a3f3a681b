"""Text in, the name of its class out: each text by itself, and the labels in their order."""

import pytest
import torch
from tiny_applications import LABELS, NUMBERS, taught_classifier, tiny_classifier

from blockbyblock.text_classifier import CLS, TextClassifier

TEXTS = ["einundzwanzig", "", " halvfems\t", "a rather long text, for a number", "nitti"]


@pytest.fixture(scope="module")
def classifier(one_thread) -> TextClassifier:
    return tiny_classifier()


def test_a_text_begins_with_cls_and_has_no_space_around_it(classifier):
    ids = [classifier.model.config.cls_id, *classifier.tokenizer.encode("nitti")]
    assert classifier.encode(" nitti\n") == ids
    assert classifier.encode(" ") == [classifier.model.config.cls_id]


def test_each_text_has_in_a_batch_what_it_has_alone(classifier):
    together = classifier.probabilities(TEXTS)
    alone = torch.cat([classifier.probabilities([text]) for text in TEXTS])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(together.sum(1), torch.ones(len(TEXTS)))
    assert together.argmax(1).tolist() == [LABELS.index(each.label) for each in classifier.classify(TEXTS)]
    assert classifier.probabilities([]).shape == (0, len(LABELS))


def test_what_was_learned_has_its_name():
    classifier = taught_classifier(40)
    for label, names in NUMBERS.items():
        assert [decision.label for decision in classifier.classify(names)] == [label] * len(names)


def test_probabilities_stand_by_their_names_the_most_probable_first(classifier):
    [decision], [row] = classifier.classify(["nitti"]), classifier.probabilities(["nitti"]).tolist()
    assert decision.probabilities == dict(zip(LABELS, row, strict=True))
    values = [*decision.probabilities.values()]
    assert values == sorted(values, reverse=True)
    assert decision.label == next(iter(decision.probabilities))


def test_where_cls_looks(classifier):
    reading = classifier.reading("nitti")
    ids, config = classifier.encode("nitti"), classifier.model.config
    assert reading.pieces == (CLS, *classifier.tokenizer.pieces(ids[1:]))
    assert reading.attention.shape == (config.layers, config.heads, len(ids), len(ids))
    torch.testing.assert_close(reading.attention.sum(-1), torch.ones(config.layers, config.heads, len(ids)))


@pytest.mark.unhooked
def test_what_cannot_be_classified(classifier):
    with pytest.raises(TypeError, match="texts is one string"):
        classifier.classify("nitti")
    with pytest.raises(ValueError, match=r"text 2: the text has \d+ tokens with \[CLS\], over the model's limit of 30"):
        classifier.classify(["x", "number " * 40])


@pytest.mark.parametrize("about", [{}, {"labels": ["Danish"]}, {"labels": [*LABELS, "Finnish"]}])
def test_there_is_a_name_for_each_class(classifier, about):
    with pytest.raises(ValueError, match=f"5 classes, and there are {len(about.get('labels', ()))} labels"):
        TextClassifier(classifier.model, classifier.tokenizer, about)
