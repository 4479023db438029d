"""What the catalog holds of a rule, read; and what is known of a rule that cannot be read."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from tidzam_platform.channel_patterns import valid_channel_pattern
from tidzam_platform.clips.rules import EVERYTHING, RecorderRuleSpec
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import InvalidNameError, RuleError

_MAX_REASON: Final = 500


@dataclass(frozen=True)
class Misread:
    """Why a specification cannot be read.

    Attributes:
        reason: for people.
        forbids_on: patterns of the channels on which it forbids, as far as anybody can tell; none if on none.
    """

    reason: str
    forbids_on: tuple[str, ...]


@dataclass(frozen=True)
class UnreadableRule:
    """A rule of the catalog that a later version wrote, or that is damaged.

    Attributes:
        id: its number.
        misread: why.
        made_by, made_at, removed_at, clips: as of ``StoredRule``.
    """

    id: int
    misread: Misread
    made_by: str
    made_at: datetime
    removed_at: datetime | None
    clips: int = 0

    @property
    def problem(self) -> str:
        """What is wrong, what follows from it, and how to mend it."""
        said = f"it cannot be read, a later version wrote it or it is damaged: {self.misread.reason}"
        if self.misread.forbids_on:
            said += f"; it may forbid, so no clips are kept of {', '.join(self.misread.forbids_on)} while it stands"
        else:
            said += "; it keeps nothing"
        return f"{said}; ./tidzam rule remove {self.id} removes it"

    def stand_in(self) -> RecorderRuleSpec | None:
        """What holds in its place: all is forbidden where it may forbid something; None where it only keeps."""
        channels = self.misread.forbids_on
        return RecorderRuleSpec(channels=channels, forbid=True) if channels else None

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return {
            "id": self.id,
            "problem": self.problem,
            "made_by": self.made_by,
            "made_at": format_utc(self.made_at),
            "removed_at": None if self.removed_at is None else format_utc(self.removed_at),
            "clips": self.clips,
        }


def read_specification(text: str) -> RecorderRuleSpec | Misread:
    """What the text of a rule's column says; never raises because of what stands there."""
    try:
        held = json.loads(text)
    except (ValueError, RecursionError, TypeError) as error:
        return Misread(f"no JSON ({error})"[:_MAX_REASON], (EVERYTHING,))
    if not isinstance(held, Mapping):
        return Misread("no JSON object", (EVERYTHING,))
    try:
        return RecorderRuleSpec.parse(held)
    except RuleError as error:
        return Misread(str(error)[:_MAX_REASON], _forbidden_channels(held))


def _forbidden_channels(held: Mapping[str, Any]) -> tuple[str, ...]:
    """Where a rule that makes no sense may forbid: on its channels, if these can be read, else everywhere."""
    if held.get("forbid", False) is False:
        return ()
    channels = held.get("channels")
    try:
        if isinstance(channels, list) and channels:
            return tuple(valid_channel_pattern(str(pattern)) for pattern in channels)
    except InvalidNameError:
        pass
    return (EVERYTHING,)
