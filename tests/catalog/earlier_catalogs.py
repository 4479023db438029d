"""Catalogs as earlier versions of Tidzam left them: SQL text, schema and rows, one file a migration.

``python -m tests.catalog.earlier_catalogs 0004`` makes the file of a version that has none yet: it migrates an empty
catalog to there and fills every table. Files that are there are never made again: they are what users have.
"""

from __future__ import annotations

import sqlite3
import sys
from contextlib import closing
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Final

from alembic import command
from alembic.config import Config
from sqlalchemy import JSON, Boolean, Column, Connection, Date, DateTime, MetaData, Table, insert, types

from tidzam_platform.catalog import Catalog, database

FOLDER: Final = Path(__file__).parent / "earlier"
ROWS: Final = 2
_MOMENT: Final = datetime(2026, 4, 1, 5, 0, 0, 250_000, tzinfo=UTC)


def versions() -> list[str]:
    """Migrations that have a file, the oldest first."""
    return sorted(path.stem for path in FOLDER.glob("*.sql"))


def load_sqlite(version: str, path: Path) -> None:
    """Make the SQLite file ``path`` a catalog of that version."""
    with closing(sqlite3.connect(path)) as database:
        database.executescript((FOLDER / f"{version}.sql").read_text())


def rows_of(path: Path) -> dict[str, list[dict[str, Any]]]:
    """All rows of a SQLite file by table, as SQLite keeps them."""
    with closing(sqlite3.connect(path)) as database:
        database.row_factory = sqlite3.Row
        names = database.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
        tables = [
            name
            for (name,) in names.fetchall()
            if name != "alembic_version" and not name.startswith("sqlite_")
        ]
        return {name: [dict(row) for row in database.execute(f'SELECT * FROM "{name}"')] for name in tables}  # noqa: S608


def empty_catalog(url: str, version: str) -> Catalog:
    """A new catalog with the schema of that version."""
    catalog = Catalog(database._engine(database.parsed_url(url)))
    config = Config()
    config.set_main_option("script_location", str(database._MIGRATIONS))
    with database.migrating(catalog.engine) as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    return catalog


def insert_rows(connection: Connection, rows: dict[str, list[dict[str, Any]]]) -> None:
    """Insert what ``rows_of`` gave into tables of the same schema on another database."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        for row in rows.get(table.name, []):
            connection.execute(
                insert(table), [{name: _read(table.columns[name], value) for name, value in row.items()}]
            )


def fill(connection: Connection) -> None:
    """Two rows in every table, with a value in every column."""
    metadata = MetaData()
    metadata.reflect(connection)
    for table in metadata.sorted_tables:
        if table.name != "alembic_version":
            for number in range(1, ROWS + 1):
                connection.execute(insert(table), [_row(table, number)])


def _row(table: Table, number: int) -> dict[str, Any]:
    return {column.name: _value(column, number) for column in table.columns}


def _value(column: Column[Any], number: int) -> Any:
    for foreign in column.foreign_keys:
        if (
            foreign.column.table is column.table
        ):  # the second is superseded by the first, and the first by none
            return None if number == 1 else _value(foreign.column, 1)
        return _value(foreign.column, number)
    kind = column.type
    if isinstance(kind, JSON):
        return [[1.5, 2.5]] if column.name == "holes" else {"a": number}
    if isinstance(kind, Boolean):
        return number == 1
    if isinstance(kind, DateTime):
        return _MOMENT.replace(day=number)
    if isinstance(kind, Date):
        return date(2026, 4, number)
    if isinstance(kind, types.Integer):
        return number
    if isinstance(kind, types.Numeric | types.Float):
        return number / 4
    given = {
        "class_path": "birds",
        "verdict": "present",
        "time_zone": "UTC",
        "side": "test",
        "channel": "marsh:out_1",
    }
    given["path"] = f"/archive/marsh-2026-04-0{number}-05-00-00.opus"
    return given.get(column.name, f"{column.name}-{number}")


def _read(column: Column[Any], value: Any) -> Any:
    """What SQLite keeps of a value as the value that it is."""
    import json

    if value is None:
        return None
    if isinstance(column.type, JSON):
        return json.loads(value)
    if isinstance(column.type, Boolean):
        return bool(value)
    if isinstance(column.type, DateTime):
        return datetime.fromisoformat(value).replace(tzinfo=UTC)
    return date.fromisoformat(value) if isinstance(column.type, Date) else value


def make(version: str, scratch: Path) -> None:
    """Write the file of a version."""
    path = FOLDER / f"{version}.sql"
    if path.exists():
        raise SystemExit(f"{path} is there: it stays what it is")
    catalog = empty_catalog(f"sqlite:///{scratch}", version)
    with catalog.engine.begin() as connection:
        fill(connection)
    catalog.close()
    with closing(sqlite3.connect(scratch)) as made:
        path.write_text("\n".join(made.iterdump()) + "\n")


if __name__ == "__main__":
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        make(sys.argv[1], Path(folder, "catalog.db"))
