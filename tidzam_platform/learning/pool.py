"""A pool of clips whose truth is known: what a measurement of active learning draws its labels from."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from tidzam_platform.classifiers.evaluation.folds import grouped_folds
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.datasets.sides import Side
from tidzam_platform.errors import TrainingError

VALIDATED: Final = 5  # of a class one group in so many is on the validation side
_FOLDS: Final = 4  # of a labelled folder one is the test
_START_STREAM, _RANDOM_STREAM = 1, 2  # keep these draws apart


@dataclass(frozen=True)
class Pool:
    """Clips to choose from and clips to compare on, all with their truth.

    Attributes:
        clips: each on the side that it has once it is labelled, train or validation.
        test: no training sees them.
    """

    clips: tuple[ClipFeatures, ...]
    test: tuple[ClipFeatures, ...]

    @classmethod
    def of(cls, clips: Sequence[ClipFeatures], test: Sequence[ClipFeatures]) -> Pool:
        """A pool, the sides of its clips given by group."""
        sides = sides_of_groups([(clip.group, clip.class_paths[0]) for clip in clips])
        return cls(tuple(replace(clip, side=sides[clip.group]) for clip in clips), tuple(test))

    @classmethod
    def divided(cls, clips: Sequence[ClipFeatures], seed: int = 1) -> Pool:
        """A labelled folder, a quarter of its groups put aside as the test."""
        fold_of = grouped_folds(
            [clip.class_paths[0] for clip in clips], [clip.group for clip in clips], folds=_FOLDS, seed=seed
        )
        test = [replace(clip, side="test") for clip, fold in zip(clips, fold_of, strict=True) if fold == 0]
        return cls.of([clip for clip, fold in zip(clips, fold_of, strict=True) if fold != 0], test)

    def labelled(self, indices: Iterable[int]) -> list[ClipFeatures]:
        """The clips of these numbers, as training gets them."""
        return [self.clips[index] for index in indices]


def sides_of_groups(labels: Iterable[tuple[str, str]]) -> dict[str, Side]:
    """Side of each group: of a class one group in ``VALIDATED`` is for validation, the others are for training.

    Args:
        labels: group and class of each clip; the order in which groups come decides.
    """
    groups: dict[str, dict[str, None]] = {}
    sides: dict[str, Side] = {}
    for group, class_path in labels:
        if group not in sides:
            number = len(groups.setdefault(class_path, {}))
            groups[class_path][group] = None
            sides[group] = "validation" if number % VALIDATED == VALIDATED - 1 else "train"
    return sides


def start_labels(pool: Pool, per_class: int, seed: int) -> list[int]:
    """What is labelled before anything is learnt: so many clips of each class, drawn at random, one to validate on.

    Clips of different groups are preferred; a class that has fewer gives what it has.

    Raises:
        TrainingError: fewer than two a class.
    """
    if per_class < 2:
        raise TrainingError(f"{per_class} label(s) a class are too few to train and validate: take 2 or more")
    order = np.random.default_rng([seed, _START_STREAM]).permutation(len(pool.clips)).tolist()
    found: list[int] = []
    for name in sorted({clip.class_paths[0] for clip in pool.clips}):
        mine = [index for index in order if pool.clips[index].class_paths[0] == name]
        validated = _spread(pool, [index for index in mine if pool.clips[index].side == "validation"])[:1]
        trained = _spread(pool, [index for index in mine if pool.clips[index].side == "train"])
        found += [*validated, *trained[: per_class - len(validated)]]
    return found


def random_labels(pool: Pool, labelled: Sequence[int], count: int, seed: int) -> list[int]:
    """So many clips that have no label yet, each as likely as any other."""
    known = set(labelled)
    free = [index for index in range(len(pool.clips)) if index not in known]
    random = np.random.default_rng([seed, _RANDOM_STREAM, len(known)])
    drawn: list[int] = random.permutation(free)[:count].tolist()
    return drawn


def _spread(pool: Pool, indices: Sequence[int]) -> list[int]:
    """The same clips, the first of each group before all others."""
    first = set({pool.clips[index].group: index for index in reversed(indices)}.values())
    return [
        *(index for index in indices if index in first),
        *(index for index in indices if index not in first),
    ]
