"""How often a rule's class was heard, and whether that is an alert."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streamer.analyzer.alerts.alert import MAX_DETECTIONS, Alert
from streamer.analyzer.alerts.cooldowns import Cooldowns
from streamer.analyzer.alerts.rules import AlertRule
from tidzam_platform.detections.detection import Detection

_TOGETHER: Final = ""
_MAX_COUNTED: Final = 10_000  # rules and channels; beyond it the one that began first is forgotten


@dataclass(frozen=True, slots=True)
class _Heard:
    id: str
    start: datetime


class ClassCounts:
    """All rules about classes. Not for two threads at once.

    A detection counts once, by its id, and for one alert: the next one begins to count anew. Of a rule and channel only
    the last ``times`` detections are kept: they are an alert when all lie within ``within_s``.
    """

    def __init__(self, rules: Sequence[AlertRule], cooldowns: Cooldowns) -> None:
        self._rules = tuple(rule for rule in rules if rule.class_path is not None)
        self._cooldowns = cooldowns
        self._heard: dict[tuple[str, str], deque[_Heard]] = {}
        self.suppressed = 0
        """Alerts that fell into quiet hours or a cooldown."""

    def take(self, detection: Detection, now: datetime) -> list[Alert]:
        """Count a detection; ``now`` (aware) decides whether hours are quiet. Returns what is to be told."""
        alerts = []
        for rule in self._rules:
            if rule.counts(detection):
                alert = self._count(rule, detection, now)
                if alert is not None:
                    alerts.append(alert)
        return alerts

    def _count(self, rule: AlertRule, detection: Detection, now: datetime) -> Alert | None:
        where = _TOGETHER if rule.together else detection.channel
        heard = self._heard.setdefault((rule.name, where), deque(maxlen=rule.times))
        if len(self._heard) > _MAX_COUNTED:
            del self._heard[next(iter(self._heard))]
        if any(one.id == detection.id for one in heard):  # heard again after a crash
            return None
        heard.append(_Heard(detection.id, detection.start))
        starts = [one.start for one in heard]
        if len(heard) < rule.times or (max(starts) - min(starts)).total_seconds() > rule.within_s:
            return None
        if self._cooldowns.holds(rule.name, where, detection.start, rule.cooldown_s) or rule.is_quiet(now):
            self.suppressed += 1
            return None
        ids = tuple(one.id for one in heard)[-MAX_DETECTIONS:]
        heard.clear()
        self._cooldowns.note(rule.name, where, detection.start)
        return Alert(
            rule=rule.name,
            about="class",
            channel=where,
            at=detection.start,
            text=_text(rule, detection),
            class_path=detection.class_path,
            score=float(detection.score),
            times=rule.times,
            detections=ids,
            outputs=rule.outputs,
        )


def _text(rule: AlertRule, detection: Detection) -> str:
    often = f" {rule.times} times within {_duration(rule.within_s)}" if rule.times > 1 else ""
    where = f"last on {detection.channel}" if rule.together and rule.times > 1 else f"on {detection.channel}"
    return f"{rule.name}: {detection.class_path} heard{often} {where} (score {detection.score:.2f})"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
