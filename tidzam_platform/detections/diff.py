"""Comparing what two generations heard in the archive, in Parquet files that are read in small batches."""

from __future__ import annotations

import heapq
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import exists, select

from tidzam_platform.archive import recording_at
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DetectionFile, Recording, Source
from tidzam_platform.datasets.taxonomy_changes import read_taxonomy
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.difference import Cell, Difference, Example, Kind
from tidzam_platform.detections.matching import Match, match
from tidzam_platform.detections.parquet_rows import all_rows
from tidzam_platform.errors import QueryError, ReprocessingError
from tidzam_platform.home import Home
from tidzam_platform.store import ObjectStore

EXAMPLES: Final = 5  # a kind and class
_HOUR: Final = timedelta(hours=1)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAY: Final = timedelta(days=1)


def diff_days(
    home: Home,
    generation: int,
    before: int,
    source: str,
    begin: datetime,
    end: datetime,
    *,
    examples: int = EXAMPLES,
) -> Difference:
    """Compare what two generations heard of ``source`` in the archive, from ``begin`` to before ``end``.

    Files are read day by day in small batches: memory does not grow with the range, but with the classes, channels and
    hours of the answer. Classes that were renamed, merged or split since then are the same.

    Args:
        home: whose catalog and store.
        generation: what is heard now.
        before: with what it is compared.
        source: its name.
        begin: aware; detections that start then or later.
        end: aware; detections that start before.
        examples: at most so many a kind and class.

    Raises:
        QueryError: no such source, or one generation is compared with itself.
        ReprocessingError: one of them has not heard a day on which there are recordings.
        StoreError: a file is not there, or cannot be read.
    """
    if generation == before:
        raise QueryError(f"generation {generation} is compared with itself: name another")
    files = {number: _files(home.catalog, number, source, begin, end) for number in (before, generation)}
    taxonomy = read_taxonomy(home.catalog)

    def same_class(one: str, other: str) -> bool:
        return one == other or bool(set(taxonomy.targets(one)) & set(taxonomy.targets(other)))

    earlier, later = (
        _detections(home.store, files[number], begin, end, taxonomy.name) for number in (before, generation)
    )
    counting = _Counting(examples)
    for found in match(earlier, later, same_class):
        counting.add(found)
    return Difference(
        generation,
        before,
        source,
        begin,
        end,
        counting.totals,
        counting.sorted_cells(),
        counting.changes,
        [_in_recording(home.catalog, source, one) for one in counting.strongest()],
    )


class _Counting:
    """Counts matches, and keeps the strongest examples of each kind and class."""

    def __init__(self, examples: int) -> None:
        self.totals: Counter[str] = Counter()
        self.changes: Counter[tuple[str, str]] = Counter()
        self._cells: dict[tuple[str, str, datetime], Cell] = {}
        self._examples = examples
        # by kind and class a heap of strength, what breaks a tie, example
        self._strongest: dict[tuple[Kind, str], list[tuple[float, str, Example]]] = defaultdict(list)

    def add(self, found: Match) -> None:
        """Count one match."""
        self.totals["kept_before"] += len(found.kept_before)
        self.totals["kept_after"] += len(found.kept_after)
        self.totals["before"] += len(found.kept_before) + len(found.changed) + len(found.lost)
        self.totals["after"] += len(found.kept_after) + len(found.changed) + len(found.gained)
        for one in found.kept_after:
            self._cell(one).kept += 1
        for one in found.gained:
            self._cell(one).gained += 1
            self._offer(Example("gained", None, one))
        for one in found.lost:
            self._cell(one).lost += 1
            self._offer(Example("lost", one, None))
        for one, other in found.changed:
            self._cell(one).changed_from += 1
            self._cell(other).changed_to += 1
            self.changes[one.class_path, other.class_path] += 1
            self._offer(Example("changed", one, other))

    def sorted_cells(self) -> list[Cell]:
        """By class, channel and hour."""
        return [cell for _, cell in sorted(self._cells.items())]

    def strongest(self) -> list[Example]:
        """By kind, the strongest first."""
        found = [entry for heap in self._strongest.values() for entry in heap]
        return [example for *_, example in sorted(found, key=lambda one: (one[2].kind, -one[0], one[1]))]

    def _cell(self, one: Detection) -> Cell:
        hour = _EPOCH + (one.start - _EPOCH) // _HOUR * _HOUR
        key = (one.class_path, one.channel, hour)
        return self._cells.setdefault(key, Cell(*key))

    def _offer(self, example: Example) -> None:
        self.totals[example.kind] += 1
        one = example.detection
        heap = self._strongest[example.kind, one.class_path]
        heapq.heappush(heap, (example.strength, one.id, example))
        if len(heap) > self._examples:
            heapq.heappop(heap)


def _files(catalog: Catalog, generation: int, source: str, begin: datetime, end: datetime) -> list[str]:
    """Keys of the files of a generation in the range, by day; ReprocessingError if it has not heard one of the days."""
    first, last = begin.astimezone(UTC).date(), (end.astimezone(UTC) - timedelta(microseconds=1)).date()
    with catalog.reading() as session:
        source_id = session.scalar(select(Source.id).where(Source.name == source))
        if source_id is None:
            raise QueryError(f"no source {source!r}: ./tidzam archive list shows what there is")
        rows = session.execute(
            select(DetectionFile.day, DetectionFile.store_key).where(
                DetectionFile.generation == generation,
                DetectionFile.source_id == source_id,
                DetectionFile.day.between(first, last),
            )
        )
        keys = {day: str(key) for day, key in rows}
        unheard = []
        for number in range((last - first).days + 1):
            day = first + number * _DAY
            midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
            touching = exists().where(
                Recording.source_id == source_id,
                Recording.error.is_(None),
                Recording.start < midnight + _DAY,
                Recording.end > midnight,
            )
            if day not in keys and session.scalar(select(touching)):
                unheard.append(day)
    if unheard:
        raise ReprocessingError(
            f"generation {generation} has not heard {source} on {unheard[0]}"
            f"{f' and {len(unheard) - 1} more days' if len(unheard) > 1 else ''}: ./tidzam reprocess --source {source} "
            f"--from {unheard[0]} --to {unheard[-1]} --generation {generation}"
        )
    return [keys[day] for day in sorted(keys)]


def _detections(
    store: ObjectStore, keys: Sequence[str], begin: datetime, end: datetime, name: Callable[[str], str]
) -> Iterator[Detection]:
    """Those that start in the range, by start, with today's names of classes."""
    for key in keys:
        for one in all_rows(store, key):
            if begin <= one.start < end:
                today = name(one.class_path)
                yield one if today == one.class_path else replace(one, class_path=today)


def _in_recording(catalog: Catalog, source: str, example: Example) -> Example:
    """The example with the recording in which it starts."""
    start = example.detection.start
    with catalog.reading() as session:
        row = recording_at(session, source, start)
    if row is None:
        return example
    return replace(example, recording=row.path, offset_s=round((start - row.start).total_seconds(), 6))
