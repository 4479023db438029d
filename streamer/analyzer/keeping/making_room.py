"""The policy of a full disk: the oldest clips that nobody has labelled go first."""

from __future__ import annotations

import contextlib
import logging
import os
import time
from pathlib import Path
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from streamer.analyzer.keeping.disk_watch import DiskWatch, is_disk_full
from tidzam_platform.clips.counting import unlabelled_bytes
from tidzam_platform.clips.removal import RemovalJournal, finish_removals, remove_oldest_unlabelled
from tidzam_platform.errors import TidzamError
from tidzam_platform.home import Home
from tidzam_platform.settings import ClipsSettings

MARGIN: Final = 0.05  # of the reserve: so much more is made free, so that not every clip removes one
_TURN_S: Final = 2.0  # of removing at a time: new clips wait meanwhile
_COUNT_S: Final = 60.0
SPARE_BYTES: Final = 1 << 20
_MB: Final = 1_000_000
_LOG = logging.getLogger(__name__)


class Spare:
    """Space that is kept for the catalog: on a disk that is full to the last byte it could not even forget a clip."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.fill()

    def fill(self) -> None:
        """Take the space, if there is some."""
        handle = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(handle).st_size < SPARE_BYTES:
                with contextlib.suppress(OSError):  # another time
                    os.posix_fallocate(handle, 0, SPARE_BYTES)
        finally:
            os.close(handle)

    def give(self) -> None:
        """Give it to whoever writes next; if somebody has deleted it, its space is free already."""
        try:
            os.truncate(self._path, 0)
        except FileNotFoundError:
            pass
        except OSError as error:
            _LOG.warning("%s cannot be emptied: %s", self._path, error.strerror or error)


class RoomMaker:
    """For one thread, that of the writer.

    Args:
        home: catalog and store.
        disk: says how much is free.
        folder: the spool; the journal of removals is there, and some spare space.
        settings: what to do on a full disk.

    Raises:
        OSError: the journal cannot be made.
    """

    def __init__(self, home: Home, disk: DiskWatch, folder: Path, settings: ClipsSettings) -> None:
        self._home, self._disk = home, disk
        self._journal, self._spare = RemovalJournal(folder / "removals"), Spare(folder / "spare")
        self._removes = settings.when_full == "remove_oldest_unlabelled"
        self._total_bytes = settings.total_mb * _MB
        self._kept_bytes = 0
        self._counted_s = float("-inf")
        self._owes = True  # a process that ended may have left a removal half done
        self.removed_clips = 0
        self.problem = ""

    def kept(self, size_bytes: int) -> None:
        """A clip was recorded."""
        self._kept_bytes += size_bytes

    def make(self, more_bytes: int = 0) -> bool:
        """Whether there is room for ``more_bytes``; removes clips for a while where the policy says so."""
        try:
            self._make(more_bytes)
            self.problem = ""
        except (TidzamError, SQLAlchemyError, OSError) as error:
            self._owes = True
            self.problem = f"no room can be made for clips: {error}"
            _LOG.warning("%s", self.problem)
            if is_disk_full(error):
                self._spare.give()
        is_over = self._over_quota(more_bytes) > 0
        if more_bytes or not is_over:
            self._disk.over_quota(
                f"clips that nobody has labelled have reached {self._total_bytes // _MB} MB"
                if is_over
                else ""
            )
        return self._disk.has_room(more_bytes) and not is_over

    def _make(self, more_bytes: int) -> None:
        end_s = time.monotonic() + _TURN_S
        if self._owes:
            finish_removals(self._home.catalog, self._home.store, self._journal)
            self._owes = False
        if self._total_bytes and time.monotonic() - self._counted_s > _COUNT_S:
            self._kept_bytes = unlabelled_bytes(self._home.catalog)
            self._counted_s = time.monotonic()
        self._disk.has_room(more_bytes)  # people are told before clips go
        while self._removes and (lacking := self._lacking(more_bytes)) > 0 and time.monotonic() < end_s:
            removal = remove_oldest_unlabelled(self._home.catalog, self._home.store, self._journal, lacking)
            self.removed_clips += removal.clips
            self._kept_bytes = max(0, self._kept_bytes - removal.freed_bytes)
            if not removal.clips:
                break
            _LOG.info("%d old clips removed that nobody had labelled", removal.clips)
        if not self._disk.is_alarmed:
            self._spare.fill()

    def _lacking(self, more_bytes: int) -> int:
        """Bytes that must become free; none while nobody knows how many are: clips never go for a guess."""
        free = self._disk.look(at_once=True)
        if free is None:
            return 0
        margin = round(MARGIN * self._disk.reserve_bytes) if self._disk.is_alarmed else 0
        # What is removed from a distant store frees nothing here.
        on_disk = 0 if self._home.settings.store else self._disk.reserve_bytes + margin + more_bytes - free
        return max(on_disk, self._over_quota(more_bytes))

    def _over_quota(self, more_bytes: int) -> int:
        # Half of it: a clip takes its bytes in the spool and, for long, in the store.
        return self._kept_bytes + more_bytes // 2 - self._total_bytes if self._total_bytes else 0
