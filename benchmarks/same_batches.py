"""Does `nn.Transformer` learn as much from the same batches? `python -m benchmarks.same_batches RECIPE --to FOLDER`.

`blockbyblock.training` trains it as a recipe says: from the first weights that ours would have, with the same batches
in the same order, loss, optimizer, schedule, clipping, precision and averaging. Its averaged weights are then put into
our `Transformer`, so that one decoder translates for both.

Its dropout is the recipe's too: as in the paper, on embeddings and on the outputs of sublayers. By its manual
`nn.Transformer(dropout=0.1)` also drops attention weights and hidden units. That would be another regularisation, and
not another implementation; to measure it, `--set model.attention_dropout=0.1 --set model.activation_dropout=0.1`.

What is left to differ is how the blocks are computed, and which numbers dropout draws. Each is trained once, so the
interval of the difference is that of other test sentences, and not that of other seeds.
"""

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from benchmarks.peers import TorchTranslator
from blockbyblock import Transformer
from blockbyblock.checks import check_positive
from blockbyblock.cli.common import DATA_HELP, check_resume, note
from blockbyblock.cli.train import RECIPE_HELP, with_changes
from blockbyblock.data import Corpus, Tokenizer
from blockbyblock.evaluation import Score, bleu, bleu_difference
from blockbyblock.interop import from_torch
from blockbyblock.training import Processes, Recipe, carry_out, open_run, read_recipe, read_run, validation_loss
from blockbyblock.training.run import TOKENIZER
from blockbyblock.training.trainer import AVERAGED
from blockbyblock.translator import Translator
from blockbyblock.weights import load_weights

# Two trainings may differ in these: they decide no update, or are the dropout that only the peer's manual asks for.
FREE = {"log_every", "keep", "attention_dropout", "activation_dropout"}


class StandIn(Transformer):
    """`nn.Transformer` where `blockbyblock.training` expects one of ours.

    Training asks for a configuration, for parameters, and for logits. Nothing else of a `Transformer` is here.

    Args:
        model: ours; its weights, its dropout and its configuration are copied.

    Raises:
        ValueError: `TorchTranslator` has no such model.
    """

    def __init__(self, model: Transformer) -> None:
        nn.Module.__init__(self)  # without our own parts, which would be saved and averaged as well
        self.config = model.config
        self.peer = TorchTranslator(model)

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token that follows each target position."""
        return self.peer(source, target)

    def converted(self) -> Transformer:
        """Our `Transformer` with the weights of the peer."""
        model = Transformer(self.config)
        model.encoder = from_torch(self.peer.transformer.encoder)
        model.decoder = from_torch(self.peer.transformer.decoder)
        with torch.no_grad():
            model.target_embedding.table.weight.copy_(self.peer.embedding.weight)
        return model


class PeerRecipe(Recipe):
    """A recipe that is carried out with `nn.Transformer`."""

    def new_model(self, vocab: int, labels: Sequence[str] = ()) -> StandIn:
        """The peer before its first step, with the weights that ours would have.

        Raises:
            ValueError: the recipe is not for a translator.
        """
        model = super().new_model(vocab, labels)
        if not isinstance(model, Transformer):
            raise ValueError(f"nn.Transformer translates, and this recipe is for {self.task}")
        return StandIn(model)

    def translator(self, folder: Path) -> Translator:
        """Our translator with the averaged weights of a peer that has been trained to its end.

        Raises:
            FileNotFoundError: it has not.
            CheckpointError: the folder holds another model.
        """
        tokenizer = Tokenizer.load(folder / TOKENIZER)
        peer = self.new_model(len(tokenizer))
        load_weights(folder / AVERAGED, peer)
        return Translator(peer.converted(), tokenizer)


@dataclass(frozen=True)
class Scored:
    """What a translator is worth.

    Attributes:
        translations: of the test sentences.
        bleu: of the translations, against all references.
        loss: on the validation text, in nats per token; None where the corpus has none.
    """

    translations: list[str]
    bleu: Score
    loss: float | None

    def __str__(self) -> str:
        loss = "" if self.loss is None else f", validation loss {self.loss:.4f} nats per token"
        return f"BLEU {self.bleu.value:.2f}{loss}"


def score(translator: Translator, recipe: Recipe, corpus: Corpus, processes: Processes) -> Scored:
    """Translate the test part with beam 4, and measure the loss on the validation part in float32.

    Args:
        translator: its model is moved to the device of this process.
        recipe: says how to batch the validation text.
        corpus: with test sentences.
        processes: this process alone.
    """
    translator.model.to(processes.device)
    translations = translator.translate([example.source for example in corpus.test])
    batches = recipe.validation_batches(translator.tokenizer, corpus, processes)
    return Scored(
        translations,
        bleu(translations, [example.references for example in corpus.test]),
        None if batches is None else validation_loss(translator.model, batches, processes),
    )


def require_alike(folder: Path, recipe: Recipe, corpus: Corpus) -> None:
    """Refuse a training whose updates were not made as this recipe says, in one process, from this text.

    Args:
        folder: of the training.
        recipe: with which it is compared.
        corpus: likewise.

    Raises:
        ValueError: naming what differs.
        FileNotFoundError: it is no such folder.
    """
    run = read_run(folder)
    found = _choices(run.recipe, run.corpus["sha256"], run.machine["processes"])
    wanted = _choices(recipe, corpus.sha256, 1)
    differences = [f"{name}={found[name]!r} and not {wanted[name]!r}" for name in found if found[name] != wanted[name]]
    if differences:
        raise ValueError(f"{folder} was trained in another way: {'; '.join(differences)}")


def _choices(recipe: Recipe, sha256: Mapping[str, str], processes: int) -> dict[str, object]:
    """What decides the result of a training, the defaults written out."""
    values = asdict(recipe.model_config(recipe.vocab_size)) | asdict(recipe.training_config())
    values |= {"batch_tokens": recipe.batch_tokens, "processes": processes}
    values |= {"corpus": dict(recipe.corpus), "sha256": dict(sha256)}
    return {name: value for name, value in values.items() if name not in FREE}


def report(recipe: PeerRecipe, corpus: Corpus, folder: Path, ours: Path | None, processes: Processes) -> str:
    """The scores of the peer; with a training of ours beside it, those of both and their difference.

    Args:
        recipe: of the peer.
        corpus: the one that it was trained on.
        folder: where it was trained.
        ours: where our model was; None scores the peer alone.
        processes: this process alone.

    Raises:
        ValueError: the two have other vocabularies.
        FileNotFoundError: one of them has not been trained to its end.
    """
    peer = recipe.translator(folder)
    translators = {"nn.Transformer": peer}
    if ours is not None:
        translators["ours"] = open_run(ours / AVERAGED)
        if translators["ours"].tokenizer.to_json() != peer.tokenizer.to_json():
            raise ValueError(f"{ours} and {folder} have other vocabularies, though the text is the same")
    scores = {name: score(translator, recipe, corpus, processes) for name, translator in translators.items()}
    lines = [f"{name:15} {scored}" for name, scored in scores.items()]
    if ours is not None:
        references = [example.references for example in corpus.test]
        difference = bleu_difference(scores["ours"].translations, scores["nn.Transformer"].translations, references)
        lines.append(f"{'ours - theirs':15} {difference}")
    return "\n".join([*lines, f"{'':15} {len(corpus.test):,} sentences, {scores['nn.Transformer'].bleu.signature}"])


def main(arguments: Sequence[str] | None = None, processes: Processes | None = None) -> int:
    """Train and score; the scores go to standard output, everything else to standard error.

    Args:
        arguments: of the command line.
        processes: this process alone, and where it computes; by default on an NVIDIA GPU where there is one.

    Returns:
        The exit code: 1 failed, 130 interrupted.
    """
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.same_batches",
        description="Train nn.Transformer as a recipe says, and hold what it learned against what ours did. "
        "Ctrl-C saves; --resume goes on from there, bit for bit.",
    )
    parser.add_argument("recipe", metavar="RECIPE", help=RECIPE_HELP)
    parser.add_argument("--data", metavar="FOLDER", help=DATA_HELP)
    parser.add_argument("--to", required=True, type=Path, metavar="FOLDER", help="where nn.Transformer is trained")
    parser.add_argument("--ours", type=Path, metavar="FOLDER", help="where `blockbyblock train` has trained ours")
    parser.add_argument("--resume", action="store_true", help="go on from the newest checkpoint in the folder")
    parser.add_argument("--evaluate", action="store_true", help="train nothing, score what was trained")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="other than the recipe's")
    parser.add_argument("--threads", type=int, metavar="N", help="processor cores to use; all by default")
    parser.add_argument("--quiet", action="store_true", help="no progress bar")
    options = parser.parse_args(arguments)
    try:
        return _run(options, processes or Processes())
    except (ValueError, OSError, FloatingPointError) as error:
        note(f"{parser.prog}: {error}")
        return 1


def _run(options: argparse.Namespace, processes: Processes) -> int:
    if options.threads is not None:
        check_positive(threads=options.threads)
        torch.set_num_threads(options.threads)
    recipe = PeerRecipe(**vars(with_changes(read_recipe(options.recipe), options.set).located(options.data)))
    corpus = recipe.load_corpus(options.data)
    if options.ours is not None:  # now, and not after hours
        require_alike(options.ours, recipe, corpus)
    if options.evaluate:
        require_alike(options.to, recipe, corpus)
    else:
        check_resume(options.to, options.resume)
        outcome = carry_out(
            recipe,
            corpus,
            options.to,
            resume=options.resume,
            processes=processes,
            progress=not options.quiet,
            report=note,
        )
        note(f"{outcome.reason} after {outcome.step:,} steps")
        if outcome.reason == "interrupted":
            return 130
    print(report(recipe, corpus, options.to, options.ours, processes))
    return 0


if __name__ == "__main__":
    sys.exit(main())
