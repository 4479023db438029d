"""Detections made for tests, and the rows that their files need."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import DatasetVersion, Generation, Source
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.file_changes import merge_day
from tidzam_platform.names import split_channel
from tidzam_platform.store import ObjectStore

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)


def heard(
    after_s: float = 0.0,
    *,
    channel: str = "marsh:out_1",
    class_path: str = "birds-crow",
    score: float = 0.75,
    generation: int = 1,
    seconds: float = 1.5,
) -> Detection:
    """A detection that starts ``after_s`` seconds after noon."""
    start = NOON + timedelta(seconds=after_s)
    identity = f"{generation}|{channel}|{start.isoformat()}|{class_path}"
    return Detection(
        id=hashlib.sha256(identity.encode()).hexdigest()[:24],
        generation=generation,
        channel=channel,
        start=start,
        end=start + timedelta(seconds=seconds),
        class_path=class_path,
        score=score,
    )


def keep_in_files(catalog: Catalog, store: ObjectStore, detections: Iterable[Detection]) -> list[str]:
    """Write Parquet files, one a generation, source and day; returns their keys."""
    groups: dict[tuple[int, str, date], list[Detection]] = defaultdict(list)
    for one in detections:
        groups[one.generation, split_channel(one.channel)[0], one.start.date()].append(one)
    keys = []
    for (generation, source, day), found in groups.items():
        with catalog.session() as session:
            if session.get(DatasetVersion, "v") is None:
                session.add(DatasetVersion(version="v", store_key="k", clips=1, made_at=NOON))
                session.flush()
            if session.get(Generation, generation) is None:
                session.add(
                    Generation(
                        number=generation,
                        fingerprint=f"f{generation}",
                        dataset_version="v",
                        state="exported",
                        made_at=NOON,
                    )
                )
            row = session.query(Source).filter_by(name=source).one_or_none() or Source(name=source)
            session.add(row)
            session.flush()
            source_id = row.id
        keys.append(merge_day(catalog, store, generation, source_id, day, found))
    return keys
