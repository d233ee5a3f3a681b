"""`blockbyblock evaluate`: scores on text that the model has not seen."""

import argparse
import json
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from blockbyblock.checks import check_positive
from blockbyblock.cli.common import DATA_HELP, MODEL_HELP, add_command, note, open_model, printable
from blockbyblock.data import Batches, Example, LabelledText, encode_pairs, read_tsv, to_pairs
from blockbyblock.files import write_atomically
from blockbyblock.portable import require_kind
from blockbyblock.text_classifier import TextClassifier
from blockbyblock.text_generator import TextGenerator
from blockbyblock.text_model import BATCH_TOKENS, TextModel
from blockbyblock.texts import read_good_lines
from blockbyblock.training.recipe import from_values
from blockbyblock.translator import Translator

CONFUSIONS = 10  # of a classifier, those that are printed


def add(commands: Any) -> None:
    """Describe the command."""
    parser = add_command(
        commands,
        "evaluate",
        run,
        "Score a model on the test part of its corpus, or on files. Translator: sacreBLEU, chrF, exact matches, loss. "
        "Language model: loss, perplexity. Classifier: accuracy, and what it takes for what.",
        """  blockbyblock evaluate runs/numbers
  blockbyblock evaluate en-de --data corpora --output translations.txt
  blockbyblock evaluate runs/multi30k --source test.en --references test.de
  blockbyblock evaluate en --source texts.txt
  blockbyblock evaluate languages --source labelled.tsv""",
    )
    parser.add_argument("model", metavar="MODEL", help=MODEL_HELP)
    parser.add_argument("--data", metavar="FOLDER", help=DATA_HELP)
    parser.add_argument(
        "--part", choices=("test", "validation"), default="test", help="choose by validation, report test; default test"
    )
    parser.add_argument(
        "--source",
        metavar="FILE",
        help="sentences to translate, texts, or texts with a tab and a label, instead of a part of the corpus; .gz too",
    )
    parser.add_argument("--references", nargs="+", metavar="FILE", help="of a translator: the translations")
    parser.add_argument("--first", type=int, metavar="N", help="only the first N of them")
    parser.add_argument("--beam", type=int, default=4, metavar="N", help="prefixes kept; 1 is greedy; default 4")
    parser.add_argument("--length-penalty", type=float, default=0.6, metavar="A", help="as in the paper; default 0.6")
    parser.add_argument("--output", metavar="FILE", help="write the translations, a line each")
    parser.add_argument("--json", metavar="FILE", help="write the scores as JSON")


def run(arguments: argparse.Namespace) -> int:
    """Score, print."""
    if arguments.first is not None:
        check_positive(first=arguments.first)
    model = open_model(arguments.model, TextModel)
    if not isinstance(model, Translator) and (arguments.references or arguments.output):
        raise ValueError("--references and --output are for a model that translates")
    if isinstance(model, TextGenerator):
        values = _score_generator(arguments, model)
    elif isinstance(model, TextClassifier):
        values = _score_classifier(arguments, model)
    else:
        values = _score_translator(arguments, require_kind(model, Translator, arguments.model))
    if arguments.json:
        write_atomically(Path(arguments.json), json.dumps(values, indent=2).encode())
    return 0


def _score_translator(arguments: argparse.Namespace, translator: Translator) -> dict[str, Any]:
    from blockbyblock.evaluation import bleu, bleu_interval, chrf, exact_matches, token_loss  # here: loads sacreBLEU

    if (arguments.source is None) != (arguments.references is None):
        raise ValueError("--source and --references belong together")
    examples = _examples(arguments, translator)[: arguments.first]
    if not examples:
        raise ValueError("there is no sentence to score")
    sources, references = [example.source for example in examples], [example.references for example in examples]
    begun = time.perf_counter()
    translations = translator.translate(sources, beam=arguments.beam, length_penalty=arguments.length_penalty)
    seconds = time.perf_counter() - begun
    if arguments.output:
        write_atomically(Path(arguments.output), "".join(f"{text}\n" for text in translations).encode())

    cased, lowercased = (bleu(translations, references, lowercase=lowercase) for lowercase in (False, True))
    batches = Batches(
        encode_pairs(translator.tokenizer, to_pairs(examples)),
        BATCH_TOKENS,
        max_length=translator.model.config.max_length,
        over_long="leave out",
    )
    if batches.left_out:
        note(f"{len(batches.left_out):,} over-long pairs are left out of the loss")
    loss = token_loss(translator.model, ((batch.source, batch.target) for batch in batches.epoch(0)))
    print(f"{len(examples):,} sentences, {sum(map(len, references)):,} references, {seconds:.1f} s")
    print(f"BLEU             {bleu_interval(translations, references)}")
    print(f"BLEU lowercased  {bleu_interval(translations, references, lowercase=True)}")
    print(f"                 {cased.signature}")
    print(f"chrF2            {chrf(translations, references).value:.2f}")
    print(f"exact matches    {exact_matches(translations, references)}")
    print(f"loss             {loss}")
    if cased.value == 0 and exact_matches(translations, references).matches:
        note("BLEU is 0 though there are exact matches: it counts runs of four words, and these texts have fewer")
    return {
        "sentences": len(examples),
        "bleu": cased.value,
        "bleu_lowercased": lowercased.value,
        "signature": cased.signature,
        "chrf2": chrf(translations, references).value,
        "exact": exact_matches(translations, references).share,
        "loss": loss.loss,
        "perplexity": loss.perplexity,
        "beam": arguments.beam,
        "length_penalty": arguments.length_penalty,
    }


def _score_generator(arguments: argparse.Namespace, generator: TextGenerator) -> dict[str, Any]:
    from blockbyblock.text_scores import perplexity_interval, text_losses, total_loss

    if arguments.source is not None:
        texts = [text.strip() for text in read_good_lines(arguments.source) if text.strip()]
    else:
        texts = _part(arguments, generator, "--source")
    texts = texts[: arguments.first]
    losses = text_losses(generator, texts)
    loss, size = total_loss(losses), sum(len(text.encode()) for text in texts)
    bits = loss.total / math.log(2) / size
    print(f"{len(texts):,} texts, {size:,} bytes")
    print(f"loss             {loss}")
    print(f"perplexity       {perplexity_interval(losses)}")
    print(f"bits per byte    {bits:.3f}")
    return {"texts": len(texts), "loss": loss.loss, "perplexity": loss.perplexity, "bits_per_byte": bits}


def _score_classifier(arguments: argparse.Namespace, classifier: TextClassifier) -> dict[str, Any]:
    from blockbyblock.text_scores import accuracy

    if arguments.source is not None:
        pairs, report = read_tsv(arguments.source)
        note(str(report))
        examples = [LabelledText(*pair) for pair in pairs]
    else:
        examples = _part(arguments, classifier, "--source")
    examples = examples[: arguments.first]
    found = accuracy(classifier, [text for text, _ in examples], [label for _, label in examples])
    print(f"accuracy         {found}")
    for (own, given), count in [*found.confusions.items()][:CONFUSIONS]:
        print(printable(f"  {own} taken for {given}: {count}"))
    return {"texts": found.texts, "correct": found.correct, "accuracy": found.share}


def _part(arguments: argparse.Namespace, model: TextModel, otherwise: str) -> Any:
    """The part of the corpus that the model was trained on, which is asked for."""
    if "recipe" not in model.about:
        raise ValueError(f"the model does not say what it was trained on: give {otherwise}")
    corpus = from_values(model.about["recipe"]).load_corpus(arguments.data)
    note(str(corpus))
    differing = [name for name, found in corpus.sha256.items() if model.about["sha256"].get(name) != found]
    if differing:
        note(f"{', '.join(differing)}: not the file that the model was trained on; it may have seen these sentences")
    return corpus.test if arguments.part == "test" else corpus.validation


def _examples(arguments: argparse.Namespace, translator: Translator) -> Sequence[Example]:
    if arguments.source is not None:
        sides = [read_good_lines(path) for path in (arguments.source, *arguments.references)]
        if len({len(side) for side in sides}) > 1:
            raise ValueError(f"the files have {', '.join(str(len(side)) for side in sides)} lines: they do not pair")
        rows = [row for row in zip(*sides, strict=True) if any(text.strip() for text in row)]
        if len(rows) < len(sides[0]):
            note(f"{len(sides[0]) - len(rows):,} lines are empty in each of the files, and are left out")
        return [Example(source, tuple(references)) for source, *references in rows]
    examples: Sequence[Example] = _part(arguments, translator, "--source and --references")
    return examples
