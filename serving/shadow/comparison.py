"""Comparing what two generations say of the same windows; their classes may differ, so it goes by class path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from serving.prediction import Prediction
from serving.shadow.figures import Figures, ScoreDifference, SideFigures
from serving.shadow.origins import WindowOrigin
from serving.signature import ModelDescription
from tidzam_platform.classifiers.channel_events import make_decider
from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN, Answer, ClassNode
from tidzam_platform.errors import ModelServerError
from tidzam_platform.settings import DecisionSettings

_TOLD_SCORES: Final = 4  # of each side, with a disagreement


@dataclass(frozen=True)
class Disagreement:
    """A window for which both decided differently.

    Attributes:
        origin: channel and start of the window.
        stable, canary: the best answer of each, with its score.
        scores: the best classes of both: score of stable and of canary, None where one does not know the class.
    """

    origin: WindowOrigin
    stable: Answer
    canary: Answer
    scores: dict[str, tuple[float | None, float | None]]


class Side:
    """How one generation decides.

    Args:
        description: its classes.
        decision: the rule, as for live audio and files.
    """

    def __init__(self, description: ModelDescription, decision: DecisionSettings) -> None:
        self.description = description
        self.paths = [known.path for known in description.classes]
        self.index = {path: column for column, path in enumerate(self.paths)}
        parents = {known.parent for known in description.classes}
        self._leaves = np.array([column for column, path in enumerate(self.paths) if path not in parents])
        nodes = [ClassNode(known.path, known.parent, known.threshold) for known in description.classes]
        self._decider = make_decider(nodes, decision, description.labels)

    def finite(self, prediction: Prediction) -> npt.NDArray[np.bool_]:
        """Which rows can be judged; bool ``[rows]``.

        Raises:
            ModelServerError: it answered other scores than it has classes.
        """
        if prediction.scores.ndim != 2 or prediction.scores.shape[1] != len(self.paths):
            raise ModelServerError(
                f"generation {prediction.generation} answered scores of shape {list(prediction.scores.shape)} for "
                f"{len(self.paths)} classes"
            )
        scores_finite: npt.NDArray[np.bool_] = np.all(np.isfinite(prediction.scores), axis=1)
        return scores_finite & ~np.isnan(prediction.level_dbfs)

    def answers(
        self, scores: npt.NDArray[np.float32], level_dbfs: npt.NDArray[np.float32]
    ) -> list[list[Answer]]:
        """All that each window is taken for, the best first."""
        return self._decider.sounds(scores, level_dbfs)

    def best_leaves(self, scores: npt.NDArray[np.float32]) -> list[str]:
        """Path of the leaf class with the best score, a window."""
        return [self.paths[column] for column in self._leaves[scores[:, self._leaves].argmax(axis=1)]]

    def counted(self, answers: Sequence[Sequence[Answer]]) -> SideFigures:
        """In how many windows each class was decided."""
        figures = SideFigures()
        figures.heard.update(dict.fromkeys((*self.paths, UNKNOWN, NO_SIGNAL), 0))
        figures.heard.update(answer.class_path for sounds in answers for answer in sounds)
        return figures


def compare(
    stable_side: Side,
    canary_side: Side,
    stable: Prediction,
    canary: Prediction,
    origins: Sequence[WindowOrigin],
) -> tuple[Figures, list[Disagreement]]:
    """Count a batch.

    Args:
        stable_side, canary_side: of the generations that answered.
        stable, canary: what they said of the same windows.
        origins: of the windows.

    Raises:
        ModelServerError: the answers are not of the same windows, or not of these generations' classes.
    """
    if len(stable.scores) != len(canary.scores):
        raise ModelServerError(
            f"the stable generation answered {len(stable.scores)} windows, the canary {len(canary.scores)}"
        )
    usable = stable_side.finite(stable) & canary_side.finite(canary)
    rows = np.flatnonzero(usable)
    left, right = stable.scores[usable], canary.scores[usable]
    left_answers = stable_side.answers(left, stable.level_dbfs[usable])
    right_answers = canary_side.answers(right, canary.level_dbfs[usable])
    both_quiet = np.array(
        [_is_quiet(one) and _is_quiet(other) for one, other in _pairs(left_answers, right_answers)], bool
    )
    same = np.array(
        [_paths(one) == _paths(other) for one, other in _pairs(left_answers, right_answers)], bool
    )
    left_leaves, right_leaves = stable_side.best_leaves(left), canary_side.best_leaves(right)
    same_leaf = np.array([one == other for one, other in zip(left_leaves, right_leaves, strict=True)], bool)
    figures = Figures(
        batches=1,
        windows=len(rows),
        unusable=len(usable) - len(rows),
        quiet=int(both_quiet.sum()),
        agreed=int(same.sum()),
        agreed_leaf=int((same_leaf & ~both_quiet).sum()),
        stable=stable_side.counted(left_answers),
        canary=canary_side.counted(right_answers),
        differences=_differences(stable_side, canary_side, left[~both_quiet], right[~both_quiet]),
    )
    disagreements = [
        Disagreement(
            origins[rows[at]],
            left_answers[at][0],
            right_answers[at][0],
            _told(stable_side, canary_side, left[at], right[at]),
        )
        for at in np.flatnonzero(~same)
    ]
    return figures, disagreements


def _pairs(left: list[list[Answer]], right: list[list[Answer]]) -> list[tuple[list[Answer], list[Answer]]]:
    return list(zip(left, right, strict=True))


def _is_quiet(sounds: Sequence[Answer]) -> bool:
    return sounds[0].class_path == NO_SIGNAL


def _paths(sounds: Sequence[Answer]) -> set[str]:
    return {answer.class_path for answer in sounds}


def _differences(
    stable_side: Side, canary_side: Side, left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]
) -> dict[str, ScoreDifference]:
    common = [path for path in stable_side.paths if path in canary_side.index]
    difference = right[:, [canary_side.index[path] for path in common]].astype(np.float64)
    difference -= left[:, [stable_side.index[path] for path in common]]
    absolute = np.abs(difference)
    return {
        path: ScoreDifference(
            len(difference),
            float(difference[:, column].sum()),
            float(absolute[:, column].sum()),
            float(absolute[:, column].max(initial=0.0)),
        )
        for column, path in enumerate(common)
    }


def _told(
    stable_side: Side, canary_side: Side, left: npt.NDArray[np.float32], right: npt.NDArray[np.float32]
) -> dict[str, tuple[float | None, float | None]]:
    sides = ((stable_side, left), (canary_side, right))
    best = {
        side.paths[column]: float(scores[column])
        for side, scores in sides
        for column in np.argsort(-scores, kind="stable")[:_TOLD_SCORES]
    }

    def score(side: Side, scores: npt.NDArray[np.float32], path: str) -> float | None:
        column = side.index.get(path)
        return None if column is None else round(float(scores[column]), 4)

    return {
        path: (score(*sides[0], path), score(*sides[1], path))
        for path in sorted(best, key=lambda path: (-best[path], path))
    }
