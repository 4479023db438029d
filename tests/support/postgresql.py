"""Debian's real PostgreSQL, started for the tests in a folder of its own and reachable by its socket only."""

from __future__ import annotations

import contextlib
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
from psycopg import sql

from tests.support.parts import require_part

START_DEADLINE_S: Final = 60.0
STOP_DEADLINE_S: Final = 20.0
_SUPERUSER: Final = "postgres"
# The data live as long as the tests: nothing needs to survive a power cut.
_FAST: Final = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "shared_buffers=32MB")


@dataclass(frozen=True)
class PostgresqlServer:
    """A running server; its socket lies in ``folder``."""

    folder: Path

    def url(self, database: str) -> str:
        """SQLAlchemy URL of ``database``."""
        return f"postgresql://{_SUPERUSER}@/{database}?host={self.folder}"

    @contextlib.contextmanager
    def fresh_database(self) -> Iterator[str]:
        """URL of an empty database, which is dropped afterwards."""
        name = f"test_{secrets.token_hex(6)}"
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield self.url(name)
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))

    def _execute(self, statement: sql.Composed) -> None:
        with self._connect() as connection:
            connection.execute(statement)

    def _connect(self) -> psycopg.Connection:
        return psycopg.connect(
            host=str(self.folder), user=_SUPERUSER, dbname="postgres", autocommit=True, connect_timeout=5
        )

    def wait_until_it_answers(self, process: subprocess.Popen[bytes], log: Path) -> None:
        """Return when it takes connections; fails after START_DEADLINE_S or when it died."""
        deadline_s = time.monotonic() + START_DEADLINE_S
        while True:
            try:
                self._connect().close()
            except psycopg.OperationalError as error:
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise RuntimeError(f"PostgreSQL does not answer: {error}\n{log.read_text()}") from error
                time.sleep(0.05)
            else:
                return


@contextlib.contextmanager
def running_postgresql() -> Iterator[PostgresqlServer]:
    """Start a server, stop it afterwards; the kernel stops it if the tests are killed."""
    programs = require_part("postgresql").resolve().parent
    folder = Path(tempfile.mkdtemp(prefix="tidzam-pg-"))  # short: a socket's path holds 107 bytes
    log = folder / "log"
    try:
        become = _unprivileged(folder)
        subprocess.run(
            [*become, programs / "initdb", "--pgdata", folder / "data", "--username", _SUPERUSER,
             "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8", "--no-sync"],
            check=True, timeout=START_DEADLINE_S, stdout=subprocess.DEVNULL, cwd=folder,
        )  # fmt: skip
        options = [part for option in ("listen_addresses=", *_FAST) for part in ("-c", option)]
        with log.open("wb") as output:
            server = subprocess.Popen(
                [*become, programs / "postgres", "-D", folder / "data", "-k", folder, *options],
                stdout=output, stderr=output, stdin=subprocess.DEVNULL, cwd=folder,
            )  # fmt: skip
        try:
            answer = PostgresqlServer(folder)
            answer.wait_until_it_answers(server, log)
            yield answer
        finally:
            _stop(server)
    finally:
        shutil.rmtree(folder)


def _unprivileged(folder: Path) -> list[str]:
    """A command prefix: PostgreSQL refuses to run as root; it shall end with the tests however those end."""
    prefix = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        names = {entry.pw_name for entry in pwd.getpwall()}
        user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)
        prefix += ["--reuid", str(user.pw_uid), "--regid", str(user.pw_gid), "--clear-groups"]
    return [*prefix, "--"]


def _stop(server: subprocess.Popen[bytes]) -> None:
    server.send_signal(signal.SIGINT)  # "fast shutdown": clients are cut off
    try:
        server.wait(STOP_DEADLINE_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.wait(STOP_DEADLINE_S)
