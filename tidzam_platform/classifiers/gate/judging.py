"""All parts of the gate."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from tidzam_platform.classifiers.gate.alarms import judge_alarms
from tidzam_platform.classifiers.gate.calibration import judge_calibration
from tidzam_platform.classifiers.gate.class_falls import judge_classes
from tidzam_platform.classifiers.gate.clips import judge_clips
from tidzam_platform.classifiers.gate.evidence import Evidence
from tidzam_platform.classifiers.gate.finding import Finding, Verdict
from tidzam_platform.classifiers.gate.latency import judge_latency
from tidzam_platform.classifiers.gate.recordings import judge_recordings
from tidzam_platform.classifiers.gate.shadow import judge_shadow
from tidzam_platform.settings import GateSettings

PARTS: Final[Mapping[str, Callable[[Evidence, GateSettings], Finding]]] = {
    "clips": judge_clips,
    "classes": judge_classes,
    "recordings": judge_recordings,
    "false_alarms": judge_alarms,
    "shadow": judge_shadow,
    "calibration": judge_calibration,
    "latency": judge_latency,
}
"""By name, in the order in which they are told."""


def judge(evidence: Evidence, settings: GateSettings) -> Verdict:
    """Judge a candidate: the same evidence and settings always give the same verdict.

    Args:
        evidence: what is known.
        settings: the bounds.
    """
    return Verdict(tuple(part(evidence, settings) for part in PARTS.values()))
