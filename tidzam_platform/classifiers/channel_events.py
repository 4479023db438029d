"""From the scores of one channel's windows to events: smoothing, decision, then the rules of events.

One path for live audio and files: the settings say how, the model says which classes there are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from tidzam_platform.classifiers.decision import (
    Answer,
    ClassNode,
    Decider,
    MarginDecider,
    MultiLabelDecider,
    threshold_decider,
)
from tidzam_platform.classifiers.event_detection import EventDetector, EventRules
from tidzam_platform.classifiers.events import Event
from tidzam_platform.classifiers.overlapping_events import OverlappingEventDetector
from tidzam_platform.classifiers.smoothing import RunningMean
from tidzam_platform.classifiers.tree.activation import Labels
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import DecisionSettings


def make_decider(
    classes: Sequence[ClassNode], settings: DecisionSettings, labels: Labels = "single"
) -> Decider | MarginDecider | MultiLabelDecider:
    """The decider that ``settings.rule`` names, for the classes of a model in the order of its scores.

    Raises:
        SettingsError: the rule asks for a lead over rivals, and in a tree of several labels there are none.
    """
    if settings.rule == "thresholds":
        return threshold_decider(classes, settings.no_signal_dbfs, labels)
    if labels == "multi":
        raise SettingsError(
            "decision.rule is 'margin', which compares a class with its rivals; in a generation of several labels "
            "classes are no rivals: set it to 'thresholds'"
        )
    return MarginDecider(classes, settings.no_signal_dbfs)


class ChannelEvents:
    """Takes the scores of one channel's windows in order of time, gives answers and the events that are settled.

    Smoothing makes scores late by ``(smoothing_windows - 1) / 2`` hops, which the times of events make good.
    """

    def __init__(
        self,
        channel: int,
        classes: Sequence[ClassNode],
        window_frames: int,
        hop_frames: int,
        rate_hz: int,
        settings: DecisionSettings,
        labels: Labels = "single",
    ) -> None:
        """Args: the channel from 1; the model's classes, window, hop and rate; how scores become events; the labels."""
        how = settings.events
        self._paths = [node.path for node in classes]
        self._decider = make_decider(classes, settings, labels)
        self._smoothed = RunningMean(how.smoothing_windows, hop_frames)
        rules = EventRules(
            on_threshold=how.on_threshold or None,
            off_threshold=how.off_threshold or None,
            fill_frames=round(how.fill_s * rate_hz),
            minimum_frames=round(how.minimum_s * rate_hz),
            edges=how.edges,
        )
        make = EventDetector if labels == "single" else OverlappingEventDetector
        self._detector = make(channel, window_frames, hop_frames, rules)

    @property
    def is_idle(self) -> bool:
        """Whether no sound is open: the events of what comes do not depend on what was, but for smoothing."""
        return self._detector.is_idle

    def add(
        self, start_frame: int, scores: npt.NDArray[np.float32], level_dbfs: float
    ) -> tuple[Answer, list[Event]]:
        """Take the window at ``start_frame``: scores float32 ``[classes]``, level in dB of full scale.

        Returns:
            what the window is taken for, the best where it holds several sounds, and the events that are settled now.
        """
        smooth = self._smoothed.push(start_frame, scores)
        (sounds,) = self._decider.sounds(smooth[np.newaxis], np.array([level_dbfs], np.float32))
        named = dict(zip(self._paths, smooth.tolist(), strict=True))
        if isinstance(self._detector, OverlappingEventDetector):
            settled = self._detector.add(start_frame, sounds, named)
        else:
            settled = self._detector.add(start_frame, sounds[0], named)
        return sounds[0], [self._in_time(event) for event in settled]

    def finish(self) -> list[Event]:
        """The events that are still open; the channel begins anew afterwards."""
        return [self._in_time(event) for event in self._detector.finish()]

    def _in_time(self, event: Event) -> Event:
        late = self._smoothed.delay_frames
        if not late:
            return event
        start = max(0, event.start_frame - late)
        return Event(event.channel, start, max(start, event.end_frame - late), event.class_path, event.score)
