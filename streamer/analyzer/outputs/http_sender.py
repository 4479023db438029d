"""An HTTP/1.1 client that sends: to checked and pinned addresses, following no redirect, one connection kept open."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from streamer.analyzer.outputs.reach import Reach, as_output_error
from streamer.engine.fetching.connections import Connection
from streamer.engine.fetching.http_bodies import UntilClosed, body_of
from streamer.engine.fetching.http_heads import ResponseHead, read_head
from streamer.engine.fetching.urls import StreamUrl
from tidzam_platform.errors import FetchError, OutputError

_MAX_BODY_BYTES: Final = 4 << 20
_READ_BYTES: Final = 1 << 16
_WITHOUT_BODY: Final = (204, 304)
_KEPT_S: Final = 30.0  # an idle connection; most servers end theirs after 60 s


@dataclass(frozen=True)
class Answer:
    """What a server answered.

    Attributes:
        url: who answered.
        head: status and headers.
        body: all of it; empty where nobody asked for it.
    """

    url: StreamUrl
    head: ResponseHead
    body: bytes

    @property
    def status(self) -> int:
        """Three digits."""
        return self.head.status


class HttpSender:
    """Sends requests, one after the other; ``close`` ends the connection that is kept open between them."""

    def __init__(self, reach: Reach) -> None:
        self._reach = reach
        self._kept: tuple[tuple[str, str, int], float, Connection] | None = None

    def send(
        self,
        method: str,
        url: StreamUrl,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        wants_body: bool = False,
        is_repeatable: bool = True,
    ) -> Answer:
        """Send one request and wait for its answer.

        Args:
            method: e.g. ``POST``.
            url: http or https.
            headers: beside those that every request has.
            body: None sends none.
            wants_body: whether the answer's body is read; what is wrong with it then counts.
            is_repeatable: whether the request is sent again at once where a connection that was kept open breaks.

        Returns:
            The answer, whatever its status.

        Raises:
            OutputError: the server was not reached, may not be reached, or did not answer in time or in HTTP.
        """
        request = _request(method, url, headers or {}, body)
        deadline_s = self._reach.deadline_s()
        kept = self._take(url)
        with as_output_error():
            if kept is not None:
                try:
                    return self._exchange(kept, url, request, deadline_s, wants_body=wants_body)
                except FetchError:  # perhaps the server had enough of it, as servers may
                    if not is_repeatable:
                        raise
            connection = self._reach.dialler.connect(url, deadline_s)
            return self._exchange(connection, url, request, deadline_s, wants_body=wants_body)

    def close(self) -> None:
        """End the connection that is kept open. May be called again."""
        if self._kept is not None:
            self._kept[-1].close()
            self._kept = None

    def _exchange(
        self, connection: Connection, url: StreamUrl, request: bytes, deadline_s: float, *, wants_body: bool
    ) -> Answer:
        """Send and receive; the connection is kept or closed."""
        try:
            connection.send(request, deadline_s)
            head = read_head(connection, deadline_s)
        except BaseException:
            connection.close()
            raise
        if head.status in _WITHOUT_BODY:
            self._keep(connection, url, head)
            return Answer(url, head, b"")
        try:
            body, has_end = _read_body(connection, head, deadline_s)
        except FetchError:
            connection.close()
            if wants_body:
                raise
            return Answer(url, head, b"")  # the status has said what there is to know
        except BaseException:
            connection.close()
            raise
        if has_end:
            self._keep(connection, url, head)
        else:
            connection.close()
        return Answer(url, head, body if wants_body else b"")

    def _keep(self, connection: Connection, url: StreamUrl, head: ResponseHead) -> None:
        if (head.get("connection") or "").strip().lower() == "close":
            connection.close()
            return
        self.close()
        self._kept = url.origin, time.monotonic(), connection

    def _take(self, url: StreamUrl) -> Connection | None:
        """The connection that is kept open, if it leads there and is fresh; it is not kept any more."""
        if self._kept is None:
            return None
        origin, since_s, connection = self._kept
        self._kept = None
        if origin == url.origin and time.monotonic() - since_s < _KEPT_S and _is_open(connection):
            return connection
        connection.close()
        return None


def _is_open(connection: Connection) -> bool:
    """Whether the server has neither ended a connection on which nothing is under way, nor said something unasked."""
    try:
        connection.read(1, time.monotonic())
    except FetchError:  # there is nothing to read: as it should be
        return True
    return False


def _request(method: str, url: StreamUrl, headers: Mapping[str, str], body: bytes | None) -> bytes:
    lines = [
        f"{method} {url.target} HTTP/1.1",
        f"Host: {url.host_and_port}",
        "User-Agent: Tidzam",
        "Accept-Encoding: identity",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    if body is not None:
        lines.append(f"Content-Length: {len(body)}")
    try:
        return "\r\n".join([*lines, "", ""]).encode("ascii") + (body or b"")
    except UnicodeEncodeError as error:
        raise OutputError(f"{url}: a header that is not ASCII cannot be sent; look at the secrets") from error


def _read_body(connection: Connection, head: ResponseHead, deadline_s: float) -> tuple[bytes, bool]:
    """The body, and whether its end was known before the connection's; FetchError for a large or slow one."""
    body, length = body_of(head, connection)
    if length is not None and length > _MAX_BODY_BYTES:
        raise FetchError(f"the answer is larger than {_MAX_BODY_BYTES} bytes")
    whole = bytearray()
    while data := body.read(_READ_BYTES, deadline_s):
        whole += data
        if len(whole) > _MAX_BODY_BYTES:
            raise FetchError(f"the answer is larger than {_MAX_BODY_BYTES} bytes")
        if time.monotonic() > deadline_s:  # it trickles: no single wait was too long
            raise FetchError("the answer did not end in time")
    return bytes(whole), not isinstance(body, UntilClosed)
