"""Tells from what a source gives whether something is wrong with it, on a monotonic clock."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Final

# Less than this share of real time is a dribble that will never sound. It is measured over so long that one pause
# alone, shorter than `no_samples_s`, is none.
LEAST_SPEED: Final = 0.5
_WINDOWS: Final = 1 / LEAST_SPEED
# What waits in the ring keeps a source sounding, so that a gap between two bursts is no fault; up to so long.
MAX_GRACE_S: Final = 15.0
_MARKS: Final = 20  # how finely the window of `no_samples_s` slides


class Verdict(Enum):
    """What is wrong."""

    NO_SAMPLES = "no samples"
    TOO_SLOW = "too few samples"
    ZEROS = "nothing but exact zeros"


class Watchdog:
    """Is told of every block of samples, and asked from time to time. For one thread.

    Args:
        no_samples_s: nothing for so long is a fault, s.
        zeros_s: exact zeros for so long are a fault, s of audio.
        rate_hz: of the samples.
        monotonic: the clock, s.
    """

    def __init__(
        self,
        no_samples_s: float,
        zeros_s: float,
        *,
        rate_hz: int = 48_000,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._no_samples_s, self._zeros_s, self._rate_hz = no_samples_s, zeros_s, rate_hz
        self._monotonic = monotonic
        self._longest_window_s = _WINDOWS * (no_samples_s + MAX_GRACE_S)
        self._frames = self._zero_frames = 0
        self.start()

    def start(self) -> None:
        """Begin to count time now: it starts, or was not expected to give anything until now."""
        now_s = self._monotonic()
        self._last_s = now_s
        self._grace_s = 0.0
        self._marks: deque[tuple[float, int]] = deque([(now_s, self._frames)])

    def note(self, frames: int, *, are_zeros: bool, sounding_s: float = 0.0) -> None:
        """``frames`` have come, all exact zeros or not; with them ``sounding_s`` of audio wait to be played."""
        if not frames:
            return
        self._frames += frames
        self._zero_frames = self._zero_frames + frames if are_zeros else 0
        self._last_s = now_s = self._monotonic()
        self._grace_s = min(max(sounding_s, 0.0), MAX_GRACE_S)
        if now_s - self._marks[-1][0] >= self._no_samples_s / _MARKS:
            self._marks.append((now_s, self._frames))
            while len(self._marks) > 1 and now_s - self._marks[1][0] >= self._longest_window_s:
                self._marks.popleft()

    @property
    def seconds_left(self) -> float:
        """How long until NO_SAMPLES if nothing comes, s; 0 when it is time."""
        return max(0.0, self._last_s + self._no_samples_s + self._grace_s - self._monotonic())

    @property
    def zeros_s(self) -> float:
        """How much exact silence it gave last, s of audio."""
        return self._zero_frames / self._rate_hz

    def verdict(self) -> Verdict | None:
        """What is wrong now; None if nothing is."""
        now_s = self._monotonic()
        if self.seconds_left <= 0:
            return Verdict.NO_SAMPLES
        given_s, elapsed_s = self._lately(now_s)
        if given_s < LEAST_SPEED * elapsed_s:
            return Verdict.TOO_SLOW
        if self.zeros_s >= self._zeros_s:
            return Verdict.ZEROS
        return None

    def describe(self, verdict: Verdict) -> str:
        """A verdict in words."""
        if verdict is Verdict.NO_SAMPLES:
            return f"no samples for {self._monotonic() - self._last_s:.1f} s"
        if verdict is Verdict.TOO_SLOW:
            given_s, elapsed_s = self._lately(self._monotonic())
            return f"{given_s:.1f} s of audio in {elapsed_s:.1f} s: too slow to play"
        return f"nothing but exact zeros for {self.zeros_s:.0f} s"

    def _lately(self, now_s: float) -> tuple[float, float]:
        """How much audio came in the last while, and how long that was, s; (0, 0) before there was such a while."""
        window_s = _WINDOWS * (self._no_samples_s + self._grace_s)
        before = [mark for mark in self._marks if now_s - mark[0] >= window_s]
        if not before:
            return 0.0, 0.0
        begun_s, frames = before[-1]
        return (self._frames - frames) / self._rate_hz, now_s - begun_s
