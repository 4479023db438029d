"""What waits to be sent to one client."""

from __future__ import annotations

import queue
from collections.abc import Callable
from typing import Any, Final

MAX_PACKETS: Final = 500
MAX_BYTES: Final = 8 << 20


class OutgoingQueue(queue.Queue[Any]):
    """A queue that never blocks who puts: when it is full its client is given up.

    Some of an answer's packets cannot be left out, so all are, and the end of the connection (None) takes their place.

    Args:
        on_full: called each time that happens.
    """

    def __init__(self, on_full: Callable[[], None]) -> None:
        super().__init__()
        self._on_full, self._bytes = on_full, 0

    def _put(self, item: Any) -> None:
        if item is not None:
            if len(self.queue) >= MAX_PACKETS or self._bytes + _size(item) > MAX_BYTES:
                self.unfinished_tasks -= len(self.queue)
                self.queue.clear()
                self._bytes, item = 0, None
                self._on_full()
            else:
                self._bytes += _size(item)
        super()._put(item)

    def _get(self) -> Any:
        item = super()._get()
        if item is not None:
            self._bytes -= _size(item)
        return item


def _size(packet: Any) -> int:
    data = packet.data
    return len(data) if isinstance(data, (str, bytes, bytearray)) else 0
