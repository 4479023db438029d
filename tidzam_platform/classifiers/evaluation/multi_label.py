"""Figures of clips that may have several classes: each class is a question of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.classifiers.decision import Answer
from tidzam_platform.classifiers.evaluation.answers import ClassFigures, Evaluation
from tidzam_platform.classifiers.evaluation.clips import Ranking, mean_ranking, rank
from tidzam_platform.errors import TrainingError
from tidzam_platform.labels.class_paths import with_ancestors

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class MultiLabelFigures:
    """Figures of each class against the set of true classes.

    Attributes:
        per_class: precision, recall and F1 of being heard; ``clips`` is how many have the class.
        ranking: AUROC and average precision of the scores.
        macro_f1: plain mean of F1 over the classes that have clips; 0 if none has.
        macro: plain mean of the rankings.
    """

    per_class: dict[str, ClassFigures]
    ranking: dict[str, Ranking]
    macro_f1: float
    macro: Ranking


@dataclass(frozen=True)
class MultiLabelEvaluation(Evaluation):
    """Clip-level figures of a tree of several labels.

    ``per_class`` and ``macro_f1`` are those of ``MultiLabelFigures`` over the leaves, ``ranking`` and ``macro`` too;
    ``accuracy`` and ``confusion`` are of the best leaf of each clip, of whose classes any is right.
    """

    ranking: dict[str, Ranking]
    macro: Ranking


def heard_flags(sounds: Sequence[Sequence[Answer]], classes: Sequence[str]) -> Flags:
    """Which classes each clip's answers hold, bool ``[clips, classes]``: a crow that is heard is a bird, too."""
    held = [with_ancestors({answer.class_path for answer in answers}) for answers in sounds]
    return np.array([[name in paths for name in classes] for paths in held], bool)


def multi_label_figures(
    scores: NDArray[np.floating[Any]], heard: Flags, present: Flags, known: Flags, classes: Sequence[str]
) -> MultiLabelFigures:
    """Figures of each class, over the clips of which it is known whether they have it.

    Args:
        scores: ``[clips, classes]`` in [0, 1].
        heard: bool ``[clips, classes]``, which classes were answered.
        present: bool ``[clips, classes]``, which are true.
        known: bool ``[clips, classes]``, where anybody knows.
        classes: names of the columns.

    Raises:
        TrainingError: no clips, shapes that differ, or a score that is not a number.
    """
    if not len(scores) or not scores.shape == heard.shape == present.shape == known.shape:
        raise TrainingError(
            f"scores, answers and truths are of one shape [clips, {len(classes)}], at least one clip; these are "
            f"{list(scores.shape)}, {list(heard.shape)}, {list(present.shape)} and {list(known.shape)}"
        )
    if not np.isfinite(scores).all():
        raise TrainingError("a score is not a number: the classifier diverged, train it again")
    present, heard = present & known, heard & known
    right, clips, answers = (present & heard).sum(axis=0), present.sum(axis=0), heard.sum(axis=0)
    per_class = {
        name: ClassFigures(
            precision=float(right[column] / max(answers[column], 1)),
            recall=float(right[column] / max(clips[column], 1)),
            f1=float(2 * right[column] / max(clips[column] + answers[column], 1)),
            clips=int(clips[column]),
        )
        for column, name in enumerate(classes)
    }
    ranking = {
        name: rank(present[known[:, column], column], scores[known[:, column], column])
        for column, name in enumerate(classes)
    }
    f1 = [one.f1 for one in per_class.values() if one.clips]
    macro = mean_ranking(list(ranking.values()))
    return MultiLabelFigures(per_class, ranking, float(np.mean(f1)) if f1 else 0.0, macro)
