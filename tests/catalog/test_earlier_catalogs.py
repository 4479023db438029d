"""Every catalog that an earlier version of Tidzam left is migrated with its rows whole."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import select

from tests.catalog.earlier_catalogs import ROWS, empty_catalog, insert_rows, load_sqlite, rows_of, versions
from tidzam_platform.backup.containers import writing_folder
from tidzam_platform.backup.databases import counts_of
from tidzam_platform.backup.manifest import CATALOG, Entry, Manifest
from tidzam_platform.backup.restoring import restore_backup
from tidzam_platform.catalog import Catalog, database
from tidzam_platform.catalog.tables import Annotation, Clip, Recording
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings, load_settings


def _same(kept: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether a row still says what it said, in the columns that there still are."""
    return all(now[name] == value for name, value in kept.items() if name in now)


def test_every_migration_has_its_catalog() -> None:
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert set(versions()) == known, "python -m tests.catalog.earlier_catalogs VERSION makes what is missing"


@pytest.mark.parametrize("version", versions())
def test_an_earlier_catalog_is_migrated_with_its_rows_whole(tmp_path: Path, version: str) -> None:
    path = tmp_path / "catalog.db"
    load_sqlite(version, path)
    before = rows_of(path)
    assert all(len(rows) == ROWS for rows in before.values())
    catalog = Catalog.open(f"sqlite:///{path}")
    with catalog.reading() as session:
        clip = session.scalars(select(Clip).order_by(Clip.id)).unique().first()
        recording = session.scalars(select(Recording).order_by(Recording.id)).first()
        said = session.scalars(select(Annotation).order_by(Annotation.id)).all()
    assert clip is not None
    assert clip.group.side == "test"
    assert recording is not None
    assert (recording.holes, recording.truncated, recording.source.time_zone) == ([[1.5, 2.5]], True, "UTC")
    assert [one.superseded_by_id for one in said] == [None, 1]
    catalog.close()
    after = rows_of(path)
    for name, rows in before.items():
        assert len(after[name]) == len(rows)
        for kept, now in zip(rows, after[name], strict=True):
            assert _same(kept, now), (name, kept, now)


@pytest.mark.parametrize("version", versions())
def test_so_is_one_on_postgresql(tmp_path: Path, version: str, request: pytest.FixtureRequest) -> None:
    server = request.getfixturevalue("postgresql_server")
    load_sqlite(version, tmp_path / "catalog.db")
    rows = rows_of(tmp_path / "catalog.db")
    with server.fresh_database() as url:
        catalog = empty_catalog(url, version)
        with catalog.engine.begin() as connection:
            insert_rows(connection, rows)
        catalog.close()
        opened = Catalog.open(url)
        counts = counts_of(opened)
        assert {name: counts[name] for name in rows} == dict.fromkeys(rows, ROWS)
        with opened.reading() as session:
            assert [
                one.superseded_by_id for one in session.scalars(select(Annotation).order_by(Annotation.id))
            ] == [
                None,
                1,
            ]
        opened.close()


@pytest.mark.parametrize("version", versions())
def test_a_backup_of_an_earlier_version_is_restored_and_migrated(
    home: Settings, tmp_path: Path, version: str
) -> None:
    path = tmp_path / "old.db"
    load_sqlite(version, path)
    counts = {name: len(rows) for name, rows in rows_of(path).items()}
    with writing_folder(tmp_path / "backups") as writer:
        blob = writer.add(path)
        manifest = Manifest("2026-04-01T05:00:00.000Z", "0.0.1", version, counts)
        manifest.entries.append(Entry(CATALOG, blob.name, blob.sha256, blob.size_bytes, 0o600))
        writer.finish(manifest)
    report = restore_backup(tmp_path / "backups", load_settings(home=tmp_path / "new"))
    assert report.schema_before == version
    assert {name: report.counts[name] for name in counts} == counts
    assert report.missing  # the rows name objects that this backup has not
    opened = Home.open(load_settings(home=tmp_path / "new"))
    assert counts_of(opened.catalog) == report.counts
    assert json.dumps(report.counts)
    opened.catalog.close()
