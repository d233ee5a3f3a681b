"""One real translation, every tensor of it: the map of the Transformer, alive, each block opened with its numbers."""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from os import PathLike
from pathlib import Path
from typing import Any

from torch import Tensor
from traitlets import Dict, Enum, Int, TraitError, Unicode, observe, validate

from blockbyblock.figures.blocks import BLOCKS, chapter_of
from blockbyblock.figures.chapters import CHAPTERS
from blockbyblock.figures.map import architecture_map
from blockbyblock.live.figure import table, visible
from blockbyblock.live.model import LIMITS, MODEL, TranslationFigure, digest_of
from blockbyblock.live.trace import Trace, places
from blockbyblock.portable import load_portable
from blockbyblock.translator import Translator

SENTENCE = "The cat sat on the chair."
STEPS = ("projections", "scores", "sum", "concat")
STOPS = 25
_PLACE = re.compile(
    r"(?:source|target)_(?:embedding|positions)|output|(?:encoder|decoder)\.layers\.(?:0|[1-9]\d*)"
    r"\.(?:self_attention|feed_forward)(?:_add_norm)?|decoder\.layers\.(?:0|[1-9]\d*)\.cross_attention(?:_add_norm)?",
    re.ASCII,
)
# The block of the map that stands for a place, by the end of the place's name.
_LIT = {
    "_embedding": "embedding",
    "_positions": "positional-encoding",
    "_add_norm": "add-and-norm",
    "feed_forward": "feed-forward",
    "cross_attention": "encoder-decoder-attention",
    "output": "linear-and-softmax",
}
_LIT_STEPS = dict(
    zip(
        STEPS,
        ("linear-projections", "scaled-dot-product-attention", "scaled-dot-product-attention", "multi-head-attention"),
        strict=True,
    )
)

# px, on a wide screen and on a phone, by the end of the place's name or by the step of an attention: where the chapters
# open them.
_ROOMS = {
    "_embedding": (1005, 1561),
    "_positions": (1005, 1561),
    "_add_norm": (1005, 1704),
    "feed_forward": (1005, 1826),
    "output": (1005, 1851),
    "projections": (1005, 2013),
    "scores": (1010, 2030),
    "sum": (1005, 1920),
    "concat": (1005, 1690),
}


@lru_cache(maxsize=2)
def _loaded(file: Path, digest: str) -> Translator:
    return load_portable(file)


@lru_cache(maxsize=8)  # of all figures of a notebook; a longer memory would hold every sentence that was ever asked for
def _traced(file: Path, digest: str, text: str) -> Trace:
    return Trace(_loaded(file, digest), text)


def trace_name(digest: str, text: str) -> str:
    """What stands for a stored translation in its address on a page: the model's digest and the text tell it apart."""
    return digest_of(f"{digest} {text}".encode())


class InsideFigure(TranslationFigure):
    """The running sentence inside a trained model: vectors at every block, and one block opened with its numbers.

    A place, a token and a head are chosen, here or by hand, and can be read and set. Names of places are those of the
    package's modules; token, head and feature count from 0, as the package does (the page shows them from 1).

    `stop` is the stop of the walk, from 1, and 0 before it begins: set it to go there. It is kept while something else
    is looked at, and the figure leads back to it.

    Args:
        text: the sentence that is translated, by greedy search.
        at: the place that is opened: "source_embedding", "source_positions", "target_embedding", "target_positions",
            "output", or a sublayer or Add & Norm such as "encoder.layers.0.self_attention" or
            "decoder.layers.2.cross_attention_add_norm".
        step: what an attention shows: "projections", "scores", "sum" or "concat".
        token: position in the source in the encoder, in what the decoder reads in the decoder.
        head: which head of an attention.
        lit: the block that the map lights, which stands in for the figure where it does not run; that of the place if
            not given.
        file: the model, as `save_portable` writes it. A page of the book finds it if it is one in the box.
        limits: what the model has learned from, and what it cannot do, in one line below the figure.

    Raises:
        FileNotFoundError: there is no such file.
        blockbyblock.weights.CheckpointError: it is no model.
        ValueError: the sentence is empty or too long, or the map has no block `lit`.
        traitlets.TraitError: there is no such place, step, token or head.
    """

    module = "inside"
    room = (1010, 2030)

    text = Unicode().tag(sync=True)
    translation = Unicode().tag(sync=True)
    at = Unicode("encoder.layers.0.self_attention").tag(sync=True)
    step = Enum(STEPS, "scores").tag(sync=True)
    token = Int(0, min=0).tag(sync=True)
    head = Int(0, min=0).tag(sync=True)
    feature = Int(0, min=0).tag(sync=True)
    stop = Int(0, min=0, max=STOPS).tag(sync=True)
    chapters = Dict().tag(sync=True)
    trace = Unicode().tag(sync=True)

    def __init__(
        self,
        text: str = SENTENCE,
        at: str = "encoder.layers.0.self_attention",
        *,
        step: str = "scores",
        token: int = 1,
        head: int = 0,
        lit: str | None = None,
        file: str | PathLike[str] = MODEL,
        limits: str = LIMITS,
    ) -> None:
        content = Path(file).read_bytes()
        digest = digest_of(content)
        self._trace = _traced(Path(file), digest, text)
        self._lit = self._block(at, step) if lit is None else lit
        architecture_map(self._lit)  # so that a wrong name is told now
        super().__init__(
            file,
            content,
            self._trace.translator.about,
            limits,
            text=text,
            translation=self._trace.translation,
            at=at,
            step=step,
            token=token,
            head=head,
            chapters={
                str(each.number): [each.title, each.file_name] for each in CHAPTERS if each.block or each.number == 13
            },
            trace=trace_name(digest, text),
        )
        self.room = next((room for end, room in _ROOMS.items() if at.endswith(end)), _ROOMS[step])

    @staticmethod
    def _block(at: str, step: str) -> str:
        found = next((block for end, block in _LIT.items() if at.endswith(end)), None)
        return found or _LIT_STEPS.get(step, "multi-head-attention")

    @validate("at")
    def _check_place(self, proposal: Mapping[str, Any]) -> str:
        at: str = proposal["value"]
        config = self._trace.model.config
        layers = {"encoder": config.encoder_layers, "decoder": config.decoder_layers}
        stack, _, rest = at.partition(".layers.")
        if not _PLACE.fullmatch(at) or (rest and int(rest.split(".")[0]) >= layers[stack]):
            raise TraitError(
                f"the model has no place {at!r}; it has 'source_embedding', 'encoder.layers.0.self_attention', "
                f"'decoder.layers.0.cross_attention_add_norm' and the like, with {layers['encoder']} layers in the "
                f"encoder and {layers['decoder']} in the decoder"
            )
        return at

    @validate("token")
    def _check_token(self, proposal: Mapping[str, Any]) -> int:
        length = self._length()
        if not 0 <= proposal["value"] < length:
            raise TraitError(
                f"token={proposal['value']}: at {self.at!r} there are {length} tokens, counted from 0, with <end> "
                "in the source and <start> in what the decoder reads"
            )
        return int(proposal["value"])

    def _length(self) -> int:
        in_source = self.at.startswith(("source_", "encoder."))
        return len(self._trace.source if in_source else self._trace.read)

    @validate("text")
    def _check_text(self, proposal: Mapping[str, Any]) -> str:
        _traced(self._file, self.digest or digest_of(self._file.read_bytes()), proposal["value"])
        return str(proposal["value"])

    @observe("text")
    def _translate(self, change: Mapping[str, Any]) -> None:
        if self.digest:  # not while the figure is being made
            self._trace = _traced(self._file, self.digest, self.text)
            self.translation, self.trace = self._trace.translation, trace_name(self.digest, self.text)
            self._keep_within()

    @observe("at")
    def _move(self, change: Mapping[str, Any]) -> None:
        self._keep_within()

    def _keep_within(self) -> None:
        self.token = min(self.token, self._length() - 1)

    @validate("head")
    def _check_head(self, proposal: Mapping[str, Any]) -> int:
        heads = self._trace.model.config.heads
        if not 0 <= proposal["value"] < heads:
            raise TraitError(f"head={proposal['value']}: the model has {heads} heads, counted from 0")
        return int(proposal["value"])

    def stored(self) -> bytes:
        """The translation as a page takes it: what `Trace.stored` makes of it."""
        return self._trace.stored(places(self._file.read_bytes()))

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor of the translation by its name in the package; see `Trace.tensors`.

        ```python
        figure.tensors()["encoder.layers.0.self_attention.weights"]  # [heads, query, key]
        ```

        The page computes with what it has stored of them, rounded to float16, and so differs in the fourth digit.
        """
        return self._trace.tensors()

    def _question(self, content: Mapping[str, Any]) -> tuple[dict[str, str], Callable[[], bytes]] | None:
        match content:
            case {"ask": "trace", "text": str(text)}:
                return {"answer": "trace", "text": text}, lambda: self._translated(text)
            case {"ask": "bytes", "from": int(first), "to": int(last)}:
                return {"answer": f"{first}-{last}"}, lambda: self._file.read_bytes()[first:last]
        return super()._question(content)

    def _translated(self, text: str) -> bytes:
        self.text = text
        return self.stored()

    def caption(self) -> str:
        """Return what the figure shows: the sentence, its translation, and the place that is opened."""
        chapter = chapter_of(self._lit)
        built = f", built in chapter {chapter.number}" if chapter else ""
        return (
            f"“{self.text}” becomes “{self.translation}” inside the trained model. The map lights the block that the "
            f"figure opens: {BLOCKS[self._lit]}{built}."
        )

    def still(self) -> str:
        """Return the map of the architecture with the place lit, and a table of each step's most probable tokens."""
        tokenizer = self._trace.translator.tokenizer
        probabilities = self.tensors()["output"].softmax(-1)
        rows = []
        for read, step in zip(self._trace.read, probabilities, strict=True):
            values, ids = step.topk(3)
            first, *likely = map(visible, tokenizer.pieces([read, *ids.tolist()]))
            rows.append([first, *(f"{piece} {p:.3f}" for piece, p in zip(likely, values.tolist(), strict=True))])
        head = ("the decoder reads", "most probable next", "second", "third")
        return architecture_map(self._lit).html + "\n" + table("What the model writes, step by step", head, rows)
