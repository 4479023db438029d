"""One view of all detections: the live tail in the catalog and the Parquet files of the archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation, DetectionFile, LiveDetection, Source
from tidzam_platform.detections.catalog_rows import live_detections
from tidzam_platform.detections.channel_conditions import may_be_of
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import detection_of_row
from tidzam_platform.detections.parquet_rows import find_in_file, offer_file
from tidzam_platform.detections.query import DetectionQuery, Page, Position, valid_limit
from tidzam_platform.detections.selection import Selection
from tidzam_platform.store import ObjectStore

_FILES: Final = 500  # rows of the index read at a time
_PAGE: Final = 5_000  # of ``all``
_IDS: Final = 500  # of one look into the catalog
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True)
class _File:
    id: int
    day: date
    store_key: str


class DetectionReader:
    """Answers queries. Each detection comes once, though it may stand in the catalog and in a file.

    Safe to use from several threads. Memory is bounded by the size of a page.
    """

    def __init__(self, catalog: Catalog, store: ObjectStore) -> None:
        self._catalog = catalog
        self._store = store

    def page(self, query: DetectionQuery, *, limit: int = 100, cursor: str | None = None) -> Page:
        """The first ``limit`` detections, or those that follow the page which gave ``cursor``.

        What is stored between two pages is found if it lies behind the first one; nothing is told twice.

        Raises:
            QueryError: the limit or the cursor makes no sense.
            StoreError: a file that the index names is not there, or damaged.
        """
        after = None if cursor is None else Position.from_cursor(cursor)
        selection = Selection(valid_limit(limit) + 1, newest_first=query.newest_first)
        with self._catalog.reading() as session:
            selection.offer(live_detections(session, query, after, limit + 1))
        for file in self._files(query, after):
            midnight = datetime.combine(file.day, time(), UTC)
            if not selection.needs(midnight + _DAY if query.newest_first else midnight):
                break  # files come in order of their days
            offer_file(self._store, file.store_key, query, after, selection)
        found = selection.result()
        more = len(found) > limit
        return Page(tuple(found[:limit]), Position.of(found[limit - 1]).cursor if more else None)

    def all(self, query: DetectionQuery) -> Iterator[Detection]:
        """Every detection of the query, in order; errors as ``page``, while it is read."""
        cursor = None
        while True:
            page = self.page(query, limit=_PAGE, cursor=cursor)
            yield from page.detections
            if (cursor := page.next_cursor) is None:
                return

    def find(self, identity: str, *, start: datetime | None = None) -> Detection | None:
        """The detection of that id, or None.

        Args:
            identity: its id.
            start: when it starts, where the caller knows: else all files may have to be looked through.
        """
        return self.find_many({identity: start}).get(identity)

    def find_many(self, wanted: Mapping[str, datetime | None]) -> dict[str, Detection]:
        """Those of the ids that there are; ``wanted`` says when each starts, as far as the caller knows."""
        left = dict(wanted)
        found: dict[str, Detection] = {}
        for first in range(0, len(wanted), _IDS):
            some = list(wanted)[first : first + _IDS]
            with self._catalog.reading() as session:
                rows = session.scalars(select(LiveDetection).where(LiveDetection.id.in_(some)))
                found |= {row.id: detection_of_row(row) for row in rows}
                labelled = select(Annotation.detection_id, Annotation.start)
                labelled = labelled.where(Annotation.detection_id.in_(some), Annotation.start.is_not(None))
                left |= {str(identity): start for identity, start in session.execute(labelled)}
        days = {
            start.astimezone(UTC).date()
            for identity, start in left.items()
            if start and identity not in found
        }
        for day in sorted(days):
            midnight = datetime.combine(day, time(), UTC)
            self._find_in(DetectionQuery(since=midnight, until=midnight), left, found)
        self._find_in(DetectionQuery(newest_first=True), left, found)
        return found

    def _find_in(
        self, query: DetectionQuery, wanted: Mapping[str, datetime | None], found: dict[str, Detection]
    ) -> None:
        """Look through the files of the query until all are found."""
        if wanted.keys() <= found.keys():
            return
        for file in self._files(query, None):
            left = wanted.keys() - found.keys()
            found |= {one.id: one for one in find_in_file(self._store, file.store_key, left)}
            if wanted.keys() <= found.keys():
                return

    def _files(self, query: DetectionQuery, after: Position | None) -> Iterator[_File]:
        """Files that may hold what is asked for, by day in the order of the query; no transaction stays open."""
        last: _File | None = None
        while True:
            with self._catalog.reading() as session:
                found = _some_files(session, query, after, last)
            yield from found
            if len(found) < _FILES:
                return
            last = found[-1]


def _some_files(
    session: Session, query: DetectionQuery, after: Position | None, last: _File | None
) -> list[_File]:
    day = DetectionFile.day
    conditions: list[ColumnElement[bool]] = [DetectionFile.detections > 0]
    since, until = query.since, query.until
    if after is not None:  # what lies before the cursor's day is read already
        since = after.start if not query.newest_first else since
        until = after.start if query.newest_first else until
    if since is not None:
        conditions.append(day >= since.astimezone(UTC).date())
    if until is not None:
        conditions.append(day <= until.astimezone(UTC).date())
    if query.generations:
        conditions.append(DetectionFile.generation.in_(query.generations))
    if query.channels:
        sources = session.execute(select(Source.id, Source.name))
        chosen = [number for number, name in sources if may_be_of(query.channels, name)]
        conditions.append(DetectionFile.source_id.in_(chosen))
    if last is not None:
        beyond = day < last.day if query.newest_first else day > last.day
        conditions.append(or_(beyond, and_(day == last.day, DetectionFile.id > last.id)))
    rows = session.execute(
        select(DetectionFile.id, day, DetectionFile.store_key)
        .where(*conditions)
        .order_by(day.desc() if query.newest_first else day, DetectionFile.id)
        .limit(_FILES)
    )
    return [_File(number, of_day, key) for number, of_day, key in rows]
