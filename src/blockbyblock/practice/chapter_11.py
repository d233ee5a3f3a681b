"""The exercises of chapter 11: parameters by hand, a test for a decoder that sees ahead, the input of a second pass."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import Tensor, nn

from blockbyblock.practice.exercise import Exercise, Inputs, Mistake, NotUsable

# The decoder of the model in the box.
LAYERS, D_MODEL, D_FF, HEADS = 3, 256, 1024, 8
_MATRIX = D_MODEL * D_MODEL + D_MODEL
_FEED_FORWARD = (D_MODEL + 1) * D_FF + (D_FF + 1) * D_MODEL
_NORM = 2 * D_MODEL
_LAYER = 2 * 4 * _MATRIX + _FEED_FORWARD + 3 * _NORM

Tester = Callable[[nn.Module, Tensor], bool]


class Averaging(nn.Module):
    """A decoder without parameters: each position adds an average of those that its mask allows, after dropout.

    Args:
        in_training: the mask of training mode, `[position, position]`, True where allowed.
        in_evaluation: the mask of evaluation mode.
        dropout: the probability with which a feature of the average is dropped in training mode.
        training: the mode in which it comes.
    """

    def __init__(self, in_training: Tensor, in_evaluation: Tensor, dropout: float, *, training: bool) -> None:
        super().__init__()
        self.masks = {True: in_training, False: in_evaluation}
        self.dropout = nn.Dropout(dropout)
        self.train(training)

    def forward(self, x: Tensor) -> Tensor:
        """`[batch, position, d_model]` to the same shape."""
        scores = (x @ x.transpose(-2, -1) / math.sqrt(x.shape[-1])).masked_fill(~self.masks[self.training], -math.inf)
        averages: Tensor = self.dropout(scores.softmax(-1) @ x)
        return x + averages


def sees_ahead(decoder: nn.Module, x: Tensor) -> bool:
    """Whether an output depends on a later position, in training or in evaluation mode."""
    return any(_moved(decoder, x, mode) for mode in (True, False))


def _moved(
    decoder: nn.Module,
    x: Tensor,
    mode: bool,
    places: Callable[[int], Iterable[int]] = lambda length: range(1, length),
    looked_at: Callable[[int], slice] = lambda place: slice(0, place),
    *,
    seeded: bool = True,
) -> bool:
    """Change each of the places in turn; tell whether one of the outputs that are looked at moves."""
    came, generator = decoder.training, torch.random.get_rng_state()
    decoder.train(mode)
    found = False
    for place in places(x.shape[1]):
        changed, outputs = x.clone(), []
        changed[:, place] += 1
        for number, read in enumerate((x, changed)):
            torch.manual_seed(0 if seeded else number)
            outputs.append(decoder(read))
        moved = (outputs[0] - outputs[1])[:, looked_at(place)].abs() > 1e-6
        found = found or bool(moved.any())
    decoder.train(came)
    torch.random.set_rng_state(generator)
    return found


def _both_modes(**how: Any) -> Tester:
    return lambda decoder, x: any(_moved(decoder, x, mode, **how) for mode in (True, False))


def _try_tester(answer: Any, /, decoder: nn.Module, x: Tensor) -> Any:
    """The answer, unless it leaves the module in the other mode."""
    if not callable(answer):
        return answer
    came = decoder.training
    found = answer(decoder, x)
    if found is not None and decoder.training != came:
        raise NotUsable(
            f"Your function was given a decoder in {'training' if came else 'evaluation'} mode and left it in the "
            "other one: remember `decoder.training`, and put it back at the end."
        )
    return found


def _decoders(generator: torch.Generator) -> Iterable[Inputs]:
    def causal(length: int, *leaks: tuple[int, int]) -> Tensor:
        mask = torch.ones(length, length, dtype=torch.bool).tril()
        for query, key in leaks:
            mask[query, key] = True
        return mask

    for length, in_training, in_evaluation, dropout, training in (
        (3, (), (), 0.0, False),  # honest
        (4, (), ((0, 1), (0, 2), (1, 3)), 0.0, True),  # the bug: a mask in training only
        (4, (), (), 0.5, True),  # honest, with dropout
        (4, ((0, 2), (2, 3)), (), 0.0, False),  # ahead in training only
        (5, ((0, 1),), ((0, 1),), 0.0, False),  # narrow: the last position is hidden from all
        (5, ((3, 4),), ((3, 4),), 0.0, True),  # narrow: the first output is honest
        (1, (), (), 0.0, False),  # nothing to see
    ):
        yield {
            "decoder": Averaging(
                causal(length, *in_training), causal(length, *in_evaluation), dropout, training=training
            ),
            "x": torch.randn(2, length, 8, generator=generator),
        }


def mixed_input(target: Tensor, own: Tensor, use_own: Tensor, start_id: int) -> Tensor:
    """What a decoder reads if some tokens of the target are replaced by its own choices, `[batch, position]`."""
    return _shifted(torch.where(use_own, own, target), start_id)


def _shifted(tokens: Tensor, start_id: int) -> Tensor:
    return torch.cat((torch.full_like(tokens[:, :1], start_id), tokens[:, :-1]), 1)


def _mixed_cases(generator: torch.Generator) -> Iterable[Inputs]:
    yield {
        "target": torch.tensor([[5, 6, 7, 2]]),
        "own": torch.tensor([[15, 16, 17, 12]]),
        "use_own": torch.tensor([[False, True, False, False]]),
        "start_id": 1,
    }
    for batch, position, start_id in ((2, 5, 1), (3, 6, 0), (2, 7, 3)):
        target = torch.randint(5, 50, (batch, position), generator=generator)
        yield {
            "target": target,
            "own": torch.randint(60, 99, (batch, position), generator=generator),
            "use_own": torch.rand(batch, position, generator=generator) < 0.4,
            "start_id": start_id,
        }


EXERCISES = (
    Exercise(
        name="11-parameters",
        title="Count the parameters of a decoder layer",
        solution=_LAYER,
        mistakes=(
            Mistake(
                "this is an encoder layer",
                4 * _MATRIX + _FEED_FORWARD + 2 * _NORM,
                "A decoder layer has a second attention, to the memory, and a third norm after it.",
            ),
            Mistake(
                "the third norm is missing",
                _LAYER - _NORM,
                "There are three sublayers, each in an Add & Norm of its own: three gains and three biases.",
            ),
            Mistake(
                "only one attention is counted",
                _LAYER - 4 * _MATRIX,
                "Self-attention and encoder-decoder attention have matrices of their own. They share nothing.",
            ),
            Mistake(
                "the second attention has no key and value matrices",
                _LAYER - 2 * _MATRIX,
                "The memory is not used as it is: keys and values are projections of it, by matrices of this layer.",
            ),
            Mistake(
                "the biases are missing",
                2 * 4 * D_MODEL**2 + 2 * D_MODEL * D_FF + 3 * _NORM,
                "Every linear layer here has a bias: one number for each of its outputs.",
            ),
            Mistake(
                "the norms are missing",
                _LAYER - 3 * _NORM,
                "Each of the three layer norms learns a gain and a bias for each of the 256 features.",
            ),
            Mistake(
                "the heads are counted eight times",
                _LAYER + (HEADS - 1) * 2 * 4 * _MATRIX,
                "The heads divide the width among them: together they have one matrix of 256 x 256 of each kind.",
            ),
            Mistake(
                "this is the whole decoder",
                LAYERS * _LAYER,
                "Asked for is one layer; the decoder of the model has three.",
            ),
        ),
        hint="Two attentions of four linear layers each, the two of the feed-forward network, three norms.",
    ),
    Exercise(
        name="11-sees-ahead",
        title="Write the test that finds a decoder that sees ahead",
        solution=sees_ahead,
        cases=_decoders,
        use=_try_tester,
        mistakes=(
            Mistake(
                "only the mode in which the decoder comes is tested",
                lambda decoder, x: _moved(decoder, x, decoder.training),
                "A mask that is there in one mode only is the very bug. Call `decoder.train(True)` and "
                "`decoder.train(False)`.",
            ),
            Mistake(
                "only evaluation mode is tested",
                lambda decoder, x: _moved(decoder, x, mode=False),
                "A decoder may see ahead in training and be honest afterwards. Test `decoder.train(True)` too.",
            ),
            Mistake(
                "only training mode is tested",
                lambda decoder, x: _moved(decoder, x, mode=True),
                "The popular bug leaves the mask out in evaluation. Test `decoder.eval()` too.",
            ),
            Mistake(
                "dropout draws anew in the second run",
                _both_modes(seeded=False),
                "In training mode two runs differ by their dropout. Call `torch.manual_seed` with the same number "
                "before each.",
            ),
            Mistake(
                "the changed position itself is compared",
                _both_modes(places=range, looked_at=lambda place: slice(0, place + 1)),
                "An output may depend on its own input. Compare the outputs *before* the changed position.",
            ),
            Mistake(
                "an earlier position is changed",
                _both_modes(places=lambda length: range(length - 1), looked_at=lambda place: slice(place + 1, None)),
                "An output should depend on the past. Change a position, and look at the outputs before it.",
            ),
            Mistake(
                "only the first output is looked at",
                _both_modes(looked_at=lambda place: slice(0, 1)),
                "A leak can be narrow: the fourth output may see the fifth position and no other. Compare all outputs "
                "before the changed position.",
            ),
            Mistake(
                "only the last position is changed",
                _both_modes(places=lambda length: range(length - 1, 0, -1)[:1]),
                "A leak can be narrow: the first output may see the second position and no other. Change each position "
                "in turn.",
            ),
        ),
    ),
    Exercise(
        name="11-mixed-input",
        title="Feed a decoder some of its own choices",
        solution=mixed_input,
        cases=_mixed_cases,
        mistakes=(
            Mistake(
                "nothing is shifted",
                lambda target, own, use_own, start_id: torch.where(use_own, own, target),
                "The decoder would read the very tokens that it is asked for. Put the start token first and leave the "
                "last token out.",
            ),
            Mistake(
                "the choice is the other way round",
                lambda target, own, use_own, start_id: mixed_input(target, own, ~use_own, start_id),
                "Where `use_own` is True the model's own token is read, elsewhere the target's.",
            ),
            Mistake(
                "only the target is shifted",
                lambda target, own, use_own, start_id: torch.where(use_own, own, _shifted(target, start_id)),
                "`own` holds the answer at each position, and is as far ahead as the target. Choose first, then shift.",
            ),
            Mistake(
                "the choice is not shifted with the tokens",
                lambda target, own, use_own, start_id: torch.where(
                    use_own, _shifted(own, start_id), _shifted(target, start_id)
                ),
                "`use_own` speaks of the tokens of the target. After the shift they stand one place further right.",
            ),
            Mistake(
                "it is shifted to the left",
                lambda target, own, use_own, start_id: torch.cat(
                    (
                        torch.where(use_own, own, target)[:, 1:],
                        torch.full_like(target[:, :1], start_id),
                    ),
                    1,
                ),
                "Shifted right: the start token stands first.",
            ),
            Mistake(
                "the start token is missing",
                lambda target, own, use_own, start_id: torch.where(use_own, own, target)[:, :-1],
                "The first step reads the start token: as many tokens go in as are asked for.",
            ),
            Mistake(
                "the last token was kept",
                lambda target, own, use_own, start_id: torch.cat(
                    (torch.full_like(target[:, :1], start_id), torch.where(use_own, own, target)), 1
                ),
                "The last token has no successor to be asked for: leave it out, so that the length stays.",
            ),
            Mistake(
                "the target is never replaced",
                lambda target, own, use_own, start_id: _shifted(target, start_id),
                "This is teacher forcing. Where `use_own` is True, `own` is read instead.",
            ),
        ),
    ),
)
