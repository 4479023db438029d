"""Whether there is room for clips: looked at often, told at once, never waited for."""

from __future__ import annotations

import errno
import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from streamer.analyzer.free_space import FreeBytes, free_bytes
from tidzam_platform.clock import format_utc, utc_now

LOOK_S: Final = 2.0
LEAST_FREE_BYTES: Final = 1 << 20  # below it nothing can be written, whatever the reserve
_HYSTERESIS: Final = 0.1  # of the reserve: so much more must be free before the alarm ends
_MB: Final = 1_000_000
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)
_LOG = logging.getLogger(__name__)


def is_disk_full(error: BaseException | None) -> bool:
    """Whether a full disk is what an error comes from."""
    while error is not None:
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) == sqlite3.SQLITE_FULL:
            return True
        error = error.__cause__ or error.__context__
    return False


class DiskWatch:
    """Free space of the folders that clips go to. For any thread.

    An alarm begins when less than the reserve is free, when nobody knows how much is, when a write failed for want of
    space, or when clips have reached their quota; it ends when there is room again, a tenth of the reserve more than it
    asks for. Both are told.

    Args:
        folders: that exist.
        reserve_bytes: that clips leave free.
        tell: is called with ``disk_alarm`` and what it says; must not block.
        measure: free bytes of a folder.
        now: the time of day.
    """

    def __init__(
        self,
        folders: Sequence[Path],
        reserve_bytes: int,
        tell: Callable[..., None],
        *,
        measure: FreeBytes = free_bytes,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self._folders, self._tell, self._measure, self._now = tuple(folders), tell, measure, now
        self.reserve_bytes = max(reserve_bytes, LEAST_FREE_BYTES)
        self._lock = threading.Lock()
        self._looked_s = float("-inf")
        self._free: int | None = self.reserve_bytes  # None: nobody knows
        self._unknown = ""
        self._needed_bytes = 0  # of what had no room beside the reserve
        self._write_failed = ""
        self._over_quota = ""
        self._reason = ""
        self._since: datetime | None = None
        self.alarms = 0

    @property
    def is_alarmed(self) -> bool:
        """Whether there is no room, or there was none a moment ago."""
        return bool(self._reason)

    def look(self, *, at_once: bool = False) -> int | None:
        """Measure, if the last time was long ago; returns the bytes that are free, None if that is not known."""
        now_s = time.monotonic()
        if at_once or now_s - self._looked_s >= LOOK_S:
            self._looked_s = now_s
            self._measure_all()
            self._judge()
        return self._free

    def has_room(self, more_bytes: int) -> bool:
        """Whether ``more_bytes`` can be written and the reserve stays; if not, or if nobody knows, that is an alarm."""
        free = self.look(at_once=True)
        if free is not None and free - more_bytes >= self.reserve_bytes:
            return True
        if free is not None:
            self._needed_bytes = more_bytes
        self._judge()
        return False

    def write_failed(self, error: BaseException) -> None:
        """A write failed for want of space."""
        with self._lock:
            self._write_failed = f"a clip cannot be written: {error}"
        self._judge()

    def write_succeeded(self) -> None:
        """A clip was written."""
        if self._write_failed:
            with self._lock:
                self._write_failed = ""
            self.look(at_once=True)

    def over_quota(self, why: str) -> None:
        """Clips have reached their quota; "" when they are below it again."""
        if why != self._over_quota:
            with self._lock:
                self._over_quota = why
            self._judge()

    def status(self) -> dict[str, Any]:
        """For people; ``free_mb`` is None where nobody knows it."""
        free = self._free
        return {
            "is_full": self.is_alarmed,
            "reason": self._reason,
            "since": None if self._since is None else format_utc(self._since),
            "free_mb": None if free is None else free // _MB,
            "reserve_mb": self.reserve_bytes // _MB,
        }

    def _measure_all(self) -> None:
        unknown, free = "", []
        for folder in self._folders:
            try:
                free.append(self._measure(folder))
            except OSError as error:
                unknown = f"the free space of {folder} is not known: {error.strerror or error}"
        self._unknown, self._free = unknown, None if unknown else min(free)

    def _judge(self) -> None:
        with self._lock:
            least = self.reserve_bytes + self._needed_bytes
            least = round(least * (1 + _HYSTERESIS)) if self._reason else least
            free, low = self._free, self._unknown
            if free is not None and free < least:
                low = f"{free / _MB:.0f} MB are free, clips leave {self.reserve_bytes / _MB:.0f} MB"
            reason = self._write_failed or self._over_quota or low
            begins, ends = bool(reason and not self._reason), bool(self._reason and not reason)
            self._reason = reason
            if begins:
                self.alarms += 1
                self._since = self._now()
            elif ends:
                self._since, self._needed_bytes = None, 0
        if begins or ends:
            _LOG.log(
                logging.ERROR if begins else logging.INFO,
                "clips: %s",
                f"no room: {reason}" if begins else "there is room again",
            )
            self._tell("disk_alarm", state="full" if begins else "ok", **self.status())
