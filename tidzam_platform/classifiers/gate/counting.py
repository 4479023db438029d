"""Counts of answers by group of clips, so that macro-F1 of any drawing of groups follows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from tidzam_platform.classifiers.evaluation.bootstrap import UnitCounts, units_of
from tidzam_platform.classifiers.gate.evidence import ClipAnswer, Evidence, System, TestClip
from tidzam_platform.datasets.taxonomy import comparison_names
from tidzam_platform.labels.class_paths import is_within

Name = Callable[[str], str]


@dataclass(frozen=True)
class Paired:
    """Candidate and rival on the clips whose classes both know.

    Attributes:
        classes: that both know, ascending: the columns of the counts.
        candidate, rival: counts ``[groups, classes]``.
        clips: that were compared.
        name: the name that classes are compared by.
        new: classes that the rival does not know, ascending.
        lost: classes of the rival that the candidate does not know, ascending.
    """

    classes: tuple[str, ...]
    candidate: UnitCounts
    rival: UnitCounts
    clips: tuple[TestClip, ...]
    name: Name
    new: tuple[str, ...]
    lost: tuple[str, ...]


def naming(evidence: Evidence, rival: System | None) -> tuple[Name, frozenset[str], frozenset[str]]:
    """How classes are named beside ``rival``, and the classes of both by these names (without one: its own)."""
    leaves = evidence.candidate.leaves
    others = leaves if rival is None else rival.leaves
    names = comparison_names(leaves, others, evidence.taxonomy)

    @cache
    def name(path: str) -> str:
        if path in names:
            return names[path]
        today = evidence.taxonomy.name(path)
        # A label below a leaf is a label of that leaf.
        above = (names[top] for top in names if is_within(today, top))
        return names.get(today, next(above, today))

    return name, frozenset(map(name, leaves)), frozenset(map(name, others))


def pair(evidence: Evidence, rival: System) -> Paired | None:
    """Candidate and rival on the same clips; None if they have no test class in common."""
    name, ours, theirs = naming(evidence, rival)
    common = ours & theirs
    clips = tuple(clip for clip in evidence.clips if common.issuperset(map(name, clip.class_paths)))
    if not clips:
        return None
    classes = tuple(sorted({name(path) for clip in clips for path in clip.class_paths}))
    several = "multi" in (evidence.candidate.labels, rival.labels)
    counts = [
        count(clips, system.clips, classes, name, several=several) for system in (evidence.candidate, rival)
    ]
    return Paired(
        classes, counts[0], counts[1], clips, name, tuple(sorted(ours - theirs)), tuple(sorted(theirs - ours))
    )


def count(
    clips: Sequence[TestClip],
    answers: Mapping[str, ClipAnswer],
    classes: Sequence[str],
    name: Name,
    *,
    several: bool,
) -> UnitCounts:
    """Counts of a generation's answers, float64 ``[groups, classes]``.

    Args:
        clips: at least one.
        answers: by hash of the clip.
        classes: the columns.
        name: the name that classes go by.
        several: whether every class of a clip is a question of its own; else one answer is right if it is among the
            clip's classes.
    """
    units = units_of(len(clips), [clip.group for clip in clips])
    column = {path: index for index, path in enumerate(classes)}
    right, expected, answered = (np.zeros((int(units.max()) + 1, len(classes))) for _ in range(3))
    for unit, clip in zip(units, clips, strict=True):
        truths, given = truths_and_answers(clip, answers[clip.sha256], name, several=several)
        for path in truths:
            expected[unit, column[path]] += 1
        for path in given:
            if path in column:
                answered[unit, column[path]] += 1
                right[unit, column[path]] += path in truths
    return UnitCounts(right, expected, answered)


def truths_and_answers(
    clip: TestClip, answer: ClipAnswer, name: Name, *, several: bool
) -> tuple[set[str], set[str]]:
    """What the clip is held to and what it was taken for; an answer below a truth counts as that truth."""
    truths = tuple(dict.fromkeys(map(name, clip.class_paths)))
    if several:
        return set(truths), {_as_truth(name(path), truths) for path in answer.answers}
    said = _as_truth(name(answer.best), truths)
    return {said if said in truths else truths[0]}, {said}


def is_right(clip: TestClip, answer: ClipAnswer, name: Name, *, several: bool) -> bool:
    """Whether all that the clip is held to was answered, and nothing else."""
    truths, given = truths_and_answers(clip, answer, name, several=several)
    return truths == given


def columns(counts: UnitCounts, chosen: Iterable[int]) -> UnitCounts:
    """The counts of some classes."""
    at = list(chosen)
    return UnitCounts(counts.right[:, at], counts.expected[:, at], counts.answered[:, at])


def _as_truth(answer: str, truths: Sequence[str]) -> str:
    return next((truth for truth in truths if is_within(answer, truth)), answer)
