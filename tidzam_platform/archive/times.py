"""When recordings began, from the wall clock in their names.

A recording whose recorder wrote its exact beginning into it (:mod:`tidzam_platform.archive.exact_start`) began then.
For all others the name counts.

Once a year the clock of a zone with daylight saving shows an hour twice. Which of the two a file means
follows from what is known of the files themselves, never from the order in which they were found:

1. A file last written when a recording begun at one of the two moments would have ended (within
   ``MTIME_TOLERANCE_S``) began at that one. Copies that keep times (``cp -p``, ``rsync -t``) keep this. So did one
   that has the same name as a file whose exact beginning is one of the two.
2. A recorder writes one file at a time, and often without a pause. So a file that at one of the two moments,
   and not at the other, joins a file whose time is known (it begins where that ends, or ends where that
   begins, within ``JOINT_TOLERANCE_S``) and runs beside none, began at that one; the closest joint is settled
   first. Thus an unbroken recording is put in order from its ends.
3. Of those left, by wall clock: a file began at the second moment if another was running at the first, and
   not at the second; a warning says so.
4. Else it began at the first moment, and a warning says so.

Files with the same wall-clock time are one recording in two containers or copies, and get the same answer.
A file named by a time that the clock skipped gets the moment that it would have shown without the jump, and a
warning.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tidzam_platform.archive.exact_start import fits_name
from tidzam_platform.audio.archive_names import Moments, moments_of

# Both are far below half an hour, the shortest jump of a clock in use (Lord Howe).
MTIME_TOLERANCE_S: Final = 60.0  # file systems and recorders write the last block late
JOINT_TOLERANCE_S: Final = 2.0  # names are cut to the second, and sound cards drift
_EVIDENCE_DAYS: Final = 3  # no file is longer
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class WallClockStart:
    """What one file says of its own beginning: its name, length (None: unknown) and time of last change.

    ``exact`` is the beginning that its recorder wrote into it, None where none did.
    """

    local_time: datetime
    seconds: float | None
    mtime_s: float
    exact: datetime | None = None


@dataclass(frozen=True)
class Start:
    """When a recording began, in UTC, and what a person should know of it."""

    utc: datetime
    warning: str | None


def starts_of(files: Sequence[WallClockStart], zone: ZoneInfo) -> list[Start]:
    """When each of the ``files`` of one source began.

    Args:
        files: in ascending order of ``local_time``.
        zone: of the clock that named them.
    """
    known = _Known()
    exact: dict[datetime, set[datetime]] = {}
    for file in files:
        if (begun := _exact(file)) is not None:
            exact.setdefault(file.local_time, set()).add(begun)
            known.add_span(begun, file.seconds)
    named = (file for file in files if _exact(file) is None)
    takes = [
        _Take.of(local_time, list(copies), zone, exact.get(local_time, set()))
        for local_time, copies in itertools.groupby(named, lambda file: file.local_time)
    ]
    unknown = []
    for take in takes:
        if take.began is None:
            unknown.append(take)
        else:
            known.add(take)
    while (settled := _closest_joint(unknown, known)) is not None:
        known.add(settled)
        unknown.remove(settled)
    for take in unknown:
        _place(take, known)
        known.add(take)
    answers = {take.local_time: take.answer(zone) for take in takes}
    return [_with_exact(file, answers) for file in files]


def _exact(file: WallClockStart) -> datetime | None:
    """What the recorder wrote, if it may be true."""
    return file.exact if file.exact is not None and fits_name(file.exact, file.local_time) else None


def _with_exact(file: WallClockStart, answers: Mapping[datetime, Start]) -> Start:
    """The answer for one file: its own exact beginning, else that of its name."""
    if (begun := _exact(file)) is not None:
        return Start(begun, None)
    answer = answers[file.local_time]
    if file.exact is None:
        return answer
    remark = f"its tag says {file.exact:%Y-%m-%d %H:%M:%S} UTC, its name another day: the name counts"
    return Start(answer.utc, remark if answer.warning is None else f"{answer.warning}; {remark}")


def overlaps_touched(day: date, zone: ZoneInfo) -> list[date]:
    """Local days on which the clock went back, and on whose times a file of the local ``day`` may bear."""
    nearby = (day + offset * _DAY for offset in range(-1, _EVIDENCE_DAYS + 1))
    return [other for other in nearby if _offset_at_noon(other, zone) < _offset_at_noon(other - _DAY, zone)]


def evidence_of(overlap: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The UTC range whose recordings settle the times of such a day: the day itself, and some before."""
    noon = datetime.combine(overlap, time(12), tzinfo=zone).astimezone(UTC)
    return noon - _EVIDENCE_DAYS * _DAY, noon + _DAY


@dataclass
class _Take:
    """One recording, in one file or several copies. ``began`` is None until it is settled."""

    local_time: datetime
    seconds: float | None
    moments: Moments
    began: datetime | None
    remark: str = ""

    @classmethod
    def of(
        cls, local_time: datetime, copies: Sequence[WallClockStart], zone: ZoneInfo, exact: set[datetime]
    ) -> _Take:
        """Settled at once where the clock leaves no doubt, or rule 1 leaves none.

        ``exact``: beginnings of other files of this name.
        """
        moments = moments_of(local_time, zone)
        lengths = [copy.seconds for copy in copies if copy.seconds is not None]
        began = None if moments.ambiguous else moments.first
        if moments.ambiguous:
            written = {
                moment
                for moment in (moments.first, moments.second)
                for copy in copies
                if copy.seconds is not None
                and abs(copy.mtime_s - copy.seconds - moment.timestamp()) <= MTIME_TOLERANCE_S
            } or {
                moment
                for moment in (moments.first, moments.second)
                for begun in exact
                if abs((begun - moment).total_seconds()) <= JOINT_TOLERANCE_S
            }
            began = written.pop() if len(written) == 1 else None
        return cls(local_time, max(lengths, default=None), moments, began)

    @property
    def choices(self) -> tuple[datetime, datetime]:
        """The two moments that an ambiguous time may mean."""
        return self.moments.first, self.moments.second

    def span(self, moment: datetime) -> tuple[float, float]:
        """From when to when (Unix time) it runs if it began at ``moment``."""
        begin_s = moment.timestamp()
        return begin_s, begin_s + (self.seconds or 0.0)

    def answer(self, zone: ZoneInfo) -> Start:
        """With the warning that it deserves."""
        assert self.began is not None  # noqa: S101 - starts_of settles all
        shown = f"{self.local_time:%H:%M:%S} on {self.local_time:%Y-%m-%d}"
        if self.moments.missing:
            meant = f"{self.began.astimezone(zone):%H:%M:%S}"
            warning = f"{shown} never was in {zone.key}: taken as {meant}; is the recorder's zone another?"
            return Start(self.began, warning)
        return Start(self.began, f"{shown} came twice in {zone.key}: {self.remark}" if self.remark else None)


class _Known:
    """When takes ran whose beginning is settled, in Unix time."""

    def __init__(self) -> None:
        self._begins_s: list[float] = []
        self._ends_s: list[float] = []
        self._spans_s: list[tuple[float, float]] = []

    def add(self, take: _Take) -> None:
        """Count ``take``, which is settled."""
        assert take.began is not None  # noqa: S101 - see above
        self.add_span(take.began, take.seconds)

    def add_span(self, began: datetime, seconds: float | None) -> None:
        """Count a recording that began at ``began``."""
        begin_s = began.timestamp()
        end_s = begin_s + (seconds or 0.0)
        self._spans_s.append((begin_s, end_s))
        bisect.insort(self._begins_s, begin_s)
        bisect.insort(self._ends_s, end_s)

    def gap_s(self, take: _Take, moment: datetime) -> float:
        """How far ``take``, begun at ``moment``, is from joining the nearest take."""
        begin_s, end_s = take.span(moment)
        return min(_distance_s(self._ends_s, begin_s), _distance_s(self._begins_s, end_s))

    def is_free(self, take: _Take, moment: datetime) -> bool:
        """Whether no take runs beside ``take`` if that began at ``moment``."""
        begin_s, end_s = take.span(moment)
        return not any(
            min(end_s, other_end_s) - max(begin_s, other_begin_s) > JOINT_TOLERANCE_S
            for other_begin_s, other_end_s in self._spans_s
        )


def _distance_s(moments_s: Sequence[float], moment_s: float) -> float:
    """How far ``moment_s`` is from the nearest of the sorted ``moments_s``."""
    after = bisect.bisect(moments_s, moment_s)
    return min(
        (abs(moment_s - other_s) for other_s in moments_s[max(0, after - 1) : after + 1]), default=math.inf
    )


def _closest_joint(unknown: Iterable[_Take], known: _Known) -> _Take | None:
    """The take that rule 2 settles next, settled; None where the rule settles no more."""
    joints = []
    for take in unknown:
        gaps_s = [known.gap_s(take, moment) for moment in take.choices]
        if take.seconds is not None and min(gaps_s) <= JOINT_TOLERANCE_S:
            joints.append((min(gaps_s), take.local_time, take, gaps_s))
    for _, _, take, gaps_s in sorted(joints, key=lambda joint: joint[:2]):
        fitting = [
            moment
            for moment, gap_s in zip(take.choices, gaps_s, strict=True)
            if gap_s <= JOINT_TOLERANCE_S and known.is_free(take, moment)
        ]
        if len(fitting) == 1:
            take.began = fitting[0]
            return take
    return None


def _place(take: _Take, known: _Known) -> None:
    """Settle ``take`` by rules 3 and 4."""
    first, second = take.choices
    if not known.is_free(take, first) and known.is_free(take, second):
        take.began, take.remark = second, "taken as the second, another file ran at the first"
    else:
        take.began, take.remark = first, "taken as the first"


def _offset_at_noon(day: date, zone: ZoneInfo) -> timedelta:
    offset = datetime.combine(day, time(12), tzinfo=zone).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo knows every offset
    return offset
