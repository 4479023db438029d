"""What a channel's status says, in words for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def mixer_words(channel: Mapping[str, Any], solo: Sequence[str]) -> str:
    """What the mixer does to a channel, empty for nothing.

    Args:
        channel: its status.
        solo: the names of those that are solo: people hear no others.
    """
    words = []
    if channel["muted"]:
        words.append("muted")
    if channel["solo"]:
        words.append("solo")
    if channel["gain_db"]:
        words.append(f"{channel['gain_db']:+.1f} dB")
    if words and channel["by"]:
        words.append(f"by {channel['by']}")
    said = [", ".join(words)] if words else []
    if not channel["heard"] and not channel["solo"] and (solo or not channel["muted"]):
        said.append(f"not heard: {_who_is_solo(solo)}")
    return "; ".join(said)


def _who_is_solo(solo: Sequence[str]) -> str:
    if not solo:  # it changed between two questions
        return "another is solo"
    return f"{solo[0]} is solo" if len(solo) == 1 else f"{solo[0]} and {len(solo) - 1} more are solo"
