"""A home of which everything is old, made for tests."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import update

from tests.clips.made import metadata, record, rule
from tests.detections.made import NOON, heard, keep_in_files
from tidzam_platform.catalog.tables import (
    Annotation,
    Clip,
    DatasetVersion,
    DetectionFile,
    LabelQueueItem,
    Recording,
    ShadowDisagreement,
    ShadowHour,
    Source,
)
from tidzam_platform.datasets.manifest import Manifest, ManifestRow
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

NOW = datetime(2026, 7, 1, tzinfo=UTC)
LONG_AGO = datetime(2026, 4, 1, tzinfo=UTC)
NAMES = ("free_1", "labelled", "in_version", "queued", "free_2", "young")
ALL_SET = {
    f"TIDZAM_RETENTION__{name}_DAYS": "30"
    for name in (
        "RECORDINGS",
        "UNLABELLED_CLIPS",
        "LIVE_DETECTIONS",
        "OLD_DETECTIONS",
        "SHADOW",
        "LOGS",
        "DAGSTER_RUNS",
        "RETIRED_MODELS",
    )
}


def fill(settings: Settings) -> tuple[Home, dict[str, int]]:
    """A home; and its clips by name."""
    home = Home.open(settings)
    rule(home.catalog)
    clips = {}
    for number, name in enumerate(NAMES):
        made = record(
            home.catalog, home.store, settings.home / "spool", metadata(at_s=float(number)), seed=number
        )
        clips[name] = made.id
    keep_in_files(home.catalog, home.store, [heard(generation=1), heard(generation=2)])
    _name_a_clip_in_a_version(home, clips["in_version"])
    with home.catalog.session() as session:
        session.execute(update(Clip).where(Clip.id != clips["young"]).values(added_at=LONG_AGO))
        session.execute(update(Clip).where(Clip.id == clips["young"]).values(added_at=NOW))
        session.execute(update(DetectionFile).values(made_at=LONG_AGO))
        session.add(
            Annotation(
                clip_id=clips["labelled"], class_path="birds", annotator="ann", tool="test", made_at=LONG_AGO
            )
        )
        session.add(
            LabelQueueItem(
                generation=1, item="clip:1", rank=1, clip_id=clips["queued"], class_path="birds", score=1.0,
                figures={}, made_at=LONG_AGO,
            )
        )  # fmt: skip
        source = session.query(Source).filter_by(name="marsh").one()
        for hour, folder in (
            (5, settings.archive_folder),
            (6, settings.archive_folder),
            (7, settings.home / "nas"),
        ):
            session.add(_recording(source, folder / f"marsh-2026-04-01-{hour:02d}-00-00.opus", hour))
        session.flush()
        labelled = session.query(Recording).filter(Recording.path.contains("-06-")).one()
        session.add(
            Annotation(
                recording_id=labelled.id, class_path="rain", annotator="ann", tool="test", made_at=LONG_AGO
            )
        )
        session.add(
            ShadowHour(
                stable=1, canary=2, hour=LONG_AGO, windows=5, first_at=LONG_AGO, last_at=LONG_AGO, figures={}
            )
        )
        for at in (LONG_AGO, NOW):
            session.add(
                ShadowDisagreement(
                    stable=1, canary=2, at=at, channel="marsh:out_1", start="x", stable_class="a",
                    stable_score=0.5, canary_class="b", canary_score=0.5, scores={},
                )
            )  # fmt: skip
    LiveDetections(home.catalog).add([heard(86_400), heard(86_460)])
    (settings.models_folder / "tidzam" / "2").mkdir(parents=True)  # in service: the newest
    settings.logs_folder.mkdir(exist_ok=True)
    for name, moment in (("old.log.1", LONG_AGO), ("new.log", NOW)):
        (settings.logs_folder / name).write_text("said")
        os.utime(settings.logs_folder / name, (moment.timestamp(), moment.timestamp()))
    return home, clips


def _recording(source: Source, path: Path, hour: int) -> Recording:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(b"0123456789")
    start = NOON.replace(hour=hour)
    return Recording(
        source=source,
        path=str(path),
        size_bytes=10,
        mtime_ns=path.stat().st_mtime_ns,
        sha256=f"{hour:064d}",
        start=start,
        end=start + timedelta(minutes=1),
        seconds=60.0,
    )


def _name_a_clip_in_a_version(home: Home, number: int) -> None:
    with home.catalog.session() as session:
        clip = session.get_one(Clip, number)
        row = ManifestRow(
            clip.sha256, "birds", "present", None, None, clip.group.key, "train", clip.seconds, clip.store_key
        )
        manifest = Manifest.of([row])
        home.store.put_bytes("manifests/one.parquet", manifest.to_parquet())
        session.add(
            DatasetVersion(
                version=manifest.version,
                store_key="manifests/one.parquet",
                clips=1,
                summary={},
                made_at=LONG_AGO,
            )
        )
        # What keep_in_files made is none that could be read.
        empty = Manifest.of([])
        home.store.put_bytes("manifests/empty.parquet", empty.to_parquet())
        version = session.get_one(DatasetVersion, "v")
        session.add(
            DatasetVersion(
                version=empty.version,
                store_key="manifests/empty.parquet",
                clips=0,
                summary={},
                made_at=LONG_AGO,
            )
        )
        session.flush()
        from tidzam_platform.catalog.tables import Generation

        session.execute(update(Generation).values(dataset_version=empty.version))
        session.delete(version)
