"""How every channel's microphone does: since when nothing comes, nothing but zeros, or too much."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from streamer.analyzer.alerts.channel_state import ChannelState, Condition
from streamer.analyzer.alerts.measuring import Soundness

CLIPPING_SHARE: Final = 0.01
CLIPPING_S: Final = 10.0
_MAX_CHANNELS: Final = 4096  # beyond it the one that was heard longest ago is forgotten


@dataclass(slots=True)
class Microphone:
    """One channel. Times are those of the clock that feeds it, s; None: it is not so.

    Attributes:
        heard_s: when its last window came, or when it began to be expected.
        zeros_since_s: since when all windows are exact zeros.
        clips_since_s: since when all windows have CLIPPING_SHARE of their samples at full scale.
        clipped_share: of the last window.
    """

    heard_s: float
    zeros_since_s: float | None = None
    clips_since_s: float | None = None
    clipped_share: float = 0.0
    condition: Condition | None = None

    def take(self, sound: Soundness, now_s: float) -> None:
        """Note a window."""
        self.heard_s = now_s
        self.clipped_share = sound.clipped_share
        self.zeros_since_s = _since(self.zeros_since_s, sound.is_zero, now_s)
        self.clips_since_s = _since(self.clips_since_s, sound.clipped_share >= CLIPPING_SHARE, now_s)

    def away_s(self, now_s: float) -> float:
        """For how long nothing has come."""
        return now_s - self.heard_s

    def silent_s(self, now_s: float) -> float:
        """For how long there was nothing but zeros; 0 if that is not so."""
        return 0.0 if self.zeros_since_s is None else now_s - self.zeros_since_s

    def dead_s(self, now_s: float) -> float:
        """For how long it has given no sound, for either reason."""
        return max(self.away_s(now_s), self.silent_s(now_s))

    def condition_at(self, now_s: float, silent_s: float) -> Condition | None:
        """What it is in; None before it has been heard or waited for long enough to say."""
        if self.away_s(now_s) >= silent_s:
            return Condition.AWAY
        if self.silent_s(now_s) >= silent_s:
            return Condition.SILENT
        if self.clips_since_s is not None and now_s - self.clips_since_s >= CLIPPING_S:
            return Condition.CLIPPING
        if self.zeros_since_s is not None or self.clips_since_s is not None:
            return self.condition  # too early to say
        return self.condition if self.condition in (None, Condition.HEARING) else Condition.HEARING


class Microphones:
    """All channels. Not for two threads at once.

    Args:
        silent_s: a channel that gives no sound for so long is said to be silent or away.
    """

    def __init__(self, silent_s: float) -> None:
        self._silent_s = silent_s
        self._known: dict[str, Microphone] = {}

    def take(self, channel: str, sound: Soundness, now_s: float) -> None:
        """Note a window of a channel."""
        microphone = self._known.pop(channel, None) or Microphone(now_s)
        self._known[channel] = microphone  # the last one heard stands last
        microphone.take(sound, now_s)
        if microphone.condition is None and not sound.is_zero:
            microphone.condition = Condition.HEARING
        self._bound()

    def expect(self, channels: Iterable[str], now_s: float) -> None:
        """From now on they count as silent if nothing comes; those that are known already go on as they are."""
        for channel in channels:
            self._known.setdefault(channel, Microphone(now_s))
        self._bound()

    def forget(self, channel: str) -> bool:
        """It is gone on purpose; whether it was known."""
        return self._known.pop(channel, None) is not None

    def known(self) -> list[tuple[str, Microphone]]:
        """All that are known."""
        return list(self._known.items())

    def changes(self, now_s: float, now: datetime, told: dict[str, Condition]) -> list[ChannelState]:
        """Conditions that are not those in ``told``, which is brought up to date."""
        for gone in told.keys() - self._known.keys():
            del told[gone]
        changed = []
        for channel, microphone in self._known.items():
            microphone.condition = microphone.condition_at(now_s, self._silent_s)
            if microphone.condition is not None and told.get(channel) != microphone.condition:
                told[channel] = microphone.condition
                changed.append(ChannelState(channel, microphone.condition, now))
        return changed

    def _bound(self) -> None:
        while len(self._known) > _MAX_CHANNELS:
            del self._known[next(iter(self._known))]


def _since(before_s: float | None, holds: bool, now_s: float) -> float | None:
    if not holds:
        return None
    return now_s if before_s is None else before_s
