"""Changing the files of detections one at a time, and adding to one what was heard live."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DetectionFile
from tidzam_platform.clock import utc_now
from tidzam_platform.crash_points import reach
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.files import from_parquet, to_parquet
from tidzam_platform.store import ObjectStore


def key_of(generation: int, source_id: int, day: date) -> str:
    """Where the store holds what a generation heard at a source on a day (UTC)."""
    return f"detections/generation={generation}/source={source_id}/day={day.isoformat()}/detections.parquet"


def keep_others_out(session: Session, key: str) -> None:
    """Until this transaction ends, nobody else changes the file: what one read and another wrote is never lost.

    SQLite's writers are alone anyway.
    """
    if session.get_bind().dialect.name == "postgresql":
        session.execute(text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"), {"key": key})


def merge_day(
    catalog: Catalog,
    store: ObjectStore,
    generation: int,
    source_id: int,
    day: date,
    detections: Sequence[Detection],
) -> str:
    """Add detections to what the file of a generation, source and day holds, each once; returns its key.

    Raises:
        ValueError: a detection starts on another day (UTC): those who read would look for it there.
        StoreError: the file that the index names is not there.
    """
    if strays := [one for one in detections if one.start.date() != day]:
        raise ValueError(f"{strays[0]} does not start on {day.isoformat()}")
    key = key_of(generation, source_id, day)
    with catalog.session() as session:
        keep_others_out(session, key)
        row = session.scalar(select(DetectionFile).where(DetectionFile.store_key == key))
        kept = {} if row is None else {one.id: one for one in from_parquet(store.get_bytes(key))}
        merged = {one.id: one for one in detections} | kept  # what stands in the file counts
        if len(merged) > len(kept):
            store.put_bytes(key, to_parquet(list(merged.values())))
        reach("detections.merged")
        index_anew(
            session, row, DetectionFile(generation=generation, source_id=source_id, day=day), len(merged)
        )
    return key


def index_anew(session: Session, old: DetectionFile | None, new: DetectionFile, detections: int) -> None:
    """Let the index name a file that was written just now, under a number that no cursor has passed.

    So whoever pages through the day looks into the file again.

    Args:
        session: a writing one, in which others are kept out.
        old: the row of the file as it was.
        new: a row with generation, source and day.
        detections: how many the file holds.
    """
    highest = session.scalar(select(func.max(DetectionFile.id))) or 0
    if old is not None:
        session.delete(old)
        session.flush()
    if session.get_bind().dialect.name == "sqlite":  # which would give the number of the last row again
        new.id = highest + 1
    new.store_key = key_of(new.generation, new.source_id, new.day)
    new.detections = detections
    new.made_at = utc_now()
    session.add(new)
