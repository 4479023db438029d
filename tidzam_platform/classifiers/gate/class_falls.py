"""No class may fall much: each is judged by itself, and one with few test clips together with its siblings.

A class (or a set of siblings) has fallen if its F1 (their mean F1) lies more than the margin below that of the
generation in service, and if that is more than the choice of the groups makes: the one-sided bound of the difference,
at 5 % shared by all that are judged (Bonferroni), lies below zero. Without the second half one of twenty classes would
fall in every generation by luck.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from tidzam_platform.classifiers.evaluation.bootstrap import count_difference
from tidzam_platform.classifiers.gate.counting import Paired, columns, pair
from tidzam_platform.classifiers.gate.evidence import Evidence
from tidzam_platform.classifiers.gate.finding import Finding
from tidzam_platform.labels.class_paths import is_within, parent
from tidzam_platform.settings import GateSettings

_LEVEL: Final = 0.05  # chance of refusing a candidate of equal worth, all classes together


def judge_classes(evidence: Evidence, settings: GateSettings) -> Finding:
    """Whether a class fell below what it was in the generation in service."""
    if evidence.incumbent is None:
        words = "the first generation: no class can have fallen"
        return Finding("classes", True, words, {"classes": []})
    paired = pair(evidence, evidence.incumbent)
    if paired is None:
        words = "there is no test class that the generation in service knows too: nothing to judge"
        return Finding("classes", True, words, {"classes": []})
    faults, told = [], []
    shown = _judged(paired, settings)
    for one in shown:
        if one["fell"]:
            with_whom = (
                "" if one["class"] == one["judged_with"] else f" (with its siblings, {one['judged_with']})"
            )
            faults.append(
                f"{one['class']}{with_whom} fell from F1 {one['pool_before']:.3f} to {one['pool_now']:.3f}, more than "
                f"{settings.class_margin:.3f}"
            )
    tested = {paired.name(path) for clip in evidence.clips for path in clip.class_paths}
    if gone := [path for path in paired.lost if path in tested]:
        faults.append(
            f"it no longer knows {', '.join(gone)}, of which there are test clips: label clips of it to train on, or "
            "say what became of the class with ./tidzam taxonomy"
        )
    if few := [one["class"] for one in shown if one["judged_with"] is None]:
        told.append(
            f"{len(few)} classes have too few test clips to be judged by, with their siblings too "
            f"(under {settings.min_class_clips}): shown only"
        )
    if paired.new:
        told.append(
            f"new classes, which the generation in service does not know: {', '.join(paired.new)}; the least macro-F1 "
            "judges them"
        )
    told.insert(
        0,
        f"of {len(shown)} classes none fell by more than {settings.class_margin:.3f} below generation "
        f"{evidence.incumbent.generation}",
    )
    figures = {"classes": shown, "new": list(paired.new), "lost": list(paired.lost)}
    return Finding("classes", not faults, "; ".join(dict.fromkeys(faults or told)), figures)


def pools(
    classes: Sequence[str], clips: Sequence[float], least: int
) -> list[tuple[str | None, tuple[int, ...]]]:
    """With whom each class is judged: the name of the set, and the numbers of its classes.

    A class with ``least`` clips stands alone. Another is judged with all classes below its parent, or else the class
    above that, up to all classes together; with (None, ()) if these are too few as well.
    """
    found: list[tuple[str | None, tuple[int, ...]]] = []
    for at, path in enumerate(classes):
        if clips[at] >= least:
            found.append((path, (at,)))
            continue
        above = parent(path)
        while True:
            members = tuple(i for i, one in enumerate(classes) if above is None or is_within(one, above))
            if sum(clips[i] for i in members) >= least:
                found.append((f"{above}-*" if above else "all classes", members))
                break
            if above is None:
                found.append((None, ()))
                break
            above = parent(above)
    return found


CLASS_COLUMNS: Final = ("class", "clips", "F1 before", "F1", "judged with", "")


def class_rows(classes: Sequence[Mapping[str, Any]]) -> list[tuple[str, ...]]:
    """What the finding's ``classes`` say, in words under ``CLASS_COLUMNS``."""
    return [
        (
            one["class"],
            str(one["clips"]),
            _figure(one["f1_before"]),
            _figure(one["f1"]),
            one["judged_with"] or "shown only",
            "fell" if one["fell"] else "",
        )
        for one in classes
    ]


def _figure(f1: float | None) -> str:
    return "" if f1 is None else f"{f1:.3f}"


def _judged(paired: Paired, settings: GateSettings) -> list[dict[str, Any]]:
    clips = [float(value) for value in paired.rival.expected.sum(axis=0)]
    sets = pools(paired.classes, clips, settings.min_class_clips)
    different = {members for _, members in sets if members}
    confidence = 1 - 2 * _LEVEL / max(len(different), 1)
    verdicts: dict[tuple[int, ...], tuple[float, float, bool]] = {}
    for members in different:
        now, before = columns(paired.candidate, members), columns(paired.rival, members)
        high = count_difference(now, before, confidence=confidence).high
        fell = now.estimate < before.estimate - settings.class_margin and high < 0
        verdicts[members] = now.estimate, before.estimate, fell
    shown = []
    for at, (path, (with_whom, members)) in enumerate(zip(paired.classes, sets, strict=True)):
        pool_now, pool_before, fell = verdicts.get(members, (None, None, False))
        shown.append(
            {
                "class": path,
                "clips": int(clips[at]),
                "f1": columns(paired.candidate, [at]).estimate,
                "f1_before": columns(paired.rival, [at]).estimate,
                "judged_with": with_whom,
                "pool_now": pool_now,
                "pool_before": pool_before,
                "fell": fell,
            }
        )
    return shown
