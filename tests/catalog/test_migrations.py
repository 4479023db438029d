"""The migrations make the tables that the code believes in, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from tidzam_platform.catalog import Catalog, database
from tidzam_platform.catalog.tables import Table


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    return config


def _migrate(catalog: Catalog, step: Callable[[Config, str], Any], revision: str) -> None:
    config = _config()
    with catalog.engine.begin() as connection:
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
