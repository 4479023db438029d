"""How large the spool may be: its own bound, and that of a disk on which others need room too."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from streamer.analyzer.free_space import FreeBytes

_HYSTERESIS: Final = 0.1  # of the reserve: so much more must be free before it grows again
_MB: Final = 1_000_000


class SpoolRoom:
    """Says how many bytes a spool may take. Not for several threads at once.

    While less than the reserve is free the spool grows no more: it may be as large as it was when that began, less what
    was heard since. (It is not emptied: what takes the room may be another's, who would take that too.)

    Args:
        folder: on the disk.
        max_bytes: of the spool.
        reserve_bytes: that stay free.
        measure: free bytes of a folder.
    """

    def __init__(self, folder: Path, max_bytes: int, reserve_bytes: int, measure: FreeBytes) -> None:
        self._folder, self._max_bytes, self._measure = folder, max_bytes, measure
        self._reserve_bytes = reserve_bytes
        self._ceiling: int | None = None
        self.problem = ""
        """Why the spool may not grow to its bound; empty if it may."""

    def most_bytes(self, taken: int, more: int) -> int:
        """What it may take when ``more`` bytes have been added to the ``taken``."""
        try:
            free = self._measure(self._folder)
        except OSError:  # nobody knows: a write will tell
            free = None
        least = self._reserve_bytes * (1 if self._ceiling is None else 1 + _HYSTERESIS)
        if free is None or free - more >= least:
            self._ceiling, self.problem = None, ""
            return self._max_bytes
        if self._ceiling is None:
            self._ceiling = taken
        self.problem = (
            f"{free // _MB} MB of the disk are free, {self._reserve_bytes // _MB} MB shall stay free "
            "(clips.disk_reserve_mb): the spool grows no more, its oldest windows make room for new ones"
        )
        return min(self._max_bytes, self._ceiling)

    def heard(self, size_bytes: int) -> None:
        """So much of the spool was heard and removed: others may have the room."""
        if self._ceiling is not None:
            self._ceiling = max(0, self._ceiling - size_bytes)
