"""Cross-validation by group: folds that never split a group, and every clip predicted exactly once."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.errors import TrainingError


def grouped_folds(
    labels: Sequence[str], groups: Sequence[str], *, folds: int, seed: int = 1, all_trained: bool = True
) -> NDArray[np.intp]:
    """The fold in which each clip is tested, ``[clips]`` from 0.

    A group lies in one fold, and classes are spread as evenly as groups allow (scikit-learn's StratifiedGroupKFold).
    A group's fold depends on the labels, groups and seed alone, not on the order of the clips.

    Args:
        labels: class of each clip.
        groups: group of each clip.
        folds: how many, at least 2.
        seed: of the draw.
        all_trained: refuse a class that would be tested without being trained on.

    Raises:
        TrainingError: fewer groups than folds, or a class that would be tested without being trained on.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if len(labels) != len(groups):
        raise TrainingError(f"{len(groups)} groups for {len(labels)} clips: name one group a clip")
    if not 2 <= folds <= len(set(groups)):
        raise TrainingError(
            f"{folds} folds of {len(set(groups))} groups: choose from 2 to as many folds as there are groups"
        )
    _, label_numbers, clips_of_label = np.unique(np.array(labels), return_inverse=True, return_counts=True)
    if clips_of_label.max() < folds:
        raise TrainingError(f"no class has the {folds} clips that {folds} folds need: choose fewer folds")
    order = np.array(sorted(range(len(labels)), key=lambda clip: (groups[clip], labels[clip])))
    splitter = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    fold_of = np.full(len(labels), -1, np.intp)
    y, keys = label_numbers[order], np.array(groups)[order]
    with warnings.catch_warnings():
        # A rare class is fine as long as it is trained on before it is tested, which we look at below.
        warnings.filterwarnings("ignore", "The least populated class", UserWarning)
        for fold, (_, tested) in enumerate(splitter.split(np.zeros(len(y)), y, keys)):
            fold_of[order[tested]] = fold
    if all_trained:
        _assert_trained_before_tested(labels, fold_of, folds)
    return fold_of


class OutOfFold:
    """Collects the probabilities of clips, each predicted by the one fold that did not train on it.

    Args:
        clips: how many there are.
        classes: how many columns each prediction has.
    """

    def __init__(self, clips: int, classes: int) -> None:
        self._probabilities = np.zeros((clips, classes), np.float32)
        self._predicted = np.zeros(clips, bool)

    def add(self, clips: NDArray[np.intp], probabilities: NDArray[np.float32]) -> None:
        """Take the predictions of one fold.

        Args:
            clips: ``[tested]``, numbers of the clips.
            probabilities: float32 ``[tested, classes]``.

        Raises:
            TrainingError: another shape, a clip that does not exist, or one that was predicted before.
        """
        if probabilities.shape != (len(clips), self._probabilities.shape[1]):
            raise TrainingError(
                f"predictions of {len(clips)} clips are [{len(clips)}, {self._probabilities.shape[1]}]; "
                f"these are {list(probabilities.shape)}"
            )
        if len(clips) and not 0 <= clips.min() <= clips.max() < len(self._predicted):
            raise TrainingError(f"clips are numbered from 0 to {len(self._predicted) - 1}")
        twice = clips[self._predicted[clips]].tolist() or _repeated(clips)
        if twice:
            raise TrainingError(f"clip {twice[0]} is predicted twice: folds must not overlap")
        self._probabilities[clips] = probabilities
        self._predicted[clips] = True

    def pooled(self) -> NDArray[np.float32]:
        """The predictions of all folds, float32 ``[clips, classes]``; TrainingError if a clip has none."""
        missing = np.flatnonzero(~self._predicted)
        if len(missing):
            raise TrainingError(
                f"{len(missing)} clips have no prediction, the first is {missing[0]}: a fold is missing"
            )
        return self._probabilities.copy()


def _assert_trained_before_tested(labels: Sequence[str], fold_of: NDArray[np.intp], folds: int) -> None:
    names = np.array(labels)
    for fold in range(folds):
        untrained = set(names[fold_of == fold]) - set(names[fold_of != fold])
        if untrained:
            raise TrainingError(
                f"all clips of {min(untrained)} lie in one fold, so it would be tested without being "
                "trained on: label it in more groups, or leave it out"
            )


def _repeated(clips: NDArray[np.intp]) -> list[int]:
    numbers, counts = np.unique(clips, return_counts=True)
    return [int(number) for number in numbers[counts > 1]]
