"""From the scores of a clip's windows to the scores of the clip.

Every function takes float ``[windows, classes]`` in [0, 1], at least one window, and gives float64 ``[classes]``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.errors import TrainingError

Scores = npt.NDArray[np.floating]
Pooling = Callable[[Scores], npt.NDArray[np.float64]]


def soft_vote(scores: Scores) -> npt.NDArray[np.float64]:
    """Mean over the windows, in [0, 1]: right for sounds that fill the clip (Hershey et al. 2017)."""
    return np.asarray(_checked(scores).mean(axis=0))


def maximum(scores: Scores) -> npt.NDArray[np.float64]:
    """Highest window of each class, in [0, 1]: right for short sounds, and the quickest to cry wolf."""
    return np.asarray(_checked(scores).max(axis=0))


def sum_of_powers(scores: Scores, power: float = 2.0) -> npt.NDArray[np.float64]:
    """Sum of the scores' powers, in [0, windows]: between the mean and the maximum, as JibJib pools (2 or 3).

    It ranks classes. For a value that thresholds apply to, take ``power_mean``, which ranks alike.

    Raises:
        TrainingError: no windows, or ``power`` is not above 0.
    """
    if not power > 0:
        raise TrainingError(f"scores cannot be pooled by the power {power:g}; it must be above 0")
    return np.asarray((_checked(scores) ** power).sum(axis=0))


def power_mean(scores: Scores, power: float = 2.0) -> npt.NDArray[np.float64]:
    """Power mean over the windows, in [0, 1]: 1 is the soft vote, a high power nears the maximum."""
    return np.asarray((sum_of_powers(scores, power) / len(scores)) ** (1 / power))


def majority(scores: Scores) -> npt.NDArray[np.float64]:
    """Share of the windows whose top class it is, in [0, 1]; of equal scores the first class wins.

    Every window has one vote: give the columns of the leaves. The votes of an inner class are the sum of those below.
    """
    checked = _checked(scores)
    return np.bincount(checked.argmax(axis=1), minlength=checked.shape[1]) / len(checked)


# By name, for settings and tables.
POOLINGS: Final[Mapping[str, Pooling]] = {
    "soft_vote": soft_vote,
    "maximum": maximum,
    "power_mean": power_mean,
    "sum_of_powers": sum_of_powers,
    "majority": majority,
}


def _checked(scores: Scores) -> npt.NDArray[np.float64]:
    if scores.ndim != 2 or 0 in scores.shape:
        raise TrainingError(
            f"scores of shape {scores.shape} cannot be pooled; they are [windows, classes], at least one of each"
        )
    return np.asarray(scores, np.float64)
