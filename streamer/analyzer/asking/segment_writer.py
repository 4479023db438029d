"""Writing a segment of the spool: whole windows where nothing of them is there, else only their new samples."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.asking.records import (
    HEAD_BYTES,
    MAGIC,
    MOST_RUN_BYTES,
    SAMPLE_BYTES,
    run_record,
    window_record,
)
from streamer.analyzer.asking.spans import Lane, lane_of
from streamer.analyzer.windows import Run, WindowKey

_BUFFERS_AT_ONCE: Final = 512  # of a writev; the kernel takes 1024


class SegmentWriter:
    """Appends to a file of its own; for one thread.

    Args:
        path: of the new file; OSError if there is one, or it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.runs: list[Run] = []
        self._index: dict[Run, int] = {}
        self._last_frame: dict[Lane, int] = {}  # start of the last window of each lane
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        self.size_bytes = 0
        try:
            self._write([MAGIC])
        except OSError:
            self.close()
            path.unlink(missing_ok=True)
            raise
        self.size_bytes = len(MAGIC)

    @staticmethod
    def most_bytes(keys: Sequence[WindowKey]) -> int:
        """What windows take at most, in a segment of their own."""
        runs = len({key.run for key in keys})
        windows = sum(HEAD_BYTES + key.run.geometry.window_frames * SAMPLE_BYTES for key in keys)
        return len(MAGIC) + runs * MOST_RUN_BYTES + windows

    def append(self, keys: Sequence[WindowKey], audio: NDArray[np.float32]) -> None:
        """Write the windows; all or none of them are there afterwards.

        Args:
            keys: which windows.
            audio: float32 ``[windows, window_frames]``, row i belongs to ``keys[i]``; not copied.

        Raises:
            OSError: the disk did not take them; what it took of them is cut off again.
        """
        buffers: list[bytes | memoryview] = []
        new_runs: dict[Run, int] = {}
        last_frame: dict[Lane, int] = {}
        wall_s = time.time() - time.monotonic()
        for key, row in zip(keys, np.ascontiguousarray(audio, "<f4"), strict=True):
            run = self._index.get(key.run, new_runs.get(key.run))
            if run is None:
                run = new_runs[key.run] = len(self.runs) + len(new_runs)
                buffers += run_record(run, key.run)
            lane = lane_of(key)
            before = last_frame.get(lane, self._last_frame.get(lane))
            step = len(row) if before is None else key.start_frame - before
            new = row[-step:] if 0 < step < len(row) else row
            buffers += window_record(run, key.number, key.start_frame, wall_s + key.ended_s, new)
            last_frame[lane] = key.start_frame
        try:
            written = self._write(buffers)
        except OSError:
            os.ftruncate(self._file, self.size_bytes)
            raise
        self.size_bytes += written
        self.runs += new_runs
        self._index |= new_runs
        self._last_frame |= last_frame

    def close(self) -> None:
        """Let go of the file. May be called again."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1

    def _write(self, buffers: Sequence[bytes | memoryview]) -> int:
        """Write all of it behind what is there; returns how many bytes."""
        begin = offset = self.size_bytes
        for first in range(0, len(buffers), _BUFFERS_AT_ONCE):
            rest = [memoryview(buffer) for buffer in buffers[first : first + _BUFFERS_AT_ONCE]]
            while rest:
                taken = os.pwritev(self._file, rest, offset)
                offset += taken
                while rest and taken >= len(rest[0]):
                    taken -= len(rest.pop(0))
                if rest:
                    rest[0] = rest[0][taken:]
        return offset - begin
