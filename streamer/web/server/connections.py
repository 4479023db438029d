"""Waitress with requests that may last: they get threads of their own, and may take their connection away from it.

Waitress answers requests with a few threads, and knows no WebSocket. A long poll waits half a minute for something to
tell, and a WebSocket lasts as long as its page is open: neither may keep one of the few. There are never more threads
than connections, and their number is bounded.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from waitress.task import WSGITask

from serving.http.connections import Channel, WsgiServer

SOCKET_PATH: Final = "/socket.io"  # requests below it may last
_PROBES: Final = ("/healthz", "/readyz", "/metrics")  # are answered though all threads wait for the engine
TAKE_CONNECTION: Final = "tidzam.take_connection"  # in the environment of a request that asks for an upgrade
_TAKE_S: Final = 5.0  # the loop's thread never waits: it answers within milliseconds
_FEWEST_FOR_HTTP: Final = 8  # connections that WebSockets leave to everybody else
_SHARE_FOR_HTTP: Final = 0.2


def may_last(path: str) -> bool:
    """Whether a request of that path may keep its thread for long."""
    return path.startswith(SOCKET_PATH)


class TakenConnection:
    """A connection that waitress has given up; ``socket`` is its taker's until ``close``."""

    def __init__(self, taken: socket.socket, release: Callable[[socket.socket], None]) -> None:
        self.socket, self._release = taken, release

    def close(self) -> None:
        """Close it, once."""
        self._release(self.socket)


class _Task(WSGITask):  # type: ignore[misc]
    def get_environment(self) -> dict[str, Any]:
        environment: dict[str, Any] = super().get_environment()
        if "HTTP_UPGRADE" in environment:
            environment[TAKE_CONNECTION] = self.channel.take_connection
        return environment


class LastingChannel(Channel):
    """A connection whose request may take it over."""

    task_class = _Task
    server: LastingServer

    def take_connection(self) -> TakenConnection:
        """The connection, which its taker closes; waitress forgets it. Called by the thread of a request.

        Raises:
            ConnectionError: the client is gone, the server stops, or too many connections are taken.
        """
        taken: Future[TakenConnection] = Future()
        # Only the loop's thread may change what the loop waits for; after that it reads no byte of this client.
        self.server.trigger.pull_trigger(lambda: self._give(taken))
        try:
            return taken.result(_TAKE_S)
        except TimeoutError as error:
            if not taken.cancel():
                taken.result().close()
            raise ConnectionAbortedError("the server stops") from error

    def _give(self, taken: Future[TakenConnection]) -> None:
        if not taken.set_running_or_notify_cancel():
            return
        try:
            if not self.connected:
                raise ConnectionResetError("the client is gone")
            taken.set_result(self.server.adopt(self.socket))
        except OSError as error:
            taken.set_exception(error)
        else:
            self.handle_close()


class LastingServer(WsgiServer):
    """Knows the connections that were taken from it, counts them with its own, and ends them when it stops."""

    channel_class = LastingChannel

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._lock = threading.Lock()
        self._taken: set[socket.socket] = set()
        self._stopping = False
        super().__init__(*arguments, **more)
        self._connections = int(self.adj.connection_limit)
        reserved = max(_FEWEST_FOR_HTTP, int(self._connections * _SHARE_FOR_HTTP))
        self._most_taken = max(1, self._connections - reserved)

    @property
    def taken(self) -> int:
        """Connections that were taken and are open."""
        return len(self._taken)

    def add_task(self, task: LastingChannel) -> None:
        """Have a request answered: by a thread of its own if it may last."""
        request = task.requests[0]
        path = f"/{(request.path or '').lstrip('/')}"  # as the application is told it
        if request.error or not (may_last(path) or path in _PROBES):
            super().add_task(task)
            return
        threading.Thread(target=task.service, name="lasting-request", daemon=True).start()

    def adopt(self, connection: socket.socket) -> TakenConnection:
        """A second descriptor of the connection, for its taker. Called by the loop's thread.

        Raises:
            ConnectionError: the server stops, or too many are taken.
        """
        with self._lock:
            if self._stopping:
                raise ConnectionAbortedError("the server stops")
            if len(self._taken) >= self._most_taken:
                raise ConnectionRefusedError(f"{self._most_taken} connections are in use, which is the limit")
            taken = connection.dup()
            self._taken.add(taken)
            self._count()
        return TakenConnection(taken, self._close_taken)

    def _close_taken(self, connection: socket.socket) -> None:
        with self._lock:
            self._taken.discard(connection)
            self._count()
        connection.close()

    def end_taken(self) -> None:
        """End all connections that were taken; their takers notice and close them."""
        with self._lock:
            self._stopping = True
            open_now = list(self._taken)
        for connection in open_now:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue  # it has ended just now

    def _count(self) -> None:
        """Let waitress, which looks at this before it accepts, keep to what is left."""
        self.adj.connection_limit = self._connections - len(self._taken)
