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

from blockbyblock.data.batches import Batch, Batches, BatchState, EncodedPair, encode_pairs
from blockbyblock.data.bpe_dropout import BpeDropout
from blockbyblock.data.corpora import multi30k, number_names, parallel_text, tatoeba
from blockbyblock.data.corpus import Corpus
from blockbyblock.data.fetching import DownloadError
from blockbyblock.data.pairs import Example, Pair, to_examples, to_pairs
from blockbyblock.data.reading import ReadingReport, read_aligned, read_tsv
from blockbyblock.data.splitting import split_pairs
from blockbyblock.data.tokenizer import Tokenizer

__all__ = [
    "Batch",
    "BatchState",
    "Batches",
    "BpeDropout",
    "Corpus",
    "DownloadError",
    "EncodedPair",
    "Example",
    "Pair",
    "ReadingReport",
    "Tokenizer",
    "encode_pairs",
    "multi30k",
    "number_names",
    "parallel_text",
    "read_aligned",
    "read_tsv",
    "split_pairs",
    "tatoeba",
    "to_examples",
    "to_pairs",
]
