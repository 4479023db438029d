"""How windows are named in bulk: those of a channel that follow one another, and those that are lost."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from streamer.analyzer.windows import Run, WindowKey

Lane = tuple[Run, int]
"""The windows of one channel (its number, from 1) on one grid."""


@dataclass(frozen=True, slots=True)
class WindowSpan:
    """Windows of one channel that follow one another, a hop apart.

    Attributes:
        run: whose grid they lie on.
        number: of the channel, from 1.
        first_frame: start of the first window, a multiple of the hop.
        last_frame: start of the last window.
    """

    run: Run
    number: int
    first_frame: int
    last_frame: int

    def __len__(self) -> int:
        return (self.last_frame - self.first_frame) // self.run.geometry.hop_frames + 1


@dataclass(frozen=True, slots=True)
class LostWindows:
    """Windows that will never be heard, and why; ``ended_s`` of the keys is only near the truth."""

    keys: tuple[WindowKey, ...]
    reason: str


def lane_of(key: WindowKey) -> Lane:
    """The lane of a window."""
    return key.run, key.number


def index_of(run: Run, start_frame: int) -> int:
    """Number of the window on its grid, from 0."""
    return start_frame // run.geometry.hop_frames


def frame_of(run: Run, index: int) -> int:
    """First frame of a window, by its number on the grid."""
    return index * run.geometry.hop_frames


def keys_of(lane: Lane, first: int, last: int, ended_s: float | None = None) -> Iterator[WindowKey]:
    """The keys of the windows ``first`` to ``last`` of a lane, by their numbers on the grid."""
    run, number = lane
    at_s = time.monotonic() if ended_s is None else ended_s
    for index in range(first, last + 1):
        yield WindowKey(run, number, frame_of(run, index), at_s)
