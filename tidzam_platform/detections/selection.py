"""The first few of many detections, each once, in bounded memory."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from tidzam_platform.detections.detection import Detection


class Selection:
    """Keeps the ``size`` detections that come first in the order asked for; those of one id count once."""

    def __init__(self, size: int, *, newest_first: bool) -> None:
        self.size = size
        self.newest_first = newest_first
        self._kept: dict[str, Detection] = {}
        self._last: datetime | None = None  # start of the last one kept, once there are enough

    def offer(self, detections: Iterable[Detection]) -> None:
        """Keep what comes early enough."""
        for one in detections:
            if not self.needs(one.start):
                continue
            self._kept.setdefault(one.id, one)
            if len(self._kept) >= 2 * self.size:
                self._shrink()
        if len(self._kept) >= self.size:
            self._shrink()

    def needs(self, start: datetime) -> bool:
        """Whether a detection with that start could still belong to the first ones."""
        if self._last is None:
            return True
        return start >= self._last if self.newest_first else start <= self._last

    def result(self) -> list[Detection]:
        """What was kept, in order."""
        self._shrink()
        return list(self._kept.values())

    def _shrink(self) -> None:
        ordered = sorted(self._kept.values(), key=lambda one: (one.start, one.id), reverse=self.newest_first)[
            : self.size
        ]
        self._kept = {one.id: one for one in ordered}
        if len(ordered) == self.size:
            self._last = ordered[-1].start
