"""The table of contents as data: the map, the cover page and the tests read the chapters from here."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Chapter:
    """One numbered notebook of the book.

    Arguments:
        number: the place in the book, 0 to 24.
        slug: the file name without number and ending, in snake case.
        title: the title without its number.
        block: the key of the block that this chapter lights on the map (`blockbyblock.figures.map.BLOCKS`), or None.
        written: whether the notebook is in `book/`. Set by hand; a test holds it equal to the files and to `_toc.yml`.
    """

    number: int
    slug: str
    title: str
    block: str | None
    written: bool

    @property
    def file_name(self) -> str:
        """The notebook's name inside `book/`, for example `03_multi_head_attention.ipynb`."""
        return f"{self.number:02}_{self.slug}.ipynb"

    @property
    def heading(self) -> str:
        """The title with its number, as it stands over the notebook and in the sidebar: `03 Multi-head attention`."""
        return f"{self.number:02} {self.title}"


CHAPTERS: tuple[Chapter, ...] = (
    Chapter(0, "translate_first", "Translate first", None, written=True),
    Chapter(1, "linear_projections", "Linear projections: query, key, value", "linear-projections", written=True),
    Chapter(
        2,
        "scaled_dot_product_attention",
        "Scaled dot-product attention",
        "scaled-dot-product-attention",
        written=True,
    ),
    Chapter(3, "multi_head_attention", "Multi-head attention", "multi-head-attention", written=True),
    Chapter(4, "input_embedding", "Input embedding", "embedding", written=True),
    Chapter(5, "positional_encoding", "Positional encoding", "positional-encoding", written=True),
    Chapter(6, "add_and_norm", "Add & Norm", "add-and-norm", written=True),
    Chapter(7, "feed_forward", "Feed-forward", "feed-forward", written=True),
    Chapter(8, "encoder", "The encoder", "encoder", written=True),
    Chapter(9, "masking", "Masking and the shifted-right input", "masking", written=True),
    Chapter(10, "encoder_decoder_attention", "Encoder-decoder attention", "encoder-decoder-attention", written=True),
    Chapter(11, "decoder", "The decoder", "decoder", written=True),
    Chapter(12, "linear_and_softmax", "Linear and softmax", "linear-and-softmax", written=True),
    Chapter(13, "transformer", "The whole Transformer", None, written=True),
    Chapter(14, "tokens_and_batches", "Tokens and batches", None, written=False),
    Chapter(15, "training", "Training", None, written=False),
    Chapter(16, "decoding", "Decoding: greedy, beam, cache", None, written=False),
    Chapter(17, "machine_translation", "Machine translation on a real corpus", None, written=False),
    Chapter(18, "text_generation", "Text generation", None, written=False),
    Chapter(19, "classification", "Classification with [CLS]", None, written=False),
    Chapter(20, "design_ideas", "The design ideas, measured", None, written=False),
    Chapter(21, "silent_bugs", "Silent bugs: break it on purpose", None, written=False),
    Chapter(22, "real_weights", "Real weights in your own code", None, written=False),
    Chapter(23, "going_faster", "Going faster", None, written=False),
    Chapter(24, "since_2017", "Since 2017: what changed, measured", None, written=False),
)
