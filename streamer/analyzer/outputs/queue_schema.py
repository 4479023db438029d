"""The tables of an output's queue, a SQLite file."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from typing import Final

from tidzam_platform.errors import OutputError

VERSION: Final = 1
TOTALS: Final = ("waiting", "bytes", "delivered", "dropped", "refused", "replaced", "repeated")

# `bytes` is about what a message takes; `number` the order in which messages are told.
_SCHEMA: Final = """
CREATE TABLE messages (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  replaces TEXT UNIQUE,
  body TEXT NOT NULL,
  bytes INTEGER NOT NULL GENERATED ALWAYS AS (length(CAST(body AS BLOB)) + 200) STORED,
  attempts INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE failed (
  number INTEGER PRIMARY KEY AUTOINCREMENT,
  id TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  replaces TEXT,
  body TEXT NOT NULL,
  reason TEXT NOT NULL,
  failed_at TEXT NOT NULL
);
CREATE TABLE told (number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE);
CREATE TABLE notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
CREATE TRIGGER message_comes AFTER INSERT ON messages BEGIN
  UPDATE totals SET value = value + 1 WHERE name = 'waiting';
  UPDATE totals SET value = value + NEW.bytes WHERE name = 'bytes';
END;
CREATE TRIGGER message_goes AFTER DELETE ON messages BEGIN
  UPDATE totals SET value = value - 1 WHERE name = 'waiting';
  UPDATE totals SET value = value - OLD.bytes WHERE name = 'bytes';
END;
"""


def make_tables(database: sqlite3.Connection, name: str) -> None:
    """Make the tables where there are none yet, all or none of them.

    Raises:
        OutputError: there are tables of another version.
        sqlite3.Error: it cannot be done; ``DatabaseError`` itself where the file is damaged.
    """
    if _version(database) == 0:
        database.execute("BEGIN IMMEDIATE")
        try:
            if _version(database) == 0:  # nobody was quicker
                for statement in _statements(_SCHEMA):
                    database.execute(statement)
                database.executemany("INSERT INTO totals VALUES (?, 0)", [(total,) for total in TOTALS])
                database.execute("PRAGMA user_version = 1")
            database.execute("COMMIT")
        except BaseException:
            database.close()  # takes all of it back
            raise
    if _version(database) != VERSION:
        raise OutputError(f"the queue {name} was made by another version of Tidzam: move it away")
    found = database.execute("PRAGMA quick_check(1)").fetchone()[0]
    if found != "ok":
        raise sqlite3.DatabaseError(found)


def _version(database: sqlite3.Connection) -> int:
    return int(database.execute("PRAGMA user_version").fetchone()[0])


def _statements(script: str) -> Iterator[str]:
    """Cut a script into statements; ``executescript`` would end the transaction first."""
    statement = ""
    for line in script.splitlines():
        statement += line + "\n"
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
