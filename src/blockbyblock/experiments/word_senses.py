"""Chapter 08: sentences with one word in two senses, and with one word of one sense on two topics.

Words and sentences were written down before the model had been run on any of them, and none was changed or left out
afterwards. The words: six whose two senses are of one word class, six whose senses are not, and eight controls, whose
sentences are about two topics. The patterns say which German words count as a translation of each sense; they too were
written before any translation was seen.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Group:
    """Four sentences in which a word has one sense, or one topic.

    Attributes:
        name: of the sense or the topic.
        sentences: the word stands once in each.
        german: a regular expression for a translation that has this sense; empty for a control.
    """

    name: str
    sentences: tuple[str, ...]
    german: str = ""


SAME_CLASS: dict[str, tuple[Group, Group]] = {
    "bank": (
        Group(
            "money",
            (
                "I put my money in the bank.",
                "The bank opens at nine o'clock.",
                "She works at a bank in Boston.",
                "He borrowed a lot of money from the bank.",
            ),
            r"bank",
        ),
        Group(
            "river",
            (
                "We sat on the bank of the river.",
                "The bank of the river was covered with grass.",
                "He swam to the other bank.",
                "There are many trees on the bank of this river.",
            ),
            r"ufer",
        ),
    ),
    "bat": (
        Group(
            "animal",
            (
                "A bat flew into the room.",
                "The bat is not a bird.",
                "We saw a bat in the cave last night.",
                "A bat sleeps during the day and flies at night.",
            ),
            r"fledermaus",
        ),
        Group(
            "stick",
            (
                "He hit the ball with a bat.",
                "My bat is too heavy for this game.",
                "Tom bought a new baseball bat.",
                "She gave me a bat and a ball.",
            ),
            r"schläger",
        ),
    ),
    "right": (
        Group(
            "correct",
            (
                "I think you are right.",
                "That is the right answer.",
                "Your mother was right about him.",
                "You made the right decision.",
            ),
            r"\brecht\b|richtig",
        ),
        Group(
            "side",
            (
                "Turn to the right at the next corner.",
                "He broke his right arm.",
                "The station is on the right side of the street.",
                "She writes with her right hand.",
            ),
            r"\brechts|\brechte",
        ),
    ),
    "match": (
        Group(
            "game",
            (
                "We won the match yesterday.",
                "The match was canceled because of the rain.",
                "Did you watch the tennis match on television?",
                "It was the best match of the year.",
            ),
            r"spiel|partie|match",
        ),
        Group(
            "fire",
            (
                "He lit the candle with a match.",
                "Do you have a match for my cigarette?",
                "A match burns for a few seconds.",
                "She took a match out of the box.",
            ),
            r"streichholz|streichhölz|zündholz|feuer",
        ),
    ),
    "letter": (
        Group(
            "mail",
            (
                "I wrote a letter to my mother.",
                "The letter arrived this morning.",
                "He put the letter in an envelope.",
                "I have not read your letter yet.",
            ),
            r"brief",
        ),
        Group(
            "alphabet",
            (
                "A is the first letter of the alphabet.",
                "This word begins with a capital letter.",
                "The letter E is very common in English.",
                "My name ends with the letter S.",
            ),
            r"buchstabe",
        ),
    ),
    "hard": (
        Group(
            "difficult",
            (
                "This question is hard to answer.",
                "It was a hard decision for us.",
                "German is a hard language.",
                "The test was very hard.",
            ),
            r"schwer|schwierig",
        ),
        Group(
            "solid",
            (
                "The bread is too hard to eat.",
                "Iron is a hard metal.",
                "The bed was very hard.",
                "We sat on the hard ground.",
            ),
            r"\bhart",
        ),
    ),
}

OTHER_CLASS: dict[str, tuple[Group, Group]] = {
    "light": (
        Group(
            "not heavy",
            (
                "This bag is very light.",
                "She is as light as a feather.",
                "The box was light enough to carry.",
                "I had a light suitcase with me.",
            ),
            r"leicht",
        ),
        Group(
            "lamp",
            (
                "Turn off the light before you go to bed.",
                "The light in the kitchen is on.",
                "There was no light in the room.",
                "The light was too bright for my eyes.",
            ),
            r"licht\b|lampe",
        ),
    ),
    "left": (
        Group(
            "side",
            (
                "He writes with his left hand.",
                "Turn left at the corner.",
                "The house is on the left side of the street.",
                "Her left leg was broken.",
            ),
            r"\blink",
        ),
        Group(
            "went away",
            (
                "She left the room without a word.",
                "My father left home early this morning.",
                "The train left ten minutes ago.",
                "They left for Germany yesterday.",
            ),
            r"verließ|verlassen|\bging|gegangen|fuhr|gefahren|abgereist|\bab\b",
        ),
    ),
    "kind": (
        Group(
            "sort",
            (
                "What kind of music do you like?",
                "This is a new kind of car.",
                "I do not like that kind of book.",
                "There is more than one kind of love.",
            ),
            r"\bart\b|\barten\b|sorte|\bwas für|welche",
        ),
        Group(
            "friendly",
            (
                "She is always kind to me.",
                "He was very kind to the children.",
                "You are very kind.",
                "A kind old man helped us.",
            ),
            r"nett|freundlich|lieb|gütig",
        ),
    ),
    "like": (
        Group(
            "enjoy",
            (
                "I like to swim in summer.",
                "My children like ice cream.",
                "Do you like this song?",
                "We like our new teacher very much.",
            ),
            r"\bmag|mög|gern|gefäll|gefall|lieb",
        ),
        Group(
            "as",
            (
                "He eats like a pig.",
                "She looks like her mother.",
                "You sing like a bird.",
                "It was like a dream.",
            ),
            r"\bwie\b|ähn",
        ),
    ),
    "watch": (
        Group(
            "clock",
            (
                "My watch is broken.",
                "He looked at his watch.",
                "I bought a new watch for my son.",
                "This watch was very expensive.",
            ),
            r"uhr",
        ),
        Group(
            "look",
            (
                "I watch television every evening.",
                "We want to watch the game tonight.",
                "Please watch the baby for a moment.",
                "They watch the birds in the garden.",
            ),
            r"seh|sieh|schau|acht|pass|guck",
        ),
    ),
    "train": (
        Group(
            "railway",
            (
                "The train was late this morning.",
                "I go to work by train.",
                "She missed the last train.",
                "We waited for the train at the station.",
            ),
            r"\bzug|bahn",
        ),
        Group(
            "exercise",
            (
                "You must train every day to win.",
                "We train our dogs ourselves.",
                "They train for the race in the morning.",
                "I train with my team on Mondays.",
            ),
            r"train|\büb|ausbild",
        ),
    ),
}

CONTROLS: dict[str, tuple[Group, Group]] = {
    "water": (
        Group(
            "drink",
            (
                "I would like a glass of water.",
                "The water in the bottle is cold.",
                "She drinks water every morning.",
                "He asked for some water.",
            ),
        ),
        Group(
            "lake",
            (
                "The children jumped into the water.",
                "The water of the lake is very deep.",
                "Fish live in the water.",
                "There is water on the floor of the boat.",
            ),
        ),
    ),
    "dog": (
        Group(
            "at home",
            (
                "My dog sleeps on the sofa.",
                "I walk with my dog every day.",
                "She gave the dog something to eat.",
                "Our dog is ten years old.",
            ),
        ),
        Group(
            "danger",
            (
                "The dog bit the boy in the leg.",
                "I am afraid of that big dog.",
                "A dog ran after him.",
                "He was attacked by a dog.",
            ),
        ),
    ),
    "house": (
        Group(
            "to own",
            (
                "We bought a house last year.",
                "The house has a large garden.",
                "My parents live in an old house.",
                "He painted his house white.",
            ),
        ),
        Group(
            "disaster",
            (
                "The house was on fire.",
                "Someone broke into the house last night.",
                "A man ran out of the house.",
                "The storm destroyed our house.",
            ),
        ),
    ),
    "doctor": (
        Group(
            "for the ill",
            (
                "You should see a doctor.",
                "The doctor gave me some medicine.",
                "I went to the doctor because of my cough.",
                "Please call a doctor.",
            ),
        ),
        Group(
            "a person",
            (
                "My brother wants to become a doctor.",
                "She married a rich doctor.",
                "He is a famous doctor.",
                "The doctor has two daughters.",
            ),
        ),
    ),
    "school": (
        Group(
            "lessons",
            (
                "I go to school by bus.",
                "She was late for school again.",
                "We learn English at school.",
                "My school starts at eight o'clock.",
            ),
        ),
        Group(
            "building",
            (
                "They built a new school in our town.",
                "The school is near the station.",
                "There is a tree behind the school.",
                "You can see the school from here.",
            ),
        ),
    ),
    "mother": (
        Group(
            "at home",
            (
                "My mother cooks dinner every day.",
                "I love my mother very much.",
                "She looks after her old mother.",
                "His mother kissed him good night.",
            ),
        ),
        Group(
            "at work",
            (
                "My mother works in an office.",
                "I drove my mother to the airport.",
                "Her mother speaks three languages.",
                "The mother of my friend is a lawyer.",
            ),
        ),
    ),
    "bread": (
        Group(
            "to eat",
            (
                "I eat bread for breakfast.",
                "He cut the bread with a knife.",
                "The bread tastes very good.",
                "She gave the bird some bread.",
            ),
        ),
        Group(
            "to make",
            (
                "We bake our own bread.",
                "I bought bread and milk at the store.",
                "The bread is still in the oven.",
                "The price of bread went up.",
            ),
        ),
    ),
    "car": (
        Group(
            "to drive",
            (
                "He drives his car too fast.",
                "We went to the beach by car.",
                "The car stopped in front of the hotel.",
                "She got into the car.",
            ),
        ),
        Group(
            "to own",
            (
                "I want to buy a new car.",
                "His car is very expensive.",
                "They repaired my car last week.",
                "This car was made in Germany.",
            ),
        ),
    ),
}
