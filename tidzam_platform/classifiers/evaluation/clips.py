"""Closed-set figures of clips from probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.classifiers.evaluation.answers import Evaluation, Truths, compare
from tidzam_platform.errors import TrainingError

Probabilities = NDArray[np.floating[Any]]
"""``[clips, classes]`` in [0, 1]."""


@dataclass(frozen=True)
class Ranking:
    """How well the score of one class ranks the clips of it before all others, in [0, 1].

    ``auroc`` is the area under the ROC curve (the chance that a clip of the class scores higher than another, ties
    count half), ``average_precision`` the mean precision at each clip of the class. None where the class has no
    clips, or where nothing but the class has clips.
    """

    auroc: float | None
    average_precision: float | None


@dataclass(frozen=True)
class ClosedSetFigures:
    """Figures of the best class of each clip, and of the ranking by each class's score, one against the rest.

    ``macro`` is the plain mean over the classes that have figures, None if none has.
    """

    evaluation: Evaluation
    ranking: dict[str, Ranking]
    macro: Ranking


def closed_set_figures(
    truths: Truths, probabilities: Probabilities, classes: Sequence[str]
) -> ClosedSetFigures:
    """All figures of a closed set.

    Args:
        truths: the classes present in each clip; of several any is right.
        probabilities: ``[clips, classes]`` in [0, 1].
        classes: names of the columns.

    Raises:
        TrainingError: no clips, another shape, or a probability that is not a number.
    """
    answers = best_classes(probabilities, classes)
    ranking = rank_figures(truths, probabilities, classes)
    return ClosedSetFigures(compare(truths, answers), ranking, mean_ranking(list(ranking.values())))


def best_classes(probabilities: Probabilities, classes: Sequence[str]) -> list[str]:
    """The class of the highest probability of each clip; of equal ones the first. Errors as closed_set_figures."""
    _check(probabilities, classes)
    return [classes[index] for index in probabilities.argmax(axis=1)]


def rank_figures(truths: Truths, probabilities: Probabilities, classes: Sequence[str]) -> dict[str, Ranking]:
    """AUROC and average precision of each class against the rest; errors as closed_set_figures."""
    _check(probabilities, classes)
    if len(truths) != len(probabilities):
        raise TrainingError(f"{len(probabilities)} rows of probabilities for {len(truths)} clips")
    return {
        name: rank(np.array([name in truth for truth in truths], bool), probabilities[:, column])
        for column, name in enumerate(classes)
    }


def mean_ranking(rankings: Sequence[Ranking]) -> Ranking:
    """The plain mean of those that have figures."""
    areas = [one.auroc for one in rankings if one.auroc is not None]
    precisions = [one.average_precision for one in rankings if one.average_precision is not None]
    return Ranking(
        float(np.mean(areas)) if areas else None, float(np.mean(precisions)) if precisions else None
    )


def rank(present: NDArray[np.bool_], scores: NDArray[np.floating[Any]]) -> Ranking:
    """How well scores ``[clips]`` rank the clips that have the class, bool ``[clips]``, before the others."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    if present.all() or not present.any():
        return Ranking(None, None)
    return Ranking(float(roc_auc_score(present, scores)), float(average_precision_score(present, scores)))


def _check(probabilities: Probabilities, classes: Sequence[str]) -> None:
    if probabilities.ndim != 2 or probabilities.shape[1] != len(classes) or not len(probabilities):
        raise TrainingError(
            f"probabilities are [clips, {len(classes)}], at least one clip; these are {list(probabilities.shape)}"
        )
    if not np.isfinite(probabilities).all():
        raise TrainingError("a probability is not a number: the classifier diverged, train it again")
