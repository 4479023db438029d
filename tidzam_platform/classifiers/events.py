"""Events: neighbouring windows of one channel with the same answer, merged.

**Edges.** With ``edges="window"`` an event is the union of its windows: it begins where its first window does. As a
window is longer than the hop, that is too early and too long (windows of 1 s every 0.5 s: an event of 2 s for a
call of 1 s), and neighbouring events overlap. With ``edges="hop"`` each window speaks for the hop around its centre:
an event covers from half a hop before the centre of its first window to half a hop after that of its last.
Neighbouring events then meet without overlap, and if a window answers once half of it is filled, the onset is right on
average and off by half a hop at most. Where windows do not overlap (hop at least the window) both are the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from tidzam_platform.classifiers.decision import Answer
from tidzam_platform.errors import SettingsError

Edges = Literal["window", "hop"]


@dataclass(frozen=True)
class Event:
    """One class heard without a pause.

    Attributes:
        channel: from 1.
        start_frame: first sample, at the rate of the model.
        end_frame: one past the last sample.
        class_path: the class, ``unknown`` or ``no_signal``.
        score: the highest of its windows.
    """

    channel: int
    start_frame: int
    end_frame: int
    class_path: str
    score: float


@dataclass
class _Run:
    """Windows of one class that follow one another, by the first frames of the first and the last of them."""

    first: int
    last: int
    class_path: str
    score: float


class EventMerger:
    """Takes the answers of one channel in order of time, gives events as they end."""

    def __init__(self, channel: int, window_frames: int, hop_frames: int, *, edges: Edges = "window") -> None:
        """SettingsError if ``edges`` is neither of the two."""
        if edges not in get_args(Edges):
            raise SettingsError(f"edges of events are 'window' or 'hop', not {edges!r}")
        self._channel = channel
        self._hop_frames = hop_frames
        self._length = window_frames if edges == "window" else min(window_frames, hop_frames)
        self._trim = (window_frames - self._length) // 2
        self._open: _Run | None = None

    def add(self, start_frame: int, answer: Answer) -> Event | None:
        """Take the answer of the window at ``start_frame``; returns the event that it ends, if any."""
        run = self._open
        if (
            run is not None
            and run.class_path == answer.class_path
            and start_frame <= run.last + self._hop_frames
        ):
            run.last, run.score = start_frame, max(run.score, answer.score)
            return None
        self._open = _Run(start_frame, start_frame, answer.class_path, answer.score)
        return self._event(run)

    def finish(self) -> Event | None:
        """The event that is still open, if any; the merger is empty afterwards."""
        run, self._open = self._open, None
        return self._event(run)

    def _event(self, run: _Run | None) -> Event | None:
        if run is None:
            return None
        start, end = run.first + self._trim, run.last + self._trim + self._length
        return Event(self._channel, start, end, run.class_path, run.score)
