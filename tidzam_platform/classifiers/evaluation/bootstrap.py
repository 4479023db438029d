"""Bootstrap intervals of macro-F1: how much of a figure is the choice of the clips."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.classifiers.evaluation.answers import Truths, expected_classes
from tidzam_platform.errors import TrainingError

RESAMPLES: Final = 2000
CONFIDENCE: Final = 0.95
SEED: Final = 1
_CHUNK_CELLS: Final = 2_000_000  # resamples x units drawn at once: 16 MB a matrix

Groups = Sequence[Hashable]


@dataclass(frozen=True)
class Interval:
    """A percentile bootstrap interval (Efron 1979) around what all clips together give."""

    estimate: float
    low: float
    high: float
    confidence: float
    resamples: int


def macro_f1_interval(
    truths: Truths,
    answers: Sequence[str],
    groups: Groups | None = None,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """Interval of macro-F1; in a resample it is the mean over the classes that have clips in it.

    Args:
        truths: the classes present in each clip; of several any is right.
        answers: one a clip.
        groups: of each clip, where clips depend on each other: whole groups are drawn. None draws clips.
        resamples: how many are drawn, with replacement.
        confidence: share of the resamples within the interval.
        seed: of the draws; the same seed gives the same interval.

    Raises:
        TrainingError: no clips, or not one group a clip.
    """
    units = units_of(len(truths), groups)
    counts = UnitCounts.of(truths, answers, units)
    values = np.concatenate(
        [counts.macro_f1(weights) for weights in _draws(units.max() + 1, resamples, seed)]
    )
    return _interval(counts.estimate, values, confidence)


def macro_f1_difference(
    truths: Truths,
    answers: Sequence[str],
    other_answers: Sequence[str],
    groups: Groups | None = None,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """Paired interval of ``macro_f1(answers) - macro_f1(other_answers)``: both are resampled by the same draws.

    Arguments and errors as :func:`macro_f1_interval`.
    """
    units = units_of(len(truths), groups)
    one, other = UnitCounts.of(truths, answers, units), UnitCounts.of(truths, other_answers, units)
    return count_difference(one, other, resamples=resamples, confidence=confidence, seed=seed)


def count_difference(
    one: UnitCounts,
    other: UnitCounts,
    *,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Interval:
    """Paired interval of the difference of two macro-F1 from counts of the same units; arguments as above."""
    values = np.concatenate(
        [
            one.macro_f1(weights) - other.macro_f1(weights)
            for weights in _draws(len(one.right), resamples, seed)
        ]
    )
    return _interval(one.estimate - other.estimate, values, confidence)


@dataclass(frozen=True)
class UnitCounts:
    """What macro-F1 needs of each unit (clip or group) and tested class: float64 ``[units, classes]``."""

    right: NDArray[np.float64]
    expected: NDArray[np.float64]
    answered: NDArray[np.float64]

    @classmethod
    def of(cls, truths: Truths, answers: Sequence[str], units: NDArray[np.intp]) -> UnitCounts:
        """Counts of one answer a clip; ``units`` is the number of each clip's unit, from 0."""
        expected = expected_classes(truths, answers)
        column = {name: index for index, name in enumerate(sorted(set(expected)))}
        truth = np.array([column[name] for name in expected])
        answer = np.array([column.get(name, -1) for name in answers])  # -1: a class that has no clips
        counts = [np.zeros((units.max() + 1, len(column))) for _ in range(3)]
        np.add.at(counts[0], (units[truth == answer], truth[truth == answer]), 1)
        np.add.at(counts[1], (units, truth), 1)
        np.add.at(counts[2], (units[answer >= 0], answer[answer >= 0]), 1)
        return cls(*counts)

    @property
    def estimate(self) -> float:
        """Macro-F1 of all units."""
        return float(self.macro_f1(np.ones((1, len(self.right))))[0])

    def macro_f1(self, weights: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of each row of ``weights`` ``[resamples, units]``."""
        right, expected, answered = weights @ self.right, weights @ self.expected, weights @ self.answered
        f1 = 2 * right / np.maximum(expected + answered, 1)
        tested = expected > 0
        # A draw may hold no tested class where whole units hold none.
        macro: NDArray[np.float64] = (f1 * tested).sum(axis=1) / np.maximum(tested.sum(axis=1), 1)
        return macro


def units_of(clips: int, groups: Groups | None) -> NDArray[np.intp]:
    """Number of each clip's unit, from 0."""
    if clips == 0:
        raise TrainingError("there are no clips to draw from")
    if groups is None:
        return np.arange(clips)
    if len(groups) != clips:
        raise TrainingError(f"{len(groups)} groups for {clips} clips: name one group a clip")
    number: dict[Hashable, int] = {}
    return np.array([number.setdefault(group, len(number)) for group in groups], np.intp)


def _draws(units: int, resamples: int, seed: int) -> Iterator[NDArray[np.float64]]:
    """How often each unit was drawn: float64 ``[some resamples, units]``, ``resamples`` rows in all."""
    rng = np.random.default_rng(seed)
    at_once = max(1, _CHUNK_CELLS // units)
    for start in range(0, resamples, at_once):
        rows = min(at_once, resamples - start)
        drawn = rng.integers(0, units, (rows, units)) + units * np.arange(rows)[:, np.newaxis]
        yield np.bincount(drawn.ravel(), minlength=rows * units).reshape(rows, units).astype(np.float64)


def _interval(estimate: float, values: NDArray[np.float64], confidence: float) -> Interval:
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), confidence, len(values))
