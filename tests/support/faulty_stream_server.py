"""A real HTTP server on loopback that streams, and misbehaves on demand, path by path, while it runs.

::

    with FaultyStreamServer() as server:
        server.behave("/a", Healthy(EndlessOgg(opus_bytes)))
        url = server.url("/a")
        ...
        server.behave("/a", Stall())      # connections that are open stall too
        server.behave("/a", Healthy(...)) # those end, and new ones are served

What a path does stands in ``tests.support.stream_behaviours``.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol, Self

_TICK_S = 0.1
_REQUEST_S = 10.0
_MAX_REQUEST_BYTES = 1 << 16


class Switched(Exception):  # noqa: N818 - no error: how a connection learns that its path behaves differently now
    """The path of this connection got another behaviour."""


class Gone(Exception):  # noqa: N818 - no error: how the thread of a connection ends
    """The client went away, or the server stops."""


class Behaviour(Protocol):
    """What a path does."""

    def respond(self, exchange: Exchange) -> None:
        """Answer a request. The connection is closed when this returns."""

    def take_over(self, exchange: Exchange) -> None:
        """Go on with a connection that is in the middle of another behaviour's answer."""


@dataclass
class Request:
    """What a client asked for."""

    path: str
    head: bytes
    headers: Mapping[str, str]


@dataclass
class Exchange:
    """A connection and its request, in the thread that serves it."""

    server: FaultyStreamServer
    connection: socket.socket
    request: Request
    behaviour: Behaviour

    def send(self, data: bytes) -> None:
        """Send all; Switched or Gone if that is not to be."""
        unsent = memoryview(data)
        while unsent:
            self._check()
            try:
                unsent = unsent[self.connection.send(unsent) :]
            except (TimeoutError, ssl.SSLWantWriteError):
                continue
            except OSError as error:
                raise Gone from error

    def wait(self, seconds: float) -> None:
        """Wait; Switched or Gone if something happens before. ``inf`` waits for just that."""
        self.server.wait_for_change(self, seconds)
        self._check()

    def hold(self) -> None:
        """Do nothing until the behaviour changes or the client leaves."""
        while True:
            self.wait(_TICK_S)
            self.require_client()

    def require_client(self) -> None:
        """Gone if the client has closed the connection."""
        try:
            self.connection.settimeout(0)
            if isinstance(self.connection, ssl.SSLSocket):
                return
            if not self.connection.recv(1, socket.MSG_PEEK):
                raise Gone
        except BlockingIOError:
            return
        except OSError as error:
            raise Gone from error
        finally:
            self.connection.settimeout(_TICK_S)

    def reset(self) -> None:
        """End the connection as a crash does: RST."""
        linger = b"\1\0\0\0\0\0\0\0"
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        raise Gone

    def _check(self) -> None:
        if self.server.is_stopping:
            raise Gone
        if self.server.behaviour_of(self.request.path) is not self.behaviour:
            raise Switched


@dataclass
class _Counts:
    connections: int = 0
    requests: list[Request] = field(default_factory=list)


class FaultyStreamServer:
    """The server; a context manager. Paths without a behaviour answer 404."""

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = int(self._listener.getsockname()[1])
        self._changed = threading.Condition()
        self._behaviours: dict[str, Behaviour] = {}
        self._counts = _Counts()
        self._threads: list[threading.Thread] = []
        self.is_stopping = False
        self._acceptor = threading.Thread(target=self._accept, name="faulty-server", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """The address of ``path``."""
        return f"{'https' if self._tls else 'http'}://{host}:{self.port}{path}"

    def behave(self, path: str, behaviour: Behaviour) -> None:
        """Let ``path``, or all below it if it ends with ``/``, behave so from now on, open connections included."""
        with self._changed:
            self._behaviours[path] = behaviour
            self._changed.notify_all()

    def behaviour_of(self, path: str) -> Behaviour:
        """What ``path`` does now."""
        with self._changed:
            if path in self._behaviours:
                return self._behaviours[path]
            below = [known for known in self._behaviours if known.endswith("/") and path.startswith(known)]
            return self._behaviours[max(below, key=len)] if below else _NOT_FOUND

    @property
    def connections(self) -> int:
        """How many have been accepted so far."""
        with self._changed:
            return self._counts.connections

    @property
    def open_connections(self) -> int:
        """How many are being served now."""
        return sum(thread.is_alive() for thread in self._threads)

    def requests(self, path: str | None = None) -> list[Request]:
        """Those that have come so far, of one path or of all."""
        with self._changed:
            return [request for request in self._counts.requests if path in (None, request.path)]

    def wait_for_change(self, exchange: Exchange, seconds: float) -> None:
        """Wait until the server stops, or the path of ``exchange`` behaves differently, or time is over."""
        end_s = time.monotonic() + seconds
        with self._changed:
            while (left_s := end_s - time.monotonic()) > 0:
                if self.is_stopping or self.behaviour_of(exchange.request.path) is not exchange.behaviour:
                    return
                self._changed.wait(min(left_s, 60.0))

    def close(self) -> None:
        """End all connections and the server."""
        with self._changed:
            self.is_stopping = True
            self._changed.notify_all()
        self._listener.shutdown(socket.SHUT_RDWR)  # wakes the acceptor up
        self._acceptor.join(10)
        for thread in self._threads:
            thread.join(10)
            assert not thread.is_alive()

    def _accept(self) -> None:
        with self._listener:
            while not self.is_stopping:
                try:
                    connection, _ = self._listener.accept()
                except OSError:  # shut down
                    return
                with self._changed:
                    self._counts.connections += 1
                self._threads = [thread for thread in self._threads if thread.is_alive()]
                thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
                self._threads.append(thread)
                thread.start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            if self._tls is not None:
                connection.settimeout(_REQUEST_S)
                connection = self._tls.wrap_socket(connection, server_side=True)
            connection.settimeout(_TICK_S)
            request = self._read_request(connection)
            with self._changed:
                self._counts.requests.append(request)
            exchange = Exchange(self, connection, request, self.behaviour_of(request.path))
            act = exchange.behaviour.respond
            while True:
                try:
                    act(exchange)
                    break
                except Switched:
                    exchange.behaviour = self.behaviour_of(request.path)
                    act = exchange.behaviour.take_over
        except (Gone, OSError):
            pass
        finally:
            connection.close()

    def _read_request(self, connection: socket.socket) -> Request:
        head = b""
        end_s = time.monotonic() + _REQUEST_S
        while b"\r\n\r\n" not in head:
            if self.is_stopping or time.monotonic() > end_s or len(head) > _MAX_REQUEST_BYTES:
                raise Gone
            try:
                data = connection.recv(4096)
            except TimeoutError:
                continue
            if not data:
                raise Gone
            head += data
        lines = head.decode("latin-1").split("\r\n")
        fields = [line.partition(":") for line in lines[1:] if line]
        headers = {name.strip().lower(): value.strip() for name, _, value in fields}
        return Request(lines[0].split(" ")[1].partition("?")[0], head, headers)


class _NotFound:
    def respond(self, exchange: Exchange) -> None:
        exchange.send(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")

    def take_over(self, exchange: Exchange) -> None:
        """The connection ends."""


_NOT_FOUND = _NotFound()
