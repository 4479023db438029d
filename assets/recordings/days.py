"""What the catalog holds of the recordings of a source on a day."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import dagster as dg
from sqlalchemy import select
from sqlalchemy.orm import Session

from assets.metadata import table
from tidzam_platform.archive import find_recordings
from tidzam_platform.archive.report import printable
from tidzam_platform.catalog.tables import Recording, Source
from tidzam_platform.clock import format_utc

_DAY: Final = timedelta(days=1)
_SHOWN: Final = 50
_VERSION_LENGTH: Final = 16


@dataclass(frozen=True)
class DayOfRecordings:
    """The recordings of a source that touch a day (UTC), by start."""

    source: str
    day: date
    rows: Sequence[Recording]

    @property
    def data_version(self) -> str:
        """Hash of what they hold and when they began."""
        return version_of(map(mark_of, self.rows))

    def metadata(self) -> dict[str, Any]:
        """For the page of the partition."""
        usable = [row for row in self.rows if row.error is None]
        shown = [_shown(row) for row in self.rows[:_SHOWN]]
        return {
            "recordings": len(self.rows),
            "unusable": len(self.rows) - len(usable),
            "hours": round(sum(_seconds_on(row, self.day) for row in usable) / 3600, 4),
            "channels": max((row.channels or 0 for row in usable), default=0),
            "holes": sum(len(row.holes) for row in usable),
            "files": table(["file", "start (UTC)", "seconds", "channels", "remark"], shown),
        }


def recordings_of(session: Session, source: str, day: date) -> DayOfRecordings:
    """What the catalog knows of a source on a day."""
    return DayOfRecordings(source, day, find_recordings(session, source=source, first_day=day, last_day=day))


def versions_of_days(session: Session) -> Mapping[tuple[str, date], str]:
    """Data version of every source and day that has a recording, as ``DayOfRecordings`` has it."""
    marks: dict[tuple[str, date], list[str]] = defaultdict(list)
    rows = session.scalars(select(Recording).join(Recording.source).order_by(Recording.start, Recording.path))
    for row in rows.yield_per(1000):
        for day in _days_of(row):
            marks[row.source.name, day].append(mark_of(row))
    return {key: version_of(iter(values)) for key, values in marks.items()}


def known_sources(session: Session) -> list[str]:
    """Names of all sources that have a recording."""
    return sorted(session.scalars(select(Source.name).distinct().join(Recording)))


def materialization(asset_key: str, found: DayOfRecordings, partition: str) -> dg.AssetMaterialization:
    """Says that a partition of recordings is as the catalog has it now."""
    return dg.AssetMaterialization(
        asset_key=asset_key,
        partition=partition,
        metadata=found.metadata(),
        tags={"dagster/data_version": found.data_version},
    )


def mark_of(row: Recording) -> str:
    """What a recording adds to the data version of its days."""
    return f"{row.sha256 or row.path}|{row.start.isoformat()}|{row.seconds}|{row.error or ''}"


def version_of(marks: Iterator[str]) -> str:
    """Hash of marks in any order."""
    return hashlib.sha256("\n".join(sorted(marks)).encode()).hexdigest()[:_VERSION_LENGTH]


def _days_of(row: Recording) -> Iterator[date]:
    """As ``find_recordings`` sees it: the day of the start, and each that the end reaches into."""
    day = row.start.date()
    yield day
    while row.end is not None and datetime.combine(day + _DAY, time(), UTC) < row.end:
        day += _DAY
        yield day


def _seconds_on(row: Recording, day: date) -> float:
    midnight = datetime.combine(day, time(), UTC)
    end = row.end or row.start
    return max(0.0, (min(end, midnight + _DAY) - max(row.start, midnight)).total_seconds())


def _shown(row: Recording) -> list[Any]:
    remark = row.error or row.warning or ("cut short" if row.truncated else "")
    if row.holes and not remark:
        remark = f"{len(row.holes)} holes"
    name = printable(row.path).rpartition("/")[2]
    return [name, format_utc(row.start), "-" if row.seconds is None else round(row.seconds, 1),
            row.channels or "-", printable(remark)]  # fmt: skip
