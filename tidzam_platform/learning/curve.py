"""The learning curve: generations from labels that a ranking chose, beside as many that were drawn at random.

The truth answers in place of a person. Both arms start from the same labels, get as many in each round, are trained
with the same effort and seed, and are compared on the same test clips.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.evaluation import evaluate_tree
from tidzam_platform.classifiers.features import ClipFeatures
from tidzam_platform.classifiers.front_end import FrontEnd
from tidzam_platform.classifiers.trained_tree import TrainedTree
from tidzam_platform.classifiers.training import fit_tree
from tidzam_platform.classifiers.tree.shape import tree_of
from tidzam_platform.learning.pool import Pool, random_labels, start_labels
from tidzam_platform.learning.ranking import COMMITTEE, rank
from tidzam_platform.settings import Settings

ACTIVE: Final = "active"
RANDOM: Final = "random"

Say = Callable[[str], None]


@dataclass(frozen=True)
class Course:
    """How labels are given.

    Attributes:
        start_per_class: labels of each class before the first generation.
        labels_a_round: given between two generations.
        generations: how many are trained.
        seeds: each is a course of its own: other labels to start from, other weights.
    """

    start_per_class: int = 5
    labels_a_round: int = 36
    generations: int = 3
    seeds: tuple[int, ...] = (1, 2, 3)


@dataclass
class Arm:
    """One way of choosing, with one seed: how many labels each generation had, and its macro-F1 on the test clips."""

    name: str
    seed: int
    labels: list[int] = field(default_factory=list)
    macro_f1: list[float] = field(default_factory=list)


class Courses:
    """Trains generations on labels of a pool.

    Args:
        pool: what labels are drawn from.
        front_end: of its features.
        settings: how trees are trained.
        course: how labels are given.
        say: is told how it goes on.
    """

    def __init__(self, pool: Pool, front_end: FrontEnd, settings: Settings, course: Course, say: Say) -> None:
        self._pool, self._front_end, self._settings = pool, front_end, settings
        self._course, self._say = course, say

    def start(self, seed: int) -> tuple[list[int], TrainedTree, float]:
        """The first labels, the generation that both arms have in common, and its macro-F1."""
        labelled = start_labels(self._pool, self._course.start_per_class, seed)
        tree = self._train(labelled, seed, "both arms, generation 1")
        return labelled, tree, self.macro_f1(tree)

    def go_on(self, name: str, seed: int, labelled: Sequence[int], tree: TrainedTree, first: float) -> Arm:
        """All further generations of an arm that begins with these labels and this generation."""
        known, trees = list(labelled), [tree]
        arm = Arm(name, seed, [len(known)], [first])
        for number in range(2, self._course.generations + 1):
            if name == ACTIVE:
                known += self.ranked(known, trees)
            else:
                known += random_labels(self._pool, known, self._course.labels_a_round, seed)
            trees.append(self._train(known, seed, f"{name} labels, generation {number}"))
            arm.labels.append(len(known))
            arm.macro_f1.append(self.macro_f1(trees[-1]))
        return arm

    def ranked(self, labelled: Sequence[int], trees: Sequence[TrainedTree]) -> list[int]:
        """What the queue of the newest of ``trees`` says to label next."""
        known = set(labelled)
        free = [index for index in range(len(self._pool.clips)) if index not in known]
        found = rank(
            trees[-1],
            self._pool.labelled(free),
            self._pool.labelled(labelled),
            self._course.labels_a_round,
            committee=trees[:-1][-COMMITTEE:],
        )
        return [free[one.index] for one in found]

    def macro_f1(self, tree: TrainedTree) -> float:
        """Macro-F1 in [0, 1] on the test clips."""
        return evaluate_tree(tree, self._pool.test).macro_f1

    def _train(self, labelled: Sequence[int], seed: int, what: str) -> TrainedTree:
        clips: list[ClipFeatures] = self._pool.labelled(labelled)
        self._say(f"seed {seed}: {what}, {len(clips)} labels")
        training = self._settings.training.model_copy(update={"seed": seed})
        trained = {path for clip in clips if clip.side == "train" for path in clip.class_paths}
        spec = tree_of(sorted(trained), self._settings.tree)
        tree, _ = fit_tree(spec, clips, self._front_end, training, self._settings.decision)
        return tree


def measure_curve(courses: Courses, course: Course, say: Say) -> list[Arm]:
    """Both arms with every seed."""
    arms = []
    for seed in course.seeds:
        labelled, tree, first = courses.start(seed)
        for name in (ACTIVE, RANDOM):
            arms.append(courses.go_on(name, seed, labelled, tree, first))
            figures = ", ".join(f"{figure:.3f}" for figure in arms[-1].macro_f1)
            say(f"seed {seed}: macro-F1 with {name} labels: {figures}")
    return arms


def curve_rows(arms: Sequence[Arm], name: str) -> list[dict[str, Any]]:
    """The mean over the seeds, a row a generation: ``generation``, ``labels``, ``macro_f1``, ``by_seed``."""
    mine = sorted((arm for arm in arms if arm.name == name), key=lambda arm: arm.seed)
    return [
        {
            "generation": number + 1,
            "labels": mine[0].labels[number],
            "macro_f1": round(float(np.mean([arm.macro_f1[number] for arm in mine])), 4),
            "by_seed": {str(arm.seed): round(arm.macro_f1[number], 4) for arm in mine},
        }
        for number in range(len(mine[0].macro_f1))
    ]
