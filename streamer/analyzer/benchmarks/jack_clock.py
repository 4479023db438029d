"""When a frame of JACK was, by ``time.monotonic()``: JACK's own clock, read again and again beside ours."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from streamer.engine.rings import ENGINE_RATE_HZ, ChannelRings

_TRIES: Final = 5
_QUICK_S: Final = 0.0002  # a reading that took longer was interrupted, and is tried again
_MAX_READINGS: Final = 100_000  # five a second for half a day


class Reading(NamedTuple):
    """What two clocks said at the same time.

    Attributes:
        jack_frame: that it was, by JACK's estimate.
        at_s: ``time.monotonic()``.
        ahead_frames: how far the channel rings were written beyond ``jack_frame``: a cycle is written when it begins.
    """

    jack_frame: int
    at_s: float
    ahead_frames: int


class JackClock:
    """Takes readings. For one thread.

    Args:
        frame_time: JACK's estimate of the present frame, see ``AudioGraph.frame_time``.
        rings: the channel rings.
        monotonic: seconds.
    """

    def __init__(
        self,
        frame_time: Callable[[], int],
        rings: ChannelRings,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._frame_time, self._rings, self._monotonic = frame_time, rings, monotonic
        self.readings: list[Reading] = []

    def read(self) -> None:
        """Take one more, unless there are too many already."""
        if len(self.readings) >= _MAX_READINGS:
            return
        best_s, frame, at_s = float("inf"), 0, 0.0
        for _ in range(_TRIES):
            before_s = self._monotonic()
            found = self._frame_time()
            after_s = self._monotonic()
            if after_s - before_s < best_s:
                best_s, frame, at_s = after_s - before_s, found, (before_s + after_s) / 2
            if best_s <= _QUICK_S:
                break
        written = self._rings.jack_frame_of(self._rings.written_frames)
        if written is not None:  # before the first cycle there is nothing to read
            self.readings.append(Reading(frame, at_s, written - frame))


class FrameTimes:
    """The time of JACK's frames, between readings by a straight line.

    Args:
        readings: in order, at least one.
    """

    def __init__(self, readings: Sequence[Reading]) -> None:
        by_frame = {reading.jack_frame: reading for reading in readings}  # frames rise, as time does
        self._frames = np.array([reading.jack_frame for reading in by_frame.values()], np.float64)
        self._times_s = np.array([reading.at_s for reading in by_frame.values()])
        self._ahead = np.array([reading.ahead_frames for reading in by_frame.values()])

    def of(self, jack_frames: NDArray[np.int64]) -> NDArray[np.float64]:
        """``time.monotonic()`` of each frame; before the first and after the last reading at 48 kHz from there."""
        frames = jack_frames.astype(np.float64)
        inside = np.clip(frames, self._frames[0], self._frames[-1])
        times_s: NDArray[np.float64] = np.interp(inside, self._frames, self._times_s)
        return times_s + (frames - inside) / ENGINE_RATE_HZ

    def wander_ms(self, from_s: float, until_s: float) -> float:
        """How far JACK's clock went from a straight 48 kHz between two moments, most to least."""
        chosen = (self._times_s >= from_s) & (self._times_s <= until_s)
        if not chosen.any():
            return 0.0
        offsets = self._times_s[chosen] - self._frames[chosen] / ENGINE_RATE_HZ
        return float(np.ptp(offsets) * 1e3)

    def ahead_ms(self) -> float:
        """How far the rings were written beyond JACK's present frame; the median, about half a cycle."""
        return float(np.median(self._ahead) / ENGINE_RATE_HZ * 1e3)
