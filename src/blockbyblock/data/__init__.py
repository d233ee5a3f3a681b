"""Data: parallel text, a tokenizer, and batches.

`pairs` and `corpus` say what a parallel text is, `reading` reads one from files, `fetching` gets published files,
`splitting` keeps the test out of the training part, `corpora` puts these together. `tokenizer` turns text into
ids, `bpe_dropout` cuts it anew each time it is read, `batches` puts ids into tensors.

```python
corpus = number_names("en", "de")
tokenizer = Tokenizer.train(corpus.training_text(), vocab_size=400)
batches = Batches(encode_pairs(tokenizer, corpus.train), tokens=1024)
for batch, state in batches.stream():
    ...
```
"""

from blockbyblock.data.batches import (
    Batch,
    Batches,
    BatchState,
    Encoded,
    EncodedLabel,
    EncodedPair,
    EncodedText,
    encode_labelled,
    encode_pairs,
    encode_texts,
)
from blockbyblock.data.bpe_dropout import BpeDropout
from blockbyblock.data.corpora import (
    labelled_text,
    multi30k,
    number_languages,
    number_names,
    parallel_text,
    plain_text,
    tatoeba,
    tatoeba_sentences,
)
from blockbyblock.data.corpus import AnyCorpus, Corpus, LabelledCorpus, TextCorpus
from blockbyblock.data.fetching import DownloadError
from blockbyblock.data.pairs import Example, LabelledText, Pair, to_examples, to_pairs
from blockbyblock.data.reading import ReadingReport, read_aligned, read_texts, read_tsv
from blockbyblock.data.splitting import sentence_key, split_pairs, split_texts
from blockbyblock.data.tokenizer import Tokenizer

__all__ = [
    "AnyCorpus",
    "Batch",
    "BatchState",
    "Batches",
    "BpeDropout",
    "Corpus",
    "DownloadError",
    "Encoded",
    "EncodedLabel",
    "EncodedPair",
    "EncodedText",
    "Example",
    "LabelledCorpus",
    "LabelledText",
    "Pair",
    "ReadingReport",
    "TextCorpus",
    "Tokenizer",
    "encode_labelled",
    "encode_pairs",
    "encode_texts",
    "labelled_text",
    "multi30k",
    "number_languages",
    "number_names",
    "parallel_text",
    "plain_text",
    "read_aligned",
    "read_texts",
    "read_tsv",
    "sentence_key",
    "split_pairs",
    "split_texts",
    "tatoeba",
    "tatoeba_sentences",
    "to_examples",
    "to_pairs",
]
