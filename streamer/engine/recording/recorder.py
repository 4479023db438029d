"""Writes a source to the archive, sample for sample, in files that follow each other without a gap."""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from streamer.engine.recording.disk_writer import DiskWriter
from streamer.engine.recording.file_spans import is_jump, span_from
from streamer.engine.recording.plan import RecordingPlan
from streamer.engine.recording.recording_file import RecordingFile
from streamer.engine.rings import Anchor, SourceReader, SourceRing
from streamer.engine.rings.frames import NS_PER_S
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import MissingSystemPartError, RecordingError

CHUNK_S: Final = 0.25  # of audio that is taken from the ring at a time
POLL_S: Final = 0.1
IDLE_S: Final = 30.0  # without a sample for so long, the file is finished: it can be heard then
_MINUTE_S: Final = 60  # schedules change at whole ones
_FIRST_DELAY_S: Final = 0.5
_MAX_DELAY_S: Final = 30.0
_HEALTHY_S: Final = 60.0  # of recording, after which a failure is a first one again
_DRAIN_S: Final = 5.0
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LOG = logging.getLogger(__name__)


class ArchiveRecorder:
    """Records one source, in a thread of its own. Started and stopped once.

    Where a frame belongs follows from its number and the anchors of the ring alone: the clock is asked only for the
    first frame of a ring that has no anchor yet. A new file begins at each whole multiple of the plan's length, after
    a jump of time (a restart of the source, a seek), and after frames that were lost, so that every file is whole and
    its time right. Nothing waits for the disk but this thread: what the ring overwrites meanwhile is counted.

    Args:
        ring: of the source; opened a second time, so that it may be closed at any time.
        plan: where the recordings go.
        first_frame: the first frame to record; the next one that is written by default.
        on_finished: told of each file that has its name, by a thread of the recorder.
        clock: the time of day.
        idle_s: how long no sample may come before the file is finished.
    """

    def __init__(
        self,
        ring: SourceRing,
        plan: RecordingPlan,
        *,
        first_frame: int | None = None,
        on_finished: Callable[[Path], None] | None = None,
        clock: Callable[[], datetime] = utc_now,
        idle_s: float = IDLE_S,
    ) -> None:
        self._ring = SourceRing.open(ring.path)
        self._reader = SourceReader(self._ring, first_frame=first_frame)
        self._plan, self._clock, self._idle_s = plan, clock, idle_s
        self._disk = DiskWriter(plan.source, plan.folder, on_finished)
        self._file: RecordingFile | None = None
        self._own_anchor: Anchor | None = None
        self._next_frame = self._reader.next_frame
        self._sounded_s = time.monotonic()
        self._begun_s = 0.0  # the file that is open, or was last
        self._delay_s = _FIRST_DELAY_S
        self._retry_at_s = 0.0
        self._problem = ""
        self._is_paused, self._paused_frames = False, 0
        self._counts = {
            "recorded_frames": 0,
            "ring_lost_frames": 0,
            "dropped_frames": 0,
            "failures": 0,
            "renamed": 0,
        }
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"tidzam-recorder-{plan.source}", daemon=True)

    def start(self) -> None:
        """Begin to record."""
        self._disk.start()
        self._thread.start()

    def stop(self, timeout_s: float = 20.0) -> bool:
        """Record what is in the ring now, finish the file, end; returns whether that was done in time.

        A disk that hangs may hold a thread of the recorder beyond; it writes nothing wrong then.
        """
        deadline_s = time.monotonic() + timeout_s
        self._stop.set()
        if self._thread.ident is None:  # never started
            self._ring.close()
            return True
        self._thread.join(timeout_s)
        return not self._thread.is_alive() and self._disk.stop(max(deadline_s - time.monotonic(), 0.0))

    def status(self) -> dict[str, Any]:
        """What it is doing, for people."""
        file = self._file
        if self._stop.is_set():
            state = "stopped"
        elif self._thread.ident is not None and not self._thread.is_alive():
            state = "dead"
        elif file is not None:
            state = "recording"
        elif self._is_paused:
            state = "paused"
        else:
            state = "failing" if self._problem else "waiting"
        return {
            "state": state,
            "folder": str(self._plan.folder),
            "file": str(file.name) if file is not None else "",
            "problem": self._problem or self._disk.problem,
        }

    def counts(self) -> dict[str, int]:
        """Counters, for metrics. Frames that are in no file were lost in the ring, dropped, or lost in an encoder."""
        paused = {"paused_frames": self._paused_frames} if self._plan.schedule else {}
        return {**self._counts, **paused, **self._disk.counts()}

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                if not self._step():
                    self._stop.wait(POLL_S)
            deadline_s = time.monotonic() + _DRAIN_S
            while time.monotonic() < deadline_s and self._step():  # what is in the ring by now
                pass
            self._close_file()
        finally:
            self._disk.end_when_done()
            self._ring.close()

    def _step(self) -> bool:
        """Move on; returns whether there may be more to do at once."""
        file = self._file
        now_s = time.monotonic()
        if file is not None:
            try:
                if file.pump():
                    self._disk.write(file)
            except RecordingError as error:
                self._fail(error)
                return False
            if not file.is_ready:  # the ring waits, the encoder is behind
                file.wait(POLL_S)
                return True
        elif now_s < self._retry_at_s:  # the ring keeps the newest frames meanwhile
            return False
        samples = self._reader.read(round(CHUNK_S * self._ring.rate_hz))
        if not len(samples.data):
            if file is not None and now_s - self._sounded_s > self._idle_s:
                self._close_file()
            return False
        self._sounded_s = now_s
        if samples.lost_frames:
            self._counts["ring_lost_frames"] += samples.lost_frames
            _LOG.warning("%s: %d frames came too fast for the disk", self._plan.source, samples.lost_frames)
        if samples.first_frame != self._next_frame:
            self._close_file()
        self._next_frame = samples.first_frame + len(samples.data)
        self._record(samples.first_frame, samples.data)
        return self._reader.available > 0

    def _record(self, frame: int, data: NDArray[np.float32]) -> None:
        """Feed frames that follow each other to the files that they belong to."""
        anchors = self._anchors(frame, frame + len(data))
        while len(data):
            anchor = [known for known in anchors if known.frame <= frame][-1]
            following = min(
                (known.frame for known in anchors if known.frame > frame), default=frame + len(data)
            )
            file = self._file
            if file is not None and (
                frame >= file.span.end_frame or is_jump(file.span.anchor, anchor, self._ring.rate_hz)
            ):
                self._close_file()
            minute = span_from(anchor, frame, file_s=_MINUTE_S, rate_hz=self._ring.rate_hz)
            until = min(frame + len(data), following, minute.end_frame)
            self._is_paused = not self._plan.is_recorded_at(
                _EPOCH + timedelta(microseconds=minute.start_ns // 1000)
            )
            if self._is_paused:
                self._close_file()
                self._paused_frames += until - frame
                frame, data = until, data[until - frame :]
                continue
            try:
                file = self._file or self._open_file(anchor, frame)
            except (RecordingError, MissingSystemPartError, OSError) as error:
                self._fail(error)
                self._counts["dropped_frames"] += len(data)
                return
            frames = min(until, file.span.end_frame) - frame
            file.feed(data[:frames])
            self._counts["recorded_frames"] += frames
            frame, data = frame + frames, data[frames:]

    def _anchors(self, frame: int, end_frame: int) -> list[Anchor]:
        """The anchor of ``frame`` and all that follow before ``end_frame``."""
        kept = [anchor for anchor in self._ring.anchors_kept() if anchor.frame < end_frame]
        if kept and kept[0].frame <= frame:
            self._own_anchor = None
            return kept
        if self._own_anchor is None:
            now_ns = (self._clock() - _EPOCH).total_seconds() * NS_PER_S
            self._own_anchor = Anchor(frame, int(now_ns))
        return [self._own_anchor, *kept]

    def _open_file(self, anchor: Anchor, frame: int) -> RecordingFile:
        span = span_from(anchor, frame, file_s=self._plan.file_s, rate_hz=self._ring.rate_hz)
        self._file = RecordingFile(self._plan, span, self._ring.channels)
        if self._file.is_renamed:
            self._counts["renamed"] += 1
            _LOG.warning("a recording is called %s: the name of its own second is taken", self._file.name)
        self._begun_s = time.monotonic()
        self._problem = ""
        return self._file

    def _close_file(self) -> None:
        """The file is complete: another thread finishes it, while the next one is already written."""
        if self._file is not None:
            file, self._file = self._file, None
            self._disk.finish(file)

    def _fail(self, error: Exception) -> None:
        self._counts["failures"] += 1
        self._problem = str(error)
        _LOG.warning("%s: %s", self._plan.source, error)
        now_s = time.monotonic()
        if self._file is not None and now_s - self._begun_s > _HEALTHY_S:
            self._delay_s = _FIRST_DELAY_S
        self._retry_at_s = now_s + random.uniform(0.5, 1.0) * self._delay_s  # noqa: S311 - no secret
        self._delay_s = min(2 * self._delay_s, _MAX_DELAY_S)
        if self._file is not None:
            file, self._file = self._file, None
            self._disk.finish(file, is_broken=True)
