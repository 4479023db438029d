"""Training of a tree of experts: examples, balanced draws, augmentation, input, the loop, calibration."""

from tidzam_platform.classifiers.training.fit import fit_tree
from tidzam_platform.classifiers.training.loop import Epoch, Resumable, train_network

__all__ = ["Epoch", "Resumable", "fit_tree", "train_network"]
