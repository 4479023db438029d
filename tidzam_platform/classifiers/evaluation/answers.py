"""Figures of answers against truths, one answer a clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from tidzam_platform.errors import TrainingError

Truths = Sequence[tuple[str, ...]]
"""The classes present in each clip, at least one a clip."""


@dataclass(frozen=True)
class ClassFigures:
    """Figures of one class, all in [0, 1]; ``clips`` is how many clips of it were tested."""

    precision: float
    recall: float
    f1: float
    clips: int


@dataclass(frozen=True)
class Evaluation:
    """Clip-level figures, closed set (the best class counts).

    ``confusion[i][j]`` counts clips of class ``classes[i]`` that were heard as ``classes[j]``. Macro-F1 is the
    plain mean of F1 over the classes that have clips in the test.
    """

    macro_f1: float
    accuracy: float
    clips: int
    classes: tuple[str, ...]
    per_class: dict[str, ClassFigures]
    confusion: tuple[tuple[int, ...], ...]

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON holds them."""
        return asdict(self)


def expected_classes(truths: Truths, answers: Sequence[str]) -> list[str]:
    """The class that each answer is held to: the answer itself where it is among the truths, else the first truth."""
    return [answer if answer in truth else truth[0] for truth, answer in zip(truths, answers, strict=True)]


def compare(truths: Truths, answers: Sequence[str]) -> Evaluation:
    """Figures of ``answers`` against ``truths``; of a clip with several classes any of them is right.

    Precision of a class that was never answered, and recall of one without clips, are 0.

    Raises:
        TrainingError: no clips.
    """
    expected = expected_classes(truths, answers)
    if not expected:
        raise TrainingError("there are no clips to evaluate on")
    classes = sorted({*expected, *answers})
    column = {name: index for index, name in enumerate(classes)}
    matrix = np.zeros((len(classes), len(classes)), np.int64)
    np.add.at(matrix, ([column[name] for name in expected], [column[name] for name in answers]), 1)
    right, clips, answered = matrix.diagonal(), matrix.sum(axis=1), matrix.sum(axis=0)
    f1 = 2 * right / (clips + answered)
    per_class = {
        name: ClassFigures(
            precision=float(right[i] / max(answered[i], 1)),
            recall=float(right[i] / max(clips[i], 1)),
            f1=float(f1[i]),
            clips=int(clips[i]),
        )
        for i, name in enumerate(classes)
    }
    return Evaluation(
        macro_f1=float(f1[clips > 0].mean()),
        accuracy=float(right.sum() / len(answers)),
        clips=len(answers),
        classes=tuple(classes),
        per_class=per_class,
        confusion=tuple(tuple(int(count) for count in row) for row in matrix),
    )
