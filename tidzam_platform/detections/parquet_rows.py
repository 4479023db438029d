"""Detections of a query in Parquet files, read in small batches: a file's length does not matter for memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from tidzam_platform.channel_patterns import regex_of
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.query import SCORE_TOLERANCE, DetectionQuery, Position
from tidzam_platform.detections.selection import Selection
from tidzam_platform.errors import StoreError
from tidzam_platform.labels.class_paths import SEPARATOR
from tidzam_platform.store import ObjectStore

BATCH_ROWS: Final = 16_384


def offer_file(
    store: ObjectStore, key: str, query: DetectionQuery, after: Position | None, selection: Selection
) -> None:
    """Offer the detections of a file that fulfil the query and follow ``after``.

    Raises:
        StoreError: the file is not there, or cannot be read.
    """
    with _opened(store, key) as parquet:
        groups = range(parquet.num_row_groups)
        for group in reversed(groups) if query.newest_first else groups:
            first, last = _starts(parquet, group)
            if not selection.needs(last if query.newest_first else first):
                return  # files are in order of start
            if after is not None and (first > after.start if query.newest_first else last < after.start):
                continue
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group]):
                found = _first_of(batch.filter(_mask(batch, query, after)), query, selection.size)
                selection.offer(Detection(**row) for row in found.to_pylist())


def find_in_file(store: ObjectStore, key: str, identities: Collection[str]) -> list[Detection]:
    """The detections of these ids that the file holds; StoreError as above."""
    import pyarrow as pa
    import pyarrow.compute as pc

    wanted = pa.array(identities, pa.string())
    found: list[Detection] = []
    with _opened(store, key) as parquet:
        for group in range(parquet.num_row_groups):
            chosen = pc.is_in(parquet.read_row_group(group, columns=["id"]).column("id"), value_set=wanted)
            if pc.any(chosen).as_py():
                rows = parquet.read_row_group(group).filter(chosen)
                found += [Detection(**row) for row in rows.to_pylist()]
    return found


@contextmanager
def _opened(store: ObjectStore, key: str) -> Iterator[Any]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    with store.as_file(key) as path:
        try:
            with pq.ParquetFile(path) as parquet:
                yield parquet
        except (pa.ArrowException, OSError, TypeError) as error:
            raise StoreError(
                f"the detections in {key!r} cannot be read ({error}): let that day be heard again"
            ) from error


def _starts(parquet: Any, group: int) -> tuple[datetime, datetime]:
    """Earliest and latest start of a row group."""
    columns = parquet.metadata.row_group(group)
    column = parquet.schema_arrow.get_field_index("start")
    statistics = columns.column(column).statistics
    if statistics is None or not statistics.has_min_max:
        return datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    return statistics.min.replace(tzinfo=UTC), statistics.max.replace(tzinfo=UTC)


def _mask(batch: Any, query: DetectionQuery, after: Position | None) -> Any:
    """Boolean ``[rows]``: what fulfils the query."""
    import pyarrow as pa
    import pyarrow.compute as pc

    start, identity = batch.column("start"), batch.column("id")
    conditions = [pc.is_valid(identity)]
    if query.since is not None:
        conditions.append(pc.greater_equal(start, _scalar(query.since)))
    if query.until is not None:
        conditions.append(pc.less(start, _scalar(query.until)))
    if query.channels:
        conditions.append(pc.match_substring_regex(batch.column("channel"), regex_of(query.channels)))
    if query.classes:
        paths = batch.column("class_path")
        chosen = pc.is_in(paths, value_set=pa.array(query.classes))
        for path in () if query.exact_classes else query.classes:
            chosen = pc.or_(chosen, pc.starts_with(paths, path + SEPARATOR))
        conditions.append(chosen)
    score = batch.column("score").cast("double")
    if query.score_from > 0:
        conditions.append(pc.greater_equal(score, query.score_from - SCORE_TOLERANCE))
    if query.score_to < 1:
        conditions.append(pc.less_equal(score, query.score_to + SCORE_TOLERANCE))
    if after is not None:
        beyond, later = (pc.less, pc.less) if query.newest_first else (pc.greater, pc.greater)
        same = pc.and_(pc.equal(start, _scalar(after.start)), later(identity, after.id))
        conditions.append(pc.or_(beyond(start, _scalar(after.start)), same))
    mask = conditions[0]
    for condition in conditions[1:]:
        mask = pc.and_(mask, condition)
    return mask


def _first_of(batch: Any, query: DetectionQuery, size: int) -> Any:
    """The rows of a batch that can be among its first ``size``: turning rows into objects is what takes time."""
    import numpy as np

    if batch.num_rows <= size:
        return batch
    starts = batch.column("start").cast("int64").to_numpy(zero_copy_only=False)
    if query.newest_first:
        return batch.filter(_as_array(starts >= np.partition(starts, -size)[-size]))
    return batch.filter(_as_array(starts <= np.partition(starts, size - 1)[size - 1]))


def _as_array(mask: Any) -> Any:
    import pyarrow as pa

    return pa.array(mask)


def _scalar(moment: datetime) -> Any:
    import pyarrow as pa

    return pa.scalar(moment.astimezone(UTC), pa.timestamp("us", "UTC"))
