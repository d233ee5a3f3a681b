"""An English-German model of the right form and of no use, so small that a browser runs it at once."""

from pathlib import Path

import torch

from blockbyblock.data import Tokenizer
from blockbyblock.data.batches import pad_rows
from blockbyblock.portable import save_portable
from blockbyblock.transformer import Transformer, TransformerConfig, shift_right
from blockbyblock.translator import Translator

HELD_OUT = Path(__file__).parent / "live" / "held_out.txt"
BESIDE_SPACE = "?\ufeff?"  # one word to the tokenizers library, and three where U+FEFF is taken for white space
ABOUT = {"source_language": "en", "target_language": "de", "title": "Tiny, untrained", "terms": "Nobody's data"}


def held_out() -> list[str]:
    """200 English sentences that no model of this project was trained on; the file's first line names their source."""
    return HELD_OUT.read_text(encoding="utf-8").splitlines()[1:]


def tiny(**changes: object) -> Translator:
    """A translator whose sizes divide oddly, so that nothing fits by chance."""
    tokenizer = Tokenizer.train([*held_out(), *[BESIDE_SPACE] * 9], 400)
    torch.manual_seed(0)
    sizes = {"d_model": 36, "heads": 4, "d_ff": 50, "encoder_layers": 2, "decoder_layers": 3, "max_length": 60}
    words = {"source_vocab": len(tokenizer), "target_vocab": len(tokenizer)}
    model = Transformer(TransformerConfig(**words | sizes | changes))
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):  # zero in a new model: a bias that is left out would not be noticed
            torch.nn.init.normal_(parameter, std=0.5)
    return Translator(model, tokenizer, ABOUT)


LESSONS = (
    ("The cat sat on the mat.", "Die Katze saß auf der Matte."),
    ("Where is the cat?", "Wo ist die Katze?"),
    ("I don't know what you mean.", "Ich weiß nicht, was du meinst."),
    ("She has been reading a book all day.", "Sie liest schon den ganzen Tag ein Buch."),
    ("I have no problem with this.", "Ich habe kein Problem damit."),
)


def taught(steps: int = 150) -> Translator:
    """The same, once it has learned a few sentences by heart: what it writes has words and an end."""
    translator = tiny()
    model, encode = translator.model.train(), translator.tokenizer.encode_sentences
    source, target = (pad_rows(encode(side)) for side in zip(*LESSONS, strict=True))
    optimizer = torch.optim.Adam(model.parameters(), lr=4e-3)
    for _ in range(steps):
        logits = model(source, shift_right(target, model.config.start_id))
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), target.flatten(), ignore_index=0)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    model.eval()
    return translator


def write(path: Path, translator: Translator) -> Path:
    """Write a model in int8, as the models in the box are."""
    save_portable(path, translator)
    return path
