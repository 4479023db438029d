"""Latency fits the channels in use: windows must not arrive quicker than they are judged."""

from __future__ import annotations

from tidzam_platform.classifiers.gate.evidence import Evidence
from tidzam_platform.classifiers.gate.finding import Finding
from tidzam_platform.settings import GateSettings


def judge_latency(evidence: Evidence, settings: GateSettings) -> Finding:
    """Windows a second as measured here, against those that the channels in use make, with room to spare."""
    measured = evidence.candidate.windows_per_s
    channels = settings.channels or evidence.channels
    needed = channels / evidence.hop_s * settings.headroom
    figures = {"windows_per_s": measured, "needed_windows_per_s": needed, "channels": channels}
    if measured is None:
        return Finding("latency", True, "it was not measured how many windows it judges in a second", figures)
    told = f"{measured:.0f} windows a second on this machine"
    if not channels:
        words = f"{told}; no channel is known yet (gate.channels names how many there will be)"
        return Finding("latency", True, words, figures)
    wanted = f"{channels} channels need {needed:.0f}, of which {settings.headroom:g} times as many as arrive"
    if measured < needed:
        return Finding("latency", False, f"{told} are too few: {wanted}", figures)
    return Finding("latency", True, f"{told}; {wanted}", figures)
