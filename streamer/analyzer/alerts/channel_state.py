"""How a channel's microphone does."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tidzam_platform.clock import format_utc


class Condition(StrEnum):
    """What is known of a microphone."""

    HEARING = "hearing"
    SILENT = "silent"  # nothing but exact zeros: no microphone gives that
    AWAY = "away"  # nothing comes
    CLIPPING = "clipping"
    GONE = "gone"  # its source was taken away: nobody shall hear of it any more


@dataclass(frozen=True, slots=True)
class ChannelState:
    """The condition of a channel since a time (UTC); told when it changes."""

    channel: str
    condition: Condition
    since: datetime

    def as_dict(self) -> dict[str, Any]:
        """As outputs get it."""
        return {
            "channel": self.channel,
            "condition": self.condition.value,
            "since": format_utc(self.since),
        }
