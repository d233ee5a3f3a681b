"""Put a finished training into the box: `python -m release runs/tatoeba en-de --data corpora`.

Writes `NAME.safetensors` (int8) and its model card `NAME.md` into the package. The card is the text in `release/cards/`
with the numbers computed here: scores on the test part, with the exact weights and with the rounded ones; what the
model does, unselected; and what the run says about its text, its recipe and its machine.
"""

import argparse
import hashlib
import json
from pathlib import Path
from string import Template
from typing import Any

from blockbyblock.files import write_atomically
from blockbyblock.kinds import parts
from blockbyblock.portable import load_portable, save_portable
from blockbyblock.text_model import TextModel
from blockbyblock.training import Run, open_run, read_log, read_run
from release import classification, generation, translation

ROOT = Path(__file__).resolve().parents[1]
BOX = ROOT / "src" / "blockbyblock" / "models"
SCORES = {"translation": translation, "generation": generation, "classification": classification}


def release(run_folder: Path, name: str, data: str | None) -> None:
    """Export, score, and write the card."""
    run, exact = read_run(run_folder), open_run(run_folder)
    kind = SCORES[exact.task]
    exact.about |= kind.languages(name)
    BOX.mkdir(exist_ok=True)
    path = BOX / f"{name}.safetensors"
    save_portable(path, exact, "int8")
    rounded = load_portable(path, TextModel)
    values = _values(run, run_folder, exact, path) | kind.values(exact, rounded, run.recipe.load_corpus(data))
    card = Template((ROOT / "release" / "cards" / f"{name}.md").read_text(encoding="utf-8")).substitute(values)
    write_atomically(BOX / f"{name}.md", card.encode())
    print(card)


def _values(run: Run, run_folder: Path, exact: TextModel, path: Path) -> dict[str, Any]:
    """What every card tells."""
    tokenizer_bytes = len(json.dumps(json.loads(exact.tokenizer.to_json())))
    log = read_log(run_folder / "log.jsonl")
    last = [record for record in log if record["kind"] == "train"][-1]
    validation = [record for record in log if record["kind"] == "validation"]
    return {
        "title": run.recipe.title,
        "parameters": f"{sum(parts(exact.model).values()):,}",
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
        "validation": f"{validation[-1]['loss']:.3f}",
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="the folder of the training")
    parser.add_argument("name", help="of the model, as in release/cards/")
    parser.add_argument("--data", help="folder with the corpora")
    arguments = parser.parse_args()
    release(arguments.run, arguments.name, arguments.data)
