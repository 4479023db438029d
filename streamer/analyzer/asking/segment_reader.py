"""Reading a segment of the spool, window by window, or only which windows it holds."""

from __future__ import annotations

import os
import zlib
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.asking.index_ranges import IndexRanges
from streamer.analyzer.asking.records import HEAD_BYTES, MAGIC, RUN, Head, read_head, read_run
from streamer.analyzer.asking.spans import Lane, index_of
from streamer.analyzer.windows import Run


@dataclass(slots=True)
class StoredWindow:
    """A window as it stands in a segment.

    Attributes:
        run: whose grid it lies on.
        number: of the channel, from 1.
        start_frame: its first frame.
        ended_s: when its last sample was there, seconds since 1970.
        samples: float32 ``[window_frames]``, not to be changed; None if they are damaged.
    """

    run: Run
    number: int
    start_frame: int
    ended_s: float
    samples: NDArray[np.float32] | None


@dataclass(slots=True)
class Contents:
    """What a segment holds, by the heads of its records.

    Attributes:
        runs: as its records count them; None for one that cannot be read.
        windows: of each lane, by their numbers on the grid.
        good_bytes: up to the first record that is cut off or damaged.
        torn_bytes: what follows.
        first_ended_s: of its first window, seconds since 1970; infinite without one.
    """

    runs: list[Run | None] = field(default_factory=list)
    windows: dict[Lane, IndexRanges] = field(default_factory=dict)
    good_bytes: int = 0
    torn_bytes: int = 0
    first_ended_s: float = float("inf")


class SegmentReader:
    """Reads the records of a segment in their order; for one thread.

    Memory: one window of each lane that the segment has.

    Args:
        path: of the file; OSError if it cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: list[Run | None] = []
        self.offset = 0  # of the next record
        self._before: dict[Lane, tuple[int, NDArray[np.float32] | None]] = {}
        self._file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            if self._read(len(MAGIC), 0) == MAGIC:
                self.offset = len(MAGIC)
        except OSError:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file. May be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def peek(self, end: int) -> tuple[Head, Run] | None:
        """Head and run of the next window before the byte ``end``; None if there is none, or the rest is unreadable."""
        while self.offset:  # 0: it does not begin as segments do
            head = read_head(self._read(HEAD_BYTES, self.offset))
            if head is None or self.offset + HEAD_BYTES + head.body_bytes > end:
                return None
            if head.marker == RUN:
                body = self._read(head.body_bytes, self.offset + HEAD_BYTES)
                self.runs.append(read_run(head, body) if head.run == len(self.runs) else None)
            elif (run := self._run_of(head)) is not None:
                return head, run
            self.offset += HEAD_BYTES + head.body_bytes
        return None

    def skip(self, head: Head) -> None:
        """Go past the window that ``peek`` gave, without its samples."""
        self.offset += HEAD_BYTES + head.body_bytes

    def read(self, head: Head, run: Run) -> StoredWindow:
        """The window that ``peek`` gave."""
        body = self._read(head.body_bytes, self.offset + HEAD_BYTES)
        self.skip(head)
        lane = (run, head.number)
        samples = None
        if len(body) == head.body_bytes and zlib.crc32(body) == head.body_crc:
            samples = self._whole(lane, head, np.frombuffer(body, "<f4"))
        self._before[lane] = (head.start_frame, samples)
        return StoredWindow(run, head.number, head.start_frame, head.ended_s, samples)

    def _run_of(self, head: Head) -> Run | None:
        """The run of a window's head, if it can be one of its windows."""
        run = self.runs[head.run] if head.run < len(self.runs) else None
        if run is None or head.length > run.geometry.window_frames:
            return None
        return None if head.start_frame % run.geometry.hop_frames else run

    def _whole(self, lane: Lane, head: Head, new: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """The window that ends with ``new``; None if the one that it goes on from is not there."""
        width = lane[0].geometry.window_frames
        if len(new) == width:
            return new
        start_frame, before = self._before.get(lane, (-1, None))
        if before is None or start_frame + len(new) != head.start_frame:
            return None
        return np.concatenate([before[len(new) :], new])

    def _read(self, size: int, offset: int) -> bytes:
        return os.pread(self._file, size, offset)


def contents_of(path: Path) -> Contents:
    """Look through a segment without its samples.

    Raises:
        OSError: it cannot be read.
    """
    size = path.stat().st_size
    reader = SegmentReader(path)
    contents = Contents(runs=reader.runs)
    try:
        while (found := reader.peek(size)) is not None:
            head, run = found
            contents.windows.setdefault((run, head.number), IndexRanges()).add(
                index_of(run, head.start_frame)
            )
            contents.first_ended_s = min(contents.first_ended_s, head.ended_s)
            reader.skip(head)
        contents.good_bytes, contents.torn_bytes = reader.offset, size - reader.offset
    finally:
        reader.close()
    return contents
