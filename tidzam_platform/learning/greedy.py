"""Choosing clips one after the other, each in the light of those that were chosen before.

A clip's value is the product of three parts, so that it must have some of each::

    value = information * need ** NEED_POWER * novelty

- information: how unsure the generation is, and how far several disagree (``measures``).
- need: how rare the classes are that it is taken for, by its scores. Each choice counts as a label of the classes that
  it is taken for, so that the queue spreads over the rare classes as it goes on.
- novelty: how much of what is unlabelled it stands for and no labelled or chosen clip does yet: the gain in facility
  location over the embeddings (Wei, Iyer, Bilmes, Submodularity in data subset selection and active learning, 2015).
  Near-duplicates of one individual gain nothing after the first; outliers, which a k-center (Sener, Savarese 2018)
  takes first, stand for nobody.

The same input gives the same order; of equal values the first clip wins.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from tidzam_platform.learning.measures import FloatArray, class_need

NEED_POWER: Final = 1.0
_LEAST: Final = 1e-9


@dataclass(frozen=True)
class Choice:
    """One clip that was chosen, and what it was worth then; all parts in [0, 1]."""

    index: int
    need: float
    novelty: float
    value: float


def choose(
    information: FloatArray,
    leaves: FloatArray,
    embeddings: npt.NDArray[np.floating],
    classes: Sequence[str],
    *,
    labelled: npt.NDArray[np.floating],
    counts: dict[str, float],
    count: int,
) -> list[Choice]:
    """The ``count`` clips whose labels would teach most, the best first; fewer where there are fewer.

    Args:
        information: float64 ``[clips]`` in [0, 1].
        leaves: float64 ``[clips, classes]``, scores of the leaves.
        embeddings: ``[clips, d]``.
        classes: names of the columns of ``leaves``.
        labelled: ``[labelled, d]``, embeddings of the clips that have a label; may have no rows.
        counts: labels of each class.
        count: how many to choose.
    """
    if not len(information):
        return []
    similar, known = _similarity(embeddings, labelled)
    covered = known.copy()
    labels = {name: float(counts.get(name, 0.0)) for name in classes}
    shares = leaves / np.maximum(leaves.sum(axis=1, keepdims=True), _LEAST)
    gains = np.maximum(0.0, similar - covered).mean(axis=1)
    scale = max(float(gains.max()), _LEAST)
    is_free = np.ones(len(information), bool)
    chosen: list[Choice] = []
    for _ in range(min(count, len(information))):
        need = shares @ class_need(labels, classes)
        novelty = np.clip(gains / scale, 0.0, 1.0)
        value = information * need**NEED_POWER * novelty
        best = int(np.where(is_free, value, -1.0).argmax())
        chosen.append(Choice(best, float(need[best]), float(novelty[best]), float(value[best])))
        is_free[best] = False
        covered = np.maximum(covered, similar[best])
        gains = np.maximum(0.0, similar - covered).mean(axis=1)
        for name, share in zip(classes, shares[best].tolist(), strict=True):
            labels[name] += share
    return chosen


def _similarity(
    embeddings: npt.NDArray[np.floating], labelled: npt.NDArray[np.floating]
) -> tuple[FloatArray, FloatArray]:
    """Of clips to each other ``[clips, clips]``, and of each to the nearest labelled one ``[clips]``; in [0, 1]."""
    both = np.concatenate([embeddings, labelled]).astype(np.float64)
    both -= both.mean(axis=0)
    both /= np.maximum(np.linalg.norm(both, axis=1, keepdims=True), _LEAST)
    clips, known = both[: len(embeddings)], both[len(embeddings) :]
    similar = np.maximum(0.0, clips @ clips.T)
    nearest = np.maximum(0.0, clips @ known.T).max(axis=1) if len(known) else np.zeros(len(clips))
    return similar, nearest
