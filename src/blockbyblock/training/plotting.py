"""The log of a training run as a figure."""

from os import PathLike
from typing import TYPE_CHECKING

from blockbyblock.training.log import read_log

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def plot_log(path: str | PathLike[str]) -> "Figure":
    """Draw the losses of a run over its steps, and below them the learning rate.

    Show it with `blockbyblock.figures.show`, which asks for a text alternative, or save it with `savefig`.

    Args:
        path: the log.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the log is damaged, or holds no record of training yet.
    """
    import matplotlib.pyplot as plt  # here, as it takes a second that a training or a translation need not wait

    from blockbyblock.figures import colour, style

    records = read_log(path)
    train = [record for record in records if record["kind"] == "train"]
    validation = [record for record in records if record["kind"] == "validation"]
    if not train:
        raise ValueError(f"{path} holds no record of training yet")
    steps = [record["step"] for record in train]
    with style():
        figure, (losses, rates) = plt.subplots(2, sharex=True, figsize=(4.6, 4.2), height_ratios=(3, 1))
        losses.plot(steps, [record["loss"] for record in train], color=colour("ink"), linestyle="-", label="training")
        if validation:
            losses.plot(
                [record["step"] for record in validation],
                [record["loss"] for record in validation],
                color=colour("accent"),
                linestyle="--",
                marker="o",
                label="validation",
            )
        losses.set(ylabel="loss (nats per prediction)", ylim=(0, None))
        losses.legend()
        rates.plot(steps, [record["learning_rate"] for record in train], color=colour("muted"), linestyle="-")
        rates.set(xlabel="step", ylabel="learning rate", ylim=(0, None))
        figure.align_ylabels()
    return figure
