"""The whole model: encoder, decoder, embeddings and the output layer (paper, Figure 1)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from blockbyblock.cache import DecoderCache
from blockbyblock.checks import check_choice, check_positive
from blockbyblock.config import BlockConfig, check_positions
from blockbyblock.decoder import Decoder
from blockbyblock.embedding import POSITIONS, Positions, TokenEmbedding
from blockbyblock.encoder import Encoder
from blockbyblock.masks import causal_mask, padding_mask

Tying = Literal["none", "two-way", "three-way"]


@dataclass(frozen=True, kw_only=True)
class TransformerConfig(BlockConfig):
    """A whole encoder-decoder; the defaults are the paper's base model. See `blockbyblock.paper` for the others.

    Attributes:
        source_vocab: number of source tokens.
        target_vocab: number of target tokens.
        encoder_layers: N of the encoder.
        decoder_layers: N of the decoder.
        positions: "sinusoidal" or "learned".
        max_length: the longest sequence, in tokens.
        tying: which matrices are one: "three-way" (both embeddings and the output layer, as in the paper; needs one
            joint vocabulary), "two-way" (target embedding and output layer), or "none".
        output_bias: whether the output layer has a bias; the paper's tied layer has none.
        pad_id: fills short sequences up; hidden from attention.
        start_id: the first token that the decoder reads.
        end_id: the token after which a translation is finished.

    Raises:
        ValueError: a value is out of range, or two contradict each other.
    """

    source_vocab: int = 37_000
    target_vocab: int = 37_000
    encoder_layers: int = 6
    decoder_layers: int = 6
    positions: Positions = "sinusoidal"
    max_length: int = 1024
    tying: Tying = "three-way"
    output_bias: bool = False
    pad_id: int = 0
    start_id: int = 1
    end_id: int = 2

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(
            source_vocab=self.source_vocab,
            target_vocab=self.target_vocab,
            encoder_layers=self.encoder_layers,
            decoder_layers=self.decoder_layers,
            max_length=self.max_length,
        )
        check_positions(self.positions, self.d_model)
        check_choice(get_args(Tying), tying=self.tying)
        if self.tying == "three-way" and self.source_vocab != self.target_vocab:
            raise ValueError(
                f"three-way tying needs one joint vocabulary, got source_vocab={self.source_vocab} and "
                f"target_vocab={self.target_vocab}"
            )
        for name in ("pad_id", "start_id", "end_id"):
            smallest = self.target_vocab if name != "pad_id" else min(self.source_vocab, self.target_vocab)
            if not 0 <= getattr(self, name) < smallest:
                raise ValueError(f"{name}={getattr(self, name)} lies outside a vocabulary of {smallest} tokens")


class Transformer(nn.Module):
    """The encoder-decoder of "Attention Is All You Need".

    Ids go in, logits come out: the softmax that turns them into probabilities belongs to the loss in training, and to
    `probabilities` when somebody wants to look. Sequences are padded on the right with `config.pad_id`. The padding of
    the source is hidden from both attentions that read it. The target needs no padding mask: whatever follows a token
    is already hidden from it by the causal mask.

    Args:
        config: sizes and choices.
    """

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        position_class = POSITIONS[config.positions]
        self.target_embedding = TokenEmbedding(config.target_vocab, config.d_model)
        self.source_embedding = (
            self.target_embedding
            if config.tying == "three-way"
            else TokenEmbedding(config.source_vocab, config.d_model)
        )
        self.source_positions = position_class(config.d_model, config.max_length)
        self.target_positions = position_class(config.d_model, config.max_length)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(config, config.encoder_layers)
        self.decoder = Decoder(config, config.decoder_layers)
        self.output = nn.Linear(config.d_model, config.target_vocab, bias=config.output_bias)
        if config.output_bias:
            nn.init.zeros_(self.output.bias)
        if config.tying == "none":
            nn.init.normal_(self.output.weight, std=config.d_model**-0.5)
        else:
            self.output.weight = self.target_embedding.table.weight

    def forward(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits of the token that follows each target position.

        Args:
            source: ids, `[batch, source]`.
            target: ids, shifted right: `[batch, target]`, each row beginning with `config.start_id`.

        Raises:
            TypeError: ids are not whole numbers.
            ValueError: a batch is empty, batches differ, an id is out of range, or a sequence is over `max_length`.
        """
        memory, memory_mask = self.encode(source)
        return self.decode(target, memory, memory_mask)

    def encode(
        self, source: Int[Tensor, "batch source"]
    ) -> tuple[Float[Tensor, "batch source d_model"], Bool[Tensor, "batch 1 1 source"]]:
        """The encoder's output, called the memory, and the mask that hides its padding. Errors as in `forward`."""
        mask = padding_mask(source, self.config.pad_id)
        embedded = self.dropout(self.source_positions(self.source_embedding(source)))
        return self.encoder(embedded, mask), mask

    def decode(
        self,
        target: Int[Tensor, "batch target"],
        memory: Float[Tensor, "batch source d_model"],
        memory_mask: Bool[Tensor, "batch 1 1 source"] | None = None,
        cache: DecoderCache | None = None,
    ) -> Float[Tensor, "batch target vocab"]:
        """Logits after each position of `target`; with a cache, `target` holds only the tokens that are new.

        Args:
            target: ids, `[batch, target]`.
            memory: the encoder's output, `[batch, source, d_model]`.
            memory_mask: True where the memory may be read.
            cache: from `new_cache`; extended in place.

        Raises:
            ValueError: as in `forward`.
        """
        if target.shape[:1] != memory.shape[:1]:
            raise ValueError(f"the target is a batch of {target.shape[0]}, the source one of {memory.shape[0]}")
        start = 0 if cache is None else cache.length
        embedded = self.dropout(self.target_positions(self.target_embedding(target), start))
        mask = causal_mask(target.shape[1], start + target.shape[1], device=target.device)
        return self.output(self.decoder(embedded, memory, mask, memory_mask, cache))

    def decode_prefixes(
        self,
        tokens: Int[Tensor, "batch prefixes"],
        position: int,
        mask: Bool[Tensor, "batch 1 prefixes key"] | None,
        memory: Float[Tensor, "batch source d_model"],
        memory_mask: Bool[Tensor, "batch 1 1 source"] | None,
        cache: DecoderCache,
    ) -> Float[Tensor, "batch prefixes d_model"]:
        """What the output layer reads after one more token of several prefixes that share a memory and a cache.

        The new tokens all stand at one position. In the cache their keys come behind those of earlier calls, one behind
        the other, and only the mask says which keys belong to which prefix.

        Args:
            tokens: the new token of each prefix, `[batch, prefixes]`.
            position: its place in the prefix, from 0.
            mask: True where a key is of the prefix's own tokens, the new one among them, `[batch, 1, prefixes, key]`;
                None if there is only one prefix.
            memory: the encoder's output, `[batch, source, d_model]`.
            memory_mask: True where the memory may be read.
            cache: from `new_cache`; extended in place.

        Raises:
            ValueError: as in `forward`.
        """
        embedded = self.target_embedding(tokens)
        embedded = self.target_positions(embedded.flatten(0, 1)[:, None], position).view_as(embedded)
        return self.decoder(self.dropout(embedded), memory, mask, memory_mask, cache)

    def new_cache(self) -> DecoderCache:
        """An empty cache for `decode`."""
        return DecoderCache(self.config.decoder_layers)

    def probabilities(
        self, source: Int[Tensor, "batch source"], target: Int[Tensor, "batch target"]
    ) -> Float[Tensor, "batch target vocab"]:
        """softmax over the logits of `forward`: for each position the distribution of the token that follows."""
        return self(source, target).softmax(-1)


def shift_right(target: Int[Tensor, "batch target"], start_id: int) -> Int[Tensor, "batch target"]:
    """What the decoder reads while it learns to produce `target`: the start token, then all but the last token.

    The shift alone does not hide the future; the causal mask does. The shift sees to it that position i, whose newest
    input is token i - 1, is asked for token i.
    """
    start = target.new_full((target.shape[0], 1), start_id)
    return torch.cat((start, target[:, :-1]), dim=1)


def parameter_counts(config: TransformerConfig) -> Mapping[str, int]:
    """The number of learned parameters of each part, by formula.

    Returns:
        "embeddings" (each matrix once), "positions", "encoder", "decoder", "output" (what is not shared with an
        embedding). Their sum is `sum(p.numel() for p in Transformer(config).parameters())`.
    """
    d_model, d_ff = config.d_model, config.d_ff
    attention = (d_model + 1) * (2 * config.key_width + config.value_width) + (config.value_width + 1) * d_model
    feed_forward = (d_model + 1) * d_ff + (d_ff + 1) * d_model
    norm = 2 * d_model
    final_norm = norm if config.ends_with_norm else 0
    target_matrix = config.target_vocab * d_model
    return {
        "embeddings": target_matrix + (0 if config.tying == "three-way" else config.source_vocab * d_model),
        "positions": 2 * config.max_length * d_model if config.positions == "learned" else 0,
        "encoder": config.encoder_layers * (attention + feed_forward + 2 * norm) + final_norm,
        "decoder": config.decoder_layers * (2 * attention + feed_forward + 3 * norm) + final_norm,
        "output": (target_matrix if config.tying == "none" else 0) + config.target_vocab * config.output_bias,
    }


def parameter_count(config: TransformerConfig) -> int:
    """The number of learned parameters of a whole model, by formula."""
    return sum(parameter_counts(config).values())
