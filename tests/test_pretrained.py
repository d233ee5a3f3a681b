"""The models in the box: small enough, documented, and as good as their cards say where that can be checked here."""

import hashlib
import json
import re
import subprocess
import sys

import pytest
import torch

from blockbyblock import load_pretrained
from blockbyblock.data import number_languages, number_names
from blockbyblock.data.corpora import LANGUAGES
from blockbyblock.evaluation import exact_matches
from blockbyblock.pretrained import MODELS, model_card, pretrained_names
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_scores import accuracy
from blockbyblock.training.recipe import from_values
from blockbyblock.translator import Translator

NAMES = ["en", "en-de", "languages", "numbers-en-de"]
LARGEST = {"en": 4_000_000, "languages": 1_000_000}  # bytes on disk


def test_these_are_in_the_box():
    assert pretrained_names() == NAMES


@pytest.mark.unhooked
def test_another_is_refused_with_the_names_that_there_are():
    with pytest.raises(ValueError, match="name='de-en' is not one of en, en-de, languages, numbers-en-de"):
        load_pretrained("de-en")


@pytest.mark.parametrize("name", NAMES)
def test_the_card_belongs_to_the_file(name):
    content = (MODELS / f"{name}.safetensors").read_bytes()
    card = model_card(name)
    assert hashlib.sha256(content).hexdigest() in card
    assert f"{len(content):,} bytes" in card
    assert card.count("\n| ") > 30  # the first 30 translations


def test_the_translator_of_tatoeba_is_small_and_names_whom_it_owes():
    content = (MODELS / "en-de.safetensors").read_bytes()
    translator = load_pretrained("en-de")
    assert len(content) - len(json.dumps(json.loads(translator.tokenizer.to_json()))) < 8e6
    for text in (translator.about["terms"], model_card("en-de")):
        assert "CC BY 2.0" in text
        assert "tatoeba.org and manythings.org/anki" in text
    [digest] = translator.about["sha256"].values()
    assert digest in model_card("en-de")


@pytest.mark.parametrize("name", NAMES)
def test_a_model_says_how_it_was_trained(name):
    about = load_pretrained(name).about
    recipe = from_values(about["recipe"])
    assert recipe.title == about["title"]
    assert recipe.vocab_size >= len(load_pretrained(name).tokenizer)


def test_everyday_sentences_are_translated_without_a_network_by_the_command():
    """Each of these is short and common; a model that is loaded wrongly, or rounded wrongly, fails all of them."""
    expected = {
        "Where is the cat?": "Wo ist die Katze?",
        "I am hungry.": "Ich habe Hunger.",
        "What is your name?": "Wie heißt du?",
        "Tom is my brother.": "Tom ist mein Bruder.",
    }
    command = [sys.executable, "-m", "blockbyblock", "translate", "--threads", "1", *expected]
    result = subprocess.run(command, capture_output=True, timeout=120, check=True)
    assert result.stdout.decode().splitlines() == list(expected.values())


def test_unseen_numbers_are_exactly_right():
    translator = load_pretrained("numbers-en-de")
    recipe = from_values(translator.about["recipe"])
    corpus = recipe.load_corpus()
    assert corpus.test == number_names().test
    found = translator.translate([example.source for example in corpus.test], beam=1)
    # the aim of the recipe; on another processor a near tie may fall the other way
    assert exact_matches(found, [example.references for example in corpus.test]).share >= 0.99


@pytest.mark.parametrize("name", LARGEST)
def test_the_models_of_text_are_as_small_as_they_shall_be(name):
    assert len((MODELS / f"{name}.safetensors").read_bytes()) <= LARGEST[name]


def test_each_name_has_its_kind_of_model():
    kinds = {name: type(load_pretrained(name)) for name in NAMES}
    assert kinds == {
        "en": TextGenerator,
        "en-de": Translator,
        "languages": TextClassifier,
        "numbers-en-de": Translator,
    }


def test_the_language_model_names_whom_it_owes_and_its_text():
    generator = load_pretrained("en")
    for text in (generator.about["terms"], model_card("en")):
        assert "CC BY 2.0" in text
        assert "tatoeba.org and manythings.org/anki" in " ".join(text.split())  # a card has line breaks
    [digest] = generator.about["sha256"].values()
    assert digest in model_card("en")


def test_a_text_is_continued_and_a_language_is_told_without_a_network_by_the_command():
    outputs = []
    for command in (["generate", "The cat"], ["classify", "einundzwanzig", "ventuno", "двадцать один"]):
        command = [sys.executable, "-c", NO_NETWORK, command[0], "--threads", "1", *command[1:]]
        outputs.append(subprocess.run(command, capture_output=True, timeout=120, check=True).stdout.decode())
    [continued] = outputs[0].splitlines()
    assert continued.startswith("The cat")
    assert continued[-1] in ".!?"  # a whole sentence
    labels = [line.split("\t")[0] for line in outputs[1].splitlines()]
    assert labels == ["de", "it", "ru"]


NO_NETWORK = """
import socket, sys
def refused(*_, **__):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.create_connection = refused
from blockbyblock.cli import main
sys.exit(main(sys.argv[1:]))
"""


def test_unseen_number_names_are_told_apart_as_the_card_says():
    classifier = load_pretrained("languages")
    corpus = from_values(classifier.about["recipe"]).load_corpus()
    assert corpus.test == number_languages().test
    assert classifier.labels == LANGUAGES
    found = accuracy(classifier, *zip(*corpus.test, strict=True))
    promised = re.search(r"int8: (\d+) of (\d+) right", model_card("languages"))
    assert found.texts == int(promised[2])
    # on another processor a near tie may fall the other way
    assert abs(found.correct - int(promised[1])) <= 3


def test_loading_draws_no_random_number():
    before = torch.get_rng_state()
    load_pretrained("numbers-en-de")
    assert torch.equal(torch.get_rng_state(), before)
