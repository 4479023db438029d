"""Hearing a day of the archive with a generation, in this process."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path

from sqlalchemy import select

from serving.analysis import hear_file
from serving.local import LocalModel, open_generation
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Recording
from tidzam_platform.detections.detection import Detection, detection_of, is_detection
from tidzam_platform.detections.files import replace_day, to_parquet
from tidzam_platform.home import Home
from tidzam_platform.settings import DecisionSettings


@dataclass
class DayHeard:
    """What a day gave: detections by class, audio that is missing, and a hash of the result."""

    generation: int
    recordings: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    missing: list[str] = field(default_factory=list)
    content: str = ""


def hear_day(home: Home, day: date, generation: int | None = None) -> DayHeard:
    """Hear all recordings that touch ``day`` (UTC); detections belong to the day in which they start.

    Raises:
        ModelRepositoryError: there is no such generation, or none at all.
        AudioError: a recording that the index found good cannot be read any more.
    """
    model = open_generation(home.settings.models_folder, generation)
    number = model.describe().generation
    heard = DayHeard(number)
    digest = hashlib.sha256()
    for source_id, recordings in _recordings_by_source(home.catalog, day, heard).items():
        found: list[Detection] = []
        for recording in recordings:
            found += _hear_recording(recording, model, home.settings.decision, heard)
        todays = [one for one in found if one.start.date() == day]
        replace_day(home.catalog, home.store, number, source_id, day, todays)
        heard.counts.update(one.class_path for one in todays)
        digest.update(to_parquet(todays))
    heard.content = digest.hexdigest()[:16]
    return heard


def _recordings_by_source(catalog: Catalog, day: date, heard: DayHeard) -> dict[int, list[Recording]]:
    start = datetime.combine(day, time(), UTC)
    with catalog.reading() as session:
        rows = session.scalars(
            select(Recording)
            .where(
                Recording.start < start + timedelta(days=1), Recording.end > start, Recording.error.is_(None)
            )
            .order_by(Recording.start)
        ).all()
    by_source: dict[int, list[Recording]] = {}
    for row in rows:
        by_source.setdefault(row.source_id, []).append(row)
    heard.recordings = len(rows)
    return by_source


def _hear_recording(
    recording: Recording, model: LocalModel, decision: DecisionSettings, heard: DayHeard
) -> list[Detection]:
    path = Path(recording.path)
    hearing = hear_file(path, model, decision)
    heard.missing += [f"{path.name}: {start_s:.3f} to {end_s:.3f} s" for start_s, end_s in hearing.info.holes]
    return [
        detection_of(
            event, heard.generation, recording.source.name, recording.start, hearing.description.rate_hz
        )
        for event in hearing.events
        if is_detection(event)
    ]
