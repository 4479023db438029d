"""Readers of rings: they never stop the writer, and count what they were too slow for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.engine.rings.channel_rings import ChannelRings
from streamer.engine.rings.fences import fence
from streamer.engine.rings.frames import Samples
from streamer.engine.rings.layout import MappedRing
from streamer.engine.rings.source_ring import SourceRing

_MARGIN: Final = (
    8  # a reader that was overtaken goes on with an eighth of the ring between it and the writer's tail
)


class _Reader:
    """Where a reader is; subclasses say how frames are copied.

    It begins at what is written next, or at ``first_frame``. Not for several threads at once.
    """

    def __init__(self, ring: MappedRing, first_frame: int | None) -> None:
        self._ring = ring
        self.next_frame = ring.written_frames if first_frame is None else first_frame
        """The next frame that ``read`` gives, if it is still there."""
        self.lost_frames = 0
        """Frames that were overwritten before this reader had them, all together."""

    @property
    def available(self) -> int:
        """Frames that are written and not yet read; those that are lost already included."""
        return max(0, self._ring.written_frames - self.next_frame)

    def _read(self, max_frames: int, copy: Callable[[int, int], NDArray[np.float32]], axis: int) -> Samples:
        """``copy(first frame, frames)`` copies frames that may be overwritten meanwhile; ``axis`` is that of frames."""
        ring = self._ring
        start, lost = self.next_frame, 0
        oldest = ring.claimed_frames - ring.capacity_frames
        fence()
        written = ring.written_frames
        if start < oldest:
            behind = min(oldest + ring.capacity_frames // _MARGIN, written)
            start, lost = behind, behind - start
        frames = max(0, min(written - start, max_frames))
        fence()
        data = copy(start, frames)
        fence()
        overwritten = min(frames, max(0, ring.claimed_frames - ring.capacity_frames - start))
        if overwritten:
            data = data[overwritten:] if axis == 0 else data[:, overwritten:]
            lost += overwritten
        self.next_frame = start + frames
        self.lost_frames += lost
        return Samples(start + overwritten, data, lost)


class SourceReader(_Reader):
    """Reads a source's ring: float32 ``[frames, channels]``, exactly what its feeder wrote."""

    def __init__(self, ring: SourceRing, *, first_frame: int | None = None) -> None:
        super().__init__(ring, first_frame)
        self._samples = ring.samples.reshape(ring.capacity_frames, ring.channels)

    def read(self, max_frames: int) -> Samples:
        """The next frames, ``max_frames`` at most; none if none are there. Never waits."""
        return self._read(max_frames, self._copy, 0)

    def _copy(self, first: int, frames: int) -> NDArray[np.float32]:
        begin = first % self._ring.capacity_frames
        head = self._samples[begin : begin + frames]
        if len(head) == frames:
            return head.copy()
        return np.concatenate((head, self._samples[: frames - len(head)]))


class BlockReader(_Reader):
    """Reads several slots of the channel rings at once: float32 ``[slots, frames]``, all of the same frames."""

    def __init__(self, rings: ChannelRings, slots: Sequence[int], *, first_frame: int | None = None) -> None:
        super().__init__(rings, first_frame)
        self._samples = rings.samples.reshape(rings.slots, rings.capacity_frames)
        chosen = list(slots)
        in_order = chosen == list(range(chosen[0], chosen[0] + len(chosen))) if chosen else False
        # A slice copies in one go; a list of indices gathers.
        self._slots = slice(chosen[0], chosen[0] + len(chosen)) if in_order else chosen

    def read(self, max_frames: int) -> Samples:
        """The next frames, ``max_frames`` at most; none if none are there. Never waits."""
        return self._read(max_frames, self._copy, 1)

    def _copy(self, first: int, frames: int) -> NDArray[np.float32]:
        capacity = self._ring.capacity_frames
        begin = first % capacity
        head = min(frames, capacity - begin)
        data: NDArray[np.float32] = self._samples[self._slots, begin : begin + head]
        if head == frames:
            return data.copy()
        tail: NDArray[np.float32] = self._samples[self._slots, : frames - head]
        return np.concatenate((data, tail), axis=1)


class ChannelReader(_Reader):
    """Reads one slot of the channel rings: float32 ``[frames]``."""

    def __init__(self, rings: ChannelRings, slot: int, *, first_frame: int | None = None) -> None:
        super().__init__(rings, first_frame)
        samples = rings.samples.reshape(rings.slots, rings.capacity_frames)
        self._samples: NDArray[np.float32] = samples[slot]

    def read(self, max_frames: int) -> Samples:
        """The next frames, ``max_frames`` at most; none if none are there. Never waits."""
        return self._read(max_frames, self._copy, 0)

    def _copy(self, first: int, frames: int) -> NDArray[np.float32]:
        begin = first % self._ring.capacity_frames
        head = self._samples[begin : begin + frames]
        if len(head) == frames:
            return head.copy()
        return np.concatenate((head, self._samples[: frames - len(head)]))
