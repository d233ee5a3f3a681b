"""A translator small enough for a test: untrained, with a vocabulary of its own."""

import torch

from blockbyblock import Transformer, TransformerConfig
from blockbyblock.data import Tokenizer
from blockbyblock.translator import Translator

TEXTS = ["where is the cat", "the cat sat on the mat", "wo ist die Katze", "die Katze saß auf der Matte"]


def small_translator(seed: int = 0, **changes) -> Translator:
    tokenizer = Tokenizer.train(TEXTS * 5, 290)
    sizes = {"d_model": 16, "heads": 2, "d_ff": 32, "encoder_layers": 2, "decoder_layers": 2, "max_length": 24}
    torch.manual_seed(seed)
    vocabulary = {"source_vocab": len(tokenizer), "target_vocab": len(tokenizer)}
    return Translator(Transformer(TransformerConfig(**sizes | vocabulary | changes)), tokenizer, {"title": "small"})
