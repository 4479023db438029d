"""What the spool knows of one of its segments: which windows wait in it, and which are out to be heard."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from streamer.analyzer.asking.index_ranges import IndexRanges
from streamer.analyzer.asking.records import DONE_BYTES, read_done, write_done
from streamer.analyzer.asking.segment_reader import contents_of
from streamer.analyzer.asking.spans import Lane, WindowSpan, frame_of, index_of, keys_of
from streamer.analyzer.windows import Run, WindowKey

SUFFIX: Final = ".windows"
ASIDE_SUFFIX: Final = ".unreadable"
_DONE_SUFFIX: Final = ".done"
_DIGITS: Final = 12
_LOG = logging.getLogger(__name__)


@dataclass(slots=True)
class Segment:
    """A file of windows. Not safe to use from several threads: the spool's lock guards it.

    Attributes:
        number: segments are heard and dropped in this order.
        path: of the file; beside it lies a small one of the windows that are done.
        runs: as the file counts them; None for one that cannot be read.
        size_bytes: of what is written whole.
        done_bytes: of the file beside it.
        waiting: windows that nobody has taken yet, by their numbers on the grid.
        taken: windows that are out to be heard, or heard, and not done.
        oldest_s: when the oldest waiting window ended, seconds since 1970, or a little before.
    """

    number: int
    path: Path
    runs: list[Run | None] = field(default_factory=list)
    size_bytes: int = 0
    done_bytes: int = 0
    waiting: dict[Lane, IndexRanges] = field(default_factory=dict)
    taken: dict[Lane, IndexRanges] = field(default_factory=dict)
    oldest_s: float = float("inf")

    @classmethod
    def at(cls, folder: Path, number: int) -> Self:
        """The segment of that number, without a file yet."""
        return cls(number, folder / f"{number:0{_DIGITS}}{SUFFIX}")

    @classmethod
    def recover(cls, path: Path) -> tuple[Self, int]:
        """Look through a file that another process left; also returns how many bytes at its end are torn.

        Raises:
            OSError: it cannot be read.
        """
        contents = contents_of(path)
        segment = cls(int(path.stem), path, contents.runs, contents.good_bytes)
        segment.waiting, segment.oldest_s = contents.windows, contents.first_ended_s
        done_file = segment._done_file
        if done_file.exists():
            records = read_done(done_file.read_bytes())
            segment.done_bytes = len(records) * DONE_BYTES
            os.truncate(done_file, segment.done_bytes)  # later records must not follow half a one
            for index, number, first, last in records:
                run = contents.runs[index] if index < len(contents.runs) else None
                if run is not None:
                    _remove(segment.waiting, (run, number), index_of(run, first), index_of(run, last))
        return segment, contents.torn_bytes

    @property
    def bytes_on_disk(self) -> int:
        """Of both files."""
        return self.size_bytes + self.done_bytes

    @property
    def is_done(self) -> bool:
        """Whether nothing in it is needed any more."""
        return not self.waiting and not self.taken

    def add(self, keys: Iterable[WindowKey]) -> None:
        """These windows were written."""
        for key in keys:
            ranges = self.waiting.setdefault((key.run, key.number), IndexRanges())
            ranges.add(index_of(key.run, key.start_frame))

    def take(self, lane: Lane, index: int) -> bool:
        """A waiting window is out now; False if it does not wait."""
        if not _remove(self.waiting, lane, index, index):
            return False
        self.taken.setdefault(lane, IndexRanges()).add(index)
        return True

    def finish(self, lane: Lane, first: int, last: int) -> list[tuple[int, int]]:
        """Windows that were taken are done; returns which ones, as ranges."""
        return _remove(self.taken, lane, first, last)

    def note_done(self, lane: Lane, ranges: Iterable[tuple[int, int]]) -> None:
        """Write down that windows are done, so that no later process hears them again.

        Raises:
            OSError: the disk did not take it.
        """
        run, number = lane
        index = self.runs.index(run)
        data = b"".join(
            write_done(index, number, frame_of(run, first), frame_of(run, last)) for first, last in ranges
        )
        handle = os.open(self._done_file, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.write(handle, data) < len(data):
                os.ftruncate(handle, self.done_bytes)
                return
            self.done_bytes += len(data)
        finally:
            os.close(handle)

    def lose_waiting(self) -> tuple[WindowKey, ...]:
        """Give up what waits; returns which windows."""
        lost = tuple(
            key
            for lane, ranges in self.waiting.items()
            for first, last in ranges
            for key in keys_of(lane, first, last)
        )
        self.waiting.clear()
        return lost

    def waiting_spans(self) -> list[WindowSpan]:
        """What waits, in the order of the grid for each channel."""
        return [
            WindowSpan(run, number, frame_of(run, first), frame_of(run, last))
            for (run, number), ranges in self.waiting.items()
            for first, last in ranges
        ]

    def remove_files(self) -> None:
        """Remove them from the disk; OSError if that cannot be done."""
        self.path.unlink(missing_ok=True)
        self._done_file.unlink(missing_ok=True)

    def set_aside(self) -> Path:
        """Rename its file, for a person to see; returns where it is. OSError if that cannot be done.

        Renamed back while no analyzer runs, it is heard by the next one, without what was done.
        """
        aside = self.path.with_suffix(ASIDE_SUFFIX)
        self.path.rename(aside)
        return aside

    @property
    def _done_file(self) -> Path:
        return self.path.with_suffix(_DONE_SUFFIX)


def _remove(lanes: dict[Lane, IndexRanges], lane: Lane, first: int, last: int) -> list[tuple[int, int]]:
    ranges = lanes.get(lane)
    if ranges is None:
        return []
    removed = ranges.remove(first, last)
    if not ranges:
        del lanes[lane]
    return removed


def recover_segments(folder: Path) -> tuple[list[Segment], int, int]:
    """What other processes left in a folder: the segments that hold windows, in their order.

    Returns:
        the segments; the number for the next one; how many bytes are torn off or damaged.
    """
    segments, next_number, torn_bytes = [], 1, 0
    paths = sorted(
        path for path in folder.glob(f"*{SUFFIX}") if path.stem.isascii() and path.stem.isdecimal()
    )
    for path in paths:
        next_number = max(next_number, int(path.stem) + 1)
        try:
            segment, torn = Segment.recover(path)
            torn_bytes += torn
            if segment.is_done:
                segment.remove_files()
            else:
                segments.append(segment)
        except OSError as error:
            _LOG.warning("%s of the spool cannot be used: %s", path, error.strerror or error)
    for path in aside_files(folder):
        next_number = max(next_number, int(path.stem) + 1)
    for path in folder.glob(f"*{_DONE_SUFFIX}"):  # of a segment that was removed when the process was killed
        if not path.with_suffix(SUFFIX).exists() and not path.with_suffix(ASIDE_SUFFIX).exists():
            path.unlink(missing_ok=True)
    return sorted(segments, key=lambda segment: segment.number), next_number, torn_bytes


def aside_files(folder: Path) -> list[Path]:
    """Segments that were set aside, oldest first."""
    return sorted(
        path for path in folder.glob(f"*{ASIDE_SUFFIX}") if path.stem.isascii() and path.stem.isdecimal()
    )
