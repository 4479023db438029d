"""The other end of a process's socket, for the web process and the command line."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Final, Self

from streamer.engine.control.wire import (
    ANALYZER,
    ENGINE,
    Endpoint,
    LineError,
    as_line,
    connect,
    error_of,
    read_line,
)
from tidzam_platform.errors import TidzamError

_SILENT_S: Final = 15.0  # a connection of events that says nothing for three of its signs of life is gone


class ControlClient:
    """Requests to a process of ``home``, from any number of threads. A context; nothing is open before the first one.

    Args:
        home: the data folder.
        endpoint: which process.
        timeout_s: how long one request may take.
    """

    def __init__(self, home: Path, endpoint: Endpoint, timeout_s: float = 10.0) -> None:
        self._home, self._endpoint, self._timeout_s = home, endpoint, timeout_s
        self._numbers = itertools.count(1)
        self._lock = threading.Lock()
        self._idle: list[tuple[socket.socket, BinaryIO]] = []
        self._closed = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open; requests of other threads end by themselves."""
        with self._lock:
            idle, self._idle, self._closed = self._idle, [], True
        for connection, stream in idle:
            _close(connection, stream)

    def request(self, do: str, **arguments: Any) -> dict[str, Any]:
        """Send one command and wait for its answer.

        Raises:
            TidzamError: what the process raised, of the same class.
            EngineUnavailableError, AnalyzerUnavailableError: none answers, or not in time. Whether it
                carried the command out is not known.
        """
        with self._lock:
            known = self._idle.pop() if self._idle else None
        if known is not None:
            try:  # the engine may have been started anew since: then nothing was read of this request
                return self._ask(known, do, arguments)
            except (ConnectionError, EOFError):
                pass
            except LineError as error:
                raise self._unavailable(do, error) from error
        return self._asked_anew(do, arguments)

    def _asked_anew(self, do: str, arguments: dict[str, Any]) -> dict[str, Any]:
        try:
            return self._ask(self._open(), do, arguments)
        except (OSError, EOFError, LineError) as error:
            raise self._unavailable(do, error) from error

    def _ask(
        self, opened: tuple[socket.socket, BinaryIO], do: str, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        with contextlib.ExitStack() as on_failure:
            on_failure.callback(_close, *opened)
            opened[0].settimeout(self._timeout_s)
            try:
                answer = self._answered(opened, do, arguments)
            except TimeoutError as error:
                raise self._unavailable(do, error) from error
            except TidzamError:  # an answer like any other: the connection is in step
                on_failure.pop_all()
                self._keep(opened)
                raise
            on_failure.pop_all()
        self._keep(opened)
        return answer

    def _keep(self, opened: tuple[socket.socket, BinaryIO]) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(opened)
                return
        _close(*opened)

    @contextlib.contextmanager
    def lease(self, prefix: str) -> Iterator[None]:
        """While the context lasts, owners whose names begin with ``prefix`` live; the engine ends what is theirs after.

        However this process ends: the engine sees its connection go.

        Raises:
            EngineUnavailableError, AnalyzerUnavailableError: none answers.
        """
        connection, stream = self._began("lease", {"prefix": prefix})
        try:
            yield
        finally:
            _close(connection, stream)

    def events(self) -> Iterator[dict[str, Any]]:
        """What the engine tells from now on; close the iterator to end it.

        Raises:
            EngineUnavailableError, AnalyzerUnavailableError: it is gone, or says nothing any more.
        """
        connection, stream = self._began("events", {})
        try:
            connection.settimeout(_SILENT_S)
            while (event := read_line(stream)) is not None:
                if event.get("event") != "alive":
                    yield event
        except (OSError, LineError) as error:
            raise self._unavailable("events", error) from error
        finally:
            _close(connection, stream)
        raise self._unavailable("events", EOFError(f"the {self._endpoint.name} closed the connection"))

    def _began(self, do: str, arguments: dict[str, Any]) -> tuple[socket.socket, BinaryIO]:
        try:
            opened = self._open()
            with contextlib.ExitStack() as on_failure:
                on_failure.callback(_close, *opened)
                self._answered(opened, do, arguments)
                on_failure.pop_all()
        except (OSError, EOFError, LineError) as error:
            raise self._unavailable(do, error) from error
        return opened

    def _answered(
        self, opened: tuple[socket.socket, BinaryIO], do: str, arguments: dict[str, Any]
    ) -> dict[str, Any]:
        """The answer to one request on that connection."""
        connection, stream = opened
        connection.sendall(as_line({"id": next(self._numbers), "do": do, "with": arguments}))
        answer = read_line(stream)
        if answer is None:
            raise EOFError(f"the {self._endpoint.name} closed the connection")
        if "error" in answer:
            raise error_of(answer, self._endpoint)
        return dict(answer["ok"])

    def _open(self) -> tuple[socket.socket, BinaryIO]:
        connection = connect(self._home, self._endpoint, self._timeout_s)
        return connection, connection.makefile("rb")

    def _unavailable(self, do: str, error: BaseException) -> TidzamError:
        name = self._endpoint.name
        if isinstance(error, TimeoutError):
            return self._endpoint.unavailable(
                f"the {name} of {self._home} did not answer {do!r} within {self._timeout_s:g} s, and may still be at it"
            )
        because = getattr(error, "strerror", None) or error
        return self._endpoint.unavailable(
            f"no {name} of {self._home} answered {do!r} ({because}); start it with `./tidzam start {name}`"
        )


class EngineClient(ControlClient):
    """Requests to the engine."""

    def __init__(self, home: Path, timeout_s: float = 10.0) -> None:
        super().__init__(home, ENGINE, timeout_s)


class AnalyzerClient(ControlClient):
    """Requests to the analyzer."""

    def __init__(self, home: Path, timeout_s: float = 10.0) -> None:
        super().__init__(home, ANALYZER, timeout_s)


def _close(connection: socket.socket, stream: BinaryIO) -> None:
    with contextlib.suppress(OSError):
        stream.close()
    connection.close()
