"""The migrations make the tables that the code believes in, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text
from sqlalchemy.exc import IntegrityError

from tidzam_platform.catalog import Catalog, database
from tidzam_platform.catalog.tables import Annotation, Clip, LiveDetection, Table
from tidzam_platform.errors import CatalogError


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    return config


def _migrate(catalog: Catalog, step: Callable[[Config, str], Any], revision: str) -> None:
    config = _config()
    with database.migrating(catalog.engine) as connection:
        config.attributes["connection"] = connection
        step(config, revision)


def _differences(catalog: Catalog) -> list[Any]:
    with catalog.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return compare_metadata(context, Table.metadata)


def test_there_is_one_newest_migration_and_the_code_names_it() -> None:
    assert ScriptDirectory.from_config(_config()).get_heads() == [database.SCHEMA_HEAD]


def test_migrations_and_models_describe_the_same_tables(catalog: Catalog) -> None:
    assert _differences(catalog) == []


def test_every_migration_can_be_taken_back_and_done_again(catalog: Catalog) -> None:
    _migrate(catalog, command.downgrade, "base")
    assert set(inspect(catalog.engine).get_table_names()) <= {"alembic_version"}
    _migrate(catalog, command.upgrade, "head")
    assert _differences(catalog) == []


def test_opening_brings_an_old_schema_up_to_date(catalog: Catalog, catalog_url: str) -> None:
    _migrate(catalog, command.downgrade, "base")
    opened = Catalog.open(catalog_url)
    assert _differences(opened) == []
    opened.close()


OLD_ROWS = """
INSERT INTO groups (id, key) VALUES (1, 'import/pond');
INSERT INTO clips (id, sha256, store_key, codec, rate_hz, channels, seconds, group_id, origin, added_at)
    VALUES (1, 'ab', 'clips/ab.flac', 'flac', 48000, 1, 1.5, 1, '{}', '2026-04-01 00:00:00');
INSERT INTO annotations (id, clip_id, class_path, verdict, annotator, tool, made_at, superseded_by_id)
    VALUES (102, 1, 'birds', 'present', 'anna', 'import', '2026-04-01 00:00:00', NULL),
    (101, 1, 'rain', 'present', 'anna', 'import', '2026-04-01 00:00:00', 102)
"""


def test_what_an_old_catalog_holds_survives_the_way_there_and_back(
    catalog: Catalog, catalog_url: str
) -> None:
    _migrate(catalog, command.downgrade, "0003")
    with catalog.engine.begin() as connection:
        for statement in OLD_ROWS.split(";"):
            connection.execute(text(statement))
    opened = Catalog.open(catalog_url)
    with opened.session() as session:
        (clip,) = session.scalars(select(Clip)).all()
        assert (clip.sha256, clip.seconds, clip.group.key, clip.channel, clip.rule_id) == (
            "ab",
            1.5,
            "import/pond",
            None,
            None,
        )
        said = {row.id: row for row in clip.annotations}
        assert {row.class_path: row.superseded_by_id for row in said.values()} == {"birds": None, "rain": 102}
        assert all(row.detection_id is None and row.recording_id is None for row in said.values())
        when = clip.added_at
        of_detection = {
            "detection_id": "d",
            "class_path": "birds",
            "annotator": "bo",
            "tool": "web",
            "made_at": when,
        }
        session.add_all([Annotation(**of_detection), Annotation(**of_detection)])
        session.add(
            LiveDetection(
                id="d", generation=7, channel="marsh:out_1", start=when, end=when,
                class_path="birds", score=0.5, stored_at=when,
            )
        )  # fmt: skip
        session.flush()
        first, second = session.scalars(select(Annotation).where(Annotation.detection_id == "d")).all()
        first.superseded_by_id = second.id
    opened.close()
    _migrate(catalog, command.downgrade, "0003")
    with catalog.engine.connect() as connection:
        rows = connection.execute(
            text("SELECT id, clip_id, superseded_by_id FROM annotations ORDER BY id")
        ).all()
        assert [tuple(row) for row in rows] == [(101, 1, 102), (102, 1, None)]
        assert connection.execute(text("SELECT count(*) FROM clips")).scalar() == 1
    assert {"detections", "recorder_rules"}.isdisjoint(inspect(catalog.engine).get_table_names())
    _migrate(catalog, command.upgrade, "head")
    assert _differences(catalog) == []


def test_a_migration_that_would_leave_rows_that_refer_to_nothing_changes_nothing(catalog: Catalog) -> None:
    for statement in OLD_ROWS.split(";"):
        with catalog.engine.begin() as connection:
            connection.execute(text(statement))

    def drop_clips(*_: object) -> None:
        with database.migrating(catalog.engine) as connection:
            connection.execute(text("DELETE FROM clips"))

    with pytest.raises((CatalogError, IntegrityError)):
        drop_clips()
    with (
        pytest.raises(IntegrityError),
        catalog.engine.begin() as connection,
    ):  # foreign keys are watched again
        connection.execute(text("DELETE FROM clips"))
    with catalog.reading() as session:
        assert session.scalars(select(Clip.id)).all() == [1]
