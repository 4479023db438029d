"""What an evaluation on recordings with label tracks says."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from serving.evaluating.class_names import LabelMap
from tidzam_platform.classifiers.evaluation.events import ONSET_COLLAR_S, SEGMENT_S, EventFigures
from tidzam_platform.classifiers.evaluation.false_alarms import FalseAlarms


@dataclass(frozen=True)
class SoundFigures:
    """Figures of events (onset within 0.5 s) and of segments (1 s)."""

    event_based: EventFigures
    segment_based: EventFigures

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON holds them."""
        return {
            "event_based": {"onset_collar_s": ONSET_COLLAR_S, **asdict(self.event_based)},
            "segment_based": {"segment_s": SEGMENT_S, **asdict(self.segment_based)},
        }


@dataclass(frozen=True)
class UnseenFigures:
    """The same of those events alone whose clip is not among those trained on.

    Attributes:
        events: how many these are.
        trained_events: left out because their clip was trained on.
        events_without_origin: left out because nobody says which clip they are.
        sounds: figures; heard events beside left-out events only, and segments that these touch, are not scored.
    """

    events: int
    trained_events: int
    events_without_origin: int
    sounds: SoundFigures

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON holds them."""
        return {
            "events": self.events,
            "trained_events": self.trained_events,
            "events_without_origin": self.events_without_origin,
            **self.sounds.to_dict(),
        }


@dataclass(frozen=True)
class RecordingFigures:
    """What a generation is worth on recordings; :func:`evaluate_recordings` says what is compared.

    Attributes:
        generation: that was evaluated.
        recordings: how many were heard.
        channels: how many channels with a track they have together.
        seconds: how long these channels are together.
        sounds: figures over all labelled events.
        false_alarms: what was heard where nothing is labelled.
        unseen: figures over the events of clips that were not trained on; None where that cannot be told.
        labels: what the labels of the tracks mean to the model.
        unusable: ``file`` and ``error`` of recordings that could not be heard; they are in no figure.
    """

    generation: int
    recordings: int
    channels: int
    seconds: float
    sounds: SoundFigures
    false_alarms: FalseAlarms
    unseen: UnseenFigures | None
    labels: LabelMap
    unusable: tuple[dict[str, str], ...]

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON holds them."""
        return {
            "generation": self.generation,
            "recordings": self.recordings,
            "channels": self.channels,
            "seconds": self.seconds,
            **self.sounds.to_dict(),
            "false_alarms": asdict(self.false_alarms),
            "unseen": self.unseen.to_dict() if self.unseen else None,
            "labels": self.labels.known,
            "unknown_labels": self.labels.unknown,
            "ambiguous_labels": self.labels.ambiguous,
            "unusable": self.unusable,
        }
