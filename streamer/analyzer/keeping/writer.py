"""Clips to the disk: whole into the spool, then into store and catalog. A slow or full disk stops nobody else."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from sqlalchemy.exc import SQLAlchemyError

from streamer.analyzer.keeping.disk_watch import DiskWatch, is_disk_full
from streamer.analyzer.keeping.ledger import Ledger
from streamer.analyzer.keeping.making_room import RoomMaker
from streamer.analyzer.loop_guard import LoopGuard
from tidzam_platform.clips.metadata import ClipMetadata
from tidzam_platform.clips.recording_clips import (
    RecordedClip,
    clip_bytes,
    put_aside,
    record_clip,
    recover_clips,
    spool_clip,
)
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import DecodingError, TidzamError
from tidzam_platform.home import Home

MAX_QUEUE_BYTES: Final = 64 << 20
MAX_SPOOLED: Final = 10_000  # clips that wait for store and catalog
_LOOK_S: Final = 0.5
_HOUSE_S: Final = 1.0
_FULL_RETRY_S: Final = 1.0
_FIRST_DELAY_S: Final = 1.0
_MAX_DELAY_S: Final = 60.0
_AT_A_TIME: Final = 20  # clips that are recovered before a new one is written
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True)
class ClipJob:
    """A clip to be written: samples int16 ``[frames]`` at 48 kHz."""

    samples: NDArray[np.int16]
    metadata: ClipMetadata


class ClipWriter:
    """A thread that writes clips. Started and stopped once; at its start it completes what an ended one left.

    Args:
        home: store, catalog, and where the spool is.
        folder: the spool.
        ledger: told of what is recorded or given up.
        disk: told when a write fails.
        room: makes room.
        tell: told ``clip_kept`` of each clip that is new; must not block.
    """

    def __init__(
        self,
        home: Home,
        folder: Path,
        ledger: Ledger,
        disk: DiskWatch,
        room: RoomMaker,
        tell: Callable[..., None],
    ) -> None:
        self._home, self._folder, self._ledger = home, folder, ledger
        self._disk, self._room, self._tell = disk, room, tell
        self._group_s = home.settings.clips.group_s
        self._condition = threading.Condition()
        self._jobs: deque[ClipJob] = deque()
        self._queued_bytes = 0
        self._in_hand: ClipJob | None = None  # until it is in the spool, or given up
        self._stopping = threading.Event()
        self._has_room = True
        self._spooled = 0
        self._delay_s = _FIRST_DELAY_S
        self._retry_s = 0.0
        self._recover_due = True
        self._housed_s = float("-inf")
        self.problem = ""
        self._counts = {
            "kept": 0,
            "known": 0,
            "recovered": 0,
            "unfinished": 0,
            "damaged": 0,
            "failed": 0,
            "record_failures": 0,
        }
        self._guard = LoopGuard("writing clips", self._stopping.wait)
        self._thread = threading.Thread(target=self._run, name="tidzam-clip-writer", daemon=True)

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    @property
    def faults(self) -> int:
        """Faults that nobody foresaw."""
        return self._guard.faults

    @property
    def is_running(self) -> bool:
        """Whether its thread works."""
        return self._thread.is_alive()

    def stop(self, timeout_s: float) -> bool:
        """Write what waits, if there is room, and end; returns whether it ended in time.

        What has not reached the spool by then is lost, and counted.
        """
        self._stopping.set()
        with self._condition:
            self._condition.notify_all()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with self._condition:
            left = [*self._jobs] if self._in_hand is None else [self._in_hand, *self._jobs]
            self._jobs.clear()
            self._queued_bytes, self._in_hand = 0, None
        for job in left:
            self._give_up(job, "a clip is lost: it was not written when the time to end was over")
        return not self._thread.is_alive()

    @property
    def accepts(self) -> bool:
        """Whether it takes clips: there is room on the disk, and not too many wait."""
        return self._has_room and self._spooled < MAX_SPOOLED

    def submit(self, job: ClipJob) -> bool:
        """Write a clip soon; False if too many wait. Never blocks."""
        with self._condition:
            if self._queued_bytes + job.samples.nbytes > MAX_QUEUE_BYTES or self._stopping.is_set():
                return False
            self._jobs.append(job)
            self._queued_bytes += job.samples.nbytes
            self._condition.notify()
        return True

    def counts(self) -> dict[str, int]:
        """Counters, for metrics."""
        return {
            **self._counts,
            "removed": self._room.removed_clips,
            "queued": len(self._jobs),
            "spooled": self._spooled,
        }

    def status(self) -> dict[str, Any]:
        """For people."""
        return {"accepts": self.accepts, "problem": self.problem or self._room.problem}

    def _run(self) -> None:
        goes_on = True
        while goes_on:
            with self._guard:
                self._keep_house()
            with self._guard:
                goes_on = self._turn()

    def _turn(self) -> bool:
        """Write a clip, if one waits; False at the end."""
        job = self._next()
        if job is None:
            return not self._stopping.is_set()
        try:
            self._write(job)
        except Exception as error:  # noqa: BLE001 - one clip must not cost those that follow
            self._guard.note(error)
            self._lose(job, f"a clip is lost by a fault, see the log: {error}")
        return True

    def _next(self) -> ClipJob | None:
        with self._condition:
            if not self._jobs and not self._stopping.is_set():
                self._condition.wait(_LOOK_S)
            if not self._jobs:
                return None
            job = self._in_hand = self._jobs.popleft()
            self._queued_bytes -= job.samples.nbytes
            return job

    def _let_go(self, job: ClipJob) -> bool:
        """The clip waits in our hand no more; False if ``stop`` has given it up meanwhile."""
        with self._condition:
            is_ours, self._in_hand = self._in_hand is job, None
            return is_ours

    def _keep_house(self) -> None:
        now_s = time.monotonic()
        if self._recover_due and now_s >= self._retry_s:
            self._recover()
        if now_s - self._housed_s >= _HOUSE_S:
            self._housed_s = now_s
            self._has_room = self._room.make()

    def _write(self, job: ClipJob) -> None:
        try:
            data = clip_bytes(job.samples, job.metadata)
        except (TidzamError, OSError) as error:
            self._lose(job, f"a clip cannot be encoded: {error}")
            return
        while (path := self._spool(data)) is None:
            if self._stopping.wait(_FULL_RETRY_S):
                self._lose(job, "a clip is lost: there was no room for it to the end")
                return
        if not self._let_go(job):
            self._counts["failed"] -= 1
            _LOG.info("a clip was written after all: %s", path)
        self._spooled += 1
        if self._recover_due:  # store or catalog are away; this one waits with the others
            return
        try:
            self._recorded(record_clip(self._home.catalog, self._home.store, path, group_s=self._group_s))
            self._spooled -= 1
            self.problem = ""
        except DecodingError as error:
            self._put_aside(path, error)
        except Exception as error:  # noqa: BLE001 - whatever it is: the clip is in the spool, and tried again
            if not isinstance(error, TidzamError | SQLAlchemyError | OSError):
                self._guard.note(error)
            self._record_failed(error)

    def _put_aside(self, path: Path, why: DecodingError) -> None:
        try:
            damaged = put_aside(path)
        except OSError as error:  # a full disk has no room for a folder: it stays where it is meanwhile
            self._record_failed(error)
            return
        self._damaged(damaged, why)
        self._spooled -= 1

    def _spool(self, data: bytes) -> Path | None:
        """Where the clip lies now; None if there is no room for it."""
        # Once in the spool, once in the store.
        self._has_room = self._room.make(2 * len(data))
        if not self._has_room:
            return None
        try:
            path = spool_clip(self._folder, data)
        except OSError as error:
            self._disk.write_failed(error)
            self._has_room = False
            return None
        if not self._recover_due:
            self._disk.write_succeeded()
        return path

    def _recover(self) -> None:
        """Record clips that lie in the spool."""
        try:
            recovery = recover_clips(
                self._home.catalog, self._home.store, self._folder, group_s=self._group_s, most=_AT_A_TIME
            )
            left = sum(1 for _ in self._folder.glob("*.flac"))
        except OSError as error:
            self._record_failed(error)
            return
        for clip in recovery.recorded:
            self._counts["recovered"] += 1
            self._recorded(clip)
        self._counts["unfinished"] += recovery.unfinished
        for path in recovery.damaged:
            self._damaged(path)
        self._spooled = left
        if recovery.failed:
            self._record_failed(recovery.error, recovery.failed[0])
            return
        self._recover_due = left > 0
        self._delay_s = _FIRST_DELAY_S
        if not left:
            self.problem = ""
            self._disk.write_succeeded()

    def _recorded(self, clip: RecordedClip) -> None:
        metadata = clip.metadata
        if not clip.is_new:
            self._counts["known"] += 1
            self._ledger.give_up(metadata.class_path, metadata.rule_id)
            return
        self._counts["kept"] += 1
        self._ledger.record(metadata.class_path, metadata.rule_id)
        self._room.kept(clip.size_bytes)
        self._tell(
            "clip_kept",
            id=clip.id,
            channel=metadata.channel,
            start=format_utc(metadata.start),
            seconds=clip.seconds,
            class_path=metadata.class_path,
            score=round(metadata.score, 4),
            generation=metadata.generation,
            rule=metadata.rule_id,
            destination=metadata.destination,
        )

    def _record_failed(self, error: BaseException | None, said: str = "") -> None:
        """Store or catalog do not take clips now: they stay in the spool, and are tried again later."""
        self._counts["record_failures"] += 1
        self.problem = f"clips wait in {self._folder}: {said or error}"
        _LOG.warning("%s", self.problem)
        if is_disk_full(error) and error is not None:
            self._disk.write_failed(error)
        self._recover_due = True
        self._retry_s = time.monotonic() + self._delay_s * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
        self._delay_s = min(2 * self._delay_s, _MAX_DELAY_S)

    def _lose(self, job: ClipJob, problem: str) -> None:
        if self._let_go(job):
            self._give_up(job, problem)

    def _give_up(self, job: ClipJob, problem: str) -> None:
        self._counts["failed"] += 1
        self._ledger.give_up(job.metadata.class_path, job.metadata.rule_id)
        self.problem = problem
        _LOG.error("%s", problem)

    def _damaged(self, path: Path, error: DecodingError | None = None) -> None:
        self._counts["damaged"] += 1
        _LOG.error("%s is damaged and put aside%s", path, f": {error}" if error else "")
