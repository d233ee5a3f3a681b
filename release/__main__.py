"""Put a finished training into the box: `python -m release runs/tatoeba en-de --data corpora`.

Writes `NAME.safetensors` (int8) and its model card `NAME.md` into the package. The card is the text in `release/cards/`
with the numbers computed here: scores on the test part, with the exact weights and with the rounded ones; the first
translations, unselected; and what the run says about its text, its recipe and its machine.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from string import Template

from blockbyblock import parameter_count
from blockbyblock.data import Batches, Example, encode_pairs, to_pairs
from blockbyblock.evaluation import bleu, bleu_difference, bleu_interval, chrf, exact_matches, token_loss
from blockbyblock.files import write_atomically
from blockbyblock.portable import load_portable, save_portable
from blockbyblock.training import open_run, read_log, read_run
from blockbyblock.translator import BATCH_TOKENS, Translator

ROOT = Path(__file__).resolve().parents[1]
BOX = ROOT / "src" / "blockbyblock" / "models"
SHOWN = 30


def release(run_folder: Path, name: str, data: str | None) -> None:
    """Export, score, and write the card."""
    run, exact = read_run(run_folder), open_run(run_folder)
    *_, source, target = name.split("-")  # languages by the codes that a browser knows
    exact.about |= {"source_language": source, "target_language": target}
    BOX.mkdir(exist_ok=True)
    path = BOX / f"{name}.safetensors"
    save_portable(path, exact, "int8")
    rounded = load_portable(path)
    corpus = run.recipe.load_corpus(data)
    sources = [example.source for example in corpus.test]
    references = [example.references for example in corpus.test]
    translations = {
        ("float32", 4): exact.translate(sources),
        ("int8", 4): rounded.translate(sources),
        ("int8", 1): rounded.translate(sources, beam=1),
    }
    ours = translations["int8", 4]
    tokenizer_bytes = len(json.dumps(json.loads(exact.tokenizer.to_json())))
    last = [record for record in read_log(run_folder / "log.jsonl") if record["kind"] == "train"][-1]
    validation = [record for record in read_log(run_folder / "log.jsonl") if record["kind"] == "validation"]
    values = {
        "title": run.recipe.title,
        "parameters": f"{parameter_count(exact.model.config):,}",
        "vocabulary": f"{len(exact.tokenizer):,}",
        "file_bytes": f"{path.stat().st_size:,}",
        "weight_bytes": f"{path.stat().st_size - tokenizer_bytes:,}",
        "file_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "hashes": "\n".join(f"- `{file}`: `{digest}`" for file, digest in run.corpus["sha256"].items()),
        "sentences": ", ".join(f"{count:,} {part}" for part, count in run.corpus["sentences"].items()),
        "terms": run.corpus["terms"],
        "recipe": json.dumps(run.recipe.training, indent=2),
        "seed": run.recipe.seed,
        "steps": f"{last['step']:,}",
        "epochs": f"{last['epoch'] + 1}",
        "minutes": f"{last['seconds'] / 60:.0f}",
        "machine": ", ".join(f"{key} {value}" for key, value in run.machine.items()),
        "scores": _scores(translations, references),
        "signature": bleu(ours, references).signature,
        "lost": bleu_difference(ours, translations["float32", 4], references),
        "exact": exact_matches(ours, references),
        "loss": _loss(rounded, corpus.test),
        "validation": f"{validation[-1]['loss']:.3f}",
        "first": _first(sources, references, ours),
    }
    card = Template((ROOT / "release" / "cards" / f"{name}.md").read_text(encoding="utf-8")).substitute(values)
    write_atomically(BOX / f"{name}.md", card.encode())
    print(card)


def _scores(translations: dict[tuple[str, int], list[str]], references: list[tuple[str, ...]]) -> str:
    rows = ["| weights | search | BLEU, 95 % interval | BLEU lowercased | chrF2 |", "|---|---|---|---|---|"]
    for (weights, beam), texts in translations.items():
        cased, lowercased = bleu_interval(texts, references), bleu(texts, references, lowercase=True)
        rows.append(
            f"| {weights} | {'greedy' if beam == 1 else f'beam {beam}'} | {cased.value:.2f} [{cased.low:.2f}, "
            f"{cased.high:.2f}] | {lowercased.value:.2f} | {chrf(texts, references).value:.2f} |"
        )
    return "\n".join(rows)


def _loss(translator: Translator, examples: Sequence[Example]) -> str:
    batches = Batches(encode_pairs(translator.tokenizer, to_pairs(examples)), BATCH_TOKENS)
    return str(token_loss(translator.model, ((batch.source, batch.target) for batch in batches.epoch(0))))


def _first(sources: list[str], references: list[tuple[str, ...]], translations: list[str]) -> str:
    rows = ["| source | translation | references |", "|---|---|---|"]
    for source, translation, texts in list(zip(sources, translations, references, strict=True))[:SHOWN]:
        cells = (source, translation, " / ".join(texts))
        rows.append(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of the training")
    parser.add_argument("name", help="of the model, as in release/cards/")
    parser.add_argument("--data", help="folder with the corpora")
    arguments = parser.parse_args()
    release(arguments.run, arguments.name, arguments.data)
