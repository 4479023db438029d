"""Which recordings a range of days has, and what audio is missing in it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from sqlalchemy import select

from serving.reprocessing.items import RecordingItem
from tidzam_platform.archive import find_recordings
from tidzam_platform.catalog.tables import Recording, Source
from tidzam_platform.clock import utc_now
from tidzam_platform.detections.coverage import MissingAudio, days_of_zone, gaps_between
from tidzam_platform.errors import ArchiveError
from tidzam_platform.home import Home

_DAY: Final = timedelta(days=1)
_NAMED_SOURCES: Final = 20


@dataclass(frozen=True)
class Plan:
    """What is to be heard.

    Attributes:
        source: its name, and ``source_id`` its row.
        begin: aware UTC; and ``end``, before which the range ends.
        days: the days in UTC that the range touches; each is heard whole, since its file is replaced whole.
        items: recordings that touch these days and can be used, by start.
        missing: audio that the range lacks, by time: holes, gaps between recordings, files that cannot be used.
    """

    source: str
    source_id: int
    begin: datetime
    end: datetime
    days: tuple[date, ...]
    items: tuple[RecordingItem, ...]
    missing: tuple[MissingAudio, ...]

    @property
    def seconds(self) -> float:
        """Length of all recordings together."""
        return sum(item.seconds for item in self.items)


def plan(home: Home, source: str, first_day: date, last_day: date, zone: str = "UTC") -> Plan:
    """Look up what there is of ``source`` on the days ``first_day`` to ``last_day`` of ``zone``, both included.

    Raises:
        QueryError: the range ends before it begins.
        ArchiveError: no such source or zone.
    """
    begin, end = days_of_zone(first_day, last_day, zone)
    first, last = begin.date(), (end - timedelta(microseconds=1)).date()
    days = tuple(first + number * _DAY for number in range((last - first).days + 1))
    with home.catalog.reading() as session:
        source_id = session.scalar(select(Source.id).where(Source.name == source))
        if source_id is None:
            known = sorted(session.scalars(select(Source.name)))
            raise ArchiveError(
                f"no source {source!r}; there are: {', '.join(known[:_NAMED_SOURCES]) or 'none'}. Index its folder "
                "with ./tidzam archive index FOLDER"
            )
        rows = find_recordings(session, source=source, first_day=first, last_day=last)
    usable = [row for row in rows if row.error is None]
    return Plan(
        source=source,
        source_id=source_id,
        begin=begin,
        end=end,
        days=days,
        items=tuple(_item(row, source) for row in usable),
        missing=tuple(
            sorted(_missing(rows, usable, begin, end), key=lambda one: (one.start, one.path or ""))
        ),
    )


def _item(row: Recording, source: str) -> RecordingItem:
    return RecordingItem(
        recording_id=row.id,
        path=row.path,
        sha256=row.sha256 or "",
        size_bytes=row.size_bytes,
        mtime_ns=row.mtime_ns,
        source=source,
        start=row.start,
        seconds=row.seconds or 0.0,
    )


def _missing(
    rows: Sequence[Recording], usable: Sequence[Recording], begin: datetime, end: datetime
) -> Iterator[MissingAudio]:
    for row in rows:
        if row.error is not None:
            if begin <= row.start < end:
                yield MissingAudio("unreadable", row.start, None, row.path, row.error)
            continue
        for start_s, end_s in row.holes:
            hole = MissingAudio(
                "hole",
                row.start + timedelta(seconds=start_s),
                row.start + timedelta(seconds=end_s),
                row.path,
            )
            if (clipped := hole.within(begin, end)) is not None:
                yield clipped
        if row.truncated and row.end is not None and begin < row.end <= end:
            yield MissingAudio("truncated", row.end, None, row.path, "the file is cut short")
    covered = [(row.start, row.end) for row in usable if row.end is not None]
    yield from gaps_between(covered, begin, min(end, max(begin, utc_now().astimezone(UTC))))
