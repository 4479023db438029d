"""From scores to an answer: the deepest class that is sure, ``unknown``, or ``no_signal``.

Two rules for trees where one class sounds, one for trees where any number may.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.tree.activation import Labels
from tidzam_platform.labels.class_paths import is_within

UNKNOWN: Final = "unknown"
NO_SIGNAL: Final = "no_signal"
_NOTHING: Final = np.array([], np.int64)
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
    """What all rules share: the order of the classes, and the level below which nothing is heard."""

    def __init__(self, classes: Sequence[ClassNode], no_signal_dbfs: float) -> None:
        self._no_signal_dbfs = no_signal_dbfs
        self._paths = [node.path for node in classes]
        children: dict[str | None, list[int]] = {}
        for index, node in enumerate(classes):
            children.setdefault(node.parent, []).append(index)
        self._children = {parent: np.array(members) for parent, members in children.items()}

    def decide(self, scores: npt.NDArray[np.float32], level_dbfs: npt.NDArray[np.float32]) -> list[Answer]:
        """One answer a window, the best; a window below the level is ``no_signal``, whatever the classifier says.

        Args:
            scores: float32 ``[windows, classes]`` in [0, 1].
            level_dbfs: float32 ``[windows]``, dB relative to full scale.
        """
        return [sounds[0] for sounds in self.sounds(scores, level_dbfs)]

    def sounds(
        self, scores: npt.NDArray[np.float32], level_dbfs: npt.NDArray[np.float32]
    ) -> list[list[Answer]]:
        """All that each window is taken for, the best first: at least one answer. Arguments as ``decide``."""
        return [
            [Answer(NO_SIGNAL, 1.0)] if level < self._no_signal_dbfs else self._sounds(row)
            for row, level in zip(scores, level_dbfs, strict=True)
        ]

    @abstractmethod
    def _sounds(self, scores: npt.NDArray[np.float32]) -> list[Answer]:
        """All answers for one window that is loud enough, the best first."""


class Decider(_GatedDecider):
    """Answers by thresholds, given the classes of a tree in the order of their scores.

    From the top down: the best class of a level is taken if its score reaches its threshold, and its children are
    asked; the answer is the deepest class taken, ``unknown`` if none was.
    """

    def __init__(self, classes: Sequence[ClassNode], no_signal_dbfs: float) -> None:
        super().__init__(classes, no_signal_dbfs)
        # Lists: for the few classes of a level they are quicker than arrays. Rounded as scores are.
        self._thresholds = np.array([node.threshold for node in classes], np.float32).tolist()
        self._members = {parent: members.tolist() for parent, members in self._children.items()}

    def _sounds(self, scores: npt.NDArray[np.float32]) -> list[Answer]:
        values: list[float] = scores.tolist()
        answer, parent = Answer(UNKNOWN, max(values)), None
        while (members := self._members.get(parent)) is not None:
            best = max(members, key=values.__getitem__)
            if values[best] < self._thresholds[best]:
                break
            parent = self._paths[best]
            answer = Answer(parent, values[best])
        return [answer]


class MultiLabelDecider(_GatedDecider):
    """Answers by thresholds where any number of classes may sound at once: siblings are no rivals.

    A class is heard if it and all classes above it reach their thresholds. What sounds are the heard classes that have
    no heard class below: leaves first, by their scores, then inner classes, the deepest first. So the one answer for
    people is the best leaf that is sure, else the deepest sure class, else ``unknown``.
    """

    def __init__(self, classes: Sequence[ClassNode], no_signal_dbfs: float) -> None:
        super().__init__(classes, no_signal_dbfs)
        self._thresholds = np.array([node.threshold for node in classes], np.float32)

    def _sounds(self, scores: npt.NDArray[np.float32]) -> list[Answer]:
        passes = scores >= self._thresholds
        ends: list[tuple[bool, int, Answer]] = []
        pending: list[tuple[int | None, int]] = [(None, 0)]
        while pending:
            index, depth = pending.pop()
            members = self._children.get(None if index is None else self._paths[index], _NOTHING)
            heard = members[passes[members]]
            pending.extend((int(one), depth + 1) for one in heard)
            if index is not None and not len(heard):
                is_leaf = not len(members)
                answer = Answer(self._paths[index], float(scores[index]))
                ends.append((not is_leaf, 0 if is_leaf else -depth, answer))
        ends.sort(key=lambda end: (*end[:2], -end[2].score, end[2].class_path))
        return [answer for *_, answer in ends] or [Answer(UNKNOWN, float(scores.max()))]


def threshold_decider(
    classes: Sequence[ClassNode], no_signal_dbfs: float, labels: Labels
) -> Decider | MultiLabelDecider:
    """The decider by thresholds for a tree of single labels, or of several."""
    return (Decider if labels == "single" else MultiLabelDecider)(classes, no_signal_dbfs)


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

    def _sounds(self, scores: npt.NDArray[np.float32]) -> list[Answer]:
        top = int(scores.argmax())
        rivals = scores[self._rivals[top]]
        if scores[top] - rivals.max(initial=0.0) <= MARGIN:
            return [Answer(UNKNOWN, float(scores[top]))]
        while (members := self._children.get(self._paths[top])) is not None:
            best = int(members[scores[members].argmax()])
            if scores[best] <= MARGIN:
                break
            top = best
        return [Answer(self._paths[top], float(scores[top]))]
