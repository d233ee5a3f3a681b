"""Which sentences, of those that the chapters judge the model in the box by, stood in the text it was trained on.

The training text is read from the folder that BLOCKBYBLOCK_DATA names, or downloaded. Run as
`python -m blockbyblock.experiments.seen`.
"""

from collections.abc import Iterator
from typing import Any

from blockbyblock.data.corpora import tatoeba
from blockbyblock.data.splitting import sentence_key

from .linear_and_softmax import OWN_PAIRS
from .word_senses import OTHER_CLASS, SAME_CLASS

GOLD = """\
Yesterday we bought a new car.
Gestern haben wir ein neues Auto gekauft.|1 (3) 2 4 5 6 3
I have never read this book.
Ich habe dieses Buch noch nie gelesen.|1 2 5 6 (3) 3 4
He gave her the letter yesterday.
Er hat ihr gestern den Brief gegeben.|1 (2) 3 6 4 5 2
I must go home now.
Ich muss jetzt nach Hause gehen.|1 2 5 (4) 4 3
She can speak French very well.
Sie kann sehr gut Französisch sprechen.|1 2 5 6 4 3
The train leaves at nine o'clock.
Der Zug fährt um neun Uhr ab.|1 2 3 4 5 6 3
He opened the window because it was hot.
Er öffnete das Fenster, weil es heiß war.|1 2 3 4 5 6 8 7
I know that you love this song.
Ich weiß, dass du dieses Lied liebst.|1 2 3 4 6 7 5
When I came home, the children were already sleeping.
Als ich nach Hause kam, schliefen die Kinder schon.|1 2 (4) 4 3 9(7) 5 6 8
My brother gets up very early.
Mein Bruder steht sehr früh auf.|1 2 3(4) 5 6 4(3)
Please turn off the light.
Bitte mach das Licht aus.|1 2(3) 4 5 3(2)
She called me last night.
Sie hat mich gestern Abend angerufen.|1 (2) 3 4 5 2
Do you want to drink something?
Willst du etwas trinken?|3(1) 2 6 5(4)
Tom has forgotten to close the door.
Tom hat vergessen, die Tür zu schließen.|1 2 3 6 7 4 5
We will visit our grandmother next week.
Nächste Woche werden wir unsere Großmutter besuchen.|6 7 2 1 4 5 3
I don't know where he lives.
Ich weiß nicht, wo er wohnt.|1 3 2 4 5 6
Why did you sell your house?
Warum hast du dein Haus verkauft?|1 2 3 5 6 4
My father has worked here for ten years.
Mein Vater arbeitet seit zehn Jahren hier.|1 2 4(3) 6 7 8 5
The man who lives next door plays the piano.
Der Mann, der nebenan wohnt, spielt Klavier.|1 2 3 5+6 4 7 9(8)
The children want to play outside.
Die Kinder wollen draußen spielen.|1 2 3 6 5(4)
"""
"""Chapter 10's sentences, each followed by its German and an alignment made by hand.

For each German word the numbers of its English counterparts: 1 is the first word, 5+6 both, (3) a possible one.
"""


def judged() -> Iterator[tuple[int, str, str]]:
    """Chapter, English sentence, and its German where the chapter has written one."""
    for groups in (*SAME_CLASS.values(), *OTHER_CLASS.values()):
        for group in groups:
            yield from ((8, text, "") for text in group.sentences)
    lines = GOLD.strip().splitlines()
    for source, target in zip(lines[::2], lines[1::2], strict=True):
        yield 10, source, target.split("|")[0]
    for pair in OWN_PAIRS:
        yield 12, pair.source, pair.target


def looked_up() -> Iterator[dict[str, Any]]:
    """For each sentence: is it in the training text, is its German, and are the two as a pair?"""
    train = tatoeba().train
    sources, targets = {sentence_key(pair.source) for pair in train}, {sentence_key(pair.target) for pair in train}
    pairs = {(sentence_key(pair.source), sentence_key(pair.target)) for pair in train}
    for chapter, source, target in judged():
        keys = sentence_key(source), sentence_key(target)
        yield {
            "chapter": chapter,
            "source": source,
            "seen": keys[0] in sources,
            "german seen": bool(target) and keys[1] in targets,
            "pair seen": bool(target) and keys in pairs,
        }


def unseen(chapter: int, source: str) -> bool:
    """Whether neither a sentence nor its German stood in the training text, as it was recorded."""
    from .record import recorded

    [row] = [row for row in recorded("seen")["rows"] if row["chapter"] == chapter and row["source"] == source]
    return not (row["seen"] or row["german seen"])


if __name__ == "__main__":
    from .record import record

    record("seen", lambda: list(looked_up()))
