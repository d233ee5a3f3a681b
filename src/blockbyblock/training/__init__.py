"""Training: the loss, the schedule, the loop, and checkpoints from which a run goes on bit for bit."""

from blockbyblock.training.checkpoint import CheckpointFolder, TrainingState, load_checkpoint, save_checkpoint
from blockbyblock.training.config import TrainingConfig
from blockbyblock.training.log import read_log
from blockbyblock.training.loss import LossSums, smoothed_cross_entropy, smoothing_floor
from blockbyblock.training.plotting import plot_log
from blockbyblock.training.processes import Processes, join_processes
from blockbyblock.training.schedule import constant_schedule, cosine_schedule, paper_schedule
from blockbyblock.training.trainer import Outcome, Trainer
from blockbyblock.training.update import Update, Updater
from blockbyblock.training.validation import validation_loss
from blockbyblock.training.weights import CheckpointError, average_checkpoints, load_weights

__all__ = [
    "CheckpointError",
    "CheckpointFolder",
    "LossSums",
    "Outcome",
    "Processes",
    "Trainer",
    "TrainingConfig",
    "TrainingState",
    "Update",
    "Updater",
    "average_checkpoints",
    "constant_schedule",
    "cosine_schedule",
    "join_processes",
    "load_checkpoint",
    "load_weights",
    "paper_schedule",
    "plot_log",
    "read_log",
    "save_checkpoint",
    "smoothed_cross_entropy",
    "smoothing_floor",
    "validation_loss",
]
