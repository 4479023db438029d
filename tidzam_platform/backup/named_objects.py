"""Which objects of the store a catalog names, and a catalog without those that are gone."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from sqlalchemy import delete, select

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Clip, DetectionFile, Table
from tidzam_platform.retention.clip_rows import forget_clips

_KEY_COLUMN: Final = "store_key"
_KEYS: Final = 500  # of one look into the catalog


def named_objects(catalog: Catalog) -> set[str]:
    """Keys of all objects that rows name."""
    found: set[str] = set()
    with catalog.reading() as session:
        for table in Table.metadata.sorted_tables:
            if _KEY_COLUMN in table.columns:
                found |= {key for key in session.scalars(select(table.columns[_KEY_COLUMN])) if key}
    return found


def take_out_removed(catalog: Catalog, keys: Collection[str]) -> int:
    """Remove the rows of clips and of files of detections that name these objects; returns how many.

    Nothing else that rows name is ever removed while a home is in use.
    """
    removed = 0
    ordered = sorted(keys)
    with catalog.session() as session:
        for first in range(0, len(ordered), _KEYS):
            some = ordered[first : first + _KEYS]
            clips = session.scalars(select(Clip.id).where(Clip.store_key.in_(some))).all()
            files = session.scalars(select(DetectionFile.id).where(DetectionFile.store_key.in_(some))).all()
            removed += forget_clips(session, clips)
            session.execute(delete(DetectionFile).where(DetectionFile.id.in_(files)))
            removed += len(files)
    return removed
