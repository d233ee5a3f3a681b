"""What is measured: one model, and the sizes of each part."""

from dataclasses import dataclass, field

import torch

from benchmarks.measuring import Clock
from blockbyblock import LanguageModelConfig, TransformerConfig
from blockbyblock.data import Corpus
from blockbyblock.training import Processes

# The size that is trained on Multi30k.
MODEL = TransformerConfig(
    d_model=256, d_ff=1024, encoder_layers=3, decoder_layers=3, source_vocab=8000, target_vocab=8000
)

# The shape of GPT-2 at the same width; GELU itself, since each library's approximation of it is another kernel.
LANGUAGE_MODEL = LanguageModelConfig(
    d_model=256, d_ff=1024, layers=6, vocab=8000, activation="gelu", pre_norm=True, positions="learned",
    embedding_scale=1.0,
)  # fmt: skip


@dataclass(frozen=True)
class Sentences:
    """A batch of made-up sentences, their lengths spread evenly over a range."""

    count: int
    shortest: int
    longest: int

    def __str__(self) -> str:
        lengths = f"{self.shortest} to {self.longest}" if self.shortest < self.longest else str(self.longest)
        return f"{self.count} {'sentence' if self.count == 1 else 'sentences'} of {lengths} tokens"


@dataclass(frozen=True)
class Settings:
    """The sizes of all parts; the defaults end in a few minutes on two cores.

    Attributes:
        model: the shape of every translator.
        language_model: the shape of every language model; its vocabulary and special tokens are those of `model`.
        clock: how often to measure.
        processes: this process alone, on an NVIDIA GPU where there is one.
        corpus: the text of the epoch; None leaves the epoch out.
        share: of the epoch that is run.
        pairs: sentences of a shuffled batch.
        training: the batches of the training step.
        decoding: the batches that are decoded, and the prompts that are continued.
        decoded: tokens of each output.
        beam: width of the beam search.
        attention: lengths of the sequences that attend to themselves.
        cache: lengths of the outputs that are decoded with and without a cache.
    """

    model: TransformerConfig = MODEL
    language_model: LanguageModelConfig = LANGUAGE_MODEL
    clock: Clock = field(default_factory=Clock)
    processes: Processes = field(default_factory=Processes)
    corpus: Corpus | None = None
    share: float = 0.1
    pairs: int = 128
    training: tuple[Sentences, ...] = (Sentences(128, 15, 15), Sentences(64, 10, 30))
    decoding: tuple[Sentences, ...] = (Sentences(1, 15, 15), Sentences(32, 5, 25))
    decoded: int = 40
    beam: int = 4
    attention: tuple[int, ...] = (16, 32, 64, 128, 256, 512, 1024, 2048, 4096)
    cache: tuple[int, ...] = (16, 32, 64, 128, 256, 512)

    @property
    def device(self) -> torch.device:
        """Where everything is computed."""
        return self.processes.device

    @property
    def dtype(self) -> torch.dtype:
        """What the matrix products are computed in: bfloat16 on a GPU, float32 on a CPU."""
        return torch.bfloat16 if self.device.type == "cuda" else torch.float32
