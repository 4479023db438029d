"""Deciding one stretch of a channel: answers of windows, events, detections; the same code as for files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from streamer.analyzer.asking.spans import Lane, WindowSpan, frame_of
from streamer.analyzer.deciding.classes import Classes
from streamer.analyzer.deciding.stretch import HeardWindow
from tidzam_platform.classifiers.channel_events import ChannelEvents
from tidzam_platform.classifiers.decision import Answer
from tidzam_platform.classifiers.events import Event
from tidzam_platform.detections.detection import Detection, detection_of, is_detection
from tidzam_platform.settings import DecisionSettings

_NONE: Final = -1


class Chain:
    """Takes the windows of one stretch in order; a generation that is new finishes the events of the one before."""

    def __init__(self, lane: Lane, settings: DecisionSettings) -> None:
        self._lane, self._settings = lane, settings
        self._classes: Classes | None = None
        self._events: ChannelEvents | None = None
        self._first_spooled = self._last = _NONE

    def add(self, index: int, window: HeardWindow, classes: Classes) -> tuple[Answer, list[Detection]]:
        """Take a window, by its number on the grid; returns what it is taken for, and what is settled now."""
        detections = []
        if self._events is None or self._classes is not classes:
            detections = self.finish()
            self._events, self._classes = self._begun(classes), classes
        answer, settled = self._events.add(window.key.start_frame, window.scores, window.level_dbfs)
        self.pass_over(index, window)
        return answer, detections + self._detections(settled)

    def pass_over(self, index: int, window: HeardWindow) -> None:
        """A window that leads to nothing."""
        self._last = index
        if window.was_spooled and self._first_spooled == _NONE:
            self._first_spooled = index

    def finish(self) -> list[Detection]:
        """The detections of events that are still open; the chain is as new afterwards."""
        events, self._events = self._events, None
        return [] if events is None else self._detections(events.finish())

    def abandon(self) -> None:
        """A fault was met: the events that are open are lost; the chain is as new afterwards."""
        self._events = None

    def take_settled(self) -> WindowSpan | None:
        """The windows from the first that waited in the spool up to now, if all that they led to is detected.

        So it is when no event is open: a new chain would detect the same from the next window on.
        """
        if self._first_spooled == _NONE or not (self._events is None or self._events.is_idle):
            return None
        run, number = self._lane
        first, self._first_spooled = self._first_spooled, _NONE
        return WindowSpan(run, number, frame_of(run, first), frame_of(run, self._last))

    def _begun(self, classes: Classes) -> ChannelEvents:
        run, number = self._lane
        geometry = run.geometry
        return ChannelEvents(
            number,
            classes.nodes,
            geometry.window_frames,
            geometry.hop_frames,
            geometry.rate_hz,
            self._settings,
            classes.description.labels,
        )

    def _detections(self, events: Sequence[Event]) -> list[Detection]:
        if self._classes is None:
            return []
        run, _ = self._lane
        generation = self._classes.description.generation
        return [
            detection_of(event, generation, run.source, run.time_zero, run.geometry.rate_hz)
            for event in events
            if is_detection(event)
        ]
