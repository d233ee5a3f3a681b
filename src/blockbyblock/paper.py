"""What the paper prints: the settings and results of its Table 3.

Source: Vaswani et al., "Attention Is All You Need", arXiv:1706.03762, Table 3 (English-German, development set
newstest2013). Perplexity is per word piece. Values that a row leaves out are those of the base model.
"""

from dataclasses import dataclass
from types import MappingProxyType

from blockbyblock.transformer import TransformerConfig


@dataclass(frozen=True)
class PaperRow:
    """One row of Table 3.

    Attributes:
        config: the model, with 37,000 joint word pieces.
        perplexity: as printed.
        bleu: as printed.
        parameters: as printed, in millions; None where the paper leaves the cell empty.
        label_smoothing: of the training.
        steps: of the training.
    """

    config: TransformerConfig
    perplexity: float
    bleu: float
    parameters: int | None = None
    label_smoothing: float = 0.1
    steps: int = 100_000


def _layers(number: int) -> TransformerConfig:
    return TransformerConfig(encoder_layers=number, decoder_layers=number)


TABLE_3 = MappingProxyType(
    {
        "base": PaperRow(TransformerConfig(), 4.92, 25.8, 65),
        "A heads=1": PaperRow(TransformerConfig(heads=1), 5.29, 24.9),
        "A heads=4": PaperRow(TransformerConfig(heads=4), 5.00, 25.5),
        "A heads=16": PaperRow(TransformerConfig(heads=16), 4.91, 25.8),
        "A heads=32": PaperRow(TransformerConfig(heads=32), 5.01, 25.4),
        "B d_k=16": PaperRow(TransformerConfig(d_k=16), 5.16, 25.1, 58),
        "B d_k=32": PaperRow(TransformerConfig(d_k=32), 5.01, 25.4, 60),
        "C layers=2": PaperRow(_layers(2), 6.11, 23.7, 36),
        "C layers=4": PaperRow(_layers(4), 5.19, 25.3, 50),
        "C layers=8": PaperRow(_layers(8), 4.88, 25.5, 80),
        "C d_model=256": PaperRow(TransformerConfig(d_model=256), 5.75, 24.5, 28),
        "C d_model=1024": PaperRow(TransformerConfig(d_model=1024), 4.66, 26.0, 168),
        "C d_ff=1024": PaperRow(TransformerConfig(d_ff=1024), 5.12, 25.4, 53),
        "C d_ff=4096": PaperRow(TransformerConfig(d_ff=4096), 4.75, 26.2, 90),
        "D dropout=0.0": PaperRow(TransformerConfig(dropout=0.0), 5.77, 24.6),
        "D dropout=0.2": PaperRow(TransformerConfig(dropout=0.2), 4.95, 25.5),
        "D smoothing=0.0": PaperRow(TransformerConfig(), 4.67, 25.3, label_smoothing=0.0),
        "D smoothing=0.2": PaperRow(TransformerConfig(), 5.47, 25.7, label_smoothing=0.2),
        "E learned positions": PaperRow(TransformerConfig(positions="learned"), 4.92, 25.7),
        "big": PaperRow(
            TransformerConfig(d_model=1024, d_ff=4096, heads=16, dropout=0.3), 4.33, 26.4, 213, steps=300_000
        ),
    }
)
