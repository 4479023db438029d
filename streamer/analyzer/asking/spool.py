"""The spool: windows that wait on disk for the model server, in order, within a bound."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from serving.client.retries import RetryPolicy
from streamer.analyzer.asking.aside import AsideFiles
from streamer.analyzer.asking.segment import Segment, recover_segments
from streamer.analyzer.asking.segment_reader import SegmentReader, StoredWindow
from streamer.analyzer.asking.segment_writer import SegmentWriter
from streamer.analyzer.asking.spans import LostWindows, WindowSpan, index_of, lane_of
from streamer.analyzer.asking.spool_room import SpoolRoom
from streamer.analyzer.free_space import FreeBytes, free_bytes
from streamer.analyzer.windows import Geometry, Moment, WindowKey
from tidzam_platform.clock import format_utc
from tidzam_platform.files import exclusive

SEGMENT_BYTES: Final = 64 << 20
_LEAST_SEGMENTS: Final = 8  # so that dropping one drops little of what there is
_READ_AGAIN: Final = RetryPolicy(
    max_attempts=8, first_delay_s=0.2, longest_delay_s=10.0
)  # half a minute in all
_NAMES = ["written", "taken", "done", "dropped", "damaged", "torn_bytes", "read_failures", "set_aside"]
_LOG = logging.getLogger(__name__)


class Spool:
    """Windows on disk, each of which is taken once, in the order of writing.

    One thread may append, one may take, any may do the rest. Nothing of it raises for a disk that fails or is full:
    what that costs is returned as lost, and counted.

    A segment goes when all of its windows are confirmed or forgotten. Until then its windows are given again to the
    next process that opens the spool, without those that are done. One that cannot be read is tried again for half a
    minute; then its file is set aside for a person to see, and its windows are lost. Files aside take part of the
    spool's space, and are the first to make room.

    Args:
        folder: for its files alone; made where it is missing.
        max_mb: most disk space, MiB; 0 keeps nothing.
        segment_bytes: most of a file.
        reserve_bytes: free space of the disk below which the spool grows no more: the oldest make room for the new.
        measure: free bytes of a folder.
        monotonic: seconds.
        read_again: how often, and after which waits, a segment is tried that cannot be read.

    Raises:
        BusyError: another process has the spool open.
        OSError: the folder cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        max_mb: float,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        reserve_bytes: int = 0,
        measure: FreeBytes = free_bytes,
        monotonic: Callable[[], float] = time.monotonic,
        read_again: RetryPolicy = _READ_AGAIN,
    ) -> None:
        self._folder, self._monotonic, self._read_again = folder, monotonic, read_again
        self._max_bytes = int(max_mb * (1 << 20))
        self._segment_bytes = min(segment_bytes, self._max_bytes // _LEAST_SEGMENTS)
        self._lock = threading.Lock()
        self._writer: SegmentWriter | None = None
        self._writing: Segment | None = None  # the one that the writer appends to
        self._appending = False
        self._reader: SegmentReader | None = None
        self._problem = ""
        self._dropped: Counter[str] = Counter()
        self._room = SpoolRoom(folder, self._max_bytes, reserve_bytes, measure)
        self._failing: Segment | None = None
        self._read_failures, self._read_after_s, self._read_problem = 0, float("-inf"), ""
        self._counts = dict.fromkeys(_NAMES, 0)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._open = contextlib.ExitStack()
        self._open.enter_context(exclusive(folder / "lock", "another analyzer on this spool"))
        self._segments, self._next_number, self._counts["torn_bytes"] = recover_segments(folder)
        self._aside = AsideFiles(folder)
        self._recovered = [span for segment in self._segments for span in segment.waiting_spans()]

    def recovered(self) -> list[WindowSpan]:
        """What waited when the spool was opened, oldest segment first."""
        return self._recovered

    @property
    def has_waiting(self) -> bool:
        """Whether there is anything to take."""
        with self._lock:
            return any(segment.waiting for segment in self._segments)

    def append(self, moment: Moment) -> list[LostWindows]:
        """Write a moment; returns what is lost by that: old windows that made room, or these if they cannot be kept."""
        most_bytes = SegmentWriter.most_bytes(moment.keys)
        if most_bytes > self._max_bytes:
            return [self._lost(moment.keys, f"a spool of {self._max_bytes >> 20} MiB has no room for them")]
        lost, has_room = self._make_room(most_bytes)
        if not has_room:
            return [*lost, self._lost(moment.keys, self._room.problem)]
        with self._lock:
            self._appending = True
        try:
            writer, segment = self._writer_for(most_bytes)
            writer.append(moment.keys, moment.audio)
        except OSError as error:
            with self._lock:
                self._close_writer()
            self._problem = f"{self._folder} cannot be written: {error.strerror or error}"
            _LOG.warning("%s", self._problem)
            lost.append(self._lost(moment.keys, self._problem))
        else:
            self._problem = ""
            with self._lock:
                segment.runs, segment.size_bytes = list(writer.runs), writer.size_bytes
                segment.add(moment.keys)
                if segment.oldest_s == float("inf"):
                    segment.oldest_s = time.time()
                self._counts["written"] += len(moment.keys)
        finally:
            with self._lock:
                self._appending = False
                if self._writing is not None and self._writing.is_done:
                    self._remove(self._writing)
        return lost

    def take(self, most: int) -> tuple[Moment | None, list[LostWindows]]:
        """The oldest windows that wait, ``most`` of one geometry; they are out until confirmed or forgotten.

        Returns:
            a moment, None if there is nothing; and what was found damaged.
        """
        lost: list[LostWindows] = []
        while True:
            with self._lock:
                segment = next((one for one in self._segments if one.waiting), None)
                end = 0 if segment is None else segment.size_bytes
            if segment is None or self._monotonic() < self._read_after_s:
                return None, lost
            try:
                rows, is_at_end = self._read(segment, end, most)
            except OSError as error:
                lost += self._read_failed(segment, error)
                if segment in self._segments:  # it is tried again later
                    return None, lost
                continue
            with self._lock:
                if segment not in self._segments:  # dropped while it was read
                    continue
                keys, audio, damaged = _taken(segment, rows)
                for key in damaged:
                    index = index_of(key.run, key.start_frame)
                    segment.finish(lane_of(key), index, index)
                if is_at_end and segment.size_bytes == end:  # what it should still hold cannot be read
                    damaged += segment.lose_waiting()
                self._counts["taken"] += len(keys)
                self._remove_if_done(segment)
            if damaged:
                self._counts["damaged"] += len(damaged)
                lost.append(self._lost(damaged, f"{segment.path.name} of the spool is damaged"))
            if keys:
                return Moment(tuple(keys), np.stack(audio)), lost

    def confirm(self, spans: Iterable[WindowSpan]) -> None:
        """What these windows led to is stored: those of them that were taken are done."""
        with self._lock:
            for span in spans:
                lane = (span.run, span.number)
                first, last = index_of(span.run, span.first_frame), index_of(span.run, span.last_frame)
                for segment in [one for one in self._segments if lane in one.taken]:
                    done = segment.finish(lane, first, last)
                    self._counts["done"] += sum(high - low + 1 for low, high in done)
                    if done and not segment.is_done:
                        try:
                            segment.note_done(lane, done)
                        except OSError as error:  # they may be heard again after a crash, and stored once
                            _LOG.warning("%s: %s", segment.path, error.strerror or error)
                    self._remove_if_done(segment)

    def forget(self, keys: Iterable[WindowKey]) -> None:
        """Windows that were taken will lead to nothing."""
        self.confirm([WindowSpan(key.run, key.number, key.start_frame, key.start_frame) for key in keys])

    def close(self) -> None:
        """Let go of the files; what is not done is there for the next process. May be called again."""
        with self._lock:
            self._close_writer()
            if self._reader is not None:
                self._reader.close()
                self._reader = None
        self._open.close()

    def status(self) -> dict[str, Any]:
        """What waits and what was dropped, for people and metrics."""
        with self._lock:
            lanes = [item for segment in self._segments for item in segment.waiting.items()]
            seconds = sum(
                len(ranges) * run.geometry.hop_frames / run.geometry.rate_hz for (run, _), ranges in lanes
            )
            self._room.most_bytes(self._taken_bytes(), 0)  # as it is now, also when nothing is written
            oldest_s = next((one.oldest_s for one in self._segments if one.waiting), None)
            return {
                "waiting_windows": sum(len(ranges) for _, ranges in lanes),
                "waiting_s": round(seconds, 3),
                "bytes": self._taken_bytes(),
                "max_bytes": self._max_bytes,
                "segments": len(self._segments),
                "oldest": None if oldest_s is None else format_utc(datetime.fromtimestamp(oldest_s, UTC)),
                "set_aside": len(self._aside),
                "dropped": dict(self._dropped),
                "problem": self._problem or self._room.problem or self._read_problem,
            }

    def counts(self) -> dict[str, int]:
        """Counters since it was opened, of windows: written, taken, done, dropped, damaged.

        And torn bytes, failed attempts to read, and files set aside.
        """
        with self._lock:
            return dict(self._counts)

    def _make_room(self, most_bytes: int) -> tuple[list[LostWindows], bool]:
        """Drop the oldest segments until so much more fits; returns which windows that loses, and whether it fits."""
        lost = []
        with self._lock:
            allowed = self._room.most_bytes(self._taken_bytes(), most_bytes)
            reason = (
                self._room.problem
                or f"the spool was full ({self._max_bytes >> 20} MiB): the oldest were dropped"
            )
            while self._taken_bytes() + most_bytes > allowed:
                if self._aside.remove_oldest():
                    continue
                if not self._segments:
                    break
                keys = self._segments[0].lose_waiting()
                self._remove(self._segments[0])
                if keys:
                    lost.append((keys, reason))
            has_room = self._taken_bytes() + most_bytes <= allowed
        return [self._lost(keys, reason) for keys, reason in lost], has_room

    def _taken_bytes(self) -> int:
        return sum(one.bytes_on_disk for one in self._segments) + self._aside.size_bytes

    def _writer_for(self, most_bytes: int) -> tuple[SegmentWriter, Segment]:
        writer, segment = self._writer, self._writing
        if (
            writer is not None
            and segment is not None
            and writer.size_bytes + most_bytes <= self._segment_bytes
        ):
            return writer, segment
        segment = Segment.at(self._folder, self._next_number)
        self._next_number += 1
        writer = SegmentWriter(segment.path)
        with self._lock:
            self._close_writer()
            self._writer, self._writing = writer, segment
            segment.size_bytes = writer.size_bytes
            self._segments.append(segment)
        return writer, segment

    def _read(self, segment: Segment, end: int, most: int) -> tuple[list[StoredWindow], bool]:
        """The next windows before the byte ``end``, of one geometry; and whether that is all until there.

        OSError if not even one can be read now.
        """
        rows: list[StoredWindow] = []
        geometry: Geometry | None = None
        try:
            if self._reader is None or self._reader.path != segment.path:
                if self._reader is not None:
                    self._reader.close()
                    self._reader = None
                self._reader = SegmentReader(segment.path)
            while len(rows) < most:
                found = self._reader.peek(end)
                if found is None:
                    self._read_failures, self._read_problem = 0, ""
                    return rows, True
                if geometry is not None and found[1].geometry != geometry:
                    break
                geometry = found[1].geometry
                rows.append(self._reader.read(*found))
        except OSError:
            if not rows:
                raise
            return rows, False  # the next call meets it
        self._read_failures, self._read_problem = 0, ""
        return rows, False

    def _read_failed(self, segment: Segment, error: OSError) -> list[LostWindows]:
        """A disk that fails may work a moment later: try again, not for ever; returns what is given up at last."""
        if segment is not self._failing:
            self._failing, self._read_failures = segment, 0
        self._read_failures += 1
        why = error.strerror or str(error)
        is_gone = isinstance(error, FileNotFoundError)
        if not is_gone and self._read_failures < self._read_again.max_attempts:
            self._read_after_s = self._monotonic() + self._read_again.delay_s(self._read_failures)
            if not self._read_problem:
                _LOG.warning("%s of the spool cannot be read, and is tried again: %s", segment.path, why)
            self._read_problem = f"{segment.path.name} cannot be read, and is tried again: {why}"
            with self._lock:
                self._counts["read_failures"] += 1
            return []
        with self._lock:
            self._counts["read_failures"] += 1
            if segment is self._writing and self._appending:
                return []  # whoever appends needs it a moment longer
            keys = segment.lose_waiting()
            if segment in self._segments:
                self._set_aside(segment, is_gone=is_gone)
        self._read_failures, self._read_problem = 0, ""
        return [self._lost(keys, f"{segment.path.name} of the spool cannot be read: {why}")] if keys else []

    def _set_aside(self, segment: Segment, *, is_gone: bool) -> None:
        """Its file stays for a person to see; what is out of it needs it no more."""
        self._segments.remove(segment)
        if segment is self._writing:
            self._close_writer()
        if is_gone:
            return
        try:
            aside = segment.set_aside()
        except OSError as error:
            _LOG.error("%s cannot be set aside: %s", segment.path, error.strerror or error)
            return
        self._counts["set_aside"] += 1
        self._aside.add(aside)
        _LOG.error("%s cannot be read, its windows are lost; it is now %s", segment.path, aside)

    def _close_writer(self) -> None:
        if self._writer is not None:
            self._writer.close()
        self._writer = None
        closed, self._writing = self._writing, None
        if closed is not None and closed.is_done and closed in self._segments:
            self._remove(closed)

    def _remove_if_done(self, segment: Segment) -> None:
        if (
            segment.is_done
            and segment in self._segments
            and not (segment is self._writing and self._appending)
        ):
            self._room.heard(segment.bytes_on_disk)
            self._remove(segment)

    def _remove(self, segment: Segment) -> None:
        self._segments.remove(segment)
        if segment is self._writing:
            self._close_writer()
        try:
            segment.remove_files()
        except OSError as error:
            _LOG.warning("%s cannot be removed: %s", segment.path, error.strerror or error)

    def _lost(self, keys: Sequence[WindowKey], reason: str) -> LostWindows:
        with self._lock:
            self._counts["dropped"] += len(keys)
            self._dropped.update(key.channel for key in keys)
        return LostWindows(tuple(keys), reason)


def _taken(
    segment: Segment, rows: Sequence[StoredWindow]
) -> tuple[list[WindowKey], list[NDArray[np.float32]], list[WindowKey]]:
    """Of windows that were read, those that waited: keys and samples, and the keys of damaged ones."""
    keys, audio, damaged = [], [], []
    to_monotonic_s = time.monotonic() - time.time()
    for row in rows:
        if not segment.take((row.run, row.number), index_of(row.run, row.start_frame)):
            continue
        key = WindowKey(row.run, row.number, row.start_frame, row.ended_s + to_monotonic_s)
        if row.samples is None:
            damaged.append(key)
        else:
            keys.append(key)
            audio.append(row.samples)
        segment.oldest_s = row.ended_s
    return keys, audio, damaged
