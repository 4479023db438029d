"""The live tail of detections: the table ``detections`` of the catalog, written by the analyzer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, cast

from sqlalchemy import CursorResult, Table, func, select
from sqlalchemy.dialects import postgresql, sqlite

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import LiveDetection
from tidzam_platform.clock import utc_now
from tidzam_platform.detections.detection import Detection

_TABLE: Final = cast(Table, LiveDetection.__table__)
_ROWS: Final = 1000  # of a statement: SQLite takes 32,766 values, a row has 8


class LiveDetections:
    """What was heard live, stored once however often it is told; safe to use from several threads."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def add(self, detections: Sequence[Detection]) -> int:
        """Store those whose id is not there yet, all or none of them; returns how many are new.

        Raises:
            CatalogError: the catalog does not answer; the same call may be made again.
        """
        if not detections:
            return 0
        stored_at = utc_now()
        added = 0
        with self._catalog.session() as session:
            for first in range(0, len(detections), _ROWS):
                rows = [
                    {
                        "id": one.id,
                        "generation": one.generation,
                        "channel": one.channel,
                        "start": one.start,
                        "end": one.end,
                        "class_path": one.class_path,
                        "score": float(one.score),
                        "stored_at": stored_at,
                    }
                    for one in detections[first : first + _ROWS]
                ]
                # SQLAlchemy looks at the row count of an insert only when it is told to
                result = session.execute(self._insert(rows), execution_options={"preserve_rowcount": True})
                added += cast("CursorResult[Any]", result).rowcount
        return added

    def count(self) -> int:
        """How many there are."""
        with self._catalog.reading() as session:
            return session.scalar(select(func.count()).select_from(LiveDetection)) or 0

    def newest(self, limit: int = 1) -> list[Detection]:
        """The ``limit`` newest by start, the newest first."""
        with self._catalog.reading() as session:
            rows = session.scalars(
                select(LiveDetection)
                .order_by(LiveDetection.start.desc(), LiveDetection.id.desc())
                .limit(limit)
            ).all()
        return [detection_of_row(row) for row in rows]

    def _insert(self, rows: list[dict[str, Any]]) -> postgresql.Insert | sqlite.Insert:
        if self._catalog.engine.dialect.name == "postgresql":
            return postgresql.insert(_TABLE).values(rows).on_conflict_do_nothing(index_elements=["id"])
        return sqlite.insert(_TABLE).values(rows).on_conflict_do_nothing(index_elements=["id"])


def detection_of_row(row: LiveDetection) -> Detection:
    """The detection that a row of the table holds."""
    return Detection(row.id, row.generation, row.channel, row.start, row.end, row.class_path, row.score)
