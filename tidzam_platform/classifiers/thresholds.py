"""Thresholds fitted for a precision asked for: how sure a class must be before it is an answer.

For each class the least threshold is taken at which the precision, among the clips whose top class it is, reaches
what was asked. A class with few clips would look perfect by luck, so its precision at a threshold is estimated as
``(right + m x pooled) / (clips + m)``: as if ``m`` more clips had been seen that are right as often as those of all
classes together at that threshold. With few clips the threshold nears the one that all classes share, with many it
is the class's own. (The mean of a Beta posterior whose prior is the pooled precision, as empirical Bayes has it.)

A lower confidence bound such as Wilson's says nothing at this size: for 0.95 at 95 % confidence it wants 73 clips
without an error. On made data (14 classes of 5 to 147 clips, five mixes of size and difficulty, fitted for 0.95) new
clips were answered with a precision of 0.82 to 0.93 without a prior, of 0.88 to 0.94 with ``m = 8``, for 3 to 11
points less coverage; Wilson's bound silenced a third of the classes at best. So ask for a little more than you need.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.errors import TrainingError

PRIOR_CLIPS: Final = 8.0  # between no shrinkage (too sure) and losing coverage; see above
SILENT: Final = 1.0  # threshold of a class that never reaches the precision: only a score of 1.0 passes


@dataclass(frozen=True)
class FittedThresholds:
    """Thresholds and what they gave on the clips that they were fitted on; all arrays are ``[classes]``.

    Attributes:
        thresholds: float64 in [0, 1], the least score at which the class is an answer.
        precision: float64, share of right ones among the clips answered with the class; nan if there were none.
        recall: float64, share of the class's clips that were answered with it; nan if it has none.
        n: int64, clips of the class.
        reached: bool, whether the asked precision was reached; the others are silent.
    """

    thresholds: npt.NDArray[np.float64]
    precision: npt.NDArray[np.float64]
    recall: npt.NDArray[np.float64]
    n: npt.NDArray[np.int64]
    reached: npt.NDArray[np.bool_]


def fit_thresholds(
    scores: npt.NDArray[np.floating],
    truth: npt.NDArray[np.integer] | npt.NDArray[np.bool_],
    precision: float = 0.95,
    *,
    minimum: float = 0.3,
    prior_clips: float = PRIOR_CLIPS,
) -> FittedThresholds:
    """Thresholds for classes of which one is chosen: the leaves, or the children of one class.

    A higher precision never lowers a threshold. A class whose own precision reaches what was asked, without any
    shrinking, is never silenced: its threshold stays at or below the highest score of a clip that it got right.

    Args:
        scores: float ``[n, classes]`` in [0, 1], of clips that no training saw.
        truth: integers ``[n]``, the index of each clip's class, -1 for none of them; or bool ``[n, classes]``.
        precision: what each class shall reach, in (0, 1].
        minimum: no threshold is lower, in [0, 1].
        prior_clips: how many clips the pooled precision counts as, at least 0.

    Raises:
        TrainingError: shapes do not fit, or values make no sense.
    """
    values = _checked_scores(scores)
    count, classes = values.shape
    is_true = _as_membership(np.asarray(truth), count, classes)
    top = values.argmax(axis=1)
    rows = np.arange(count)
    claims = _Claims(top, values[rows, top], is_true[rows, top])
    return _fitted(claims, is_true.sum(axis=0), precision, minimum, prior_clips)


def fit_independent_thresholds(
    scores: npt.NDArray[np.floating],
    truth: npt.NDArray[np.bool_],
    known: npt.NDArray[np.bool_],
    precision: float = 0.95,
    *,
    minimum: float = 0.3,
    prior_clips: float = PRIOR_CLIPS,
) -> FittedThresholds:
    """Thresholds for classes of which any number may be right: each class answers every clip that scores enough.

    Args:
        scores: float ``[n, classes]`` in [0, 1], of clips that no training saw.
        truth: bool ``[n, classes]``, whether the clip has the class.
        known: bool ``[n, classes]``, whether anybody knows; the others do not count.
        precision: what each class shall reach, in (0, 1].
        minimum: no threshold is lower, in [0, 1].
        prior_clips: how many clips the pooled precision counts as, at least 0.

    Raises:
        TrainingError: shapes do not fit, or values make no sense.
    """
    values = _checked_scores(scores)
    is_true = _as_membership(np.asarray(truth), *values.shape) & _as_membership(
        np.asarray(known), *values.shape
    )
    clip, column = np.nonzero(known)
    claims = _Claims(column, values[clip, column], is_true[clip, column])
    return _fitted(claims, is_true.sum(axis=0), precision, minimum, prior_clips)


@dataclass(frozen=True)
class _Claims:
    """That clips are of classes: int64, float64 and bool ``[claims]``, which class, how sure, and whether right."""

    column: npt.NDArray[np.int64]
    scores: npt.NDArray[np.float64]
    right: npt.NDArray[np.bool_]


def _fitted(
    claims: _Claims, of_class: npt.NDArray[np.int64], precision: float, minimum: float, prior_clips: float
) -> FittedThresholds:
    if not (0 < precision <= 1 and 0 <= minimum <= 1 and prior_clips >= 0):
        raise TrainingError(
            f"thresholds for precision {precision}, at least {minimum}, with {prior_clips} prior clips: the first "
            "is in (0, 1], the second in [0, 1], the third at least 0"
        )
    classes = len(of_class)
    grid = np.unique(np.maximum(claims.scores, minimum))  # the precision changes at no other threshold
    pooled = _Tally(claims.scores, claims.right, grid).precision()
    thresholds, reached = np.full(classes, SILENT), np.zeros(classes, bool)
    for index in range(classes):
        mine = claims.column == index
        tally = _Tally(claims.scores[mine], claims.right[mine], grid)
        enough = grid[tally.precision(prior_clips, pooled) >= precision]
        own = grid[tally.precision() >= precision]
        if len(enough):
            thresholds[index], reached[index] = enough[0], True
        if len(own):
            highest = max(float(claims.scores[mine & claims.right].max()), minimum)
            thresholds[index], reached[index] = min(float(thresholds[index]), highest), True
    answered = claims.scores >= thresholds[claims.column]
    answers = np.bincount(claims.column[answered], minlength=classes)
    hits = np.bincount(claims.column[answered & claims.right], minlength=classes)
    return FittedThresholds(thresholds, _share(hits, answers), _share(hits, of_class), of_class, reached)


class _Tally:
    """How many clips reach each threshold of a grid, and how many of them are right."""

    def __init__(
        self,
        scores: npt.NDArray[np.float64],
        right: npt.NDArray[np.bool_],
        grid: npt.NDArray[np.float64],
    ) -> None:
        self._clips = len(scores) - np.searchsorted(np.sort(scores), grid)
        self._right = int(right.sum()) - np.searchsorted(np.sort(scores[right]), grid)

    def precision(
        self, prior_clips: float = 0.0, prior: npt.NDArray[np.float64] | float = 0.0
    ) -> npt.NDArray[np.float64]:
        """Precision at each threshold, 0 where there is nothing to go by."""
        weight = self._clips + prior_clips
        return np.asarray((self._right + prior_clips * prior) / np.where(weight > 0, weight, 1.0))


def _share(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.where(whole > 0, part / np.maximum(whole, 1), np.nan)


def _checked_scores(scores: npt.NDArray[np.floating]) -> npt.NDArray[np.float64]:
    values = np.asarray(scores, np.float64)
    if values.ndim != 2 or 0 in values.shape:
        raise TrainingError(
            f"thresholds are fitted on scores [n, classes], at least one of each, not {values.shape}"
        )
    if not ((values >= 0) & (values <= 1 + 1e-6)).all():
        raise TrainingError("thresholds are fitted on scores in [0, 1]; these are not (logits perhaps?)")
    return np.minimum(values, 1.0)


def _as_membership(truth: npt.NDArray[np.generic], count: int, classes: int) -> npt.NDArray[np.bool_]:
    if truth.dtype == bool and truth.shape == (count, classes):
        return np.asarray(truth, bool)
    if np.issubdtype(truth.dtype, np.integer) and truth.shape == (count,):
        indices = np.asarray(truth, np.int64)
        if ((indices >= -1) & (indices < classes)).all():
            return np.asarray(indices[:, np.newaxis] == np.arange(classes))
    raise TrainingError(
        f"truth for {count} clips and {classes} classes is {count} class indices (-1 for none of them) or "
        f"{count} x {classes} of bool, not {truth.dtype} {truth.shape}"
    )
