"""A WebSocket (:rfc:`6455`) as Engine.IO uses one, bounded in bytes, messages and time.

Engine.IO's own driver (simple-websocket) collects a message that never ends, keeps every message that nobody has
looked at yet, waits for ever for a client that takes nothing, and inflates what is compressed before it looks at its
size. This one reads when it is asked to, so that a client is slowed down by TCP to what is made of its messages.
"""

from __future__ import annotations

import contextlib
import io
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

import h11
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Event, Ping, TextMessage
from wsproto.frame_protocol import CloseReason
from wsproto.utilities import ProtocolError

from streamer.web.server.connections import TAKE_CONNECTION, TakenConnection

_LOG = logging.getLogger(__name__)

_RECEIVE_BYTES: Final = 1 << 14
_SEND_BYTES: Final = (
    1 << 18
)  # that the kernel keeps for a client that takes nothing; by itself it keeps megabytes
_SEND_S: Final = 10.0  # a client that does not take a message within it is given up
_SPARE_S: Final = 5.0  # beyond the time in which a client of Engine.IO must have said something
_HANDSHAKE: Final = ("Connection", "Upgrade", "Sec-WebSocket-Key", "Sec-WebSocket-Version")
_PATH: Final = b"/"  # no part of the answer

Answer = dict[str, Any]


def _answer(status: str, text: str = "") -> Answer:
    """What Engine.IO makes an HTTP answer of."""
    return {"status": status, "headers": [("Content-Type", "text/plain")], "response": text.encode()}


class WebSocket:
    """Engine.IO makes one for each request to upgrade, and calls it with that request.

    Args:
        handler: a method of the session; talks through ``send``, ``wait`` and ``close`` until the end.
        server: Engine.IO's; says how long a message and a silence may be.
    """

    def __init__(self, handler: Callable[[WebSocket], object], server: Any) -> None:
        self._handler = handler
        self._session: Any = handler.__self__  # type: ignore[attr-defined]
        self._most_bytes = int(server.max_http_buffer_size)
        self._silence_s = float(server.ping_interval + server.ping_timeout) + _SPARE_S
        self._transport_error = server.reason.TRANSPORT_ERROR
        self._protocol = WSConnection(ConnectionType.SERVER)
        self._protocol_lock, self._send_lock = threading.Lock(), threading.Lock()
        self._messages: deque[str | bytes] = deque()
        self._parts: io.StringIO | io.BytesIO | None = None
        self._length = 0
        self._ended = False
        self._taken: TakenConnection | None = None

    def __call__(self, environ: Mapping[str, Any], _start_response: object) -> Answer:
        """Shake hands and hand over to the session; returns when the WebSocket has ended, or why there is none."""
        try:
            greeting = self._shake_hands(environ)
        except (ProtocolError, h11.ProtocolError, UnicodeError) as error:
            self._give_up_session()
            return _answer("400 Bad Request", f"no WebSocket: {error}")
        try:
            self._taken = environ[TAKE_CONNECTION]()
        except OSError as error:
            self._give_up_session()
            return _answer("503 Service Unavailable", f"no WebSocket now: {error}")
        try:
            self._socket.settimeout(_SEND_S)
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BYTES)
            self._socket.sendall(greeting)
            self._handler(self)
            if self._session.upgraded:
                self._give_up_session()  # else it goes on without a WebSocket
        except Exception as error:  # noqa: BLE001 - whatever a client sent, it ends this connection and nothing else
            _LOG.info("a WebSocket ends: %s", error)
            self._give_up_session()
        finally:
            self.close()
            self._taken.close()
        return _answer("200 OK")  # nobody hears it: the connection was taken

    def send(self, message: str | bytes) -> None:
        """Send one message; called by one thread at a time or several.

        Raises:
            OSError: the connection has ended, or the client did not take it in time, which ends it.
        """
        self._write(TextMessage(message) if isinstance(message, str) else BytesMessage(bytes(message)))

    def wait(self) -> str | bytes | None:
        """The next message; None at the end of the connection, or of the time in which one must come."""
        while not self._messages:
            data = None if self._ended else self._receive()
            if data is None:
                return None
            self._look_at(data)
        return self._messages.popleft()

    def close(self) -> None:
        """End the connection; who waits gets None."""
        self._ended = True
        with contextlib.suppress(OSError):
            self._write(CloseConnection(CloseReason.NORMAL_CLOSURE))
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    @property
    def _socket(self) -> socket.socket:
        assert self._taken is not None  # noqa: S101 - the session hears of us when it is taken
        return self._taken.socket

    def _shake_hands(self, environ: Mapping[str, Any]) -> bytes:
        headers = [(b"Host", b"localhost")]  # looked at already
        for name in _HANDSHAKE:
            value = environ.get(f"HTTP_{name.upper().replace('-', '_')}")
            if value is not None:
                headers.append((name.encode(), str(value).encode("latin-1")))
        self._protocol.initiate_upgrade_connection(headers, _PATH)
        for _ in self._protocol.events():
            pass
        return self._protocol.send(AcceptConnection())  # no extension: nothing is compressed

    def _give_up_session(self) -> None:
        if not self._session.closed:
            self._session.close(wait=False, abort=True, reason=self._transport_error)

    def _receive(self) -> bytes | None:
        end_s = time.monotonic() + self._silence_s
        while time.monotonic() < end_s:
            try:
                return self._socket.recv(_RECEIVE_BYTES) or None
            except TimeoutError:
                continue
            except OSError:
                return None
        return None

    def _look_at(self, data: bytes) -> None:
        try:
            with self._protocol_lock:
                self._protocol.receive_data(data)
                events = list(self._protocol.events())
            for event in events:
                if isinstance(event, (TextMessage, BytesMessage)):
                    self._collect(event)
                elif isinstance(event, (Ping, CloseConnection)):
                    self._ended = self._ended or isinstance(event, CloseConnection)
                    self._write(event.response())
        except (ProtocolError, OSError):
            self._ended = True

    def _collect(self, event: TextMessage | BytesMessage) -> None:
        self._length += len(event.data)
        if self._length > self._most_bytes:
            self._ended, self._parts = True, None
            self._write(CloseConnection(CloseReason.MESSAGE_TOO_BIG))
            return
        if isinstance(event, TextMessage):
            text = self._parts if isinstance(self._parts, io.StringIO) else io.StringIO()
            text.write(event.data)
            self._parts = text
        else:
            binary = self._parts if isinstance(self._parts, io.BytesIO) else io.BytesIO()
            binary.write(event.data)
            self._parts = binary
        if event.message_finished and not self._ended:
            self._messages.append(self._parts.getvalue())
            self._parts, self._length = None, 0

    def _write(self, event: Event) -> None:
        with self._send_lock:
            try:
                with self._protocol_lock:
                    data = self._protocol.send(event)
            except ProtocolError as error:
                raise ConnectionAbortedError("the WebSocket has ended") from error
            try:
                self._socket.sendall(data)
            except OSError:  # part of it may be sent: nothing can follow
                self._ended = True
                with contextlib.suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
                raise
