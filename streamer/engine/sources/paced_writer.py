"""From a file into the ring of its source: every sample, in order, as fast as the graph plays and no faster."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from streamer.engine.rings import ENGINE_RATE_HZ, SourceRing
from streamer.engine.sources.drift import Frames

# Looked at so often whether there is room; the ring holds seconds.
_LOOK_S: Final = 0.1
_STANDSTILL_S: Final = 20.0  # the graph is back sooner, or it has died for good
_PREROLL_S: Final = 0.5  # so much waits before it sounds


class PacedWriter:
    """Feeds a ring and waits for room in it. For one thread.

    Args:
        ring: what is fed; it is silent until half a second is there.
        wait: waits so many seconds; returns False when the writing shall end (stop, or a jump).
    """

    def __init__(self, ring: SourceRing, wait: Callable[[float], bool]) -> None:
        self._ring, self._wait = ring, wait
        self._preroll_frames = min(round(_PREROLL_S * ENGINE_RATE_HZ), ring.capacity_frames // 2)

    def write(self, block: Frames) -> bool:
        """Write float32 ``[frames, channels]``; False if it was ended before all was written."""
        done = 0
        while True:
            done += self._ring.write(block[done:])
            if not self._ring.playing and self._ring.waiting_frames >= self._preroll_frames:
                self._ring.playing = True
            if done == len(block):
                return True
            if not self._wait(_LOOK_S):
                return False

    def play_out(self) -> bool:
        """No more comes: wait until all was played; False if it was ended before, or if the graph stands still."""
        self._ring.finish()
        looks = round((self._ring.waiting_frames / ENGINE_RATE_HZ + _STANDSTILL_S) / _LOOK_S)
        while self._ring.waiting_frames > 0:
            if not looks or not self._wait(_LOOK_S):
                return False
            looks -= 1
        return True
