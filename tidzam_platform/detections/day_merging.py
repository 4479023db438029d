"""The file of a day made anew from what was heard in its recordings; rows stay columns, so that memory is small."""

from __future__ import annotations

import io
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy import select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DetectionFile
from tidzam_platform.detections.file_changes import index_anew, keep_others_out, key_of
from tidzam_platform.detections.files import parquet_bytes, parquet_schema
from tidzam_platform.errors import ObjectNotFoundError
from tidzam_platform.store import ObjectStore

_LOG: Final = logging.getLogger(__name__)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)

Span = tuple[datetime, datetime]


def remake_day(
    catalog: Catalog,
    store: ObjectStore,
    generation: int,
    source_id: int,
    day: date,
    parts: Sequence[Callable[[], bytes]],
    heard: Sequence[Span],
) -> tuple[bytes, Counter[str]]:
    """Replace what a generation heard at a source on a day, as far as it was heard now; returns file and counts.

    Detections of the old file that start where nothing was heard now stay: they were heard live without being recorded,
    or the recording is gone.

    Args:
        catalog: holds the index.
        store: holds the file.
        generation: that heard.
        source_id: the source.
        day: in UTC.
        parts: each gives a file of detections; those of other days are left out.
        heard: from when to when (aware) the parts heard.

    Raises:
        ObjectNotFoundError: a part is gone.
    """
    key = key_of(generation, source_id, day)
    tables = [_rows_of(part(), day) for part in parts]
    with catalog.session() as session:
        keep_others_out(session, key)
        row = session.scalar(select(DetectionFile).where(DetectionFile.store_key == key))
        if row is not None and (old := _old_rows(store, key, day)) is not None:
            tables.append(_outside(old, heard))
        merged = _merged(tables)
        data = parquet_bytes(merged)
        store.put_bytes(key, data)
        new = DetectionFile(generation=generation, source_id=source_id, day=day)
        index_anew(session, row, new, merged.num_rows)
    return data, _counts(merged)


def _old_rows(store: ObjectStore, key: str, day: date) -> Any | None:
    """The rows of the file that is replaced; None if it is lost or damaged, which hearing the day again shall mend.

    A store that cannot be read just now raises: what was heard live is nowhere else.
    """
    import pyarrow as pa

    try:
        data = store.get_bytes(key)
    except ObjectNotFoundError:
        return None
    try:
        return _rows_of(data, day)
    except (pa.ArrowException, ValueError, OSError) as error:  # ValueError: its columns are others
        _LOG.warning("%s is damaged and made anew; what was heard live alone in it is lost: %s", key, error)
        return None


def _rows_of(data: bytes, day: date) -> Any:
    """The rows of a file that start on ``day``."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    midnight = datetime.combine(day, time(), UTC)
    # Many small files: threads would cost more memory than all rows do.
    rows = pq.ParquetFile(io.BytesIO(data)).read(use_threads=False).cast(parquet_schema())
    start = rows.column("start")
    is_of_day = pc.and_(pc.greater_equal(start, midnight), pc.less(start, midnight + timedelta(days=1)))
    return rows.filter(is_of_day)


def _outside(table: Any, spans: Iterable[Span]) -> Any:
    """The rows that start in none of the spans."""
    import numpy as np
    import pyarrow as pa

    starts = table.column("start").cast("int64").to_numpy()
    outside = np.ones(len(starts), bool)
    for begin, end in spans:
        first, last = (-(-(moment - _EPOCH) // _MICROSECOND) for moment in (begin, end))
        outside &= (starts < first) | (starts >= last)
    return table.filter(pa.array(outside))


def _merged(tables: Sequence[Any]) -> Any:
    """All rows in the order of a file, each id once: of copies of a recording the higher score counts."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.compute as pc

    whole = pa.concat_tables(tables) if tables else parquet_schema().empty_table()
    order = [("start", "ascending"), ("channel", "ascending"), ("class_path", "ascending")]
    ordered = whole.sort_by([*order, ("id", "ascending"), ("score", "descending")]).combine_chunks()
    if ordered.num_rows < 2:
        return ordered
    ids = ordered.column("id").combine_chunks()
    first = np.ones(ordered.num_rows, bool)
    first[1:] = pc.not_equal(ids[1:], ids[:-1]).to_numpy(zero_copy_only=False)
    return ordered.filter(pa.array(first))


def _counts(table: Any) -> Counter[str]:
    import pyarrow.compute as pc

    counted = pc.value_counts(table.column("class_path")).to_pylist()
    return Counter({one["values"]: one["counts"] for one in counted})
