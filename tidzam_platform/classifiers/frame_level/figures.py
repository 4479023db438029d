"""Figures of multi-label clip models, those that AudioSet's results are given in."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from tidzam_platform.errors import TrainingError

Scores = npt.NDArray[np.floating]
Labels = npt.NDArray[np.floating]


def hit_at_1(scores: Scores, labels: Labels) -> float:
    """Share of the clips whose highest score is of a class that they have; clips without any class do not count.

    Args:
        scores: ``[clips, classes]``.
        labels: ``[clips, classes]`` of 0 and 1.

    Raises:
        TrainingError: no clip has a class.
    """
    labelled = labels.any(axis=1)
    if not labelled.any():
        raise TrainingError("no clip of the evaluation files has a label; name others")
    best = scores[labelled].argmax(axis=1)
    return float(labels[labelled][np.arange(len(best)), best].mean())


def mean_average_precision(scores: Scores, labels: Labels) -> float:
    """Mean over the classes that occur of the area under precision over recall; arguments as ``hit_at_1``.

    Raises:
        TrainingError: no clip has a class.
    """
    from sklearn.metrics import average_precision_score

    occurs = np.flatnonzero(labels.any(axis=0))
    if not len(occurs):
        raise TrainingError("no clip of the evaluation files has a label; name others")
    return float(np.mean([average_precision_score(labels[:, index], scores[:, index]) for index in occurs]))
