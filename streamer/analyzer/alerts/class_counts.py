"""How often a rule's class was heard, and whether that is an alert."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from streamer.analyzer.alerts.alert import MAX_DETECTIONS, Alert
from streamer.analyzer.alerts.cooldowns import Cooldowns
from streamer.analyzer.alerts.rules import AlertRule
from tidzam_platform.detections.detection import Detection

_TOGETHER: Final = ""
_MAX_COUNTED: Final = 10_000  # rules and channels; beyond it the one that began first is forgotten
_ROOM: Final = 64  # live ones and late ones, of another time, do not crowd each other out at once


@dataclass(frozen=True, slots=True)
class _Heard:
    id: str
    start: datetime
    number: int  # in the order in which they came


class ClassCounts:
    """All rules about classes. Not for two threads at once.

    A detection counts once, by its id, and for one alert, told or suppressed: the next one begins to count anew. Late
    detections and those of archives come in any order among live ones: they are kept by their start, and ``times`` that
    follow each other within ``within_s`` are an alert. Of a rule and channel the ``2 * times + 64`` that came last are
    kept.
    """

    def __init__(self, rules: Sequence[AlertRule], cooldowns: Cooldowns) -> None:
        self._rules = tuple(rule for rule in rules if rule.class_path is not None)
        self._cooldowns = cooldowns
        self._heard: dict[tuple[str, str], list[_Heard]] = {}
        self._taken = 0
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
        heard = self._heard.setdefault((rule.name, where), [])
        if len(self._heard) > _MAX_COUNTED:
            del self._heard[next(iter(self._heard))]
        if any(one.id == detection.id for one in heard):  # heard again after a crash
            return None
        self._taken += 1
        place = bisect_right(heard, detection.start, key=lambda one: one.start)
        heard.insert(place, _Heard(detection.id, detection.start, self._taken))
        first = _first_of(heard, place, rule)
        if first is None:
            if len(heard) > 2 * rule.times + _ROOM:
                heard.remove(min(heard, key=lambda one: one.number))
            return None
        ids = tuple(one.id for one in heard[first : first + rule.times])[-MAX_DETECTIONS:]
        del heard[first : first + rule.times]  # also where it is not told: it must not be told later
        if self._cooldowns.holds(rule.name, where, detection.start, rule.cooldown_s) or rule.is_quiet(now):
            self.suppressed += 1
            return None
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


def _first_of(heard: Sequence[_Heard], place: int, rule: AlertRule) -> int | None:
    """Where ``times`` of them begin that follow each other within ``within_s``, the one at ``place`` among them."""
    within = timedelta(seconds=rule.within_s)
    for first in range(max(0, place - rule.times + 1), min(place, len(heard) - rule.times) + 1):
        if heard[first + rule.times - 1].start - heard[first].start <= within:
            return first
    return None


def _text(rule: AlertRule, detection: Detection) -> str:
    often = f" {rule.times} times within {_duration(rule.within_s)}" if rule.times > 1 else ""
    where = f"last on {detection.channel}" if rule.together and rule.times > 1 else f"on {detection.channel}"
    return f"{rule.name}: {detection.class_path} heard{often} {where} (score {detection.score:.2f})"


def _duration(seconds: float) -> str:
    return f"{seconds / 60:g} min" if seconds >= 60 else f"{seconds:g} s"
