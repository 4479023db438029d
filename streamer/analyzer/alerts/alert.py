"""What somebody is told of."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from tidzam_platform.clock import format_utc

About = Literal["class", "dead", "clipping", "disk"]
_ID_LENGTH: Final = 24
_DIGITS: Final = 4  # of a score
MAX_DETECTIONS: Final = 100  # named in one alert


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert of one rule.

    Attributes:
        rule: its name.
        about: ``class``: something was heard; ``dead``, ``clipping``: of a microphone; ``disk``: no room for clips.
        channel: where; empty where a rule counts over all of its channels together, and of a disk.
        at: UTC: start of the detection that made it whole, or when the microphone's condition was noticed.
        text: one line for people.
        class_path: what was heard last; None of a microphone.
        score: of it, in [0, 1].
        times: how often it was heard; 0 of a microphone.
        detections: ids of the detections that made it, the newest MAX_DETECTIONS.
        ended: of a microphone: it is well again.
        outputs: names of those who tell it; none: all outputs that tell alerts.
    """

    rule: str
    about: About
    channel: str
    at: datetime
    text: str
    class_path: str | None = None
    score: float | None = None
    times: int = 0
    detections: tuple[str, ...] = ()
    ended: bool = False
    outputs: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Hash of what makes it this alert: the same alert, made again after a crash, has the same."""
        at = self.at.isoformat(timespec="microseconds")
        parts = [self.rule, self.about, self.channel, at, self.ended, self.class_path, self.detections]
        identity = json.dumps(parts)  # no text in it can look like two
        return hashlib.sha256(identity.encode()).hexdigest()[:_ID_LENGTH]

    def as_dict(self) -> dict[str, Any]:
        """As subscribers and outputs get it."""
        return {
            "id": self.id,
            "rule": self.rule,
            "about": self.about,
            "channel": self.channel,
            "at": format_utc(self.at),
            "text": self.text,
            "class_path": self.class_path,
            "score": None if self.score is None else round(self.score, _DIGITS),
            "times": self.times,
            "detections": list(self.detections),
            "ended": self.ended,
        }
