"""The mixer: what people hear of each channel. The analyzer and the recorder hear the channel as it is."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from numpy.typing import NDArray

from streamer.engine.mixer.audit import AuditLog
from streamer.engine.mixer.channel_mix import ChannelMix, combined
from streamer.engine.mixer.gain import MAX_GAIN_DB, MIN_GAIN_DB, GainStage, Samples, linear
from streamer.engine.mixer.meters import ChannelMeters
from streamer.engine.mixer.policy import Decision, Policy, PolicyChange
from streamer.engine.mixer.rules import load_rules
from streamer.engine.mixer.state import MAX_BY, MAX_CHANNELS, Manual, MixerState, load_state, save_state
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import EngineError
from tidzam_platform.names import split_channel
from tidzam_platform.streamer_sections import MixerSettings

ENGINE_RATE_HZ: Final = 48_000
AUDIT_FILE: Final = "mixer.jsonl"
_SAVE_EVERY_S: Final = 1.0  # at most, for what the policy does
_NOBODY: Final = Decision()


class Mixer:
    """Gain, mute and solo of every channel, by hand and by policy. For any thread.

    Args:
        settings: the section ``mixer``.
        home: the data folder: ``mixer.json``, and ``logs/mixer.jsonl``.
        rate_hz: of the samples.
        clock: monotonic seconds.
        utc: the time of day, for what people read.

    Raises:
        SettingsError: the file of rules cannot be read.
        EngineError: the state of the last run cannot be read.
    """

    def __init__(
        self,
        settings: MixerSettings,
        home: Path,
        *,
        rate_hz: int = ENGINE_RATE_HZ,
        clock: Callable[[], float] = time.monotonic,
        utc: Callable[[], datetime] = utc_now,
    ) -> None:
        self._settings, self._home, self._rate_hz = settings, home, rate_hz
        self._clock, self._utc = clock, utc
        self._lock = threading.RLock()
        self.audit = AuditLog(home / "logs" / AUDIT_FILE, settings.audit_mb << 20, utc)
        rules = load_rules(settings.policy_file) if settings.policy_file else ()
        self._policy = Policy(rules, clock)
        state, problem = load_state(home, utc())
        self._manual: dict[str, Manual] = dict(state.manual)
        for channel, names in state.acting.items():
            self._policy.resume(channel, names)
        self._soloed = frozenset(channel for channel, manual in self._manual.items() if manual.solo)
        self._stages: dict[str, GainStage] = {}
        # By channel, and of all others. Listeners' threads read it without the lock: it is replaced, never changed.
        self._factors: tuple[dict[str, float], float] = ({}, 1.0)
        self._changes = {"manual": 0, "policy": 0}
        self._save_failures = 0
        self._unsaved = ""
        self._is_dirty = False
        self._saved_at_s = clock()
        if problem is not None:
            self._unsaved = problem
            self.audit.append({"channel": "*", "what": "state", "by": "engine", "reason": problem})
        self._work_out([*self._manual, *state.acting])

    def set(
        self,
        channel: str,
        *,
        gain_db: float | None = None,
        mute: bool | None = None,
        solo: bool | None = None,
        by: str,
    ) -> ChannelMix:
        """Set by hand what is given; it holds over the policy until ``release``.

        Raises:
            InvalidNameError: ``channel`` names none.
            EngineError: the gain is out of range, or far too many channels are set.
        """
        split_channel(channel)
        if gain_db is not None and not (math.isfinite(gain_db) and MIN_GAIN_DB <= gain_db <= MAX_GAIN_DB):
            raise EngineError(
                f"a gain lies between {MIN_GAIN_DB:g} and {MAX_GAIN_DB:g} dB, not at {gain_db:g}; "
                "to silence a channel mute it"
            )
        with self._lock:
            before = self._manual.get(channel)
            if before is None and len(self._manual) >= MAX_CHANNELS:
                raise EngineError(f"{MAX_CHANNELS} channels are set by hand already: release some first")
            given: dict[str, Any] = {"gain_db": gain_db, "mute": mute, "solo": solo}
            given = {key: value for key, value in given.items() if value is not None}
            kept = before.model_dump(include={"gain_db", "mute", "solo"}) if before is not None else {}
            after = Manual(**{**kept, **given, "by": by[:MAX_BY], "at": self._utc()})
            for what, value in given.items():
                self._note_manual(channel, what, getattr(before, what, None), value, by)
            self._keep(channel, after)
        return self.channel(channel)

    def release(self, channel: str, *, by: str) -> ChannelMix:
        """Forget what was set by hand: the policy holds again, or nothing.

        Raises:
            InvalidNameError: ``channel`` names none.
        """
        split_channel(channel)
        with self._lock:
            before = self._manual.get(channel)
            if before is not None:
                for what in ("gain_db", "mute", "solo"):
                    if (value := getattr(before, what)) not in (None, False) or (
                        what == "mute" and value is False
                    ):
                        self._note_manual(channel, what, value, None, by)
                self._keep(channel, None)
        return self.channel(channel)

    def apply(self, channel: str, block: NDArray[Any]) -> Samples:
        """What listeners get for ``block`` (real numbers, [frames], the next ones of the channel).

        For one thread a channel; each of several listeners has a ``stage`` of its own.

        Returns:
            float32 [frames], finite, in [-1, 1].
        """
        stage = self._stages.get(channel)
        if stage is None:
            stage = self._stages[channel] = self.stage(channel)
        return stage.process(block)

    def stage(self, channel: str) -> GainStage:
        """A gain for one listener of the channel: it follows what is set here, smoothly."""
        return GainStage(lambda: self.factor(channel), rate_hz=self._rate_hz, ramp_s=self._settings.ramp_s)

    def factor(self, channel: str) -> float:
        """What samples of the channel shall be multiplied with, 0 to 15.9."""
        factors, others = self._factors
        return factors.get(channel, others)

    @property
    def class_paths(self) -> frozenset[str]:
        """The classes whose scores the rules want to know."""
        return self._policy.class_paths

    def observe(
        self, channel: str, meters: ChannelMeters, classes: Mapping[str, float] | None = None
    ) -> list[PolicyChange]:
        """Let the policy see what a channel gives; to be called for each channel a few times a second.

        Args:
            channel: its name.
            meters: of the signal before the mixer.
            classes: score by class path where something new was heard.

        Returns:
            Which rules began or ceased to act on it.
        """
        with self._lock:
            changes = self._policy.observe(channel, meters, classes)
            for change in changes:
                self._note_policy(change)
            if changes:
                self._is_dirty = True
                self._work_out([channel])
            if self._is_dirty and self._clock() - self._saved_at_s >= _SAVE_EVERY_S:
                self._save()
        return changes

    def forget(self, channel: str) -> None:
        """The channel is gone: rules cease to watch it. What a person set is kept for when it is back."""
        with self._lock:
            self._policy.forget(channel)
            self._stages.pop(channel, None)
            self._work_out([channel])

    def channel(self, channel: str) -> ChannelMix:
        """What holds for a channel."""
        with self._lock:
            manual = self._manual.get(channel)
            decision = self._policy.decision(channel)
            gain_db, mute = combined(manual, decision)
            solo = channel in self._soloed
            heard = not mute and (solo or not self._soloed)
            by = manual.by if manual is not None else ""
            return ChannelMix(gain_db, mute, solo, heard, manual is not None, by, decision.rules)

    def status(self) -> dict[str, Any]:
        """Every channel that somebody or something changed, which are heard alone, and what went wrong."""
        with self._lock:
            names = sorted({*self._manual, *self._policy.acting()})
            return {
                "channels": {name: self.channel(name).as_json() for name in names},
                "solo": sorted(self._soloed),
                "problem": self._unsaved or self.audit.last_failure,
                "as_of": format_utc(self._utc()),
            }

    def counts(self) -> dict[str, int]:
        """Counters, for metrics."""
        with self._lock:
            return {
                "manual_changes": self._changes["manual"],
                "policy_changes": self._changes["policy"],
                "manual_channels": len(self._manual),
                "policy_channels": len(self._policy.acting()),
                "save_failures": self._save_failures,
                "audit_failures": self.audit.failures,
            }

    def close(self) -> None:
        """Write what is not written yet."""
        with self._lock:
            if self._is_dirty:
                self._save()

    def _keep(self, channel: str, manual: Manual | None) -> None:
        if manual is not None and manual.says_something:
            self._manual[channel] = manual
        else:
            self._manual.pop(channel, None)
        alone = frozenset(name for name, entry in self._manual.items() if entry.solo)
        is_other = alone != self._soloed
        self._soloed = alone
        self._work_out([*self._manual, *self._policy.acting(), channel] if is_other else [channel])
        self._save()

    def _work_out(self, channels: Iterable[str]) -> None:
        """Bring the factors of ``channels`` up to date; all that are known, if others are heard alone than before."""
        factors = dict(self._factors[0])
        for name in channels:
            manual, decision = self._manual.get(name), self._policy.decision(name)
            if manual is None and decision == _NOBODY:
                factors.pop(name, None)
                continue
            gain_db, mute = combined(manual, decision)
            silent = mute or (bool(self._soloed) and name not in self._soloed)
            factors[name] = 0.0 if silent else linear(gain_db)
        self._factors = (factors, 0.0 if self._soloed else 1.0)

    def _save(self) -> None:
        self._saved_at_s = self._clock()
        try:
            save_state(self._home, MixerState(manual=self._manual, acting=self._policy.acting()))
        except OSError as error:
            self._is_dirty = True
            self._save_failures += 1
            self._unsaved = f"the mixer's state is not kept: {error.strerror or error}"
        else:
            self._is_dirty, self._unsaved = False, ""

    def _note_manual(self, channel: str, what: str, before: object, after: object, by: str) -> None:
        self._changes["manual"] += 1
        reason = "by hand" if after is not None else "released"
        self.audit.append(
            {"channel": channel, "what": what, "from": before, "to": after, "by": by, "reason": reason}
        )

    def _note_policy(self, change: PolicyChange) -> None:
        self._changes["policy"] += 1
        rule = change.rule
        self.audit.append(
            {
                "channel": change.channel,
                "what": "mute" if rule.mute else "gain_db",
                "to": (True if rule.mute else rule.gain_db) if change.acts else None,
                "by": f"rule {rule.name}",
                "reason": change.reason,
                "overridden": change.channel in self._manual,
            }
        )
