"""What the analyzer tells other processes, one JSON object an event (docs/analyzer.md)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np

from streamer.analyzer.windows import WindowResult
from tidzam_platform.channel_patterns import matches_channel
from tidzam_platform.clock import format_utc
from tidzam_platform.detections.detection import Detection
from tidzam_platform.labels.class_paths import is_within

RESULTS: Final = "results"
DETECTION: Final = "detection"
DISK_ALARM: Final = "disk_alarm"
LOST: Final = "lost"
"""Of the connection itself: so many events (``count``) were not told, for who follows was too slow."""
_OF_WHAT: Final = {
    "detections": (DETECTION,),
    "windows": ("window",),
    "clips": ("clip_kept", "clip_skipped"),
    "alerts": ("alert", DISK_ALARM),
}
_DIGITS: Final = 4  # of a score


def window_as_told(result: WindowResult) -> dict[str, Any]:
    """One window: its channel, the time of its start, what it is taken for, and every class's score."""
    return {
        "chan": result.key.channel,
        "time": format_utc(result.key.start),
        "result": [result.answer.class_path],
        "outputs": dict(
            zip(result.paths, result.scores.astype(np.float64).round(_DIGITS).tolist(), strict=True)
        ),
        "generation": result.generation,
        "level_dbfs": round(result.level_dbfs, 1),
        "late": result.was_spooled,
    }


def detection_as_told(detection: Detection) -> dict[str, Any]:
    """One detection; times in ISO 8601, UTC."""
    return {
        "id": detection.id,
        "generation": detection.generation,
        "channel": detection.channel,
        "start": format_utc(detection.start),
        "end": format_utc(detection.end),
        "class_path": detection.class_path,
        "score": round(detection.score, _DIGITS),
    }


def chosen(
    event: Mapping[str, Any], what: str, channels: Sequence[str] = (), class_path: str | None = None
) -> Iterator[dict[str, Any]]:
    """Those parts of an event that somebody follows: windows come one by one, as events ``window``.

    That events were ``lost`` always concerns them: nobody knows which.

    Args:
        event: as the analyzer told it.
        what: ``detections``, ``windows``, ``clips``, ``alerts`` or ``all``.
        channels: patterns; none stands for all.
        class_path: only this class and those below it.
    """
    if event["event"] == LOST:
        yield dict(event)
        return
    parts: list[dict[str, Any]] = (
        [{"event": "window", **window} for window in event["windows"]]
        if event["event"] == RESULTS
        else [dict(event)]
    )
    for part in parts:
        kinds = _OF_WHAT.get(what)
        if kinds is not None and part["event"] not in kinds:
            continue
        if channels and not matches_channel(_channel(part), channels):
            continue
        if class_path is not None and not any(is_within(heard, class_path) for heard in _classes(part)):
            continue
        yield part


def _channel(part: Mapping[str, Any]) -> str:
    return str(part.get("chan") or part.get("channel") or "")


def _classes(part: Mapping[str, Any]) -> list[str]:
    heard = part.get("result") or part.get("class_path") or []
    return [heard] if isinstance(heard, str) else list(heard)
