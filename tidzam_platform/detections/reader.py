"""One view of all detections: the live tail in the catalog and the Parquet files of the archive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
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
from tidzam_platform.detections.progress import Deadline, Progress
from tidzam_platform.detections.query import DetectionQuery, Page, Position, valid_limit
from tidzam_platform.detections.selection import Selection
from tidzam_platform.errors import QueryDeadlineError
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

    def page(
        self,
        query: DetectionQuery,
        *,
        limit: int = 100,
        cursor: str | None = None,
        within_s: float | None = None,
    ) -> Page:
        """The first ``limit`` detections, or those that follow the page which gave ``cursor``.

        What is stored between two pages is found if it lies behind the first one; nothing is told twice.

        Args:
            query: what is asked for.
            limit: 1 to 10,000.
            cursor: ``next_cursor`` of the page before.
            within_s: no file is begun after so many seconds but the first; the page then has what is certain by then
                (``is_incomplete``). None: as long as it takes.

        Raises:
            QueryError: the limit or the cursor makes no sense.
            QueryDeadlineError: time ran out within one day, and nothing was gained that a cursor could tell.
            StoreError: a file that the index names is not there, or damaged.
        """
        deadline = Deadline(within_s)
        after = None if cursor is None else Position.from_cursor(cursor)
        progress = Progress(query, after)
        selection = Selection(valid_limit(limit) + 1, newest_first=query.newest_first)
        with self._catalog.reading() as session:
            selection.offer(live_detections(session, query, after, limit + 1))
        for file in self._files(query, after):
            midnight = datetime.combine(file.day, time(), UTC)
            if not selection.needs(midnight + _DAY if query.newest_first else midnight):
                break  # files come in order of their days
            if progress.has_begun and deadline.is_over():
                return _cut_short(selection, progress, file.day, limit, deadline)
            is_empty = offer_file(self._store, file.store_key, query, after, selection)
            progress.read(file.day, file.id, is_empty=is_empty)
        return _full(selection.result(), limit)

    def all(self, query: DetectionQuery) -> Iterator[Detection]:
        """Every detection of the query, in order; errors as ``page``, while it is read."""
        cursor = None
        while True:
            page = self.page(query, limit=_PAGE, cursor=cursor)
            yield from page.detections
            if (cursor := page.next_cursor) is None:
                return

    def find(
        self,
        identity: str,
        *,
        start: datetime | None = None,
        channel: str | None = None,
        within_s: float | None = None,
    ) -> Detection | None:
        """The detection of that id, or None.

        Args:
            identity: its id.
            start: when it starts, where the caller knows: else all files may have to be looked through.
            channel: of it, where the caller knows; files of other sources are looked through last.
            within_s: no file is begun after so many seconds but the first; None: as long as it takes.

        Raises:
            QueryDeadlineError: it was not found until then, and may be there.
            InvalidNameError: that is no channel.
        """
        channels = () if channel is None else (channel,)
        return self.find_many({identity: start}, channels=channels, within_s=within_s).get(identity)

    def find_many(
        self,
        wanted: Mapping[str, datetime | None],
        *,
        channels: tuple[str, ...] = (),
        within_s: float | None = None,
    ) -> dict[str, Detection]:
        """Those of the ids that there are; ``wanted`` says when each starts, as far as the caller knows.

        ``channels`` and ``within_s``, and errors: as ``find``.
        """
        deadline = Deadline(within_s)
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
        midnights = [datetime.combine(day, time(), UTC) for day in sorted(days)]
        anywhere = DetectionQuery(newest_first=True)
        likely = [DetectionQuery(since=midnight, until=midnight) for midnight in midnights]
        if channels:
            likely = [replace(query, channels=channels) for query in (*likely, anywhere)] + likely
        looked_at: set[int] = set()
        for query in (*likely, anywhere):
            self._find_in(query, left, found, looked_at, deadline)
        return found

    def _find_in(
        self,
        query: DetectionQuery,
        wanted: Mapping[str, datetime | None],
        found: dict[str, Detection],
        looked_at: set[int],
        deadline: Deadline,
    ) -> None:
        """Look through the files of the query, but not those ``looked_at`` before, until all are found."""
        if wanted.keys() <= found.keys():
            return
        for file in self._files(query, None):
            if file.id in looked_at:
                continue
            if looked_at and deadline.is_over():
                raise QueryDeadlineError(
                    f"{min(wanted.keys() - found.keys())!r} was not found within {deadline.within_s:g} s: "
                    "say when it starts, and on which channel"
                )
            left = wanted.keys() - found.keys()
            found |= {one.id: one for one in find_in_file(self._store, file.store_key, left)}
            looked_at.add(file.id)
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


def _cut_short(selection: Selection, progress: Progress, day: date, limit: int, deadline: Deadline) -> Page:
    """The page as it is before the next file, which is of that day: what comes before the day is certain."""
    certain = [
        one
        for one in selection.result()
        if one.start.astimezone(UTC).date() != day
        and (one.start.astimezone(UTC).date() > day) == selection.newest_first
    ]
    if len(certain) > limit:
        return _full(certain, limit)
    place = progress.place(day)
    if place is None and not certain:
        raise QueryDeadlineError(
            f"what was heard on {day.isoformat()} cannot be looked through within {deadline.within_s:g} s: "
            "name channels or a generation, or let web.query_s be longer"
        )
    place = place or Position.before_day(day, newest_first=selection.newest_first)
    return Page(tuple(certain), place.cursor, is_incomplete=len(certain) < limit)


def _full(found: list[Detection], limit: int) -> Page:
    """As many as there may be; the cursor goes on behind them where there are more."""
    more = len(found) > limit
    return Page(tuple(found[:limit]), Position.of(found[limit - 1]).cursor if more else None)


def _some_files(
    session: Session, query: DetectionQuery, after: Position | None, last: _File | None
) -> list[_File]:
    day = DetectionFile.day
    conditions: list[ColumnElement[bool]] = [DetectionFile.detections > 0]
    since, until = query.since, query.until
    if after is not None:  # what lies before the cursor's day is read already
        since = after.start if not query.newest_first else since
        until = after.start if query.newest_first else until
        conditions.append(
            or_(day != after.start.astimezone(UTC).date(), DetectionFile.id > after.empty_files)
        )
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
