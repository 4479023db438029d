"""When the frames of a live source were sound: anchors that stay right for years, whatever the wall clock does."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Final

from streamer.engine.rings import ENGINE_RATE_HZ, SourceRing

_LOG = logging.getLogger(__name__)

NS_PER_S: Final = 1_000_000_000
# What is lost or gained beyond this is worth an anchor; a new anchor also begins a new file of the archive.
TOLERANCE_S: Final = 0.5
_WINDOW_S: Final = 60.0
# Sound that comes before it can have sounded proves the anchor wrong: a burst at the beginning was not over. It is
# set right when the rest of the burst had time to come.
_BURST_S: Final = 2.0


class LiveClock:
    """Sets the anchors of a ring that is fed by a live source. For the feeder's thread.

    The wall clock is looked at when the source begins to play, and not again: a clock that is set an hour forward or
    back moves nothing. From then on the monotonic clock, which nobody sets, says whether frames were lost, or whether
    the graph's clock goes so wrong that frames and time have drifted apart.

    Args:
        ring: what is fed.
        utc_ns: the wall clock, ns since 1970.
        monotonic: the monotonic clock, s.
    """

    def __init__(
        self,
        ring: SourceRing,
        *,
        utc_ns: Callable[[], int] = time.time_ns,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ring, self._utc_ns, self._monotonic = ring, utc_ns, monotonic
        self._begun_utc_ns = 0
        self._begun_s = 0.0
        self._anchor_frame = 0
        self._anchor_s = 0.0
        self._least_lag_s: float | None = None
        self._window_ends_s = 0.0

    def begin(self, held_frames: int, arrived_s: float) -> None:
        """It begins to play: ``held_frames``, the last of which came at ``arrived_s``, are written next."""
        self._begun_utc_ns, self._begun_s = self._utc_ns(), self._monotonic()
        self._set(arrived_s - held_frames / ENGINE_RATE_HZ)

    def resume(self, held_frames: int, arrived_s: float) -> None:
        """As ``begin``, after too little came for a while: a new anchor only if frames were lost meanwhile."""
        first_s = arrived_s - held_frames / ENGINE_RATE_HZ
        if abs(first_s - self._expected_s(self._ring.written_frames)) > TOLERANCE_S:
            self._set(first_s)

    def follow(self) -> None:
        """Frames were written just now. Bytes come late at times and never early: the least lag of a while counts."""
        now_s = self._monotonic()
        lag_s = now_s - self._expected_s(self._ring.written_frames)
        if self._least_lag_s is None:
            self._least_lag_s, self._window_ends_s = lag_s, now_s + _WINDOW_S
            return
        self._least_lag_s = min(self._least_lag_s, lag_s)
        if lag_s < -TOLERANCE_S:
            self._window_ends_s = min(self._window_ends_s, now_s + _BURST_S)
        if now_s >= self._window_ends_s:
            if abs(self._least_lag_s) > TOLERANCE_S:
                earlier_or_later = "earlier" if self._least_lag_s < 0 else "later"
                _LOG.info(
                    "%s: what comes now was sound %.1f s %s than was thought: its times are set right from here on",
                    self._ring.name,
                    abs(self._least_lag_s),
                    earlier_or_later,
                )
                self._set(self._expected_s(self._ring.written_frames) + self._least_lag_s)
            self._least_lag_s = None

    def _expected_s(self, frame: int) -> float:
        return self._anchor_s + (frame - self._anchor_frame) / ENGINE_RATE_HZ

    def _set(self, first_s: float) -> None:
        """The next frame that is written was sound at ``first_s`` of the monotonic clock."""
        self._anchor_frame, self._anchor_s = self._ring.written_frames, first_s
        self._least_lag_s = None
        self._ring.set_anchor(self._begun_utc_ns + round((first_s - self._begun_s) * NS_PER_S))
