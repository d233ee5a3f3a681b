"""A split of a parallel text with nothing of the test in the training part, in either language."""

import random
import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from blockbyblock.data.pairs import Example, Pair, to_examples


class Split(NamedTuple):
    """The three parts of a text."""

    train: list[Pair]
    validation: list[Example]
    test: list[Example]


LARGEST_PART = 1000  # sources of validation or test, where no number is asked for


def split_pairs(
    pairs: Sequence[Pair], *, validation: int | None = None, test: int | None = None, seed: int = 0
) -> Split:
    """Split so that no sentence of either language stands in two parts.

    One English sentence has several German translations, and one of those translates several English sentences. So
    pairs that share a sentence, directly or through others, form a group (a connected component of the graph whose
    edges are the pairs), and a group goes to one part as a whole. Sentences that differ only in case, punctuation,
    white space or characters that cannot be seen count as the same one: "Hi." in training would give "Hi!" away.

    Args:
        pairs: the whole text.
        validation: number of sources in the validation part; if not given, a tenth of all, at least one and at most
            1,000, or what of that the groups give.
        test: number of sources in the test part; likewise.
        seed: decides which; the same seed and pairs give the same split.

    Returns:
        Training pairs in the order given, validation and test examples.

    Raises:
        ValueError: a count is negative, or the groups do not give these counts and a training part.
    """
    if min(validation or 0, test or 0) < 0:
        raise ValueError(f"validation={validation} and test={test} must not be negative")
    tenth = min(LARGEST_PART, max(1, len({pair.source for pair in pairs}) // 10))
    asked_for = f"validation={tenth if validation is None else validation} and test={tenth if test is None else test}"
    groups = _groups(pairs)
    random.Random(seed).shuffle(groups)
    remaining = dict(enumerate(groups))

    def take(asked: int | None) -> list[Example]:
        taken: list[Example] = []
        count = tenth if asked is None else asked
        for number, group in [*remaining.items()]:
            if len(taken) == count:
                break
            examples = to_examples(pairs[index] for index in group)
            # A group that is too large for what is still missing stays where it is.
            if len(taken) + len(examples) <= count:
                taken += examples
                del remaining[number]
        if len(taken) < (1 if asked is None else count):
            raise ValueError(
                f"cannot split {len(pairs)} pairs into {asked_for} and a training part: they form {len(groups)} groups "
                "that share no sentence, each to go to one part as a whole; ask for fewer"
            )
        return taken

    test_examples, validation_examples = take(test), take(validation)
    training = sorted(index for group in remaining.values() for index in group)
    if pairs and not training:
        raise ValueError(f"{asked_for} leave none of the {len(pairs)} pairs for training")
    return Split([pairs[index] for index in training], validation_examples, test_examples)


class TextSplit(NamedTuple):
    """The three parts of texts that stand by themselves."""

    train: list[str]
    validation: list[str]
    test: list[str]


def split_texts(
    texts: Sequence[str], *, validation: int | None = None, test: int | None = None, seed: int = 0
) -> TextSplit:
    """Split texts, each of them once, so that none stands in two parts, as `split_pairs` counts them as the same.

    Arguments and errors as there; the counts are of texts.
    """
    parts = split_pairs(
        [Pair(text, text) for text in dict.fromkeys(texts)], validation=validation, test=test, seed=seed
    )
    chosen = ([example.source for example in part] for part in (parts.validation, parts.test))
    return TextSplit([pair.source for pair in parts.train], *chosen)


def sentence_key(text: str) -> str:
    """What two sentences have in common when they look alike but for case, punctuation, white space and Unicode form.

    Characters that take no place are left out: a byte order mark, a soft hyphen, joiners, marks of direction, variation
    selectors. In some scripts a joiner tells two words apart; as a key, which may only err by calling too much the
    same, their common one is right.
    """
    visible = unicodedata.normalize("NFKC", text.translate(_INVISIBLE)).casefold()  # a joiner keeps letters apart there
    return " ".join(visible.translate(_PUNCTUATION).split()) or visible


class _Without(dict[int, int | None]):
    """A table for `str.translate` that fills itself: None, which deletes, for characters of a kind."""

    def __init__(self, deletes: Callable[[str], bool]) -> None:
        self._deletes = deletes

    def __missing__(self, code: int) -> int | None:
        self[code] = None if self._deletes(chr(code)) else code
        return self[code]


# Of Unicode's "default ignorable" characters those that are neither formats (Cf) nor controls (Cc): the joiner of
# graphemes, fillers of Hangul, vowels of Khmer that are not shown, variation selectors.
_IGNORABLE = re.compile("[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u3164\ufe00-\ufe0f\uffa0\U000e0000-\U000e0fff]")


def _is_invisible(character: str) -> bool:
    formats = unicodedata.category(character) in ("Cf", "Cc") and not character.isspace()
    return formats or bool(_IGNORABLE.match(character))


_INVISIBLE = _Without(_is_invisible)
_PUNCTUATION = _Without(lambda character: unicodedata.category(character).startswith("P"))


def _groups(pairs: Sequence[Pair]) -> list[list[int]]:
    """The indices of the pairs of each connected component: union-find over the sentences of both languages."""
    parent: dict[tuple[int, str], tuple[int, str]] = {}

    def root(node: tuple[int, str]) -> tuple[int, str]:
        while parent.setdefault(node, node) != node:
            parent[node] = parent[parent[node]]  # halves the path, so that the next search is short
            node = parent[node]
        return node

    # The side belongs to the node: "Problem" in English is not "Problem" in German.
    nodes = [((0, sentence_key(source)), (1, sentence_key(target))) for source, target in pairs]
    for source, target in nodes:
        parent[root(source)] = root(target)
    members: dict[tuple[int, str], list[int]] = {}
    for index, (source, _) in enumerate(nodes):
        members.setdefault(root(source), []).append(index)
    return list(members.values())
