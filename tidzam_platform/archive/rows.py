"""Readings become rows of the catalog. Each function works within one transaction of its caller.

All decisions are made from what the catalog holds inside the transaction, with other writers kept out: two
machines that index one folder into the same PostgreSQL agree.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import delete, exists, select, text
from sqlalchemy.orm import Session

from tidzam_platform.archive.reading import AudioFacts, Reading
from tidzam_platform.archive.scan import is_gone
from tidzam_platform.archive.times import WallClockStart, evidence_of, overlaps_touched, starts_of
from tidzam_platform.audio.archive_names import parse_archive_name, time_zone
from tidzam_platform.catalog.tables import Recording, Source
from tidzam_platform.errors import ArchiveError
from tidzam_platform.labels.of_recordings import labels_follow, labels_outlive

DEFAULT_ZONE = "UTC"
_LOCK_TIMEOUT = "30s"


@dataclass
class Counts:
    """How many readings became what."""

    added: int = 0
    changed: int = 0
    moved: int = 0
    unchanged: int = 0


def keep_writers_out(session: Session) -> None:
    """Let no other transaction write recordings before this one ends. SQLite's writers are alone anyway."""
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text(f"SET LOCAL lock_timeout = '{_LOCK_TIMEOUT}'"))
        session.execute(text("LOCK TABLE sources, recordings IN SHARE ROW EXCLUSIVE MODE"))


def declare_sources(session: Session, databases: Iterable[str], zone: str | None, *, rezone: bool) -> None:
    """Make rows for new sources, and see that those known keep the same zone.

    Raises:
        ArchiveError: a source with recordings has another zone and ``rezone`` is not given.
    """
    keep_writers_out(session)
    for database in sorted(databases):
        source = session.scalar(select(Source).where(Source.name == database))
        if source is None:
            session.add(Source(name=database, time_zone=zone or DEFAULT_ZONE))
        elif zone is not None and zone != source.time_zone:
            has_recordings = session.scalar(select(exists().where(Recording.source_id == source.id)))
            if has_recordings and not rezone:
                raise ArchiveError(
                    f"file names of source {database!r} are known to carry the time of {source.time_zone}, "
                    f"not {zone}: leave the zone out, or give --rezone to compute all its times anew"
                )
            source.time_zone = zone
            session.flush()
            _compute_all_starts(session, source)


def facts_of_bytes(session: Session, sha256: str) -> AudioFacts | None:
    """What the catalog knows of a usable recording with this hash."""
    row = session.scalar(
        select(Recording).where(Recording.sha256 == sha256, Recording.error.is_(None)).limit(1)
    )
    if row is None:
        return None
    holes = tuple((start, end) for start, end in row.holes)
    return AudioFacts(
        row.codec,
        row.rate_hz,
        row.channels,
        row.seconds,
        holes,
        row.truncated,
        exact_start=row.exact_start,
    )


def store_readings(session: Session, readings: Sequence[Reading]) -> Counts:
    """Add or update the rows of ``readings``; a row whose file moved here keeps its id."""
    keep_writers_out(session)
    counts = Counts()
    sources = {source.name: source for source in session.scalars(select(Source))}
    touched: dict[Source, set[date]] = defaultdict(set)
    for reading in readings:
        source = sources[reading.name.database]
        row = session.scalar(select(Recording).where(Recording.path == reading.path))
        if row is None:
            row = _moved_here(session, reading)
            if row is not None:
                counts.moved += 1
                touched[row.source].add(_wall_clock(row).local_time.date())
            else:
                counts.added += 1
                row = Recording()
                session.add(row)
        elif row.sha256 == reading.sha256:
            counts.unchanged += 1
        else:
            counts.changed += 1
        _fill(row, reading, source)
        touched[source].add(reading.name.local_time.date())
        session.flush()
    _settle(session, touched)
    return counts


def remove_rows(session: Session, paths_by_id: Mapping[int, str]) -> int:
    """Remove the rows whose path is still the one given; returns how many."""
    keep_writers_out(session)
    touched: dict[Source, set[date]] = defaultdict(set)
    removed = 0
    for row in session.scalars(select(Recording).where(Recording.id.in_(paths_by_id))):
        if row.path == paths_by_id[row.id]:
            touched[row.source].add(_wall_clock(row).local_time.date())
            labels_outlive(session, row.id)
            session.execute(delete(Recording).where(Recording.id == row.id))
            removed += 1
    _settle(session, touched)
    return removed


def _moved_here(session: Session, reading: Reading) -> Recording | None:
    alike = select(Recording).where(Recording.sha256 == reading.sha256).order_by(Recording.id)
    return next((row for row in session.scalars(alike) if is_gone(Path(row.path))), None)


def _fill(row: Recording, reading: Reading, source: Source) -> None:
    facts = reading.facts
    row.source, row.path = source, reading.path
    row.size_bytes, row.mtime_ns, row.sha256 = reading.size_bytes, reading.mtime_ns, reading.sha256
    row.codec, row.rate_hz, row.channels = facts.codec, facts.rate_hz, facts.channels
    row.seconds = facts.seconds
    row.holes = [list(hole) for hole in facts.holes]
    row.truncated, row.error = facts.truncated, facts.error
    row.exact_start = facts.exact_start
    _compute_starts(source, [row])


def _compute_all_starts(session: Session, source: Source) -> None:
    recordings = list(session.scalars(select(Recording).where(Recording.source_id == source.id)))
    for row in recordings:
        _compute_starts(source, [row])
    session.flush()
    _settle(session, {source: {_wall_clock(row).local_time.date() for row in recordings}})


def _settle(session: Session, touched: Mapping[Source, set[date]]) -> None:
    """Compute anew what depends on the files that were touched: times that the clock showed twice."""
    for source, days in touched.items():
        zone = time_zone(source.time_zone)
        for overlap in sorted({overlap for day in days for overlap in overlaps_touched(day, zone)}):
            begin, end = evidence_of(overlap, zone)
            nearby = session.scalars(
                select(Recording).where(
                    Recording.source_id == source.id, Recording.start >= begin, Recording.start <= end
                )
            )
            by_wall_clock = sorted(nearby, key=lambda row: (_wall_clock(row).local_time, row.path))
            _compute_starts(source, by_wall_clock)


def _compute_starts(source: Source, rows: Sequence[Recording]) -> None:
    zone = time_zone(source.time_zone)
    for row, start in zip(rows, starts_of([_wall_clock(row) for row in rows], zone), strict=True):
        row.start, row.warning = start.utc, start.warning
        row.end = None if row.seconds is None else start.utc + timedelta(seconds=row.seconds)
        labels_follow(row)


def _wall_clock(row: Recording) -> WallClockStart:
    local_time = parse_archive_name(Path(row.path).name).local_time
    return WallClockStart(local_time, row.seconds, row.mtime_ns / 1e9, row.exact_start)
