"""The last samples of one channel, and which run each of them is of."""

from __future__ import annotations

from collections import deque
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.audio.blocks import Samples

FRAME_BYTES: Final = 2
_FULL_SCALE: Final = 32768.0
_MOST_STRETCHES: Final = 1024


def as_int16(samples: Samples) -> NDArray[np.int16]:
    """float32 in [-1, 1] as int16: what was decoded from 16 bits becomes the same 16 bits."""
    scaled = samples * np.float32(_FULL_SCALE)
    np.rint(scaled, out=scaled)
    np.minimum(scaled, _FULL_SCALE - 1, out=scaled)
    return scaled.astype(np.int16)


class _Stretch(NamedTuple):
    """Frames without a gap."""

    position: int  # of the first one, counted over all that was ever appended
    anchor_utc_ns: int
    frame: int  # of the first one


class Track:
    """A ring of int16 frames. Not for several threads at once.

    Args:
        capacity: in frames.
    """

    def __init__(self, capacity: int) -> None:
        self._data: NDArray[np.int16] = np.zeros(capacity, np.int16)
        self._oldest = self._end = 0  # positions of the oldest frame that is kept, and after the newest
        self._stretches: deque[_Stretch] = deque(maxlen=_MOST_STRETCHES)

    @property
    def capacity(self) -> int:
        """How many frames it keeps."""
        return len(self._data)

    def append(self, anchor_utc_ns: int, frame: int, samples: NDArray[np.int16]) -> None:
        """Keep the frames from ``frame`` of that run on, instead of the oldest ones."""
        last = self._stretches[-1] if self._stretches else None
        if last is None or (last.anchor_utc_ns, last.frame + self._end - last.position) != (
            anchor_utc_ns,
            frame,
        ):
            self._stretches.append(_Stretch(self._end, anchor_utc_ns, frame))
        self._write(samples)
        while len(self._stretches) > 1 and self._stretches[1].position <= self._oldest:
            self._stretches.popleft()

    def cut(self, anchor_utc_ns: int, start: int, end: int) -> NDArray[np.int16] | None:
        """A copy of the frames from ``start`` to ``end`` of a run; None if not all are there in one piece."""
        for stretch, first, after in self._kept():
            if stretch.anchor_utc_ns == anchor_utc_ns and first <= start < end <= after:
                return self._read(stretch.position + start - stretch.frame, end - start)
        return None

    def span(self, anchor_utc_ns: int, frame: int) -> tuple[int, int] | None:
        """First and last but one of the frames that are kept without a gap around ``frame``."""
        for stretch, first, after in self._kept():
            if stretch.anchor_utc_ns == anchor_utc_ns and first <= frame < after:
                return first, after
        return None

    def resize(self, capacity: int) -> None:
        """Keep so many frames from now on; the newest that are there stay."""
        frames = min(capacity, self._end - self._oldest)
        kept = self._read(self._end - frames, frames)
        self._end -= frames
        self._oldest = self._end
        self._data = np.zeros(capacity, np.int16)
        self._write(kept)

    def _kept(self) -> list[tuple[_Stretch, int, int]]:
        """Stretches, newest first, each with its first frame that is kept and the one after its last."""
        if not self._stretches:
            return []
        ends = [*(after.position for _, after in pairwise(self._stretches)), self._end]
        return [
            (
                stretch,
                stretch.frame + max(self._oldest - stretch.position, 0),
                stretch.frame + end - stretch.position,
            )
            for stretch, end in zip(reversed(self._stretches), reversed(ends), strict=True)
        ]

    def _write(self, samples: NDArray[np.int16]) -> None:
        skipped = max(len(samples) - self.capacity, 0)
        self._end += skipped
        samples = samples[skipped:]
        begin = self._end % self.capacity
        head = min(len(samples), self.capacity - begin)
        self._data[begin : begin + head] = samples[:head]
        self._data[: len(samples) - head] = samples[head:]
        self._end += len(samples)
        self._oldest = max(self._oldest, self._end - self.capacity)

    def _read(self, position: int, frames: int) -> NDArray[np.int16]:
        begin = position % self.capacity
        head = min(frames, self.capacity - begin)
        return np.concatenate((self._data[begin : begin + head], self._data[: frames - head]))
