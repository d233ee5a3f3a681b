"""A language model: the decoder alone, which continues a text (Radford et al., 2018).

There is no source, so there is no memory to attend to. A decoder layer without its encoder-decoder attention is
self-attention, Add & Norm, feed-forward, Add & Norm: an encoder layer. What makes it a decoder is the causal mask.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from blockbyblock.cache import DecoderCache
from blockbyblock.config import StackConfig
from blockbyblock.encoder import Encoder
from blockbyblock.masks import causal_mask


@dataclass(frozen=True, kw_only=True)
class LanguageModelConfig(StackConfig):
    """A decoder-only model; the defaults are the sizes of the paper's base model.

    Attributes:
        tied: whether the output layer is the embedding table, as in the paper.
        output_bias: whether the output layer has a bias; the paper's tied layer has none.
        start_id: the token before a text, so that its first token is predicted too.
        end_id: the token after which a text is finished.

    Raises:
        ValueError: a value is out of range.
    """

    tied: bool = True
    output_bias: bool = False
    start_id: int = 1
    end_id: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_ids("start_id", "end_id")


class LanguageModelCache(DecoderCache):
    """The keys and values of what a language model has read, and which of its positions are padding.

    Args:
        layers: number of layers.
    """

    def __init__(self, layers: int) -> None:
        super().__init__(layers)
        self.real: Bool[Tensor, "batch key"] | None = None

    def followed_by(self, real: Bool[Tensor, "batch new"]) -> Bool[Tensor, "batch key"]:
        """Which of the positions so far, and of these new ones, hold a token. The cache stays as it is.

        Raises:
            ValueError: the batch has another size than what is held.
        """
        if self.real is not None:
            if len(self.real) != len(real):
                raise ValueError(f"the cache holds a batch of {len(self.real)}, the new tokens are one of {len(real)}")
            real = torch.cat((self.real, real), 1)
        return real

    def select(self, rows: Int[Tensor, "rows"]) -> None:
        """Keep these rows of the batch, in this order."""
        super().select(rows)
        self.real = None if self.real is None else self.real.index_select(0, rows)


class LanguageModel(nn.Module):
    """The probability of the next token, from the tokens before it.

    Ids go in, logits come out. Sequences may be padded with `config.pad_id` on their left or on their right: padding is
    hidden from attention and does not count as a position, so the logits of a text are the same alone, in a longer
    batch, and on either side of its padding. What comes out at padding means nothing.

    ```python
    model = LanguageModel(LanguageModelConfig(vocab=100, layers=2))
    logits = model(torch.tensor([[1, 7, 9]]))  # [batch, position, vocab]: logits[0, 2] are of what follows 9
    ```

    Args:
        config: sizes and choices.
    """

    def __init__(self, config: LanguageModelConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = config.token_embedding()
        self.positions = config.positional_encoding()
        self.dropout = nn.Dropout(config.dropout)
        self.decoder = Encoder(config, config.layers)  # layers of the encoder's kind, made a decoder by their mask
        self.output = nn.Linear(config.d_model, config.vocab, bias=config.output_bias)
        if config.output_bias:
            nn.init.zeros_(self.output.bias)
        if config.tied:
            self.output.weight = self.embedding.table.weight
        else:
            nn.init.normal_(self.output.weight, std=config.d_model**-0.5)

    def forward(
        self, ids: Int[Tensor, "batch position"], cache: LanguageModelCache | None = None
    ) -> Float[Tensor, "batch position vocab"]:
        """Logits of the token that follows each position; with a cache, `ids` holds only the tokens that are new.

        Args:
            ids: tokens so far, `[batch, position]`, padded on either side.
            cache: from `new_cache`; extended in place.

        Raises:
            TypeError: ids are not whole numbers.
            ValueError: the batch is empty, an id is out of range, or a text is over `max_length`.
        """
        return self.output(self.states(ids, cache))

    def states(
        self, ids: Int[Tensor, "batch position"], cache: LanguageModelCache | None = None
    ) -> Float[Tensor, "batch position d_model"]:
        """What the output layer reads at each position; arguments and errors as for `forward`."""
        embedded = self.embedding(ids)
        cache = self.new_cache() if cache is None else cache
        real = cache.followed_by(ids != self.config.pad_id)
        new, key = ids.shape[1], real.shape[1]
        places = (real.cumsum(1) - 1).clamp(min=0)[:, key - new :]  # padding takes no place
        x = self.dropout(self.positions(embedded, places))
        cache.real = real  # from here on nothing is refused: a text that is too long leaves the cache as it was
        mask = causal_mask(new, key, device=ids.device) & real[:, None, None, :]
        return self.decoder(x, mask, cache)

    def new_cache(self) -> LanguageModelCache:
        """An empty cache for `forward`."""
        return LanguageModelCache(self.config.layers)

    def probabilities(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position vocab"]:
        """softmax over the logits of `forward`: for each position the distribution of the token that follows."""
        return self(ids).softmax(-1)
