"""How much is heard, as counters for Prometheus; the web process shows them on ``/metrics``."""

from __future__ import annotations

import threading
from typing import Final

from tidzam_platform.detections.detection import Detection

MAX_LABELS: Final = 1000
OTHER: Final = "other"  # what comes beyond MAX_LABELS


class DetectionCounters:
    """Detections by class and by channel since the start; safe to use from several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._by_class: dict[str, int] = {}
        self._by_channel: dict[str, int] = {}

    def add(self, detection: Detection) -> None:
        """Count one."""
        with self._lock:
            _count(self._by_class, detection.class_path)
            _count(self._by_channel, detection.channel)

    def counts(self) -> dict[str, dict[str, int]]:
        """By class path and by channel name."""
        with self._lock:
            return {
                "detections_by_class_total": dict(self._by_class),
                "detections_by_channel_total": dict(self._by_channel),
            }


def _count(counts: dict[str, int], label: str) -> None:
    known = label if label in counts or len(counts) < MAX_LABELS else OTHER
    counts[known] = counts.get(known, 0) + 1
