"""A process's end of its socket: a thread a connection, a handler a command."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import stat
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final

from pydantic import ValidationError

from streamer.engine.control.events import EventHub
from streamer.engine.control.wire import (
    ENGINE,
    MAX_CONNECTIONS,
    Endpoint,
    LineError,
    as_line,
    error_line,
    read_line,
    run_folder,
    short_path,
)
from tidzam_platform.errors import BusyError, ProcessError, TidzamError
from tidzam_platform.validation_faults import faults

_LOG = logging.getLogger(__name__)
_SEND_S: Final = 10.0  # a listener that takes nothing for so long is given up
_ALIVE_S: Final = 5.0  # how often a quiet connection of events says that it lives
_STOP_S: Final = 5.0

Handler = Callable[..., dict[str, Any]]


class ControlServer:
    """Listens in ``home/run``; who may open that folder may do everything, nobody else anything.

    Args:
        home: the data folder.
        handlers: by command; called with the request's ``with`` as keyword arguments, in the thread of its
            connection. They raise TidzamError for what the caller is told; pydantic's ``validate_call`` suits them.
        events: what the command ``events`` carries on.
        on_lease_end: called with the prefix of each lease whose connection ended: what was done for owners that
            begin with it has lost its owner.
        endpoint: which process listens.
    """

    def __init__(
        self,
        home: Path,
        handlers: Mapping[str, Handler],
        events: EventHub,
        on_lease_end: Callable[[str], None] = lambda _prefix: None,
        endpoint: Endpoint = ENGINE,
    ) -> None:
        self._endpoint = endpoint
        self._folder = run_folder(home)
        self._handlers, self._events, self._on_lease_end = dict(handlers), events, on_lease_end
        self._room = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._lock = threading.Lock()
        self._connections: dict[socket.socket, threading.Thread] = {}
        self._listener: socket.socket | None = None
        self._accepting: threading.Thread | None = None
        self._stopping = threading.Event()

    def start(self) -> None:
        """Listen.

        Raises:
            ProcessError: another such process of this home listens, or the socket cannot be made.
        """
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_path(self._folder, self._endpoint.socket_name) as path:
                self._remove_dead(path)
                listener.bind(path)
                os.chmod(path, stat.S_IRUSR | stat.S_IWUSR)  # noqa: PTH101 - through the descriptor's path
            listener.listen(MAX_CONNECTIONS)
        except OSError as error:
            listener.close()
            raise ProcessError(
                f"the {self._endpoint.name} cannot listen in {self._folder}: {error.strerror}; see who owns that folder"
            ) from error
        except BaseException:
            listener.close()
            raise
        self._listener = listener
        self._accepting = threading.Thread(target=self._accept, name="control", daemon=True)
        self._accepting.start()

    def stop(self) -> None:
        """Close all connections; requests under way are answered if that takes no longer than seconds."""
        self._stopping.set()
        self._events.publish(f"{self._endpoint.name}_stopping")  # wakes who carries events
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            (self._folder / self._endpoint.socket_name).unlink(missing_ok=True)
        if self._accepting is not None:
            self._accepting.join(_STOP_S)
        with self._lock:
            open_now = list(self._connections.items())
        for connection, _ in open_now:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        end_s = time.monotonic() + _STOP_S  # for all of them: some may wait for a source to begin
        for _, thread in open_now:
            thread.join(max(end_s - time.monotonic(), 0.0))

    def _remove_dead(self, path: str) -> None:
        """Remove the socket of a process that is gone; one that answers is another."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_SEND_S)
            try:
                probe.connect(path)
            except FileNotFoundError:
                return
            except ConnectionRefusedError:
                (self._folder / self._endpoint.socket_name).unlink(missing_ok=True)
                return
        raise ProcessError(
            f"an {self._endpoint.name} runs on this home already ({self._folder.parent}); stop it first, "
            "or use another home"
        )

    def _accept(self) -> None:
        listener = self._listener
        assert listener is not None  # noqa: S101 - start() has set it
        with listener:
            while not self._stopping.is_set():
                try:
                    connection, _ = listener.accept()
                except OSError:
                    if self._stopping.wait(0.1):  # e.g. too many open files: not in a tight loop
                        return
                    continue
                if not self._room.acquire(blocking=False):
                    _refuse(connection)
                    continue
                thread = threading.Thread(
                    target=self._serve, args=[connection], name="control-connection", daemon=True
                )
                with self._lock:
                    self._connections[connection] = thread
                try:
                    thread.start()
                except RuntimeError:  # the system has no thread to give
                    with self._lock:
                        del self._connections[connection]
                    self._room.release()
                    _refuse(connection)

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection, connection.makefile("rb") as stream:
                self._answer_all(connection, stream)
        except LineError as error:
            _LOG.warning("a connection is closed: %s", error)
        except OSError:
            pass  # the other end is gone
        finally:
            with self._lock:
                self._connections.pop(connection, None)
            self._room.release()

    def _answer_all(self, connection: socket.socket, stream: BinaryIO) -> None:
        while not self._stopping.is_set() and (request := read_line(stream)) is not None:
            number, name, arguments = request.get("id"), request.get("do"), request.get("with", {})
            connection.settimeout(_SEND_S)
            if name == "events":
                connection.sendall(as_line({"id": number, "ok": {}}))
                return self._send_events(connection)
            if name == "lease" and isinstance(arguments, dict) and arguments.get("prefix"):
                connection.sendall(as_line({"id": number, "ok": {}}))
                connection.settimeout(None)
                return self._hold_lease(stream, str(arguments["prefix"]))
            connection.sendall(self._answer(number, name, arguments))
            connection.settimeout(None)
        return None

    def _answer(self, number: Any, name: Any, arguments: Any) -> bytes:
        handler = self._handlers.get(name) if isinstance(name, str) else None
        if handler is None or not isinstance(arguments, dict):
            return error_line(
                number,
                self._endpoint.failed(
                    f"the {self._endpoint.name} has no command {name!r} of this form; see docs/engine.md"
                ),
            )
        try:
            return as_line({"id": number, "ok": handler(**arguments)})
        except TidzamError as error:
            return error_line(number, error)
        except ValidationError as error:
            return error_line(number, self._endpoint.failed(f"{name}: {faults(error)[0]}"))
        except Exception:  # noqa: BLE001 - told to the caller, and logged; the engine goes on
            _LOG.exception("the command %s failed", name)
            return error_line(
                number,
                self._endpoint.failed(f"{name}: a fault of the {self._endpoint.name}, its log says more"),
            )

    def _send_events(self, connection: socket.socket) -> None:
        with self._events.subscribe() as subscription:
            while not self._stopping.is_set():
                connection.sendall(as_line(subscription.get(_ALIVE_S) or {"event": "alive"}))

    def _hold_lease(self, stream: BinaryIO, prefix: str) -> None:
        try:
            stream.read(1)  # returns when the other end is gone, however it ended
        except OSError:
            pass
        finally:
            if not self._stopping.is_set():
                try:
                    self._on_lease_end(prefix)
                except TidzamError as error:
                    _LOG.error("what %s opened could not all be ended: %s", prefix, error)


def _refuse(connection: socket.socket) -> None:
    with connection, contextlib.suppress(OSError):
        connection.settimeout(1)
        connection.sendall(error_line(None, BusyError("too many connections; come again")))
