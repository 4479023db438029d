"""What a detection is, and its identity."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta

from tidzam_platform.classifiers.decision import NO_SIGNAL, UNKNOWN
from tidzam_platform.classifiers.events import Event
from tidzam_platform.labels.class_paths import is_within
from tidzam_platform.names import channel as channel_name

_ID_LENGTH = 24


@dataclass(frozen=True)
class Detection:
    """A class heard on a channel by a generation.

    Attributes:
        id: hash of generation, channel, start and class, so that it is stored once.
        channel: ``<source>:out_<n>``.
        start: aware UTC.
        end: aware UTC.
        class_path: never ``unknown`` or ``no_signal``.
        score: highest score of its windows, in [0, 1].
    """

    id: str
    generation: int
    channel: str
    start: datetime
    end: datetime
    class_path: str
    score: float


def is_detection(event: Event) -> bool:
    """Whether an event says what was heard; ``unknown``, ``no_signal`` and classes below it (silence) do not."""
    return event.class_path != UNKNOWN and not is_within(event.class_path, NO_SIGNAL)


def detection_of(event: Event, generation: int, source: str, time_zero: datetime, rate_hz: int) -> Detection:
    """The detection that an event of a recording is.

    Args:
        time_zero: UTC of the recording's first sample.
        rate_hz: the rate that the event's frames count in.
    """
    channel = channel_name(source, event.channel)
    start = time_zero + timedelta(seconds=event.start_frame / rate_hz)
    identity = f"{generation}|{channel}|{start.isoformat(timespec='microseconds')}|{event.class_path}"
    return Detection(
        id=hashlib.sha256(identity.encode()).hexdigest()[:_ID_LENGTH],
        generation=generation,
        channel=channel,
        start=start,
        end=time_zero + timedelta(seconds=event.end_frame / rate_hz),
        class_path=event.class_path,
        score=event.score,
    )
