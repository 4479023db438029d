"""The messages of an output on disk: those that wait, those that were put aside, the ids of those that were told."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import threading
import time
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streamer.analyzer.outputs.message import Message
from streamer.analyzer.outputs.queue_schema import TOTALS, make_tables
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import OutputError

_REMEMBERED: Final = 20_000  # ids that were told; the same message again, e.g. after a crash, is left out
_BUSY_S: Final = 5.0  # another process (`./tidzam outputs`) changes the file
_MAX_REASON: Final = 500


@dataclass(frozen=True, slots=True)
class Waiting:
    """A message that waits.

    Attributes:
        message: what is to be told.
        attempts: how often the output answered it with a failure.
        number: its place in the file; 0 where it is not in one.
    """

    message: Message
    attempts: int = 0
    number: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """A message that was put aside: why and when (ISO 8601, UTC)."""

    id: str
    kind: str
    content: dict[str, Any]
    reason: str
    failed_at: str


class MessageFile:
    """A SQLite file, safe to use from several threads and processes.

    It survives kill -9; a power cut may cost the last second.

    Args:
        file: made where it is missing, for its owner alone. One that is damaged is put aside.
        max_bytes: about so much may wait; the oldest are dropped for newer ones, and counted.
        keep_failed: how many messages that were put aside stay, the newest.
        mends: whether a damaged file is put aside; whoever only looks leaves it.

    Attributes:
        put_aside: where a damaged file was moved to, None if it was well.
        totals: counts since the file was made, by name, and what waits now (``waiting``, ``bytes``); as of the last
            change by this process.

    Raises:
        OutputError: the file cannot be opened or made. So do all methods where the disk takes no change.
    """

    def __init__(self, file: Path, *, max_bytes: int, keep_failed: int, mends: bool = True) -> None:
        self._file, self._max_bytes, self._keep_failed = file, max_bytes, keep_failed
        self._lock = threading.Lock()
        self.put_aside: Path | None = None
        with self._told_as_output_error():
            try:
                self._database = _open(file)
            except sqlite3.DatabaseError as error:
                # An OperationalError is about the disk or a lock, not about what is in the file.
                if isinstance(error, sqlite3.OperationalError) or not mends:
                    raise
                self.put_aside = _put_aside(file)
                self._database = _open(file)
            self.totals = self._read_totals()

    def close(self) -> None:
        """Close the file. May be called again."""
        with self._lock:
            self._database.close()

    def put(self, messages: Sequence[Message]) -> None:
        """Let them wait, all or none. One whose id is known already is left out; see ``Message.replaces``."""
        with self._changing() as database:
            for message in messages:
                if self._is_known(message.id):
                    self._count("repeated")
                    continue
                if message.replaces is not None:
                    replaced = database.execute(
                        "DELETE FROM messages WHERE replaces = ?", (message.replaces,)
                    )
                    self._count("replaced", replaced.rowcount)
                database.execute(
                    "INSERT INTO messages (id, kind, replaces, body) VALUES (?, ?, ?, ?)",
                    (message.id, message.kind, message.replaces, message.as_json()),
                )
            self._drop_what_is_too_much()

    def first(self, limit: int, after: int = 0) -> list[Waiting]:
        """The ``limit`` messages that wait longest, of those with a number above ``after``."""
        with self._told_as_output_error(), self._lock:
            rows = self._database.execute(
                "SELECT id, kind, replaces, body, attempts, number FROM messages WHERE number > ? "
                "ORDER BY number LIMIT ?",
                (after, limit),
            ).fetchall()
        return [
            Waiting(Message(identity, kind, json.loads(body), replaces), attempts, number)
            for identity, kind, replaces, body, attempts, number in rows
        ]

    def done(self, ids: Collection[str], *, delivered: int) -> None:
        """Nothing is to be done for these any more, whether they waited here or not; so many of them were told."""
        with self._changing() as database:
            for identity in ids:
                database.execute("INSERT OR IGNORE INTO told (id) VALUES (?)", (identity,))
                database.execute("DELETE FROM messages WHERE id = ?", (identity,))
            database.execute(
                "DELETE FROM told WHERE number <= (SELECT max(number) FROM told) - ?", (_REMEMBERED,)
            )
            self._count("delivered", delivered)

    def attempted(self, identity: str) -> None:
        """The output answered it with a failure."""
        with self._changing() as database:
            database.execute("UPDATE messages SET attempts = attempts + 1 WHERE id = ?", (identity,))

    def refused(self, message: Message, reason: str) -> None:
        """Put it aside, for a person to see and to try again."""
        values = (message.id, message.kind, message.replaces, message.as_json(), reason[:_MAX_REASON])
        with self._changing() as database:
            database.execute("DELETE FROM messages WHERE id = ?", (message.id,))
            database.execute("DELETE FROM failed WHERE id = ?", (message.id,))
            database.execute(
                "INSERT INTO failed (id, kind, replaces, body, reason, failed_at) VALUES (?, ?, ?, ?, ?, ?)",
                (*values, format_utc(utc_now())),
            )
            database.execute(
                "DELETE FROM failed WHERE number NOT IN (SELECT number FROM failed ORDER BY number DESC LIMIT ?)",
                (self._keep_failed,),
            )
            self._count("refused")

    def failed(self, limit: int) -> list[Failed]:
        """The newest that were put aside, the newest first."""
        with self._told_as_output_error(), self._lock:
            rows = self._database.execute(
                "SELECT id, kind, body, reason, failed_at FROM failed ORDER BY number DESC LIMIT ?", (limit,)
            ).fetchall()
        return [
            Failed(identity, kind, json.loads(body), reason, at) for identity, kind, body, reason, at in rows
        ]

    def failed_count(self) -> int:
        """How many are put aside."""
        with self._told_as_output_error(), self._lock:
            count: int = self._database.execute("SELECT count(*) FROM failed").fetchone()[0]
        return count

    def retry(self, identity: str | None = None) -> int:
        """Let those that were put aside, or the one of that id, wait again; returns how many.

        One that a newer message would have replaced is not told any more.
        """
        with self._changing() as database:
            moved = database.execute(
                "INSERT OR IGNORE INTO messages (id, kind, replaces, body) SELECT id, kind, replaces, body "
                "FROM failed WHERE ?1 IS NULL OR id = ?1 ORDER BY number",
                (identity,),
            )
            count = moved.rowcount
            database.execute("DELETE FROM failed WHERE ?1 IS NULL OR id = ?1", (identity,))
            self._drop_what_is_too_much()
            return count

    def note(self, name: str, value: str) -> None:
        """Keep a remark for people who look from another process."""
        with self._changing() as database:
            database.execute("INSERT OR REPLACE INTO notes (name, value) VALUES (?, ?)", (name, value))

    def notes(self) -> dict[str, str]:
        """All remarks."""
        with self._told_as_output_error(), self._lock:
            return dict(self._database.execute("SELECT name, value FROM notes").fetchall())

    def _is_known(self, identity: str) -> bool:
        found = self._database.execute(
            "SELECT 1 FROM messages WHERE id = ?1 UNION ALL SELECT 1 FROM failed WHERE id = ?1 "
            "UNION ALL SELECT 1 FROM told WHERE id = ?1",
            (identity,),
        )
        return found.fetchone() is not None

    def _drop_what_is_too_much(self) -> None:
        while (
            self._database.execute("SELECT value FROM totals WHERE name = 'bytes'").fetchone()[0]
            > self._max_bytes
        ):
            self._database.execute("DELETE FROM messages WHERE number = (SELECT min(number) FROM messages)")
            self._count("dropped")

    def _count(self, name: str, more: int = 1) -> None:
        self._database.execute("UPDATE totals SET value = value + ? WHERE name = ?", (more, name))

    def _read_totals(self) -> dict[str, int]:
        found = dict(self._database.execute("SELECT name, value FROM totals").fetchall())
        return {name: int(found.get(name, 0)) for name in TOTALS}

    @contextlib.contextmanager
    def _changing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: all of it or nothing."""
        with self._told_as_output_error(), self._lock:
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield self._database
                totals = self._read_totals()
                self._database.execute("COMMIT")
                self.totals = totals
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._database.execute("ROLLBACK")
                raise

    @contextlib.contextmanager
    def _told_as_output_error(self) -> Iterator[None]:
        try:
            yield
        except (sqlite3.Error, OSError) as error:
            raise OutputError(f"the queue {self._file} cannot be used: {error}") from error


def _open(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, mode=0o700, exist_ok=True)
    # SQLite gives its log the rights of the file.
    os.close(os.open(file, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    database = sqlite3.connect(file, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute("PRAGMA journal_size_limit = 4194304")
        make_tables(database, str(file))
    except BaseException:
        database.close()
        raise
    return database


def _put_aside(file: Path) -> Path:
    """Move a damaged file and its log out of the way."""
    moved = file.with_name(f"{file.name}.damaged-{time.time_ns()}")
    file.replace(moved)
    for ending in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            file.with_name(file.name + ending).replace(moved.with_name(moved.name + ending))
    return moved
