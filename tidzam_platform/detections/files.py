"""Parquet files of detections, one a generation, source and day (UTC)."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final

from tidzam_platform.detections.detection import Detection

_ROW_GROUP: Final = 16_384  # what a reader looks at to find a moment of the day


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
