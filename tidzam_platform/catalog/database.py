"""Opening the catalog: SQLite in WAL mode by default, PostgreSQL by URL; the schema is brought up to date."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, make_url, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session, sessionmaker

from tidzam_platform.errors import CatalogError, SettingsError

SCHEMA_HEAD: Final = "0005"  # newest file in migrations/versions; a test holds the two together
_SQLITE_BUSY_MS: Final = 30_000  # writers of other processes are awaited this long
_READ_ONLY: Final = "tidzam_read_only"
_SUPPORTED: Final = "write sqlite:///path or postgresql://user:password@host/name"
_DRIVERS: Final = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
}
_MIGRATIONS = Path(__file__).parent / "migrations"


class Catalog:
    """The database behind everything; cheap to open, safe to use from several processes and threads."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._writing = sessionmaker(engine, expire_on_commit=False)
        self._reading = sessionmaker(engine.execution_options(**{_READ_ONLY: True}), expire_on_commit=False)

    @classmethod
    def open(cls, url: str) -> Catalog:
        """Connect, create or migrate the schema where it is behind.

        Raises:
            SettingsError: the URL cannot be read, or names a database that is not supported.
            CatalogError: the server does not answer, or the schema is newer than this code.
        """
        parsed = parsed_url(url)
        shown = parsed.render_as_string(hide_password=True)
        try:
            engine = _engine(parsed)
        except (SQLAlchemyError, OSError) as error:
            raise CatalogError(f"the catalog {shown} cannot be opened: {_reason(error)}") from error
        try:
            _bring_up_to_date(engine)
        except SQLAlchemyError as error:
            engine.dispose()
            raise CatalogError(f"the catalog {shown} cannot be opened: {_reason(error)}") from error
        except CatalogError:
            engine.dispose()
            raise
        return cls(engine)

    @contextlib.contextmanager
    def session(self) -> Iterator[Session]:
        """One transaction that may write: committed when the block ends well, rolled back otherwise."""
        with _answered(), self._writing.begin() as session:
            yield session

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """One transaction that only reads: on SQLite it waits for no writer and no writer waits for it."""
        with _answered(), self._reading.begin() as session:
            yield session

    def close(self) -> None:
        """Give the connections back."""
        self.engine.dispose()


@contextlib.contextmanager
def _answered() -> Iterator[None]:
    try:
        yield
    except OperationalError as error:
        raise CatalogError(f"the catalog did not answer: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """One line of what the database said, without the statement and SQLAlchemy's links."""
    return " ".join(str(getattr(error, "orig", None) or error).split())


def parsed_url(url: str) -> URL:
    """The URL of a catalog with the driver that we use; SettingsError if it cannot be read or is of another kind."""
    try:
        parsed = make_url(url)
    except (SQLAlchemyError, ValueError) as error:  # ValueError: of the port; the text may hold a password
        raise SettingsError(f"database_url (TIDZAM_DATABASE_URL) cannot be read: {_SUPPORTED}") from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise SettingsError(
            f"database_url (TIDZAM_DATABASE_URL): {parsed.drivername!r} is not supported: {_SUPPORTED}"
        )
    return parsed.set(drivername=driver)


class _LeaveOutInterrupts(logging.Filter):
    """Ctrl-C while a connection is closed is no error of the pool, which would log it with its trace."""

    def filter(self, record: logging.LogRecord) -> bool:
        return not (record.exc_info and isinstance(record.exc_info[1], KeyboardInterrupt))


_NO_INTERRUPTS: Final = _LeaveOutInterrupts()
_POOLS: Final = ("NullPool", "QueuePool", "SingletonThreadPool", "StaticPool")


def _engine(parsed: URL) -> Engine:
    for pool in _POOLS:  # Dagster's as well as ours; a filter that is there already is not added again
        logging.getLogger(f"sqlalchemy.pool.impl.{pool}").addFilter(_NO_INTERRUPTS)
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    if parsed.database:
        Path(parsed.database).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin)
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin
    for pragma in (
        f"busy_timeout={_SQLITE_BUSY_MS}",
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Any) -> None:
    # A transaction that reads first and writes later cannot wait for another writer: take the lock at once.
    deferred = connection.get_execution_options().get(_READ_ONLY, False)
    connection.exec_driver_sql("BEGIN DEFERRED" if deferred else "BEGIN IMMEDIATE")


def _bring_up_to_date(engine: Engine) -> None:
    """Run migrations if the schema is behind; alembic is imported only then, since it is slow to import."""
    if _schema_version(engine) == SCHEMA_HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS))
    with migrating(engine) as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise CatalogError(
                f"the catalog's schema is not of this version of Tidzam ({error}); use the newer version"
            ) from error


@contextlib.contextmanager
def migrating(engine: Engine) -> Iterator[Connection]:
    """A transaction that may change tables, alone among all processes.

    SQLite changes a table by making a new one and dropping the old one, and does not drop what other rows refer to
    while it watches foreign keys, so they are looked at in the end (sqlite.org/lang_altertable.html).

    Raises:
        CatalogError: rows would refer to what is not there; nothing is changed.
    """
    with engine.connect() as connection:
        if engine.dialect.name != "sqlite":
            with connection.begin():
                # Two processes that start at once must not both migrate.
                connection.execute(text("SELECT pg_advisory_xact_lock(7483920)"))
                yield connection
            return
        unwatched = connection.connection.cursor()  # a transaction cannot switch it: not yet in one
        unwatched.execute("PRAGMA foreign_keys=OFF")
        try:
            with connection.begin():
                yield connection
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").all()
                if broken:
                    raise CatalogError(
                        f"{len(broken)} rows of the catalog would refer to nothing: {broken[0]}"
                    )
        finally:
            unwatched.execute("PRAGMA foreign_keys=ON")
            unwatched.close()


def _schema_version(engine: Engine) -> str | None:
    with engine.connect().execution_options(**{_READ_ONLY: True}) as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
