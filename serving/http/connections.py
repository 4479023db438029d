"""Waitress, with errors in JSON and an end to what takes for ever.

Waitress closes connections on which nothing happens. It waits without end for a request that arrives byte by byte,
and for a client that does not take its answer while a thread holds the rest of it.
"""

from __future__ import annotations

import time
from typing import Final

from waitress.channel import HTTPChannel
from waitress.parser import HTTPRequestParser
from waitress.server import TcpWSGIServer
from waitress.task import ErrorTask
from waitress.utilities import Error, RequestEntityTooLarge

from serving.server.rest.statuses import JSON_TYPE, error_text

# Of a body that is too large, what is read and thrown away: who sends it all before reading would not see the answer.
_MAX_DISCARDED_BYTES: Final = 1 << 30


class RequestTimeoutError(Error):  # type: ignore[misc]
    """What the parser of a request has as its error when it took too long to arrive."""

    code = 408
    reason = "Request Timeout"


class JsonErrorTask(ErrorTask):  # type: ignore[misc]
    """Answers a request that never reaches the application: malformed, too large, too slow."""

    def execute(self) -> None:
        """Write the answer, and close the connection after it."""
        error = self.request.error
        text = error_text(f"{error.reason}: {error.body}").encode()
        self.status = f"{error.code} {error.reason}"
        self.response_headers.append(("Content-Type", JSON_TYPE))
        self.set_close_on_finish()
        self.content_length = len(text)
        self.write(text)


class Parser(HTTPRequestParser):  # type: ignore[misc]
    """Answers a body that is too large when it has been sent, or at once to a client that asked first."""

    expect_continue = False
    _discards = 0  # bytes to come

    def received(self, data: bytes) -> int:
        """Take bytes of the request; returns how many were of it."""
        if self._discards:
            taken = min(len(data), self._discards)
            self._discards -= taken
            self.completed = not self._discards
            return taken
        consumed: int = super().received(data)
        if self.completed:
            too_large = isinstance(self.error, RequestEntityTooLarge)
            asked_first = self.expect_continue or self.chunked
            if too_large and not asked_first and self.content_length <= _MAX_DISCARDED_BYTES:
                self._discards = self.content_length
                self.completed = False
            # All is here, or refused: waitress would tell the client to go on, and wait for more without end.
            self.expect_continue = False
        return consumed


class Channel(HTTPChannel):  # type: ignore[misc]
    """A connection that knows since when its request is arriving."""

    error_task_class = JsonErrorTask
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
        """Answer 408 to a request that has been arriving for longer than ``limit_s``; called by the loop's thread."""
        with self.requests_lock:
            request, now_s = self.request, time.monotonic()
            if len(self.requests) > self.adj.channel_request_lookahead:  # waitress does not read on meanwhile
                self.began_s = now_s
            if request is None or now_s - self.began_s <= limit_s:
                return
            request.error = RequestTimeoutError(f"the request did not arrive within {limit_s:g} s")
            request.completed = True
            self.request = None
            self.requests.append(request)
            if len(self.requests) == 1:  # else whoever answers the one before goes on to this one
                self.server.add_task(self)


class WsgiServer(TcpWSGIServer):  # type: ignore[misc]
    """A server whose connections are given up when they are too slow.

    ``receive_s`` is how long a request may take to arrive, ``idle_s`` how long a client may take no byte of its
    answer, or send nothing between requests.
    """

    channel_class = Channel
    receive_s = 30.0
    idle_s = 60.0

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
