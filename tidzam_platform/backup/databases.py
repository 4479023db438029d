"""Copies of databases that others write to: each is of one moment.

SQLite files are copied by SQLite's own online backup (sqlite.org/backup.html), PostgreSQL's catalog within one
transaction that sees one moment (REPEATABLE READ), table by table into a SQLite file of the same schema: every backup
holds the catalog in one form, and goes back into either database.
"""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, Table, func, insert, select, text, update

from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.database import migrating, parsed_url
from tidzam_platform.catalog.tables import Table as Base
from tidzam_platform.errors import BackupError

MAGIC: Final = b"SQLite format 3\0"
SIDE_FILES: Final = ("-wal", "-shm", "-journal")  # of a SQLite file: what they hold is in its copy
_ROWS: Final = 500  # of one insert
_LOCKED_S: Final = 60.0  # a writer may hold the whole database for so long
_STEP_PAGES: Final = -1  # all at once: in steps, each writer in between would make it begin anew


def is_sqlite(path: Path) -> bool:
    """Whether the file is a SQLite database, by its first bytes."""
    try:
        with path.open("rb") as handle:
            return handle.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def copy_sqlite(source: Path, target: Path) -> None:
    """Copy a SQLite database that others may be writing to: what was committed until one moment.

    Raises:
        BackupError: it cannot be read, or is damaged.
    """
    deadline_s = time.monotonic() + _LOCKED_S
    while True:
        try:
            with (
                contextlib.closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old,
                contextlib.closing(sqlite3.connect(target)) as new,
            ):
                old.execute("PRAGMA busy_timeout=30000")
                old.backup(new, pages=_STEP_PAGES)
                # One file, without another beside it: whoever opens it goes back to WAL if he wants to.
                new.execute("PRAGMA journal_mode=DELETE")
                found = new.execute("PRAGMA quick_check(1)").fetchone()[0]
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "busy" not in str(error):
                raise BackupError(f"the database {source} cannot be copied: {error}") from error
            if time.monotonic() > deadline_s:
                raise BackupError(
                    f"the database {source} was locked for {_LOCKED_S:g} s: try again"
                ) from error
            time.sleep(0.1)
            continue
        except sqlite3.DatabaseError as error:
            raise BackupError(f"the database {source} cannot be copied: {error}") from error
        if found != "ok":
            raise BackupError(f"the database {source} is damaged ({found}): restore it from an older backup")
        return


def copy_catalog(url: str, target: Path) -> None:
    """Copy the catalog, whatever its database, into the SQLite file ``target``.

    Raises:
        BackupError: it cannot be copied.
        CatalogError: it does not answer, or is of a newer Tidzam.
    """
    parsed = parsed_url(url)
    if parsed.get_backend_name() == "sqlite":
        if not parsed.database or not Path(parsed.database).is_file():
            raise BackupError(f"there is no catalog yet at {parsed.database}: there is nothing to back up")
        copy_sqlite(Path(parsed.database), target)
        return
    source = Catalog.open(url)
    try:
        new = Catalog.open(f"sqlite:///{target}")
        try:
            copy_rows(source, new)
        finally:
            new.close()
    finally:
        source.close()


def copy_rows(source: Catalog, target: Catalog) -> None:
    """Copy all rows of one moment into an empty catalog of the same schema; all or none.

    Raises:
        BackupError: ``target`` holds rows.
        CatalogError: rows would refer to nothing.
    """
    if filled := [name for name, rows in counts_of(target).items() if rows]:
        raise BackupError(
            f"the catalog {target.engine.url.render_as_string(hide_password=True)} holds {', '.join(filled)} "
            "already: name an empty one"
        )
    with contextlib.ExitStack() as held:
        reading = held.enter_context(_one_moment(source))
        writing = held.enter_context(migrating(target.engine))
        for table in Base.metadata.sorted_tables:
            rows = reading.execution_options(yield_per=_ROWS).execute(select(table))
            for part in rows.mappings().partitions(_ROWS):
                _write(writing, table, part)
        _later_references(reading, writing)
        if target.engine.dialect.name == "postgresql":
            _set_counters(writing)


def counts_of(catalog: Catalog) -> dict[str, int]:
    """Rows of each table."""
    with catalog.reading() as session:
        return {
            table.name: session.scalar(select(func.count()).select_from(table)) or 0
            for table in Base.metadata.sorted_tables
        }


def sqlite_catalog(path: Path) -> Catalog:
    """The catalog in a SQLite file; an older one is migrated. Raises as ``Catalog.open``."""
    return Catalog.open(f"sqlite:///{path}")


@contextlib.contextmanager
def _one_moment(catalog: Catalog) -> Any:
    engine = catalog.engine
    if engine.dialect.name == "postgresql":
        engine = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
    with engine.connect() as connection, connection.begin():
        yield connection


def _write(connection: Connection, table: Table, rows: Iterable[Mapping[Any, Any]]) -> None:
    # What a row says of another one of its own table can only stand when both are there.
    own = [column.name for column in table.columns if _refers_to_own(column)]
    connection.execute(insert(table), [{**row, **dict.fromkeys(own)} for row in rows])


def _later_references(reading: Connection, writing: Connection) -> None:
    for table in Base.metadata.sorted_tables:
        for column in table.columns:
            if not _refers_to_own(column):
                continue
            (key,) = table.primary_key.columns
            found = reading.execution_options(yield_per=_ROWS).execute(
                select(key, column).where(column.is_not(None))
            )
            for identity, other in found:
                writing.execute(update(table).where(key == identity).values({column.name: other}))


def _refers_to_own(column: Any) -> bool:
    return any(foreign.column.table is column.table for foreign in column.foreign_keys)


def _set_counters(connection: Connection) -> None:
    """PostgreSQL counts numbers of rows apart from the rows."""
    for table in Base.metadata.sorted_tables:
        for column in table.primary_key.columns:
            name = connection.scalar(
                text("SELECT pg_get_serial_sequence(:table, :column)"),
                {"table": f'"{table.name}"', "column": column.name},
            )
            highest = connection.scalar(select(func.max(column))) if name else None
            if highest is not None:
                connection.execute(text("SELECT setval(:name, :highest)"), {"name": name, "highest": highest})
