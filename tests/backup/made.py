"""Homes with a bit of everything, made for tests, and a process that writes to one all the time."""

from __future__ import annotations

import json
import sqlite3
import sys
from pathlib import Path

from tests.clips.made import metadata, record, rule
from tests.detections.made import heard, keep_in_files
from tidzam_platform.backup import restore_backup
from tidzam_platform.catalog.tables import Annotation, Clip
from tidzam_platform.clock import utc_now
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.files import write_whole
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, load_settings


def fill(settings: Settings, clips: int = 3) -> Home:
    """A home with clips, annotations, detections, a model, secrets, sources and a database of Dagster."""
    home = Home.open(settings)
    rule(home.catalog)
    keep_in_files(home.catalog, home.store, [heard(at) for at in range(3)])
    home.store.put_bytes("k", b"a dataset version")
    for number in range(clips):
        add_clip(home, number)
    LiveDetections(home.catalog).add([heard(100 + number) for number in range(5)])
    model = settings.models_folder / "tidzam" / "1"
    model.mkdir(parents=True)
    (model / "saved_model.pb").write_bytes(b"weights")
    (settings.models_folder / "serving").mkdir()
    (settings.models_folder / "serving" / "state.json").write_text("{}")
    secrets = settings.home / "secrets"
    secrets.mkdir(mode=0o700)
    (secrets / "token").touch(mode=0o600)
    (secrets / "token").write_text("hush")
    (settings.home / "sources.json").write_text("[]")
    settings.dagster_folder.mkdir()
    with sqlite3.connect(settings.dagster_folder / "runs.db") as database:
        database.execute("PRAGMA journal_mode=WAL")
        database.execute("CREATE TABLE runs (id)")
        database.execute("INSERT INTO runs VALUES (7)")
    database.close()
    settings.logs_folder.mkdir(exist_ok=True)
    (settings.logs_folder / "a.log").write_text("left out")
    settings.archive_folder.mkdir()
    (settings.archive_folder / "marsh-2026-04-01-05-00-00.opus").write_bytes(b"a recording")
    return home


def add_clip(home: Home, number: int) -> int:
    """One more clip, with an annotation; returns its number."""
    spool = home.settings.home / "spool"
    made = record(home.catalog, home.store, spool, metadata(at_s=float(number)), frames=480, seed=number)
    with home.catalog.session() as session:
        session.add(
            Annotation(clip_id=made.id, class_path="birds", annotator="ann", tool="test", made_at=utc_now())
        )
    return made.id


def write_for_ever() -> None:
    """The body of the process: clips, annotations, detections, rows of Dagster, and clips that go again."""
    home = Home.open(load_settings())
    number = 1000
    while True:
        clip = add_clip(home, number)
        LiveDetections(home.catalog).add([heard(float(number))])
        with sqlite3.connect(home.settings.dagster_folder / "runs.db") as database:
            database.execute("INSERT INTO runs VALUES (?)", (number,))
        database.close()
        if number % 2:
            with home.catalog.session() as session:
                gone = session.get_one(Clip, clip)
                for said in gone.annotations:
                    session.delete(said)
                session.flush()
                session.delete(gone)
                key = gone.store_key
            home.store.delete(key)
        write_whole(home.settings.home / "sources.json", json.dumps([number]).encode())
        number += 1
        if number == 1003:
            sys.stdout.write("writing\n")
            sys.stdout.flush()


def restored(place: Path, folder: Path) -> Home:
    """The home that a restore of the backup at ``place`` makes of an empty folder."""
    settings = load_settings(home=folder)
    report = restore_backup(place, settings)
    assert report.missing == []
    return Home.open(settings)


def objects_of(folder: Path) -> list[str]:
    """Files below a folder, without hidden ones."""
    return sorted(
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".partial" not in path.parts
    )


if __name__ == "__main__":
    write_for_ever()
