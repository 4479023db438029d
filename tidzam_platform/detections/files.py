"""Parquet files of detections, one a generation, source and day (UTC), and their index in the catalog."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date
from typing import Any, Final

from sqlalchemy import select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DetectionFile
from tidzam_platform.clock import utc_now
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.file_changes import keep_others_out, key_of
from tidzam_platform.store import ObjectStore

_ROW_GROUP: Final = 16_384  # what a reader looks at to find a moment of the day


def replace_day(
    catalog: Catalog,
    store: ObjectStore,
    generation: int,
    source_id: int,
    day: date,
    detections: Sequence[Detection],
) -> str:
    """Make ``detections`` all that ``generation`` heard at a source on a day; returns the key of the file.

    The file is replaced whole; the same detections give the same bytes.

    Raises:
        ValueError: a detection starts on another day (UTC): those who read would look for it there.
    """
    if strays := [one for one in detections if one.start.astimezone(UTC).date() != day]:
        raise ValueError(f"{strays[0]} does not start on {day.isoformat()}")
    key = key_of(generation, source_id, day)
    with catalog.session() as session:
        keep_others_out(session, key)
        store.put_bytes(key, to_parquet(detections))
        row = session.scalar(select(DetectionFile).where(DetectionFile.store_key == key))
        if row is None:
            row = DetectionFile(generation=generation, source_id=source_id, day=day, store_key=key)
            session.add(row)
        row.detections = len(detections)
        row.made_at = utc_now()
    return key


def to_parquet(detections: Sequence[Detection]) -> bytes:
    """Detections in ascending order of start, channel and class; the same ones give the same bytes."""
    import pyarrow as pa

    ordered = sorted(detections, key=lambda one: (one.start, one.channel, one.class_path))
    return parquet_bytes(pa.Table.from_pylist([asdict(one) for one in ordered], parquet_schema()))


def parquet_schema() -> Any:
    """The columns of a file (pyarrow)."""
    import pyarrow as pa

    return pa.schema(
        [
            ("id", pa.string()),
            ("generation", pa.int64()),
            ("channel", pa.string()),
            ("start", pa.timestamp("us", "UTC")),
            ("end", pa.timestamp("us", "UTC")),
            ("class_path", pa.string()),
            ("score", pa.float32()),
        ]
    )


def parquet_bytes(table: Any) -> bytes:
    """A table in the order of the rows as the bytes of a file."""
    import pyarrow.parquet as pq

    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=_ROW_GROUP)
    return sink.getvalue()


def from_parquet(data: bytes) -> list[Detection]:
    """Read a file of detections back."""
    import pyarrow.parquet as pq

    return [Detection(**row) for row in pq.read_table(io.BytesIO(data)).to_pylist()]
