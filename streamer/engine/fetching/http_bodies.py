"""The body of an HTTP answer: to the end of the connection, of a known length, or in chunks (RFC 9112 section 7.1)."""

from __future__ import annotations

import re
from typing import Final, Protocol

from streamer.engine.fetching.connections import Connection
from streamer.engine.fetching.http_heads import ResponseHead
from tidzam_platform.errors import FetchError

_MAX_CHUNK_LINE_BYTES: Final = 1024
_MAX_TRAILERS: Final = 100
_CHUNK_SIZE: Final = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;.*)?")


class Body(Protocol):
    """Bytes until ``b""``."""

    def read(self, max_bytes: int, deadline_s: float) -> bytes:
        """Wait for bytes until ``deadline_s``, of ``time.monotonic``; FetchError if it fails or is cut short."""


class UntilClosed:
    """Goes on until the server closes the connection."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def read(self, max_bytes: int, deadline_s: float) -> bytes:
        """As :class:`Body`."""
        return self._connection.read(max_bytes, deadline_s)


class Counted:
    """As long as was said before."""

    def __init__(self, connection: Connection, length: int) -> None:
        self._connection = connection
        self._left = length

    def read(self, max_bytes: int, deadline_s: float) -> bytes:
        """As :class:`Body`."""
        if not self._left:
            return b""
        data = self._connection.read(min(max_bytes, self._left), deadline_s)
        if not data:
            raise FetchError(f"the connection ended {self._left} bytes before the end of the answer")
        self._left -= len(data)
        return data


class Chunked:
    """Chunks, each with its size before it."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._left = 0
        self._begun = False
        self._ended = False

    def read(self, max_bytes: int, deadline_s: float) -> bytes:
        """As :class:`Body`."""
        if not self._left and not self._ended:
            self._next_chunk(deadline_s)
        if self._ended:
            return b""
        data = self._connection.read(min(max_bytes, self._left), deadline_s)
        if not data:
            raise FetchError("the connection ended within a chunk of the answer")
        self._left -= len(data)
        return data

    def _next_chunk(self, deadline_s: float) -> None:
        if self._begun and self._connection.read_line(2, deadline_s):
            raise FetchError("a chunk of the answer is longer than it says")
        self._begun = True
        size = _CHUNK_SIZE.fullmatch(self._connection.read_line(_MAX_CHUNK_LINE_BYTES, deadline_s))
        if size is None:
            raise FetchError("a chunk of the answer does not say how long it is")
        self._left = int(size[1], 16)
        if self._left:
            return
        self._ended = True
        for _ in range(_MAX_TRAILERS):
            if not self._connection.read_line(_MAX_CHUNK_LINE_BYTES, deadline_s):
                return
        raise FetchError("the answer has too many trailers")


def body_of(head: ResponseHead, connection: Connection) -> tuple[Body, int | None]:
    """The body that follows ``head``, and its length if that is known.

    Raises:
        FetchError: the headers contradict each other, or it is compressed.
    """
    head.require_plain()
    if head.is_chunked:
        return Chunked(connection), None
    length = head.content_length
    if length is None:
        return UntilClosed(connection), None
    return Counted(connection, length), length
