"""Rules about microphones: when each tells of a channel, and when it tells that the channel is well again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streamer.analyzer.alerts.alert import Alert
from streamer.analyzer.alerts.cooldowns import Cooldowns
from streamer.analyzer.alerts.microphones import Microphone, Microphones
from streamer.analyzer.alerts.rules import AlertRule

_WELL_S: Final = 5.0  # a microphone is well again after so long without the fault
_SOUNDING_S: Final = 2.0  # without sound for longer a microphone is not well


@dataclass(slots=True)
class _Watch:
    """One rule on one channel: since when the fault is there, when something was wrong last, whether it was told."""

    bad_since_s: float | None = None
    seen_s: float = 0.0
    is_told: bool = False


class MicrophoneWatch:
    """All rules about microphones. Not for two threads at once."""

    def __init__(self, rules: Sequence[AlertRule], cooldowns: Cooldowns) -> None:
        self._rules = tuple(rule for rule in rules if rule.microphone is not None)
        self._cooldowns = cooldowns
        self._watches: dict[tuple[str, str], _Watch] = {}

    def look(self, microphones: Microphones, now_s: float, now: datetime) -> list[Alert]:
        """Look at all channels; returns what is to be told.

        Args:
            microphones: what is known of them.
            now_s: of the clock that feeds ``microphones``.
            now: UTC.
        """
        known = microphones.known()
        names = {channel for channel, _ in known}
        self._watches = {key: watch for key, watch in self._watches.items() if key[1] in names}
        alerts = []
        for rule in self._rules:
            for channel, microphone in known:
                if rule.concerns(channel):
                    watch = self._watches.setdefault((rule.name, channel), _Watch())
                    alert = self._look_at(rule, channel, microphone, watch, now_s, now)
                    if alert is not None:
                        alerts.append(alert)
        return alerts

    def _look_at(
        self,
        rule: AlertRule,
        channel: str,
        microphone: Microphone,
        watch: _Watch,
        now_s: float,
        now: datetime,
    ) -> Alert | None:
        fault = _fault(rule, microphone, watch, now_s)
        if rule.is_quiet(now):
            return None
        if fault is not None and not watch.is_told:
            if self._cooldowns.holds(rule.name, channel, now, rule.cooldown_s):
                return None
            watch.is_told = True
            self._cooldowns.note(rule.name, channel, now)
            return _alert(rule, channel, now, f"{rule.name}: {channel} {fault}", ended=False)
        if watch.is_told and watch.bad_since_s is None and now_s - watch.seen_s >= _WELL_S:
            watch.is_told = False
            if rule.tell_end:
                return _alert(rule, channel, now, f"{rule.name}: {channel} is well again", ended=True)
        return None


def _fault(rule: AlertRule, microphone: Microphone, watch: _Watch, now_s: float) -> str | None:
    """What is wrong, if it has been for as long as the rule wants; keeps ``watch`` up to date."""
    if rule.microphone == "clipping":
        clips = microphone.clipped_share > rule.above and microphone.away_s(now_s) < rule.for_s
        if not clips:
            watch.bad_since_s = None
            return None
        watch.bad_since_s = now_s if watch.bad_since_s is None else watch.bad_since_s
        watch.seen_s = now_s
        if now_s - watch.bad_since_s < rule.for_s:
            return None
        return f"clips: {microphone.clipped_share:.1%} of its samples are at full scale"
    dead_s = microphone.dead_s(now_s)
    if dead_s > _SOUNDING_S:  # a click now and then is no sound
        watch.seen_s = now_s
    if dead_s < rule.for_s:
        watch.bad_since_s = None
        return None
    watch.bad_since_s = now_s - dead_s
    if microphone.silent_s(now_s) >= rule.for_s:
        return f"has given nothing but zeros for {microphone.silent_s(now_s):.0f} s"
    return f"has given nothing for {microphone.away_s(now_s):.0f} s"


def _alert(rule: AlertRule, channel: str, now: datetime, text: str, *, ended: bool) -> Alert:
    return Alert(
        rule=rule.name,
        about="clipping" if rule.microphone == "clipping" else "dead",
        channel=channel,
        at=now,
        text=text,
        ended=ended,
        outputs=rule.outputs,
    )
