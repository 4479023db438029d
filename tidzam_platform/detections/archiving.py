"""Old rows of the table ``detections`` move into Parquet files, where the archive's own lie.

A day's rows of a generation and source are first merged into their file and then removed from the table. Whoever reads
looks into the table first and into the files then, and knows a detection by its id: it comes once at every moment, also
after a kill between the two, which the next run completes.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

from sqlalchemy import delete, func, select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Generation, LiveDetection, Source
from tidzam_platform.crash_points import reach
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.file_changes import merge_day
from tidzam_platform.detections.live import detection_of_row
from tidzam_platform.errors import InvalidNameError
from tidzam_platform.names import split_channel
from tidzam_platform.store import ObjectStore

_ROWS: Final = 500  # of one removal
_DAY: Final = timedelta(days=1)


@dataclass
class Archived:
    """What moved, or would move.

    Attributes:
        moved: detections.
        files: that they went into.
        days: from the first to the last; empty where nothing moved.
        stayed: detections that stay in the table, by reason.
    """

    moved: int = 0
    files: int = 0
    days: list[date] = field(default_factory=list)
    stayed: Counter[str] = field(default_factory=Counter)


def archive_detections(catalog: Catalog, store: ObjectStore, before: date, *, apply: bool = True) -> Archived:
    """Move detections that start before a day (UTC) into Parquet files.

    A channel is ``<source>:out_<n>``; a source that the catalog does not know gets a row. Detections of a generation
    that the catalog does not know stay, since the index of files refers to generations; so do those whose channel
    names no source.

    Args:
        catalog: where the table is.
        store: where the files go.
        before: the first day that stays in the table.
        apply: False: only count.

    Raises:
        CatalogError, StoreError: they failed; the same call may be made again.
    """
    done = Archived()
    with catalog.reading() as session:
        known = set(session.scalars(select(Generation.number)))
    day = _next_day(catalog, None, before)
    while day is not None:
        for (generation, source), found in sorted(_by_file(catalog, day, known, done.stayed).items()):
            if apply:
                source_id = _source_id(catalog, source)
                merge_day(catalog, store, generation, source_id, day, found)
                reach("detections.archived")
                _remove(catalog, found)
                reach("detections.removed")
            done.moved += len(found)
            done.files += 1
            if done.days[-1:] != [day]:
                done.days.append(day)
        day = _next_day(catalog, day, before)
    return done


def _next_day(catalog: Catalog, after: date | None, before: date) -> date | None:
    """The first day that has detections, behind ``after`` and before ``before``."""
    query = select(func.min(LiveDetection.start)).where(LiveDetection.start < _midnight(before))
    if after is not None:
        query = query.where(LiveDetection.start >= _midnight(after + _DAY))
    with catalog.reading() as session:
        first = session.scalar(query)
    return None if first is None else first.astimezone(UTC).date()


def _by_file(
    catalog: Catalog, day: date, known: set[int], stayed: Counter[str]
) -> dict[tuple[int, str], list[Detection]]:
    """Detections of a day by generation and source; those that have no file are counted as ``stayed``."""
    groups: dict[tuple[int, str], list[Detection]] = defaultdict(list)
    begin = _midnight(day)
    with catalog.reading() as session:
        rows = session.scalars(
            select(LiveDetection).where(LiveDetection.start >= begin, LiveDetection.start < begin + _DAY)
        )
        for row in rows:
            if row.generation not in known:
                stayed[f"generation {row.generation} is not in the catalog"] += 1
                continue
            try:
                source, _ = split_channel(row.channel)
            except InvalidNameError:
                stayed[f"{row.channel!r:.80} is no channel of a source"] += 1
                continue
            groups[row.generation, source].append(detection_of_row(row))
    return groups


def _source_id(catalog: Catalog, name: str) -> int:
    with catalog.session() as session:
        row = session.scalar(select(Source).where(Source.name == name))
        if row is None:
            row = Source(name=name)
            session.add(row)
            session.flush()
        return row.id


def _remove(catalog: Catalog, detections: Sequence[Detection]) -> None:
    for first in range(0, len(detections), _ROWS):
        ids = [one.id for one in detections[first : first + _ROWS]]
        with catalog.session() as session:
            session.execute(delete(LiveDetection).where(LiveDetection.id.in_(ids)))


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)
