"""Chapter 12's experiments: wrong uses of cross-entropy in training, and how far probabilities can be trusted.

The second part reads its test sentences from the folder that BLOCKBYBLOCK_DATA names, or downloads them. Only counts of
them are kept. Run as `python -m blockbyblock.experiments.linear_and_softmax`.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from blockbyblock import Transformer, TransformerConfig, load_pretrained, shift_right
from blockbyblock.data import Corpus, EncodedPair, Pair, Tokenizer, encode_pairs, number_names
from blockbyblock.data.batches import pad_rows
from blockbyblock.data.corpora import tatoeba
from blockbyblock.data.pairs import to_pairs
from blockbyblock.data.splitting import sentence_key
from blockbyblock.training import TrainingConfig, smoothed_cross_entropy

SEEDS = 5
STEPS = 250
SENTENCES = 32  # of a batch, of all lengths
VOCAB = 400
SMALL = TransformerConfig(
    d_model=64, heads=4, d_ff=128, source_vocab=VOCAB, target_vocab=VOCAB, encoder_layers=1, decoder_layers=1,
    max_length=64, dropout=0.0,
)  # fmt: skip
PAD = SMALL.pad_id
Loss = Callable[[Tensor, Tensor], Tensor]
BINS = 10  # of the probability of the most probable token
TEMPERATURES = (0.7, 0.8, 0.9, 0.95, 1.0, 1.1, 1.2)
# Written for the chapter, each with one German translation of several.
OWN_PAIRS = tuple(
    Pair(*(text.strip() for text in line.split("|")))
    for line in """
The cat sat on the chair. | Die Katze saß auf dem Stuhl.
The dog is sleeping under the table. | Der Hund schläft unter dem Tisch.
She reads a book every evening. | Sie liest jeden Abend ein Buch.
We went to the market yesterday. | Wir sind gestern auf den Markt gegangen.
My brother works in a hospital. | Mein Bruder arbeitet in einem Krankenhaus.
The train was twenty minutes late. | Der Zug hatte zwanzig Minuten Verspätung.
Can you help me with this box? | Kannst du mir mit dieser Kiste helfen?
I forgot my umbrella at home. | Ich habe meinen Regenschirm zu Hause vergessen.
The children are playing in the garden. | Die Kinder spielen im Garten.
He speaks three languages. | Er spricht drei Sprachen.
This soup is too hot. | Diese Suppe ist zu heiß.
Where did you buy these shoes? | Wo hast du diese Schuhe gekauft?
It has been raining since this morning. | Es regnet seit heute Morgen.
Our neighbour has a new car. | Unser Nachbar hat ein neues Auto.
I do not understand the question. | Ich verstehe die Frage nicht.
The bank closes at four o'clock. | Die Bank schließt um vier Uhr.
They live in a small village. | Sie wohnen in einem kleinen Dorf.
Please close the window. | Bitte mach das Fenster zu.
The teacher wrote a word on the board. | Der Lehrer schrieb ein Wort an die Tafel.
I would like a cup of tea. | Ich hätte gern eine Tasse Tee.
He has lost his key. | Er hat seinen Schlüssel verloren.
The bridge is very old. | Die Brücke ist sehr alt.
We are learning German. | Wir lernen Deutsch.
She is taller than her mother. | Sie ist größer als ihre Mutter.
What are you doing this weekend? | Was machst du dieses Wochenende?
The letter came today. | Der Brief kam heute an.
My grandfather was a farmer. | Mein Großvater war Bauer.
There is no milk in the fridge. | Es ist keine Milch im Kühlschrank.
He cannot swim. | Er kann nicht schwimmen.
The house by the river was sold. | Das Haus am Fluss wurde verkauft.
I met her at the station. | Ich habe sie am Bahnhof getroffen.
The film begins at eight. | Der Film beginnt um acht.
Nobody knows the answer. | Niemand kennt die Antwort.
You should drink more water. | Du solltest mehr Wasser trinken.
The bird is sitting in the tree. | Der Vogel sitzt im Baum.
We have enough time. | Wir haben genug Zeit.
My sister plays the piano. | Meine Schwester spielt Klavier.
The shop is closed on Sundays. | Das Geschäft ist sonntags geschlossen.
He told me a story. | Er hat mir eine Geschichte erzählt.
I am looking for my glasses. | Ich suche meine Brille.
The baby is crying. | Das Baby weint.
She put the flowers on the table. | Sie stellte die Blumen auf den Tisch.
How old is this church? | Wie alt ist diese Kirche?
It is cold outside. | Draußen ist es kalt.
They want to go to the beach. | Sie wollen zum Strand gehen.
I have already eaten. | Ich habe schon gegessen.
The boy broke the plate. | Der Junge hat den Teller zerbrochen.
Can I pay by card? | Kann ich mit Karte zahlen?
The doctor gave him some medicine. | Der Arzt gab ihm ein Medikament.
She was waiting for the bus. | Sie wartete auf den Bus.
We need a bigger table. | Wir brauchen einen größeren Tisch.
The soup smells good. | Die Suppe riecht gut.
He is afraid of dogs. | Er hat Angst vor Hunden.
I will call you tomorrow. | Ich rufe dich morgen an.
The road is closed. | Die Straße ist gesperrt.
My father likes to cook. | Mein Vater kocht gern.
She found a coin in the street. | Sie hat auf der Straße eine Münze gefunden.
Do you want to dance? | Möchtest du tanzen?
The moon is very bright tonight. | Der Mond ist heute Nacht sehr hell.
He has two daughters. | Er hat zwei Töchter.
We were at home last night. | Wir waren gestern Abend zu Hause.
The horse is drinking water. | Das Pferd trinkt Wasser.
I believe you. | Ich glaube dir.
The apples are still green. | Die Äpfel sind noch grün.
She closed the door quietly. | Sie schloss leise die Tür.
Why are you laughing? | Warum lachst du?
The museum opens at ten. | Das Museum öffnet um zehn.
He gave the old book to his friend. | Er gab das alte Buch seinem Freund.
I cannot find my phone. | Ich kann mein Handy nicht finden.
The snow has melted. | Der Schnee ist geschmolzen.
They are building a new school. | Sie bauen eine neue Schule.
Her hair is long and dark. | Ihr Haar ist lang und dunkel.
This is the best restaurant in town. | Das ist das beste Restaurant der Stadt.
We saw a deer in the forest. | Wir haben im Wald ein Reh gesehen.
The meeting lasted two hours. | Die Besprechung dauerte zwei Stunden.
I am going to bed now. | Ich gehe jetzt ins Bett.
He works too much. | Er arbeitet zu viel.
The water is not deep here. | Das Wasser ist hier nicht tief.
You have a beautiful garden. | Du hast einen schönen Garten.
Tomorrow we will visit our aunt. | Morgen besuchen wir unsere Tante.
""".strip().splitlines()
)


def right(logits: Tensor, target: Tensor) -> Tensor:
    """Cross-entropy of logits `[batch, target, vocab]` and ids `[batch, target]`, padding left out."""
    return F.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=PAD)


def softmax_first(logits: Tensor, target: Tensor) -> Tensor:
    """Probabilities where logits are expected: cross_entropy takes the softmax of them once more."""
    return right(logits.softmax(-1), target)


def wrong_order(logits: Tensor, target: Tensor) -> Tensor:
    """Logits flattened position by position, ids sentence by sentence: as many of both, and they do not belong."""
    return right(logits.transpose(0, 1).reshape(logits.shape), target)


def padding_counted(logits: Tensor, target: Tensor) -> Tensor:
    """No `ignore_index`: padding is a token like any other, to be learned and averaged over."""
    return F.cross_entropy(logits.flatten(0, 1), target.flatten())


def smoothed(logits: Tensor, target: Tensor) -> Tensor:
    """Label smoothing of 0.1, as in the paper."""
    return smoothed_cross_entropy(logits, target, pad_id=PAD).smoothed / (target != PAD).sum()


LOSSES: dict[str, Loss] = {
    "right": right,
    "softmax first": softmax_first,
    "wrong order": wrong_order,
    "padding counted": padding_counted,
    "label smoothing": smoothed,
}


def numbers(seed: int) -> tuple[list[EncodedPair], list[EncodedPair]]:
    """Number names in English and German as ids, to learn from and to measure on."""
    corpus: Corpus = number_names(seed=seed, validation=300)
    tokenizer = Tokenizer.train(corpus.training_text(), VOCAB)
    return encode_pairs(tokenizer, corpus.train), encode_pairs(tokenizer, to_pairs(corpus.validation))


def batch(pairs: Sequence[EncodedPair]) -> tuple[Tensor, Tensor]:
    """Source and target, padded on the right."""
    return pad_rows([pair.source for pair in pairs]), pad_rows([pair.target for pair in pairs])


def drawn(pairs: Sequence[EncodedPair], seed: int, steps: int = STEPS) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches of pairs drawn by chance, of all lengths."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        places = torch.randint(len(pairs), (SENTENCES,), generator=generator).tolist()
        yield batch([pairs[place] for place in places])


def fit(
    pairs: Sequence[EncodedPair], loss: Loss, seed: int, steps: int = STEPS, *, output_bias: bool = False
) -> tuple[Transformer, list[float]]:
    """Train a small Transformer with one of the losses; the batches of a seed are the same for each."""
    torch.manual_seed(seed)
    model = Transformer(replace(SMALL, output_bias=output_bias))
    training = TrainingConfig(steps=steps, schedule="cosine", warmup=30, peak=4e-3)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0, betas=training.betas, eps=training.eps)
    losses = []
    for step, (source, target) in enumerate(drawn(pairs, seed, steps), start=1):
        found = loss(model(source, shift_right(target, SMALL.start_id)), target)
        optimizer.param_groups[0]["lr"] = training.learning_rate(step, SMALL.d_model)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        losses.append(found.item())
    return model.eval(), losses


@torch.no_grad()
def measured(model: Transformer, pairs: Sequence[EncodedPair]) -> dict[str, Any]:
    """The honest loss per token, the share of tokens that are predicted right, and how many different ones are.

    Also the mean probability of the first choice, and what all but the first ten have together: least and median.
    """
    source, target = batch(pairs)
    logits = model(source, shift_right(target, SMALL.start_id))
    kept = target != PAD
    choice = logits.argmax(-1)[kept]
    ordered = logits[kept].double().softmax(-1).sort(descending=True).values
    tail = ordered[:, 10:].sum(-1)
    return {
        "loss": right(logits, target).item(),
        "accuracy": (choice == target[kept]).double().mean().item(),
        "different predictions": len(choice.unique()),
        "first choice": ordered[:, 0].mean().item(),
        "least tail": tail.min().item(),
        "median tail": tail.median().item(),
        "most frequent": target[kept].bincount().max().item() / len(choice),
    }


def unigram_entropy(pairs: Sequence[EncodedPair]) -> float:
    """The entropy of a target token drawn by chance, in nats: what guessing by frequency alone costs."""
    counts = torch.bincount(torch.tensor([id for pair in pairs for id in pair.target])).double()
    shares = counts[counts > 0] / counts.sum()
    return -(shares * shares.log()).sum().item()


def losses() -> Iterator[dict[str, Any]]:
    """Each loss with each seed."""
    for seed in range(SEEDS):
        train, held_out = numbers(seed)
        targets = [target for _, target in drawn(train, seed)]
        padding = sum(int((target == PAD).sum()) for target in targets) / sum(target.numel() for target in targets)
        for name, loss in LOSSES.items():
            model, course = fit(train, loss, seed)
            yield {
                "trained with": name,
                "seed": seed,
                "own loss": sum(course[-20:]) / 20,
                **measured(model, held_out),
                "unigram entropy": unigram_entropy(train),
                "padding": padding,
            }
        model, _ = fit(train, right, seed, output_bias=True)
        yield {"trained with": "output bias", "seed": seed, **measured(model, held_out)}


@torch.inference_mode()
def next_tokens(model: Transformer, pairs: Sequence[EncodedPair]) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Logits `[token, vocab]`, the tokens that came, and the number of each one's sentence; 50 sentences at a time."""
    config = model.config
    order = sorted(range(len(pairs)), key=lambda place: len(pairs[place].target))
    for start in range(0, len(order), 50):
        places = order[start : start + 50]
        source, target = batch([pairs[place] for place in places])
        logits = model(source, shift_right(target, config.start_id))
        kept = target != config.pad_id
        yield logits[kept], target[kept], torch.tensor(places)[:, None].expand_as(target)[kept]


def reliability(model: Transformer, pairs: Sequence[EncodedPair], samples: int = 1000) -> Iterator[dict[str, Any]]:
    """Tokens by the probability of the model's first choice: how probable it is on average, how often it is right.

    The interval comes from pairs drawn anew, for the tokens of a sentence are not independent.
    """
    found = torch.zeros(len(pairs), BINS, 3, dtype=torch.float64)  # per sentence and bin: tokens, probability, right
    for logits, target, sentence in next_tokens(model, pairs):
        best, choice = logits.softmax(-1).max(-1)
        slot = sentence * BINS + (best * BINS).long().clamp(max=BINS - 1)
        values = torch.stack((torch.ones_like(best), best, (choice == target).to(best.dtype)), dim=-1)
        found.view(-1, 3).index_add_(0, slot, values.double())
    anew = torch.randint(len(pairs), (samples, len(pairs)), generator=torch.Generator().manual_seed(0))
    again = torch.stack([found[row].sum(0) for row in anew])  # [sample, bin, 3]
    shares = (again[..., 2] / again[..., 0]).nan_to_num()
    low, high = shares.quantile(torch.tensor([0.025, 0.975], dtype=torch.float64), dim=0)
    for place, (tokens, probability, hits) in enumerate(found.sum(0).tolist()):
        yield {
            "from": place / BINS,
            "tokens": int(tokens),
            "probability": probability / tokens if tokens else math.nan,
            "right": hits / tokens if tokens else math.nan,
            "low": low[place].item(),
            "high": high[place].item(),
        }


def at_temperatures(model: Transformer, pairs: Sequence[EncodedPair]) -> Iterator[dict[str, float]]:
    """The loss per token with the logits divided by each temperature."""
    totals, tokens = torch.zeros(len(TEMPERATURES), dtype=torch.float64), 0
    for logits, target, _ in next_tokens(model, pairs):
        for place, temperature in enumerate(TEMPERATURES):
            totals[place] += F.cross_entropy(logits / temperature, target, reduction="sum").double()
        tokens += len(target)
    for temperature, total in zip(TEMPERATURES, totals.tolist(), strict=True):
        yield {"temperature": temperature, "loss": total / tokens, "tokens": tokens}


def trusted() -> Iterator[dict[str, Any]]:
    """The model in the box on the test part of its corpus, with every reference."""
    translator, corpus = load_pretrained("en-de"), tatoeba()
    trained = {sentence_key(pair.source) for pair in corpus.train}
    yield {
        "corpus": corpus.sha256,
        "own pairs": len(OWN_PAIRS),
        "seen in training": sum(sentence_key(pair.source) in trained for pair in OWN_PAIRS),
    }
    pairs = encode_pairs(translator.tokenizer, to_pairs(corpus.test))
    for row in reliability(translator.model, pairs):
        yield {"reliability": row}
    for row in at_temperatures(translator.model, pairs):
        yield {"at": row}


if __name__ == "__main__":
    from .record import record

    record("linear_and_softmax", lambda: [*losses(), *trusted()])
