"""Labelled recordings of the site: the seconds in which each class sounds, not only clips cut around a sound."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from tidzam_platform.classifiers.evaluation.bootstrap import UnitCounts
from tidzam_platform.classifiers.evaluation.events import TimedLabel, Track, segment_based
from tidzam_platform.classifiers.gate.counting import naming
from tidzam_platform.classifiers.gate.evidence import Evidence, System
from tidzam_platform.classifiers.gate.finding import Finding
from tidzam_platform.classifiers.gate.not_inferior import compare_counts
from tidzam_platform.labels.class_paths import is_within
from tidzam_platform.settings import GateSettings


def judge_recordings(evidence: Evidence, settings: GateSettings) -> Finding:
    """Part (b): macro-F1 of segments of 1 s, on the classes that both know; drawn by recording."""
    if not evidence.recordings:
        words = (
            "no recording of the site is labelled: ./tidzam label import brings labels in; nothing to judge"
        )
        return Finding("recordings", True, words)
    hours = sum(one.seconds for one in evidence.recordings) / 3600
    figures: dict[str, Any] = {
        "channels": len(evidence.recordings),
        "hours": hours,
        "test_set": evidence.test_sets.get("recordings", ""),
        "compared": {},
    }
    own = segment_counts(evidence, evidence.candidate, None)
    figures["segment_macro_f1"] = None if own is None else own.estimate
    faults: list[str] = []
    praise = [f"{len(evidence.recordings)} channels, {hours:.2f} h"]
    if own is not None:
        praise.append(f"segment macro-F1 {own.estimate:.3f}")
    for rival, whose in evidence.rivals:
        ours, theirs = (
            segment_counts(evidence, evidence.candidate, rival),
            segment_counts(evidence, rival, rival),
        )
        if ours is None or theirs is None:
            praise.append(f"no labelled class in common with {whose}")
            continue
        compared = compare_counts(ours, theirs, settings.recordings_margin)
        words = compared.words(
            f"{whose}, {rival.generation}", "segment macro-F1 on the site's labelled recordings"
        )
        (praise if compared.passed else faults).append(words)
        figures["compared"][str(rival.generation)] = compared.to_json()
    return Finding("recordings", not faults, "; ".join(faults or praise), figures)


def segment_counts(evidence: Evidence, system: System, rival: System | None) -> UnitCounts | None:
    """Segments by recording and class that candidate and ``rival`` know, as ``system`` heard them; None without any."""
    name, ours, theirs = naming(evidence, rival)
    common = ours & theirs
    classes = sorted(
        {
            path
            for channel in evidence.recordings
            for one in channel.reference
            if (path := name(one.class_path)) in common
        }
    )
    if not classes:
        return None
    column = {path: at for at, path in enumerate(classes)}
    groups = {group: at for at, group in enumerate(sorted({one.group for one in evidence.recordings}))}
    counts = [np.zeros((len(groups), len(classes))) for _ in range(3)]
    for channel in evidence.recordings:
        track = Track(
            _named(channel.reference, name, ()),
            _named(system.recordings.get(channel.item, ()), name, classes),
            channel.ignored,
        )
        for path, figures in segment_based([track]).per_class.items():
            if path in column:
                at = groups[channel.group], column[path]
                for count, value in zip(
                    counts, (figures.matched, figures.reference, figures.heard), strict=True
                ):
                    count[at] += value
    return UnitCounts(*counts)


def _named(
    labels: tuple[TimedLabel, ...], name: Callable[[str], str], classes: list[str] | tuple[()]
) -> tuple[TimedLabel, ...]:
    """Labels by the names that are compared; a heard class below a labelled one counts as that one."""
    found = []
    for one in labels:
        path = name(one.class_path)
        top = next((top for top in classes if is_within(path, top)), path)
        found.append(TimedLabel(one.onset_s, one.offset_s, top))
    return tuple(found)
