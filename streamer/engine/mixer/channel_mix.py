"""What holds for one channel of the mixer, and how hand and policy are put together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from streamer.engine.mixer.policy import Decision
from streamer.engine.mixer.state import Manual


@dataclass(frozen=True, slots=True)
class ChannelMix:
    """What a listener of a channel gets, and why.

    Attributes:
        gain_db: that holds.
        mute: whether it is muted, by hand or by the policy.
        solo: whether it is one of those that are heard alone.
        heard: whether anything of it is heard: not muted, and no other one alone.
        manual: whether a person set anything, which holds until it is released.
        by: who set it; empty where nobody did.
        rules: that act on the channel now, even where a person overrides them.
    """

    gain_db: float
    mute: bool
    solo: bool
    heard: bool
    manual: bool
    by: str
    rules: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return {
            "gain_db": self.gain_db,
            "mute": self.mute,
            "solo": self.solo,
            "heard": self.heard,
            "manual": self.manual,
            "by": self.by,
            "rules": list(self.rules),
        }


def combined(manual: Manual | None, decision: Decision) -> tuple[float, bool]:
    """The gain in dB and whether it is muted: a person's word first, then the policy's."""
    by_rules_db = 0.0 if decision.gain_db is None else decision.gain_db
    if manual is None:
        return by_rules_db, decision.mute
    gain_db = by_rules_db if manual.gain_db is None else manual.gain_db
    return gain_db, decision.mute if manual.mute is None else manual.mute
