"""What waits to be sent to one client."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, Final

from engineio.packet import MESSAGE, Packet

MAX_PACKETS: Final = 500
MAX_BYTES: Final = 8 << 20
# Of what is told to many at once and may be left out: a client that takes nothing costs no more than this.
MAX_NEWS: Final = 64
MAX_POLLED_NEWS: Final = (
    12  # python-socketio's client, where it polls, takes 16 packets at a time and no more
)
MAX_NEWS_BYTES: Final = 512 << 10
_CONNECTED: Final = "0"  # begins Socket.IO's answer to who connects; nothing may be told before it


class News(Packet):  # type: ignore[misc]
    """A packet that may be left out where a client is slow; one object serves all clients that it is told to."""

    def __init__(self, text: str) -> None:
        """Args: ``text`` is a packet of Socket.IO."""
        super().__init__(MESSAGE, text)
        self.encode()  # once, in the thread that tells it


class OutgoingQueue(queue.Queue[Any]):
    """A queue that never blocks who puts: when it is full its client is given up.

    Some of an answer's packets cannot be left out, so all are, and the end of the connection (None) takes their place.
    News can be left out: see ``offer``.

    Args:
        on_full: called each time that happens.
    """

    def __init__(self, on_full: Callable[[], None]) -> None:
        super().__init__()
        self._on_full, self._bytes = on_full, 0
        self._news, self._news_bytes = 0, 0
        self._is_greeted = False

    @property
    def is_greeted(self) -> bool:
        """Whether the client was told that it is connected."""
        return self._is_greeted

    def offer(self, news: News, most: int = MAX_NEWS) -> bool:
        """Put it, unless ``most`` news or too many bytes of it wait already; returns whether it was put."""
        with self.mutex:
            if self._news >= most or self._news_bytes + _size(news) > MAX_NEWS_BYTES:
                return False
            self._put(news)
            self.unfinished_tasks += 1
            self.not_empty.notify()
            return True

    def _put(self, item: Any) -> None:
        if item is not None:
            if len(self.queue) >= MAX_PACKETS or self._bytes + _size(item) > MAX_BYTES:
                self.unfinished_tasks -= len(self.queue)
                self.queue.clear()
                self._bytes, self._news, self._news_bytes, item = 0, 0, 0, None
                self._on_full()
            else:
                self._count(item, 1)
                self._is_greeted = self._is_greeted or _is_greeting(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        if item is not None:
            self._count(item, -1)
        return item

    def _count(self, item: Any, sign: int) -> None:
        self._bytes += sign * _size(item)
        if isinstance(item, News):
            self._news += sign
            self._news_bytes += sign * _size(item)


def _is_greeting(packet: Any) -> bool:
    return packet.packet_type == MESSAGE and str(packet.data).startswith(_CONNECTED)


def _size(packet: Any) -> int:
    data = packet.data
    return len(data) if isinstance(data, (str, bytes, bytearray)) else 0
