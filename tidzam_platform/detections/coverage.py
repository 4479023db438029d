"""Which time was heard, and audio that is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any, Final, Literal

from tidzam_platform.archive.report import printable
from tidzam_platform.archive.times import JOINT_TOLERANCE_S
from tidzam_platform.audio.archive_names import moments_of, time_zone
from tidzam_platform.clock import format_utc
from tidzam_platform.errors import ArchiveError, QueryError

Kind = Literal["hole", "gap", "unreadable", "truncated"]

_WORDS: Final[dict[Kind, str]] = {
    "hole": "audio is missing within the recording",
    "gap": "no recording",
    "unreadable": "the recording cannot be heard",
    "truncated": "audio is missing at the end of the recording",
}
_MINUTE_S: Final = 60.0
_HOUR_S: Final = 3600.0


@dataclass(frozen=True)
class MissingAudio:
    """Audio that a range should have and has not.

    Attributes:
        kind: ``hole``: within a recording; ``gap``: between recordings, before the first or after the last;
            ``unreadable``: a file that cannot be used; ``truncated``: a file ends early, nobody knows by how much.
        start: aware UTC.
        end: aware UTC; None where it is not known.
        path: of the recording; None for a gap.
        reason: in words, of a file.
    """

    kind: Kind
    start: datetime
    end: datetime | None
    path: str | None = None
    reason: str | None = None

    @property
    def seconds(self) -> float | None:
        """How long it lasts, where that is known."""
        return None if self.end is None else (self.end - self.start).total_seconds()

    @property
    def words(self) -> str:
        """For a person, one line."""
        when = format_utc(self.start)
        if self.end is not None and self.seconds is not None:
            when = f"{when} to {format_utc(self.end)} ({_lasting(self.seconds)})"
        what = _WORDS[self.kind]
        where = "" if self.path is None else f" {printable(self.path)}"
        why = "" if self.reason is None else f": {printable(self.reason)}"
        return f"{when}: {what}{where}{why}"

    def within(self, begin: datetime, end: datetime) -> MissingAudio | None:
        """The part that lies in a range; None if none does."""
        if self.end is None:
            return self if begin <= self.start < end else None
        start, until = max(self.start, begin), min(self.end, end)
        return replace(self, start=start, end=until) if start < until else None

    def as_json(self) -> dict[str, Any]:
        """For ``--json``."""
        return {
            "kind": self.kind,
            "start": format_utc(self.start),
            "end": None if self.end is None else format_utc(self.end),
            "seconds": self.seconds,
            "path": None if self.path is None else printable(self.path),
            "words": self.words,
        }


def days_of_zone(first: date, last: date, zone: str) -> tuple[datetime, datetime]:
    """When the days ``first`` to ``last`` of a zone, both included, begin and end, UTC.

    A day begins at its midnight; where the clock jumps over midnight, at the moment of the jump.

    Raises:
        QueryError: the range ends before it begins.
        ArchiveError: no such zone, or days of years that cannot be.
    """
    if first > last:
        raise QueryError(f"from {first} lies after to {last}: exchange them")
    if last == date.max:
        raise ArchiveError(f"{last} is the last day that there is: end before it")
    midnights = (datetime.combine(first, time()), datetime.combine(last, time()) + timedelta(days=1))
    begin, end = (moments_of(midnight, time_zone(zone)).first for midnight in midnights)
    return begin, end


def gaps_between(
    covered: Sequence[tuple[datetime, datetime]],
    begin: datetime,
    end: datetime,
    *,
    tolerance_s: float = JOINT_TOLERANCE_S,
) -> Iterator[MissingAudio]:
    """Stretches of ``begin`` to ``end`` in no ``covered`` one, longer than ``tolerance_s``; these in any order."""
    reached = begin
    for start, until in sorted(covered):
        if start >= end:
            break
        if (start - reached).total_seconds() > tolerance_s:
            yield MissingAudio("gap", reached, start)
        reached = max(reached, until)
    if (end - reached).total_seconds() > tolerance_s:
        yield MissingAudio("gap", reached, end)


def _lasting(seconds: float) -> str:
    if seconds < _MINUTE_S:
        return f"{seconds:.3f} s"
    if seconds < _HOUR_S:
        return f"{seconds / _MINUTE_S:.1f} minutes"
    return f"{seconds / _HOUR_S:.1f} hours"
