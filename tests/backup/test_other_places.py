"""Catalogs on PostgreSQL and objects on S3 are backed up as those of a folder, and go back into either."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import select

from tests.backup.made import fill, restored
from tidzam_platform.backup import make_backup, restore_backup
from tidzam_platform.backup.databases import copy_rows, counts_of
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import Annotation
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import BackupError
from tidzam_platform.settings import Settings, load_settings


def test_the_catalog_goes_from_one_database_to_the_other(
    catalog: Catalog, tmp_path: Path, home: Settings
) -> None:
    filled = fill(home)
    with filled.catalog.session() as session:
        said = session.scalars(select(Annotation).order_by(Annotation.id)).all()
        said[0].superseded_by_id = said[2].id  # which comes after it
    copy_rows(filled.catalog, catalog)
    assert counts_of(catalog) == counts_of(filled.catalog)
    with catalog.reading() as session:
        first = session.get_one(Annotation, said[0].id)
        assert first.superseded_by_id == said[2].id
        assert first.made_at == said[0].made_at
    with catalog.session() as session:  # numbers go on behind what was copied
        session.add(Annotation(class_path="a", annotator="b", tool="c", made_at=utc_now()))
    back = Catalog.open(f"sqlite:///{tmp_path / 'back.db'}")
    copy_rows(catalog, back)
    assert counts_of(back)["annotations"] == 4
    with pytest.raises(BackupError, match="already"):
        copy_rows(catalog, back)
    back.close()
    filled.catalog.close()


def test_a_home_on_postgresql_comes_back_on_either_database(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("postgresql_server")
    with server.fresh_database() as url, server.fresh_database() as other:
        monkeypatch.setenv("TIDZAM_DATABASE_URL", url)
        filled = fill(load_settings())
        expected = counts_of(filled.catalog)
        make_backup(load_settings(), tmp_path / "one.tar.zst")
        monkeypatch.delenv("TIDZAM_DATABASE_URL")
        on_sqlite = restored(tmp_path / "one.tar.zst", tmp_path / "sqlite")
        monkeypatch.setenv("TIDZAM_DATABASE_URL", other)
        on_postgresql = restored(tmp_path / "one.tar.zst", tmp_path / "postgresql")
        assert counts_of(on_sqlite.catalog) == counts_of(on_postgresql.catalog) == expected
        assert not (tmp_path / "postgresql" / "catalog.db").exists()
        for opened in (filled, on_sqlite, on_postgresql):
            opened.catalog.close()


def test_a_home_whose_objects_lie_on_s3_comes_back_there_and_in_a_folder(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    server = request.getfixturevalue("moto")
    variables = server.variables()
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    filled = fill(load_settings())
    keys = list(filled.store.keys())
    make_backup(load_settings(), tmp_path / "one.tar.zst")
    with pytest.raises(BackupError, match="holds objects already"):
        restore_backup(tmp_path / "one.tar.zst", load_settings(home=tmp_path / "refused"))
    monkeypatch.setenv("TIDZAM_STORE", variables["TIDZAM_STORE"] + "/restored")
    on_s3 = restored(tmp_path / "one.tar.zst", tmp_path / "new")
    assert list(on_s3.store.keys()) == keys
    assert not (tmp_path / "new" / "store").exists()
    monkeypatch.delenv("TIDZAM_STORE")
    in_folder = restored(tmp_path / "one.tar.zst", tmp_path / "folder")
    assert list(in_folder.store.keys()) == keys
    for opened in (filled, on_s3, in_folder):
        opened.catalog.close()
