"""Events: neighbouring windows of one channel with the same answer, merged."""

from __future__ import annotations

from dataclasses import dataclass

from tidzam_platform.classifiers.decision import Answer


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


class EventMerger:
    """Takes the answers of one channel in order of time, gives events as they end."""

    def __init__(self, channel: int, window_frames: int, hop_frames: int) -> None:
        self._channel = channel
        self._window_frames = window_frames
        self._hop_frames = hop_frames
        self._open: Event | None = None

    def add(self, start_frame: int, answer: Answer) -> Event | None:
        """Take the answer of the window at ``start_frame``; returns the event that it ends, if any."""
        current = self._open
        follows = (
            current is not None and start_frame <= current.end_frame - self._window_frames + self._hop_frames
        )
        end_frame = start_frame + self._window_frames
        if current is not None and follows and current.class_path == answer.class_path:
            score = max(current.score, answer.score)
            self._open = Event(self._channel, current.start_frame, end_frame, answer.class_path, score)
            return None
        self._open = Event(self._channel, start_frame, end_frame, answer.class_path, answer.score)
        return current

    def finish(self) -> Event | None:
        """The event that is still open, if any; the merger is empty afterwards."""
        current, self._open = self._open, None
        return current
