"""How far a page came through the files of the archive before its time was over."""

from __future__ import annotations

import time
from datetime import UTC, date
from typing import Final

from tidzam_platform.detections.query import DetectionQuery, Position


class Deadline:
    """When an answer must be there."""

    def __init__(self, within_s: float | None) -> None:
        """Args: ``within_s`` from now on; None: whenever it is."""
        self.within_s: Final = within_s
        self._end_s = None if within_s is None else time.monotonic() + within_s

    def is_over(self) -> bool:
        """Whether it is too late."""
        return self._end_s is not None and time.monotonic() > self._end_s


class Progress:
    """Follows the files that a page reads, by day in the order of its query and by number within a day.

    A day of which a file is left says nothing for certain: an unread file may hold what comes first. But files at its
    beginning that hold nothing need not be read again.
    """

    def __init__(self, query: DetectionQuery, after: Position | None) -> None:
        """Args: ``after`` is where the page begins."""
        self._newest_first = query.newest_first
        self._after = after
        self._after_day = None if after is None else after.start.astimezone(UTC).date()
        self._first_day: date | None = None
        self._day: date | None = None
        self._empty = 0  # number of the last file of that beginning
        self._all_empty = True

    @property
    def has_begun(self) -> bool:
        """Whether any file was read."""
        return self._first_day is not None

    def read(self, day: date, number: int, *, is_empty: bool) -> None:
        """A file of that day and number was read; ``is_empty``: it surely holds nothing that is asked for."""
        self._first_day = self._first_day or day
        if day != self._day:
            self._day, self._empty, self._all_empty = day, self._known_empty(day), True
        self._all_empty = self._all_empty and is_empty
        if self._all_empty:
            self._empty = number

    def place(self, day: date) -> Position | None:
        """Where to go on if a file of ``day`` is the next one; None where nothing would be gained by that."""
        empty = self._empty if day == self._day else self._known_empty(day)
        if self._first_day is None or (day == self._first_day and empty == self._known_empty(day)):
            return None
        if self._after is not None and day == self._after_day:
            return Position(self._after.start, self._after.id, empty)
        edge = Position.before_day(day, newest_first=self._newest_first)
        return Position(edge.start, edge.id, empty)

    def _known_empty(self, day: date) -> int:
        """What the page before found so."""
        return self._after.empty_files if self._after is not None and day == self._after_day else 0
