"""What the web process counts."""

from __future__ import annotations

import threading
from typing import Final

# Each with its help text; docs/web.md lists them, and a test holds the two together.
COUNTERS: Final[dict[str, str]] = {
    "requests_total": "HTTP requests that were answered.",
    "refused_requests_total": "HTTP requests that were answered with 4xx or 5xx.",
    "socket_requests_total": "Requests on the Socket.IO event sys.",
    "socket_refusals_total": "Socket.IO requests and audio that were answered with an error or a warning.",
    "malformed_messages_total": "Messages that were no Socket.IO; each ended its connection.",
    "throttled_messages_total": "Socket.IO messages that waited because their client sends too fast.",
    "slow_clients_total": "Socket.IO clients that were given up because they took nothing.",
    "audio_bytes_total": "PCM bytes of live streams that went to the engine.",
    "audio_dropped_frames_total": "Frames of live streams that the engine had no room for.",
    "farewells_total": "Socket.IO clients that left and whose sources and live streams were ended.",
}


class Counts:
    """Counters for any number of threads; they only grow."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values = dict.fromkeys(COUNTERS, 0)

    def add(self, name: str, more: int = 1) -> None:
        """Count ``more``; KeyError for a name that is not in COUNTERS."""
        with self._lock:
            self._values[name] += more

    def read(self) -> dict[str, int]:
        """All of them now."""
        with self._lock:
            return dict(self._values)
