"""What the rules make of what is measured: when each acts on a channel, and when it is released."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from streamer.engine.mixer.meters import ChannelMeters
from streamer.engine.mixer.rules import Rule
from tidzam_platform.labels.class_paths import is_within

# The analyzer may be gone: what it said of classes counts for so long, and then as not heard.
CLASSES_COUNT_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Decision:
    """What all rules that act on a channel make together: muted if one mutes, else the smallest gain of theirs."""

    mute: bool = False
    gain_db: float | None = None
    rules: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PolicyChange:
    """A rule began or ceased to act on a channel."""

    channel: str
    rule: Rule
    acts: bool
    reason: str


@dataclass(slots=True)
class _Watch:
    """One rule on one channel. All times are the clock's; None: it is not so now."""

    above_since_s: float | None = None
    below_since_s: float | None = None
    acts_since_s: float | None = None

    def take(self, rule: Rule, value: float | None, now_s: float) -> str | None:
        """Note a value (None: there is none); returns the reason where the rule begins or ceases to act."""
        above = value is not None and value > rule.above
        below = value is None or value < rule.below
        self.above_since_s = (
            (self.above_since_s if self.above_since_s is not None else now_s) if above else None
        )
        self.below_since_s = (
            (self.below_since_s if self.below_since_s is not None else now_s) if below else None
        )
        shown = _shown(rule, value)
        if self.acts_since_s is None:
            if self.above_since_s is None or now_s - self.above_since_s < rule.for_s:
                return None
            lasted_s = now_s - self.above_since_s
            self.acts_since_s = now_s
            return f"{shown}, above {rule.above:g} for {lasted_s:.1f} s"
        held = now_s - self.acts_since_s >= rule.hold_s
        if not held or self.below_since_s is None or now_s - self.below_since_s < rule.release_s:
            return None
        self.acts_since_s = None
        return f"{shown}, below {rule.below:g} for {now_s - self.below_since_s:.1f} s"


@dataclass(slots=True)
class _Channel:
    watches: list[tuple[Rule, _Watch]]
    classes: Mapping[str, float] = field(default_factory=dict)
    classes_at_s: float = 0.0


class Policy:
    """All rules on all channels. Not for two threads at once."""

    def __init__(self, rules: Sequence[Rule], clock: Callable[[], float] = time.monotonic) -> None:
        self._rules = tuple(rules)
        self._clock = clock
        self._channels: dict[str, _Channel] = {}

    @property
    def class_paths(self) -> frozenset[str]:
        """The classes whose scores rules want to know."""
        return frozenset(rule.class_path for rule in self._rules if rule.class_path is not None)

    def observe(
        self, channel: str, meters: ChannelMeters, classes: Mapping[str, float] | None
    ) -> list[PolicyChange]:
        """Take what was measured on a channel; returns which rules began or ceased to act.

        Args:
            channel: its name.
            meters: of the signal before the mixer.
            classes: score by class path, 0 to 1; None where nothing new was heard since the last call.
        """
        now_s = self._clock()
        state = self._state(channel)
        if classes is not None:
            state.classes, state.classes_at_s = classes, now_s
        elif now_s - state.classes_at_s > CLASSES_COUNT_S:
            state.classes = {}
        changes = []
        for rule, watch in state.watches:
            reason = watch.take(rule, _value(rule, meters, state.classes), now_s)
            if reason is not None:
                changes.append(PolicyChange(channel, rule, watch.acts_since_s is not None, reason))
        return changes

    def decision(self, channel: str) -> Decision:
        """What the rules that act now make of the channel."""
        state = self._channels.get(channel)
        acting = (
            [] if state is None else [rule for rule, watch in state.watches if watch.acts_since_s is not None]
        )
        gains_db = [rule.gain_db for rule in acting if rule.gain_db is not None]
        return Decision(
            any(rule.mute for rule in acting),
            min(gains_db, default=None),
            tuple(rule.name for rule in acting),
        )

    def acting(self) -> dict[str, list[str]]:
        """Names of the rules that act, by channel."""
        decisions = {channel: self.decision(channel) for channel in self._channels}
        return {channel: list(decision.rules) for channel, decision in decisions.items() if decision.rules}

    def resume(self, channel: str, names: Sequence[str]) -> None:
        """Let rules act that acted when the engine ended; their minimum hold begins anew."""
        for rule, watch in self._state(channel).watches:
            if rule.name in names and watch.acts_since_s is None:
                watch.acts_since_s = self._clock()

    def forget(self, channel: str) -> None:
        """The channel is gone."""
        self._channels.pop(channel, None)

    def _state(self, channel: str) -> _Channel:
        state = self._channels.get(channel)
        if state is None:
            watches = [(rule, _Watch()) for rule in self._rules if rule.concerns(channel)]
            state = self._channels[channel] = _Channel(watches)
        return state


def _value(rule: Rule, meters: ChannelMeters, classes: Mapping[str, float]) -> float | None:
    if rule.class_path is not None:
        scores = (score for path, score in classes.items() if is_within(path, rule.class_path))
        return max((score for score in scores if math.isfinite(score)), default=None)
    values = {
        "level": meters.rms_dbfs,
        "peak": meters.peak_dbfs,
        "clipping": meters.clipped_share,
        "hum": meters.hum_share,
    }
    return values[rule.measure]


def _shown(rule: Rule, value: float | None) -> str:
    what = f"score of {rule.class_path}" if rule.class_path is not None else rule.measure
    return f"{what} is not known" if value is None else f"{what} is {value:.3g}"
