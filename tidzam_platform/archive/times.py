"""When recordings began, from the wall clock in their names.

Once a year the clock of a zone with daylight saving shows an hour twice. Which of the two a file means
follows from what is known of the files themselves, never from the order in which they were found:

1. A file last written when a recording begun at one of the two moments would have ended (within
   ``MTIME_TOLERANCE_S``) began at that one. Copies that keep times (``cp -p``, ``rsync -t``) keep this.
2. Else it began at the second moment if, at the first, an earlier file of the same source was still running
   (for more than ``OVERLAP_TOLERANCE_S``): a recorder writes one file at a time, so the clock had gone back.
3. Else it began at the first moment, and a warning says so.

Files with the same wall-clock time are one recording in two containers or copies, and get the same answer.
A file named by a time that the clock skipped gets the moment that it would have shown without the jump, and a
warning.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from tidzam_platform.audio.archive_names import Moments, moments_of

# Both are far below half an hour, the shortest jump of a clock in use (Lord Howe).
MTIME_TOLERANCE_S: Final = 60.0  # file systems and recorders write the last block late
OVERLAP_TOLERANCE_S: Final = 5.0  # names are cut to the second, and sound cards drift
_EVIDENCE_DAYS: Final = 3  # no file is longer
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class WallClockStart:
    """What one file says of its own beginning: its name, length (None: unknown) and time of last change."""

    local_time: datetime
    seconds: float | None
    mtime_s: float


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
    answers: list[Start] = []
    last_end_s = float("-inf")  # latest end, in Unix time, of strictly earlier files, second passes left out
    pending_end_s = last_end_s  # the same with the files of the present local time
    previous: WallClockStart | None = None
    for file in files:
        if previous is not None and file.local_time != previous.local_time:
            last_end_s = pending_end_s
        moments = moments_of(file.local_time, zone)
        if moments.ambiguous and previous is not None and file.local_time == previous.local_time:
            answer = answers[-1]
        else:
            answer = _start(file, moments, last_end_s, zone)
        if answer.utc == moments.first:
            pending_end_s = max(pending_end_s, answer.utc.timestamp() + (file.seconds or 0.0))
        answers.append(answer)
        previous = file
    return answers


def overlaps_touched(day: date, zone: ZoneInfo) -> list[date]:
    """Local days on which the clock went back, and on whose times a file of the local ``day`` may bear."""
    nearby = (day + timedelta(days=offset) for offset in range(-1, _EVIDENCE_DAYS + 1))
    return [other for other in nearby if _offset_at_noon(other, zone) < _offset_at_noon(other - _DAY, zone)]


def evidence_of(overlap: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The UTC range whose recordings settle the times of such a day: the day itself, and some before."""
    noon = datetime.combine(overlap, time(12), tzinfo=zone).astimezone(UTC)
    return noon - _EVIDENCE_DAYS * _DAY, noon + _DAY


def _offset_at_noon(day: date, zone: ZoneInfo) -> timedelta:
    offset = datetime.combine(day, time(12), tzinfo=zone).utcoffset()
    assert offset is not None  # noqa: S101 - a ZoneInfo knows every offset
    return offset


def _start(file: WallClockStart, moments: Moments, last_end_s: float, zone: ZoneInfo) -> Start:
    shown = f"{file.local_time:%H:%M:%S} on {file.local_time:%Y-%m-%d}"
    if moments.missing:
        meant = moments.first.astimezone(zone)
        return Start(
            moments.first,
            f"{shown} never was in {zone.key}: taken as {meant:%H:%M:%S}; is the recorder's zone another?",
        )
    if not moments.ambiguous:
        return Start(moments.first, None)
    if file.seconds is not None:
        written = [
            moment
            for moment in (moments.first, moments.second)
            if abs(file.mtime_s - file.seconds - moment.timestamp()) <= MTIME_TOLERANCE_S
        ]
        if len(written) == 1:
            return Start(written[0], None)
    if last_end_s - moments.first.timestamp() > OVERLAP_TOLERANCE_S:
        return Start(
            moments.second,
            f"{shown} came twice in {zone.key}: taken as the second, an earlier file still ran at the first",
        )
    return Start(moments.first, f"{shown} came twice in {zone.key}: taken as the first")
