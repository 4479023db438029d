"""Trains a small tree and logs it; run as a module with a folder: an epoch with the backend that is set."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.evaluation import Evaluation, evaluate_tree
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.tensorboard import TrainingLog
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import Epoch, Resumable, fit_tree
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.settings import Settings, TrainingSettings

FINGERPRINT = "0123456789abcdef" * 2
QUICK = TrainingSettings(max_epochs=2, windows_per_epoch=128, batch_size=32, learning_rate=5e-3)


@dataclass(frozen=True)
class Logged:
    """A training and its log."""

    folder: Path
    clips: list[ClipFeatures]  # of the test side
    tree: TrainedTree
    history: list[Epoch]
    evaluation: Evaluation


def quick_settings(home: Path) -> Settings:
    return Settings(home=home, training=QUICK)


def resumable_in(home: Path) -> Resumable:
    return Resumable(home / "training", FINGERPRINT)


class KilledError(Exception):
    """Stands for kill -9: nothing of ours runs after it."""


def train_and_log(settings: Settings, kill_after: int = 0) -> Logged:
    """As a candidate is made, on made clips; with ``kill_after`` KilledError comes after so many epochs."""
    ended: list[int] = []

    def told(epoch: Epoch) -> None:
        log.epoch_ended(epoch)
        ended.append(epoch.number)
        if len(ended) == kill_after:
            raise KilledError

    resumable = resumable_in(settings.home)
    log = TrainingLog(settings, resumable)
    tree, history = fit_tree(
        by_parent(CLASSES),
        made_clips(),
        TINY,
        settings.training,
        settings.decision,
        on_epoch=told,
        resumable=resumable,
    )
    clips = [clip for clip in made_clips() if clip.side == "test"]
    evaluation = evaluate_tree(tree, clips)
    log.training_ended(tree, clips, evaluation)
    return Logged(settings.tensorboard_folder / FINGERPRINT, clips, tree, history, evaluation)


if __name__ == "__main__":
    brief = QUICK.model_copy(update={"max_epochs": 1, "refit": False})
    train_and_log(Settings(home=Path(sys.argv[1]), training=brief))
