"""Waitress, with refusals in a form of ours and an end to what takes for ever.

Waitress closes connections on which nothing happens. It waits without end for a request that arrives byte by byte,
and for a client that does not take its answer while a thread holds the rest of it.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, Final

from waitress.adjustments import Adjustments
from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error, RequestEntityTooLarge

# Of a body that is too large, what is taken and dropped before it is refused: a sender whose connection is cut while it
# sends sees the cut, and not the reason.
_MAX_DROPPED_BYTES: Final = 1 << 30


class RequestTimeoutError(Error):  # type: ignore[misc]
    """What the parser of a request has as its error when it took too long to arrive."""

    code = 408
    reason = "Request Timeout"


class _Nowhere:
    """A buffer that keeps nothing."""

    def append(self, _data: bytes) -> None:
        pass

    def __len__(self) -> int:
        return 0

    def close(self) -> None:
        pass


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Refuses a body that is too large when it has been sent, or at once to a client that asked first."""

    completed: bool
    expect_continue = False
    content_length: int
    error: Any
    body_rcv: Any

    def __init__(self, adjustments: Adjustments) -> None:
        super().__init__(adjustments)
        self._dropped_bytes: int | None = None

    def received(self, data: bytes) -> int:
        """Take bytes from the wire; returns how many of them belonged to this request."""
        if self._dropped_bytes is not None:
            return self._drop(data)
        consumed: int = super().received(data)
        if self.completed:
            # All is here, or refused: waitress would tell the client to go on, and wait for more without end.
            asked_first, self.expect_continue = self.expect_continue, False
            too_large = isinstance(self.error, RequestEntityTooLarge) and self.body_rcv is not None
            if too_large and not asked_first and self.content_length <= _MAX_DROPPED_BYTES:
                self.body_rcv.getbuf().close()
                self.body_rcv.buf = _Nowhere()
                self._dropped_bytes = 0
                self.completed = bool(self.body_rcv.completed)
        return consumed

    def _drop(self, data: bytes) -> int:
        consumed: int = self.body_rcv.received(data)
        self._dropped_bytes = (self._dropped_bytes or 0) + consumed
        self.completed = bool(
            self.body_rcv.completed or self.body_rcv.error or self._dropped_bytes > _MAX_DROPPED_BYTES
        )
        return consumed


class RefusalTask(ErrorTask):  # type: ignore[misc]
    """Answers a request that never reaches the application: malformed, too large, too slow."""

    def execute(self) -> None:
        """Write the answer in the server's form, and close the connection after it."""
        error = self.request.error
        text = self.channel.server.refusal_text(error).encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.extend(
            [("Content-Type", "application/json"), ("X-Content-Type-Options", "nosniff")]
        )
        self.set_close_on_finish()
        self.content_length = len(text)
        self.write(text)


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when its request is arriving."""

    error_task_class = RefusalTask
    parser_class = Parser
    request: Parser | None = None
    began_s = 0.0  # monotonic; means something while ``request`` is not None

    def received(self, data: bytes) -> bool:
        """Take bytes from the client."""
        parsing = self.request
        taken: bool = super().received(data)
        if self.request is not None and self.request is not parsing:
            self.began_s = time.monotonic()
        return taken

    def give_up_request(self, limit_s: float) -> None:
        """Answer 408, or why else it is refused, to a request that has been arriving for longer than ``limit_s``.

        Called by the loop's thread.
        """
        with self.requests_lock:
            request, now_s = self.request, time.monotonic()
            if len(self.requests) > self.adj.channel_request_lookahead:  # waitress does not read on meanwhile
                self.began_s = now_s
            if request is None or now_s - self.began_s <= limit_s:
                return
            request.error = request.error or RequestTimeoutError(
                f"the request did not arrive within {limit_s:g} s"
            )
            request.completed = True
            self.request = None
            self.requests.append(request)
            if len(self.requests) == 1:  # else whoever answers the one before goes on to this one
                self.server.add_task(self)


class WsgiServer(TcpWSGIServer):  # type: ignore[misc]
    """A server whose connections are given up when they are too slow.

    ``receive_s`` is how long a request may take to arrive, ``idle_s`` how long a client may take no byte of its
    answer, or send nothing between requests. ``refusal_text`` makes the JSON of an error of waitress.
    """

    channel_class = Channel
    receive_s: float
    idle_s: float
    refusal_text: Callable[[Any], str]

    def maintenance(self, now: float) -> None:
        """Look at all connections; waitress calls it each ``cleanup_interval``, ``now`` is the time of day."""
        for channel in list(self.active_channels.values()):
            channel.give_up_request(self.receive_s)
            waits_for_client = channel.total_outbufs_len or not (channel.requests or channel.request)
            if waits_for_client and channel.last_activity < now - self.idle_s:
                channel.will_close = True
                channel.handle_close()  # here: a socket that takes nothing never becomes writable

    def is_busy(self) -> bool:
        """Whether a request is being answered, or an answer is on its way."""
        return any(
            channel.requests or channel.total_outbufs_len for channel in list(self.active_channels.values())
        )
