"""Which recording of a database comes next, as the catalog knows them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from sqlalchemy import select

from tidzam_platform.archive.times import JOINT_TOLERANCE_S
from tidzam_platform.catalog.database import Catalog
from tidzam_platform.catalog.tables import Recording, Source
from tidzam_platform.clock import format_utc

FROM_THE_FIRST: Final = datetime.min.replace(tzinfo=UTC)
"""Where a database is played from if no date is given."""
_JOINT: Final = timedelta(seconds=JOINT_TOLERANCE_S)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ArchivedFile:
    """A usable recording: its file, and when it began and ended (aware UTC)."""

    path: Path
    start: datetime
    end: datetime
    seconds: float


def zone_of_database(catalog: Catalog, database: str) -> str | None:
    """The time zone of the database's file names; None if the catalog does not know the database."""
    with catalog.reading() as session:
        return session.scalar(select(Source.time_zone).where(Source.name == database))


def recordings_from(
    catalog: Catalog, database: str, moment: datetime
) -> Iterator[tuple[ArchivedFile, float]]:
    """The recordings that sound at ``moment`` or later, in order of time; each is looked up when it is wanted.

    Yields:
        The file, and from which second of it on. It is not 0 for the first one, and where one began while the one
        before was still running; an overlap of up to 2 s is the rounding of names, and is played as it is.
    """
    reached = moment
    begun: datetime | None = None
    while (found := _next(catalog, database, reached, begun)) is not None:
        ahead = reached - found.start
        within_s = ahead.total_seconds() if begun is None or ahead > _JOINT else 0.0
        yield found, max(within_s, 0.0)
        reached, begun = max(found.end, reached), found.start


def nothing_from(database: str, moment: datetime, skipped_files: int = 0) -> str:
    """What is told where nothing can be played from ``moment`` on; ``skipped_files`` had to be left out."""
    since = "" if moment == FROM_THE_FIRST else f" from {format_utc(moment)} on"
    skipped = f" ({skipped_files} damaged or missing files)" if skipped_files else ""
    return (
        f"the archive holds nothing of {database!r}{since} that can be played{skipped}; `./tidzam archive list` shows "
        "what it holds"
    )


def ns_of(moment: datetime) -> int:
    """Aware UTC as ns since 1970."""
    return (moment - _EPOCH) // timedelta(microseconds=1) * 1000


def _next(catalog: Catalog, database: str, reached: datetime, begun: datetime | None) -> ArchivedFile | None:
    """The first one that sounds after ``reached``, and that did not begin before or with the one begun at ``begun``."""
    query = (
        select(Recording)
        .join(Recording.source)
        .where(Source.name == database, Recording.error.is_(None), Recording.end > reached)
        .order_by(Recording.start, Recording.path)
        .limit(1)
    )
    if begun is not None:
        query = query.where(Recording.start > begun)
    with catalog.reading() as session:
        row = session.scalar(query)
        if row is None or row.end is None or row.seconds is None:
            return None
        return ArchivedFile(Path(row.path), row.start, row.end, row.seconds)
