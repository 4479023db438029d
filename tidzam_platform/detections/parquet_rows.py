"""Detections of a query in Parquet files, read in small batches: a file's length does not matter for memory."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any, Final

from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.query import DetectionQuery, Position
from tidzam_platform.detections.row_choice import any_chosen, choosing_columns, chosen_rows
from tidzam_platform.detections.row_groups import may_hold, starts_of
from tidzam_platform.detections.selection import Selection
from tidzam_platform.errors import StoreError
from tidzam_platform.store import ObjectStore

BATCH_ROWS: Final = 16_384


def offer_file(
    store: ObjectStore, key: str, query: DetectionQuery, after: Position | None, selection: Selection
) -> bool:
    """Offer the detections of a file that fulfil the query and follow ``after``; returns whether there surely are none.

    Parts of the file that can hold none by what its footer says are not read, and of the others first the columns
    that decide alone.

    Raises:
        StoreError: the file is not there, or cannot be read.
    """
    choosing = choosing_columns(query)
    is_empty = True
    with _opened(store, key) as parquet:
        groups = range(parquet.num_row_groups)
        for group in reversed(groups) if query.newest_first else groups:
            first, last = starts_of(parquet, group)
            if not selection.needs(last if query.newest_first else first):
                return False  # files are in order of start; what comes later was not looked at
            if after is not None and (first > after.start if query.newest_first else last < after.start):
                continue
            if not may_hold(parquet, group, query):
                continue
            if choosing and not any_chosen(parquet.read_row_group(group, columns=choosing), query):
                continue
            for batch in parquet.iter_batches(BATCH_ROWS, row_groups=[group]):
                found = _first_of(batch.filter(_mask(batch, query, after)), query, selection.size)
                is_empty = is_empty and found.num_rows == 0
                selection.offer(Detection(**row) for row in found.to_pylist())
    return is_empty


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


def all_rows(store: ObjectStore, key: str) -> Iterator[Detection]:
    """Every detection of a file, in its order, read in small batches; StoreError as above, while it is read."""
    with _opened(store, key) as parquet:
        for batch in parquet.iter_batches(BATCH_ROWS):
            for row in batch.to_pylist():
                yield Detection(**row)


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


def _mask(batch: Any, query: DetectionQuery, after: Position | None) -> Any:
    """Boolean ``[rows]``: what fulfils the query."""
    import pyarrow.compute as pc

    start, identity = batch.column("start"), batch.column("id")
    conditions = [pc.is_valid(identity)]
    if query.since is not None:
        conditions.append(pc.greater_equal(start, _scalar(query.since)))
    if query.until is not None:
        conditions.append(pc.less(start, _scalar(query.until)))
    conditions += chosen_rows(batch, query)
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
