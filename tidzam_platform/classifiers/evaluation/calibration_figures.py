"""Whether a confidence means what it says: a top label given with 0.8 should be right 8 times in 10."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.errors import TrainingError

BINS: Final = 15  # Guo et al. 2017, On Calibration of Modern Neural Networks

Values = NDArray[np.floating[Any]]


@dataclass(frozen=True)
class ReliabilityBin:
    """Clips of neighbouring confidence: its range and mean, the share that was right, and how many they are."""

    low: float
    high: float
    confidence: float
    accuracy: float
    clips: int


def reliability_table(
    confidence: Values, correct: NDArray[np.bool_], bins: int = BINS
) -> tuple[ReliabilityBin, ...]:
    """Clips in bins of equal mass (sizes differ by one at most), by ascending confidence.

    Clips of equal confidence on both sides of a border share what is right among them, so that the table does not
    depend on the order of the clips. With fewer clips than bins there is one bin a clip.

    Args:
        confidence: ``[clips]`` in [0, 1], of the top label.
        correct: ``[clips]``, whether the top label was right.
        bins: how many at most.

    Raises:
        TrainingError: no clips, lengths that differ, or a confidence outside [0, 1].
    """
    _check(confidence, correct)
    order = np.argsort(confidence, kind="stable")
    ordered = confidence[order].astype(np.float64)
    _, tie, size = np.unique(ordered, return_inverse=True, return_counts=True)
    shared = (np.bincount(tie, weights=correct[order]) / size)[tie]
    borders = np.array_split(np.arange(len(ordered)), min(bins, len(ordered)))
    return tuple(
        ReliabilityBin(
            low=float(ordered[members[0]]),
            high=float(ordered[members[-1]]),
            confidence=float(ordered[members].mean()),
            accuracy=float(shared[members].mean()),
            clips=len(members),
        )
        for members in borders
    )


def expected_calibration_error(confidence: Values, correct: NDArray[np.bool_], bins: int = BINS) -> float:
    """ECE of the top label: the mean over clips of how far a bin's accuracy is from its mean confidence, in [0, 1].

    Naeini, Cooper, Hauskrecht 2015 (Obtaining Well Calibrated Probabilities Using Bayesian Binning), with bins of
    equal mass as Nixon et al. 2019 (Measuring Calibration in Deep Learning). Arguments and errors as
    :func:`reliability_table`.
    """
    table = reliability_table(confidence, correct, bins)
    return sum(one.clips * abs(one.accuracy - one.confidence) for one in table) / len(confidence)


def brier_score(confidence: Values, correct: NDArray[np.bool_]) -> float:
    """Mean squared difference of the top label's confidence and 1 (right) or 0 (wrong), in [0, 1].

    Arguments and errors as :func:`reliability_table`.
    """
    _check(confidence, correct)
    return float(np.mean((confidence.astype(np.float64) - correct) ** 2))


def multiclass_brier_score(probabilities: Values, present: NDArray[np.bool_]) -> float:
    """Brier 1950: the mean over clips of the squared differences summed over all classes, in [0, 2] if rows sum to 1.

    Args:
        probabilities: ``[clips, classes]`` in [0, 1].
        present: ``[clips, classes]``, which class is the truth.

    Raises:
        TrainingError: no clips, or shapes that differ.
    """
    if probabilities.shape != present.shape or probabilities.ndim != 2 or not len(probabilities):
        raise TrainingError(
            f"probabilities {list(probabilities.shape)} and truths {list(present.shape)} must be of one shape "
            "[clips, classes], at least one clip"
        )
    return float(np.mean(np.sum((probabilities.astype(np.float64) - present) ** 2, axis=1)))


def _check(confidence: Values, correct: NDArray[np.bool_]) -> None:
    if confidence.ndim != 1 or confidence.shape != correct.shape or not len(confidence):
        raise TrainingError(
            f"confidences {list(confidence.shape)} and answers {list(correct.shape)} must be of one shape "
            "[clips], at least one clip"
        )
    if not ((confidence >= 0) & (confidence <= 1 + 1e-4)).all():  # sums of a softmax may round up
        raise TrainingError("a confidence lies outside [0, 1]")
