"""A change in the model repository: what was done, when, by whom and why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from serving.signature import CANARY, STABLE
from tidzam_platform.clock import format_utc, parse_utc, utc_now
from tidzam_platform.errors import ModelRepositoryError

LABELS: Final = (STABLE, CANARY)
GATE: Final = "gate"  # in the history: the gate after a training, and nobody else

PROMOTE: Final = "promote"
ROLLBACK: Final = "rollback"
REMOVE_LABEL: Final = "remove_label"
RETIRE: Final = "retire"
_ACTIONS: Final = (PROMOTE, ROLLBACK, REMOVE_LABEL, RETIRE)

_MAX_BY: Final = 200  # characters; the state file is read often and written whole
_MAX_REASON: Final = 2000


@dataclass(frozen=True)
class Change:
    """One entry of the history.

    Attributes:
        time: when, aware UTC, in whole milliseconds.
        action: ``promote``, ``rollback``, ``remove_label`` or ``retire``.
        label: which label moved; None for ``retire``.
        version: the version that got the label, lost it (``remove_label``) or was retired.
        previous_version: the version that had the label before; None if none had.
        by: who did it; ``gate`` is the gate after a training.
        reason: why.
    """

    time: datetime
    action: str
    label: str | None
    version: int
    previous_version: int | None
    by: str
    reason: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON object, the time in ISO 8601."""
        return {
            "time": format_utc(self.time),
            "action": self.action,
            "label": self.label,
            "version": self.version,
            "previous_version": self.previous_version,
            "by": self.by,
            "reason": self.reason,
        }

    @classmethod
    def from_json(cls, content: Any) -> Change:
        """Read what ``to_json`` wrote; ValueError, KeyError, TypeError or TidzamError if it is something else."""
        label, previous = content["label"], content["previous_version"]
        if content["action"] not in _ACTIONS or label not in (None, *LABELS):
            raise ValueError(f"{content['action']!r} of {label!r} is no change")
        return cls(
            time=parse_utc(content["time"]),
            action=content["action"],
            label=label,
            version=as_version(content["version"]),
            previous_version=None if previous is None else as_version(previous),
            by=str(content["by"]),
            reason=str(content["reason"]),
        )


@dataclass(frozen=True)
class Author:
    """Who changes something, and why; both must be said."""

    by: str
    reason: str

    def __post_init__(self) -> None:
        for what, text, limit in (("who does it", self.by, _MAX_BY), ("why", self.reason, _MAX_REASON)):
            if not text.strip():
                raise ModelRepositoryError(f"say {what}: the history of the model repository keeps it")
            if len(text) > limit:
                raise ModelRepositoryError(f"say {what} in at most {limit} characters, not {len(text)}")

    def change(self, action: str, label: str | None, version: int, previous: int | None) -> Change:
        """The entry for what they do now."""
        # As the file keeps it, so that what is returned now equals what the history says later.
        now = parse_utc(format_utc(utc_now()))
        return Change(now, action, label, version, previous, self.by.strip(), self.reason.strip())


def person(by: str, reason: str) -> Author:
    """Somebody who asks for a change; ModelRepositoryError if they call themselves ``gate``, or as for ``Author``."""
    if by.strip().casefold() == GATE:
        raise ModelRepositoryError(f"{by!r} stands for the gate after a training: say another name")
    return Author(by, reason)


def as_version(value: Any) -> int:
    """``value`` if it is a version number; ValueError if not."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{value!r} is no version number")
    return value
