"""Events of sounds that may overlap: each class has a detector of its own.

For trees where any number of classes may sound at once. No class ends an event of another or keeps its gaps from being
filled; otherwise the rules are those of ``event_detection``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN, Answer
from tidzam_platform.classifiers.event_detection import EventDetector, EventRules
from tidzam_platform.classifiers.events import Event, EventMerger


class OverlappingEventDetector:
    """Takes all answers of the windows of one channel in order of time, gives events as they are settled.

    ``unknown`` and ``no_signal`` are events as the decision had them, whatever the rules made of the sounds there.
    Memory is bounded by the number of classes that sound at once, or whose gaps are still waited for.
    """

    def __init__(self, channel: int, window_frames: int, hop_frames: int, rules: EventRules) -> None:
        self._how = (channel, window_frames, hop_frames, rules)
        self._detectors: dict[str, EventDetector] = {}
        self._nothing = EventMerger(channel, window_frames, hop_frames, edges=rules.edges)

    @property
    def is_idle(self) -> bool:
        """Whether no sound is open, and no gap is waited for."""
        return not self._detectors

    def add(
        self, start_frame: int, sounds: Sequence[Answer], scores: Mapping[str, float] | None = None
    ) -> list[Event]:
        """Take the answers for the window at ``start_frame``; returns the events that are settled now.

        Args:
            start_frame: first sample of the window.
            sounds: what the window was taken for: classes, or one of ``unknown`` and ``no_signal``, alone.
            scores: of the window's classes, for ``off_threshold``.
        """
        heard = {answer.class_path: answer for answer in sounds}
        nothing = heard.pop(NO_SIGNAL, None) or heard.pop(UNKNOWN, None)
        ended = self._nothing.add(start_frame, nothing) if nothing else self._nothing.finish()
        elsewhere = nothing.class_path if nothing else UNKNOWN
        settled = [] if ended is None else [ended]
        for class_path in sorted({*self._detectors, *heard}):
            if class_path not in self._detectors:
                self._detectors[class_path] = EventDetector(*self._how)
            detector = self._detectors[class_path]
            answer = heard.get(class_path, Answer(elsewhere, 0.0))
            settled += _of(class_path, detector.add(start_frame, answer, scores))
            if detector.is_idle:
                del self._detectors[class_path]
        return settled

    def finish(self) -> list[Event]:
        """The events that are still open; the detector is as new afterwards."""
        ended = self._nothing.finish()
        settled = [] if ended is None else [ended]
        for class_path, detector in sorted(self._detectors.items()):
            settled += _of(class_path, detector.finish())
        self._detectors.clear()
        return settled


def _of(class_path: str, events: Sequence[Event]) -> list[Event]:
    """Without the events of what the detector was told while its class did not sound."""
    return [event for event in events if event.class_path == class_path]
