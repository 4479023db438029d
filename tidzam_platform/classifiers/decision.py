"""From scores to an answer: the deepest class that is sure, ``unknown``, or ``no_signal``. Two rules."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.labels.class_paths import is_within

UNKNOWN: Final = "unknown"
NO_SIGNAL: Final = "no_signal"
MARGIN: Final = 0.5  # of the original Tidzam's rule, for the lead over the rival and for a child


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


class _GatedDecider(ABC):
    """What both rules share: the order of the classes, and the level below which nothing is heard."""

    def __init__(self, classes: Sequence[ClassNode], no_signal_dbfs: float) -> None:
        self._no_signal_dbfs = no_signal_dbfs
        self._paths = [node.path for node in classes]
        children: dict[str | None, list[int]] = {}
        for index, node in enumerate(classes):
            children.setdefault(node.parent, []).append(index)
        self._children = {parent: np.array(members) for parent, members in children.items()}

    def decide(self, scores: npt.NDArray[np.float32], level_dbfs: npt.NDArray[np.float32]) -> list[Answer]:
        """One answer a window; a window below the level is ``no_signal``, whatever the classifier says.

        Args:
            scores: float32 ``[windows, classes]`` in [0, 1].
            level_dbfs: float32 ``[windows]``, dB relative to full scale.
        """
        return [
            Answer(NO_SIGNAL, 1.0) if level < self._no_signal_dbfs else self._decide(row)
            for row, level in zip(scores, level_dbfs, strict=True)
        ]

    @abstractmethod
    def _decide(self, scores: npt.NDArray[np.float32]) -> Answer:
        """The answer for one window that is loud enough."""


class Decider(_GatedDecider):
    """Answers by thresholds, given the classes of a tree in the order of their scores.

    From the top down: the best class of a level is taken if its score reaches its threshold, and its children are
    asked; the answer is the deepest class taken, ``unknown`` if none was.
    """

    def __init__(self, classes: Sequence[ClassNode], no_signal_dbfs: float) -> None:
        super().__init__(classes, no_signal_dbfs)
        self._thresholds = [node.threshold for node in classes]

    def _decide(self, scores: npt.NDArray[np.float32]) -> Answer:
        answer, parent = Answer(UNKNOWN, float(scores.max())), None
        while (members := self._children.get(parent)) is not None:
            best = int(members[scores[members].argmax()])
            if scores[best] < self._thresholds[best]:
                break
            parent = self._paths[best]
            answer = Answer(parent, float(scores[best]))
        return answer


class MarginDecider(_GatedDecider):
    """Answers by the rule of the original Tidzam, which knows no thresholds.

    The top class (of equal ones the first, so that a parent comes before its child) is compared with the best class
    that is not its descendant. If it leads by more than 0.5, the answer is the class, or its child if that has more
    than 0.5 too, and so on down (the original went down one level); otherwise ``unknown``. The original asks that the
    child be the runner-up, which it always is: what is no descendant lies more than 0.5 below the top.
    """

    def __init__(self, classes: Sequence[ClassNode], no_signal_dbfs: float) -> None:
        super().__init__(classes, no_signal_dbfs)
        self._rivals = [
            np.array([not is_within(other, path) for other in self._paths], bool) for path in self._paths
        ]

    def _decide(self, scores: npt.NDArray[np.float32]) -> Answer:
        top = int(scores.argmax())
        rivals = scores[self._rivals[top]]
        if scores[top] - rivals.max(initial=0.0) <= MARGIN:
            return Answer(UNKNOWN, float(scores[top]))
        while (members := self._children.get(self._paths[top])) is not None:
            best = int(members[scores[members].argmax()])
            if scores[best] <= MARGIN:
                break
            top = best
        return Answer(self._paths[top], float(scores[top]))
