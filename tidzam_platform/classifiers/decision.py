"""From scores to an answer: the deepest class that is sure, ``unknown``, or ``no_signal``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

UNKNOWN: Final = "unknown"
NO_SIGNAL: Final = "no_signal"


@dataclass(frozen=True)
class ClassNode:
    """One class of the tree: its parent (None at the top) and the least score at which it is an answer."""

    path: str
    parent: str | None
    threshold: float


@dataclass(frozen=True)
class Answer:
    """What a window is taken for, and the score of that class (of the best class for ``unknown``), in [0, 1]."""

    class_path: str
    score: float


class Decider:
    """Answers for windows, given the classes of a tree in the order of their scores."""

    def __init__(self, classes: Sequence[ClassNode], no_signal_dbfs: float) -> None:
        self._no_signal_dbfs = no_signal_dbfs
        self._paths = [node.path for node in classes]
        self._thresholds = [node.threshold for node in classes]
        children: dict[str | None, list[int]] = {}
        for index, node in enumerate(classes):
            children.setdefault(node.parent, []).append(index)
        self._children = {parent: np.array(members) for parent, members in children.items()}

    def decide(self, scores: npt.NDArray[np.float32], level_dbfs: npt.NDArray[np.float32]) -> list[Answer]:
        """One answer a window.

        A window below the level is ``no_signal``, whatever the classifier says. Otherwise from the top down: the
        best class of a level is taken if its score reaches its threshold, and its children are asked; the answer is
        the deepest class taken, ``unknown`` if none was.

        Args:
            scores: float32 ``[windows, classes]`` in [0, 1].
            level_dbfs: float32 ``[windows]``, dB relative to full scale.
        """
        return [self._decide(row, float(level)) for row, level in zip(scores, level_dbfs, strict=True)]

    def _decide(self, scores: npt.NDArray[np.float32], level_dbfs: float) -> Answer:
        if level_dbfs < self._no_signal_dbfs:
            return Answer(NO_SIGNAL, 1.0)
        answer, parent = Answer(UNKNOWN, float(scores.max())), None
        while (members := self._children.get(parent)) is not None:
            best = int(members[scores[members].argmax()])
            if scores[best] < self._thresholds[best]:
                break
            parent = self._paths[best]
            answer = Answer(parent, float(scores[best]))
        return answer
