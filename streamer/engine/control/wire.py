"""The lines on a process's socket, and where that socket lies.

A request is ``{"id": ..., "do": NAME, "with": {...}}``; its answer is ``{"id": ..., "ok": {...}}``, or
``{"id": ..., "error": MESSAGE, "code": CLASS}`` where ``code`` names a class of ``tidzam_platform.errors``.
"""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from tidzam_platform import errors
from tidzam_platform.errors import (
    AnalyzerUnavailableError,
    EngineError,
    EngineUnavailableError,
    ProcessError,
    TidzamError,
)
from tidzam_platform.home import make_home_folder

MAX_LINE_BYTES: Final = 8 << 20  # a list of 250 sources is a tenth of it
MAX_CONNECTIONS: Final = 64


@dataclass(frozen=True)
class Endpoint:
    """A process that listens.

    Attributes:
        name: of the process, and of its socket.
        failed: what its client raises where it cannot tell the error's own class.
        unavailable: what its client raises when nobody answers.
    """

    name: str
    failed: type[TidzamError]
    unavailable: type[TidzamError]

    @property
    def socket_name(self) -> str:
        """The file in the folder of sockets."""
        return f"{self.name}.sock"


ENGINE: Final = Endpoint("engine", EngineError, EngineUnavailableError)
ANALYZER: Final = Endpoint("analyzer", ProcessError, AnalyzerUnavailableError)


class LineError(ValueError):
    """What arrived is no line of this protocol; the connection cannot go on."""


def run_folder(home: Path) -> Path:
    """The folder of sockets and locks, made for its owner alone."""
    make_home_folder(home)
    folder = home / "run"
    folder.mkdir(mode=0o700, exist_ok=True)
    folder.chmod(0o700)
    return folder


@contextmanager
def short_path(folder: Path, name: str) -> Iterator[str]:
    """A path of that socket which fits into the 107 bytes that the system takes, however deep the home lies."""
    descriptor = os.open(folder, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{descriptor}/{name}"
    finally:
        os.close(descriptor)


def connect(home: Path, endpoint: Endpoint, timeout_s: float) -> socket.socket:
    """A connection to that process of ``home``; OSError where none listens."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(timeout_s)
        with short_path(home / "run", endpoint.socket_name) as path:
            connection.connect(path)
    except BaseException:
        connection.close()
        raise
    return connection


def read_line(stream: BinaryIO) -> dict[str, Any] | None:
    """The next object; None at the end of the connection.

    Raises:
        LineError: longer than the limit, cut off, or no JSON object.
    """
    line = stream.readline(MAX_LINE_BYTES + 1)
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise LineError("a line is cut off" if len(line) <= MAX_LINE_BYTES else "a line is too long")
    try:
        value = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise LineError(f"a line is no JSON: {error}") from error
    if not isinstance(value, dict):
        raise LineError("a line is no JSON object")
    return value


def as_line(value: dict[str, Any]) -> bytes:
    """One object as a line."""
    return json.dumps(value, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def error_line(number: Any, error: TidzamError) -> bytes:
    """The answer to a request that failed."""
    return as_line({"id": number, "error": str(error), "code": type(error).__name__})


def error_of(answer: dict[str, Any], endpoint: Endpoint) -> TidzamError:
    """The error that an answer tells, of the same class as it had in the process that answers."""
    found = getattr(errors, str(answer.get("code")), None)
    kind = found if isinstance(found, type) and issubclass(found, TidzamError) else endpoint.failed
    return kind(str(answer["error"]))
