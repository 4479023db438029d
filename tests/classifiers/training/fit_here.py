"""Trains a small tree with whatever backend Keras has here and keeps it, with its scores: run as a module."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from tests.classifiers.training.conftest import CLASSES, TINY, made_clips
from tidzam_platform.classifiers.training import fit_tree
from tidzam_platform.classifiers.tree.building import by_parent
from tidzam_platform.settings import DecisionSettings, TrainingSettings
from tidzam_platform.store import LocalStore

PREFIX = "classifiers/elsewhere"


def main(folder: Path) -> None:
    settings = TrainingSettings(max_epochs=3, windows_per_epoch=256, batch_size=32, learning_rate=5e-3)
    tree, history = fit_tree(by_parent(CLASSES), made_clips(), TINY, settings, DecisionSettings())
    assert history[-1].train_loss < history[0].train_loss
    tree.save(LocalStore(folder), PREFIX)
    np.save(folder / "scores.npy", tree.clip_scores(made_clips()))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
