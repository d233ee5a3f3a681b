"""Training: the loss, the schedule, the loop, checkpoints from which a run goes on bit for bit, and recipes."""

from blockbyblock.training.averaging import average_checkpoints, average_files
from blockbyblock.training.checkpoint import CheckpointFolder, TrainingState, load_checkpoint, save_checkpoint
from blockbyblock.training.config import ContradictionError, TrainingConfig
from blockbyblock.training.log import read_log
from blockbyblock.training.loss import LossSums, smoothed_cross_entropy, smoothing_floor
from blockbyblock.training.plotting import plot_log
from blockbyblock.training.processes import Processes, join_processes, processor_name
from blockbyblock.training.recipe import Recipe, read_recipe
from blockbyblock.training.recipe_box import recipe_names, recipe_text
from blockbyblock.training.run import Run, carry_out, open_run, read_run
from blockbyblock.training.schedule import constant_schedule, cosine_schedule, paper_schedule
from blockbyblock.training.trainer import Outcome, Trainer
from blockbyblock.training.update import Update, Updater
from blockbyblock.training.validation import validation_loss

__all__ = [
    "CheckpointFolder",
    "ContradictionError",
    "LossSums",
    "Outcome",
    "Processes",
    "Recipe",
    "Run",
    "Trainer",
    "TrainingConfig",
    "TrainingState",
    "Update",
    "Updater",
    "average_checkpoints",
    "average_files",
    "carry_out",
    "constant_schedule",
    "cosine_schedule",
    "join_processes",
    "load_checkpoint",
    "open_run",
    "paper_schedule",
    "plot_log",
    "processor_name",
    "read_log",
    "read_recipe",
    "read_run",
    "recipe_names",
    "recipe_text",
    "save_checkpoint",
    "smoothed_cross_entropy",
    "smoothing_floor",
    "validation_loss",
]
