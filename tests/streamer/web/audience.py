"""Many clients of Socket.IO at once, some of which never read: bare WebSockets, looked at by one thread."""

from __future__ import annotations

import contextlib
import re
import selectors
import socket
import threading
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Final, Self

from tests.streamer.web.raw_socket import RawSocket, handshaken
from tests.streamer.web.web_process import WebProcess

STAMP: Final = re.compile(
    rb'"at_(\d+)"'
)  # the class of a window: when it was told, ns of time.monotonic_ns()
_CHAN: Final = b'"chan"'
_PING: Final = b"2"
_PONG: Final = "3"
_RECEIVE_BYTES: Final = 1 << 18
_SMALL_BUFFER: Final = 4096


class Listener:
    """One that reads.

    Attributes:
        latencies_s: of each message, from when its oldest window was told.
        windows: how many it was told.
        stamps: of its messages' windows, as they came.
        ended: the server ended the connection.
    """

    def __init__(self, raw: RawSocket) -> None:
        self.raw = raw
        self.latencies_s: list[float] = []
        self.windows = 0
        self.stamps: list[int] = []
        self.ended = False
        self._waiting = bytearray()

    def read(self) -> None:
        """Take what has come."""
        try:
            data = self.raw.connection.recv(_RECEIVE_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.ended = True
            return
        self._waiting += data
        while (frame := self._frame()) is not None:
            self._look_at(frame)

    def _frame(self) -> bytes | None:
        """The next whole frame of the server's, if it is there (RFC 6455, section 5.2)."""
        waiting = self._waiting
        if len(waiting) < 2:
            return None
        length, begin = waiting[1], 2
        if length >= 126:
            size = 2 if length == 126 else 8
            begin += size
            if len(waiting) < begin:
                return None
            length = int.from_bytes(waiting[2:begin], "big")
        if len(waiting) < begin + length:
            return None
        frame = bytes(waiting[begin : begin + length])
        del waiting[: begin + length]
        return frame

    def _look_at(self, frame: bytes) -> None:
        if frame == _PING:
            self.raw.text(_PONG)
            return
        stamps = [int(found) for found in STAMP.findall(frame)]
        if stamps:
            self.latencies_s.append((time.monotonic_ns() - stamps[0]) / 1e9)
            self.windows += frame.count(_CHAN)
            self.stamps += stamps


class Audience:
    """A context: connected inside it.

    Attributes:
        listeners: those who read.
        idle: those who never do.
    """

    def __init__(self, web: WebProcess, listeners: int, idle: int) -> None:
        self._opened = contextlib.ExitStack()
        self._web, self._sizes = web, (listeners, idle)
        self.listeners: list[Listener] = []
        self.idle: list[RawSocket] = []
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as opened:
            for _ in range(self._sizes[1]):
                raw = opened.enter_context(handshaken(self._web))
                raw.connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _SMALL_BUFFER)
                raw.connect_namespace()
                self.idle.append(raw)
            for _ in range(self._sizes[0]):
                raw = opened.enter_context(handshaken(self._web))
                raw.connect_namespace()
                raw.connection.setblocking(False)
                self.listeners.append(Listener(raw))
            self._opened = opened.pop_all()
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stopping.set()
        self._thread.join(10)
        self._opened.close()

    def _run(self) -> None:
        with selectors.DefaultSelector() as selector:
            for listener in self.listeners:
                selector.register(listener.raw.connection, selectors.EVENT_READ, listener)
            while not self._stopping.is_set():
                for key, _ in selector.select(0.2):
                    key.data.read()
                    if key.data.ended:
                        selector.unregister(key.fileobj)


def paced(moments_per_s: float, seconds: float) -> Iterator[int]:
    """Numbers of moments, each when its time has come."""
    begin_s = time.monotonic()
    for number in range(round(moments_per_s * seconds)):
        time.sleep(max(0.0, begin_s + number / moments_per_s - time.monotonic()))
        yield number
