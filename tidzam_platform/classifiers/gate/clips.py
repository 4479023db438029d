"""Macro-F1 on the frozen clips: above a bound, above chance, and not inferior to what was served before."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

import numpy as np

from tidzam_platform.classifiers.gate.counting import (
    Paired,
    count,
    is_right,
    naming,
    pair,
    truths_and_answers,
)
from tidzam_platform.classifiers.gate.evidence import Evidence, System
from tidzam_platform.classifiers.gate.finding import Finding
from tidzam_platform.classifiers.gate.not_inferior import compare_counts
from tidzam_platform.settings import GateSettings

CHANCE: Final = 0.05  # most that a permutation of the truths may reach the figure
_PERMUTATIONS: Final = 500
_SEED: Final = 1
MAX_WORSE: Final = 200  # clips that are listed


def judge_clips(evidence: Evidence, settings: GateSettings) -> Finding:
    """Part (a): macro-F1 on the frozen clips."""
    system = evidence.candidate
    if not evidence.clips:
        words = "there are no test clips to judge by: label clips of a class in at least three groups"
        return Finding("clips", False, words)
    faults, praise = list(evidence.unscored), list[str]()
    macro_f1 = macro_f1_of(evidence, system)
    figures: dict[str, Any] = {
        "macro_f1": macro_f1,
        "min_macro_f1": settings.min_macro_f1,
        "test_clips": len(evidence.clips),
        "test_set": evidence.test_sets.get("clips", ""),
        "taxonomy": evidence.taxonomy.version,
    }
    if macro_f1 < settings.min_macro_f1:
        faults.append(f"macro-F1 {macro_f1:.3f} on the test clips is below {settings.min_macro_f1:.3f}")
    figures["by_chance"] = by_chance = reached_by_chance(evidence, macro_f1)
    if by_chance > CHANCE:
        faults.append(
            f"macro-F1 {macro_f1:.3f} is no better than chance: with the labels of the test groups shuffled it is "
            f"reached in {by_chance:.0%} of the trials"
        )
    figures["compared"] = {}
    for rival, whose in evidence.rivals:
        paired = pair(evidence, rival)
        if paired is None:
            faults.append(f"it has no test class in common with {whose}, {rival.generation}")
            continue
        compared = compare_counts(paired.candidate, paired.rival, settings.margin)
        (praise if compared.passed else faults).append(compared.words(f"{whose}, {rival.generation}"))
        figures["compared"][str(rival.generation)] = {
            **compared.to_json(),
            "whose": whose,
            "clips": len(paired.clips),
        }
    if evidence.incumbent is None and not evidence.unscored:
        praise.append("the first generation: there is none in service to compare it with")
    else:
        figures |= _worse(evidence)
    words = "; ".join(faults or [f"macro-F1 {macro_f1:.3f} on {len(evidence.clips)} test clips", *praise])
    return Finding("clips", not faults, words, figures)


def macro_f1_of(evidence: Evidence, system: System) -> float:
    """Macro-F1 of a generation on all clips, in [0, 1]: the mean over the classes that have clips."""
    name, classes = _own_names(evidence)
    counts = count(evidence.clips, system.clips, classes, name, several=system.labels == "multi")
    return counts.estimate


def reached_by_chance(evidence: Evidence, macro_f1: float) -> float:
    """Share of the permutations of the truths over groups with which the candidate reaches this macro-F1, in [0, 1].

    Every clip of a group gets the classes of another group's first clip, as clips of one group are alike.
    """
    from scipy.sparse import csr_array, vstack

    name, classes = _own_names(evidence)
    truths = {clip.group: clip.class_paths for clip in reversed(evidence.clips)}
    kinds = sorted(set(truths.values()))
    several = evidence.candidate.labels == "multi"
    # Counts of each group if its clips had the classes of each kind, [kinds x groups, classes]: nearly all are 0.
    of_right, of_expected, of_answered = [], [], []
    for kind in kinds:
        clips = [replace(clip, class_paths=kind) for clip in evidence.clips]
        counts = count(clips, evidence.candidate.clips, classes, name, several=several)
        of_right.append(csr_array(counts.right))
        of_expected.append(csr_array(counts.expected))
        of_answered.append(counts.answered.sum(axis=0))
    right, expected = vstack(of_right, format="csr"), vstack(of_expected, format="csr")
    kind_of = np.array(
        [kinds.index(truths[group]) for group in dict.fromkeys(clip.group for clip in evidence.clips)]
    )
    random = np.random.default_rng(_SEED)
    drawn = np.stack([random.permutation(kind_of) for _ in range(_PERMUTATIONS)])
    rows = drawn * len(kind_of) + np.arange(len(kind_of))
    starts = np.arange(0, rows.size + 1, len(kind_of))
    chosen = csr_array(
        (np.ones(rows.size), rows.ravel(), starts), shape=(_PERMUTATIONS, len(kinds) * len(kind_of))
    )
    held, hit = (chosen @ expected).toarray(), (chosen @ right).toarray()
    f1, tested = 2 * hit / np.maximum(held + of_answered[0], 1), held > 0
    macro = (f1 * tested).sum(axis=1) / tested.sum(axis=1)
    reached = 1 + int((macro >= macro_f1).sum())  # the truths as they are, too
    return reached / (_PERMUTATIONS + 1)


def worse_clips(evidence: Evidence, rival: System, paired: Paired) -> list[dict[str, Any]]:
    """Clips that the rival had right and the candidate has not, the surest mistakes first."""
    several = "multi" in (evidence.candidate.labels, rival.labels)
    found = []
    for clip in paired.clips:
        now, before = evidence.candidate.clips[clip.sha256], rival.clips[clip.sha256]
        if is_right(clip, before, paired.name, several=several) and not is_right(
            clip, now, paired.name, several=several
        ):
            _, said = truths_and_answers(clip, now, paired.name, several=several)
            found.append(
                {
                    "clip": clip.sha256,
                    "store_key": clip.store_key,
                    "truth": list(clip.class_paths),
                    "was": list(before.answers),
                    "is": sorted(said),
                    "confidence": round(now.confidence, 4),
                }
            )
    return sorted(found, key=lambda one: (-one["confidence"], one["clip"]))


def _worse(evidence: Evidence) -> dict[str, Any]:
    rival = evidence.incumbent or evidence.best
    paired = pair(evidence, rival) if rival is not None else None
    if rival is None or paired is None:
        return {}
    found = worse_clips(evidence, rival, paired)
    return {"worse": len(found), "worse_clips": found[:MAX_WORSE]}


def _own_names(evidence: Evidence) -> tuple[Any, tuple[str, ...]]:
    name, _, _ = naming(evidence, None)
    return name, tuple(sorted({name(path) for clip in evidence.clips for path in clip.class_paths}))
