"""Bounds around Engine.IO, the layer below Socket.IO: sessions, messages, bytes, and what is no message."""

from __future__ import annotations

import logging
import threading
import time
from typing import Any, Final

from streamer.web.counting import Counts
from streamer.web.rates import TokenBucket
from streamer.web.server import WebSocket
from streamer.web.sockets.outgoing import OutgoingQueue

_LOG = logging.getLogger(__name__)

MAX_MESSAGE_BYTES: Final = 1 << 20
_MESSAGES_PER_S: Final = 200.0  # a live stream sends ten
_MESSAGES_AT_ONCE: Final = 400.0
_BYTES_PER_S: Final = 1_000_000.0  # PCM16 at 192 kHz is 384,000, a page's audio is 96,000
_BYTES_AT_ONCE: Final = 4_000_000.0
_LONGEST_WAIT_S: Final = 2.0  # at a time; shorter than a client may be silent


class Bounds:
    """Puts itself between Engine.IO and Socket.IO.

    A client that sends too fast is not refused: its messages wait, so its connection fills up, and it notices.

    Args:
        engine_io: Engine.IO's server of a Socket.IO server.
        sessions: most clients at the same time.
        counts: where it counts.
    """

    def __init__(self, engine_io: Any, sessions: int, counts: Counts) -> None:
        self._engine_io, self._sessions, self._counts = engine_io, sessions, counts
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[TokenBucket, TokenBucket]] = {}
        # A session's parts are made by these; nothing else can give them bounds.
        engine_io._async = {  # noqa: SLF001
            **engine_io._async,  # noqa: SLF001
            "websocket": WebSocket,
            "queue": lambda: OutgoingQueue(lambda: counts.add("slow_clients_total")),
        }
        self._connect, self._message, self._disconnect = (
            engine_io.handlers[name] for name in ("connect", "message", "disconnect")
        )
        engine_io.on("connect", self._on_connect)
        engine_io.on("message", self._on_message)
        engine_io.on("disconnect", self._on_disconnect)

    def end_all(self) -> None:
        """End all sessions; who waits for something to be told hears of it at once."""
        for session in list(self._engine_io.sockets.values()):
            session.close(wait=False, reason=self._engine_io.reason.SERVER_DISCONNECT)

    def _on_connect(self, session: str, environ: dict[str, Any]) -> Any:
        if len(self._engine_io.sockets) > self._sessions:  # this one is among them
            return f"there are {self._sessions} clients, which is the limit: come again later"
        with self._lock:
            self._buckets[session] = (
                TokenBucket(_MESSAGES_PER_S, _MESSAGES_AT_ONCE),
                TokenBucket(_BYTES_PER_S, _BYTES_AT_ONCE),
            )
        return self._connect(session, environ)

    def _on_disconnect(self, session: str, reason: str) -> Any:
        with self._lock:
            self._buckets.pop(session, None)
        return self._disconnect(session, reason)

    def _on_message(self, session: str, data: Any) -> None:
        self._throttle(session, data)
        try:
            if not isinstance(data, (str, bytes)) or data == "":
                raise ValueError("nothing of Socket.IO in it")  # noqa: TRY301 - as the packets say it
            self._message(session, data)
        except Exception as error:  # noqa: BLE001 - see below
            # python-socketio raises whatever its parts raise on what a client made up. Its state for this client
            # may be half changed then, so the client goes; a fault of ours is told from that by its traceback.
            self._counts.add("malformed_messages_total")
            is_theirs = isinstance(error, (ValueError, RecursionError)) or not data
            _LOG.log(
                logging.INFO if is_theirs else logging.ERROR,
                "a Socket.IO client is given up: %s",
                error,
                exc_info=None if is_theirs else error,
            )
            self._end(session)

    def _throttle(self, session: str, data: Any) -> None:
        buckets = self._buckets.get(session)
        if buckets is None:  # it is going just now
            return
        length = len(data) if isinstance(data, (str, bytes)) else 0
        delay_s = max(buckets[0].delay_s(), buckets[1].delay_s(length))
        if delay_s > 0:
            self._counts.add("throttled_messages_total")
            time.sleep(min(delay_s, _LONGEST_WAIT_S))

    def _end(self, session: str) -> None:
        known = self._engine_io.sockets.get(session)
        if known is not None and not known.closed:
            known.close(wait=False, reason=self._engine_io.reason.TRANSPORT_ERROR)
