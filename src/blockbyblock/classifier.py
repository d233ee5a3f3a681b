"""A classifier: the encoder alone, read off at its first token (Devlin et al., 2019)."""

from dataclasses import dataclass
from typing import Literal, get_args

from jaxtyping import Float, Int
from torch import Tensor, nn

from blockbyblock.checks import check_choice, check_positive
from blockbyblock.config import StackConfig
from blockbyblock.embedding import can_look
from blockbyblock.encoder import Encoder
from blockbyblock.masks import padding_mask

Pooling = Literal["cls", "mean"]


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(StackConfig):
    """An encoder with a linear head; the defaults are the sizes of the paper's base model.

    Attributes:
        classes: number of classes.
        pooling: what the head reads: "cls", the output at the first token; or "mean", that of all tokens on average.
        embedding_norm: a layer norm on the sum of embeddings and positions, before dropout, as BERT has it.
        cls_id: the token that each sequence begins with, [CLS]. It is a token like the others, with a learned vector,
            but stands in no text. In this book's tokenizer that is <start>.

    Raises:
        ValueError: a value is out of range.
    """

    classes: int = 2
    pooling: Pooling = "cls"
    embedding_norm: bool = False
    cls_id: int = 1

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive(classes=self.classes)
        check_choice(get_args(Pooling), pooling=self.pooling)
        self.check_ids("cls_id")


class Classifier(nn.Module):
    """The class of a text: an encoder over its tokens, and a linear layer on what comes out at [CLS].

    Every token looks at every token, so the first one's output can be about the whole text. Nothing else is special
    about it: it is the one that the head reads.

    ```python
    model = Classifier(ClassifierConfig(vocab=100, layers=2, classes=3))
    logits = model(torch.tensor([[1, 7, 9]]))  # [batch, classes]
    ```

    Args:
        config: sizes and choices.
    """

    def __init__(self, config: ClassifierConfig) -> None:
        super().__init__()
        self.config = config
        self.embedding = config.token_embedding()
        self.positions = config.positional_encoding()
        norms = config.embedding_norm
        self.embedding_norm = nn.LayerNorm(config.d_model, eps=config.norm_eps) if norms else nn.Identity()
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = Encoder(config, config.layers)
        self.output = nn.Linear(config.d_model, config.classes)
        nn.init.normal_(self.output.weight, std=config.d_model**-0.5)
        nn.init.zeros_(self.output.bias)

    def forward(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch classes"]:
        """Logits of the classes.

        Args:
            ids: `[batch, position]`, each row beginning with `config.cls_id`, padded on the right with `config.pad_id`.

        Raises:
            TypeError: ids are not whole numbers.
            ValueError: the batch is empty, a row begins with another token, an id is out of range, or a sequence is
                over `max_length`.
        """
        return self.output(self.dropout(self.pooled(ids)))

    def pooled(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch d_model"]:
        """What the head reads: the output at [CLS], or the mean over the tokens; arguments as for `forward`."""
        states = self.states(ids)
        if self.config.pooling == "cls":
            return states[:, 0]
        real = (ids != self.config.pad_id)[:, :, None]
        return states.masked_fill(~real, 0.0).sum(1) / real.sum(1)

    def states(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch position d_model"]:
        """The encoder's output at each token. Arguments and errors as for `forward`."""
        embedded = self.embedding(ids)
        cls_id = self.config.cls_id
        if can_look(ids) and not bool((ids[:, 0] == cls_id).all()):
            raise ValueError(f"each sequence begins with [CLS], cls_id={cls_id}; here first come {ids[:, 0].tolist()}")
        x = self.dropout(self.embedding_norm(self.positions(embedded)))
        return self.encoder(x, padding_mask(ids, self.config.pad_id))

    def probabilities(self, ids: Int[Tensor, "batch position"]) -> Float[Tensor, "batch classes"]:
        """softmax over the logits of `forward`: the probability of each class."""
        return self(ids).softmax(-1)
