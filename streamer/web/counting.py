"""What the web process counts."""

from __future__ import annotations

import threading
from typing import Final

# Each with its help text; docs/web.md lists them, and a test holds the two together.
COUNTERS: Final[dict[str, str]] = {
    "requests_total": "HTTP requests that were answered.",
    "refused_requests_total": "HTTP requests that were answered with 4xx or 5xx.",
    "socket_requests_total": "Requests of Socket.IO clients, without audio.",
    "socket_refusals_total": "Socket.IO requests and audio that were answered with an error or a warning.",
    "unwatched_loads_total": "Sources that were loaded while so many others began that who loaded them is not told.",
    "malformed_messages_total": "Messages that were no Socket.IO; each ended its connection.",
    "throttled_messages_total": "Socket.IO messages that waited because their client sends too fast.",
    "slow_clients_total": "Socket.IO clients that were given up because they took nothing.",
    "told_messages_total": "Messages of what is heard, and of sources, that were queued for Socket.IO clients.",
    "left_out_messages_total": "Such messages that were left out because their client takes too little.",
    "lost_events_total": "Events of the analyzer that were lost before they could be told.",
    "malformed_events_total": "Events of the analyzer, or windows in them, that are not what they should be: not told.",
    "cut_questions_total": "Questions about detections that were answered in part, or not, since their time was over.",
    "refused_questions_total": "Questions about detections that were refused since so many others were looked into.",
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
