"""Questions to the catalog about recordings."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import ColumnElement, func, or_, select
from sqlalchemy.orm import Session

from tidzam_platform.archive.report import IndexReport
from tidzam_platform.catalog.tables import Recording, Source

_DAY = timedelta(days=1)


def find_recordings(
    session: Session,
    *,
    source: str | None = None,
    first_day: date | None = None,
    last_day: date | None = None,
) -> list[Recording]:
    """Recordings that touch the UTC days ``first_day`` to ``last_day``, both included, in order of start.

    Those that cannot be used (``error`` is set) are among them, on the day that their name says.
    """
    query = select(Recording).join(Recording.source).order_by(Recording.start, Recording.path)
    if source is not None:
        query = query.where(Source.name == source)
    if first_day is not None:
        begin = datetime.combine(first_day, time(), tzinfo=UTC)
        query = query.where(or_(Recording.start >= begin, Recording.end > begin))
    if last_day is not None:
        query = query.where(Recording.start < datetime.combine(last_day + _DAY, time(), tzinfo=UTC))
    return list(session.scalars(query))


def recording_at(session: Session, source: str, moment: datetime) -> Recording | None:
    """The recording of a source that holds a moment and can be used; of several the one that started last."""
    return session.scalar(
        select(Recording)
        .join(Recording.source)
        .where(
            Source.name == source,
            Recording.error.is_(None),
            Recording.start <= moment,
            Recording.end > moment,
        )
        .order_by(Recording.start.desc(), Recording.path)
        .limit(1)
    )


def is_below(folder: Path) -> ColumnElement[bool]:
    """Whether a recording lies below ``folder``. Exact on every database; LIKE folds case on SQLite."""
    prefix = str(folder).rstrip("/") + "/"
    return func.substr(Recording.path, 1, len(prefix)) == prefix


def summarise(session: Session, report: IndexReport) -> None:
    """Fill in what all rows below the report's folder say: sources, days, channels, errors, warnings."""
    below = is_below(report.folder)
    named = select(Source.name).distinct().join(Recording, Recording.source_id == Source.id).where(below)
    report.sources = tuple(sorted(session.scalars(named)))
    counted = select(Recording.channels).distinct().where(below, Recording.channels.is_not(None))
    report.channels = tuple(sorted(number for number in session.scalars(counted) if number is not None))
    report.days = tuple(sorted(_days(session, below)))
    remarked = select(Recording.path, Recording.error, Recording.warning).where(
        below, or_(Recording.error.is_not(None), Recording.warning.is_not(None))
    )
    for path, error, warning in session.execute(remarked.order_by(Recording.path)).yield_per(1000):
        if error is not None:
            report.unusable.add(f"{path}: {error}")
        if warning is not None:
            report.warnings.add(f"{path}: {warning}")
    _warn_of_copies(session, report, below)


def _days(session: Session, below: ColumnElement[bool]) -> set[date]:
    days: set[date] = set()
    times = select(Recording.start, Recording.end).where(below, Recording.error.is_(None))
    for start, end in session.execute(times).yield_per(1000):
        day = start.date()
        days.add(day)
        while end is not None and datetime.combine(day + _DAY, time(), tzinfo=UTC) < end:
            day += _DAY
            days.add(day)
    return days


def _warn_of_copies(session: Session, report: IndexReport, below: ColumnElement[bool]) -> None:
    here = select(Recording.sha256).where(below, Recording.error.is_(None))
    copies = (
        select(func.min(Recording.path), func.max(Recording.path), func.count())
        .where(Recording.sha256.in_(here))
        .group_by(Recording.sha256)
        .having(func.count() > 1)
    )
    for one, other, files in session.execute(copies.order_by(func.max(Recording.path))):
        report.warnings.add(f"{other}: the same bytes as {one} ({files} files in all)")
