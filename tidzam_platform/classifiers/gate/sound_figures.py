"""Figures of a generation on recordings and on noise, as the catalog keeps them and charts show them."""

from __future__ import annotations

from typing import Any

from tidzam_platform.classifiers.gate.alarms import alarms_of
from tidzam_platform.classifiers.gate.evidence import Evidence
from tidzam_platform.classifiers.gate.recordings import segment_counts


def recording_figures(evidence: Evidence) -> dict[str, Any]:
    """Segment macro-F1 on labelled recordings, over the classes that the generation knows; None without any."""
    counts = segment_counts(evidence, evidence.candidate, None)
    return {
        "segment_macro_f1": None if counts is None else counts.estimate,
        "channels": len(evidence.recordings),
        "hours": sum(one.seconds for one in evidence.recordings) / 3600,
    }


def noise_figures(evidence: Evidence) -> dict[str, Any]:
    """False alarms per hour of noise."""
    alarms = alarms_of(evidence, evidence.candidate)
    return {"false_alarms_per_hour": alarms.per_hour, "false_alarms": alarms.count, "hours": alarms.hours}
