"""An HTTP client that goes only where it may: each hop of a redirect is looked up, checked and pinned anew."""

from __future__ import annotations

import base64
import ssl
import time
from dataclasses import dataclass
from typing import Final, Self

from streamer.engine.fetching.addresses import AddressRules, Resolver, system_resolver
from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.connections import Connection, Dialler
from streamer.engine.fetching.http_bodies import Body, body_of
from streamer.engine.fetching.http_heads import ResponseHead, read_head
from streamer.engine.fetching.urls import Login, StreamUrl, join_url
from tidzam_platform.errors import FetchError, RefusedAddressError
from tidzam_platform.settings import SourcesSettings

MAX_REDIRECTS: Final = 5
_REDIRECTS: Final = (301, 302, 303, 307, 308)
_READ_BYTES: Final = 1 << 16


@dataclass
class Response:
    """An answer whose body is being read; a context manager that closes the connection.

    Attributes:
        url: where it came from in the end.
        head: status and headers.
        body: what is read from.
        length: of the body in bytes, None if only its end will tell.
    """

    url: StreamUrl
    head: ResponseHead
    body: Body
    length: int | None
    connection: Connection

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connection. May be called again."""
        self.connection.close()

    def read_all(self, max_bytes: int, deadline_s: float) -> bytes:
        """The whole body; FetchError if it is larger than ``max_bytes``, or not here by ``deadline_s``."""
        too_large = f"{self.url} answers with more than {max_bytes} bytes, which is too much here"
        if self.length is not None and self.length > max_bytes:
            raise FetchError(too_large)
        whole = bytearray()
        while data := self.body.read(_READ_BYTES, deadline_s):
            whole += data
            if len(whole) > max_bytes:
                raise FetchError(too_large)
            if time.monotonic() > deadline_s:  # it trickles: no single wait was too long
                raise FetchError(f"{self.url} did not answer in time")
        return bytes(whole)


class HttpClient:
    """Fetches by GET, one connection a request. Proxies of the environment are not used.

    Args:
        settings: which addresses are allowed.
        cancel: ends every wait.
        login: user and password, sent to that one server and no other.
        resolver: who looks names up.
        tls: what certificates are checked against; what the system trusts unless told otherwise.
    """

    def __init__(
        self,
        settings: SourcesSettings,
        *,
        cancel: Cancellation,
        login: Login | None = None,
        resolver: Resolver = system_resolver,
        tls: ssl.SSLContext | None = None,
    ) -> None:
        self._dialler = Dialler(AddressRules.of(settings), resolver, tls, cancel)
        self._login = login

    def get(
        self,
        url: StreamUrl,
        *,
        deadline_s: float,
        byte_range: tuple[int, int] | None = None,
        icy_metadata: bool = False,
    ) -> Response:
        """Ask for ``url`` and follow redirects.

        Args:
            url: http or https.
            deadline_s: until when the last hop must have answered with its headers, of ``time.monotonic``.
            byte_range: offset and length of the part that is wanted, in bytes.
            icy_metadata: ask for titles within the stream.

        Returns:
            The answer with status 200, or 206 to a range.

        Raises:
            RefusedAddressError: it leads where it may not, over too many hops, or from https to http.
            FetchError: the connection failed, the answer is another one, makes no sense, or did not come in time.
        """
        for _ in range(MAX_REDIRECTS + 1):
            connection = self._dialler.connect(url, deadline_s)
            try:
                connection.send(self._request(url, byte_range, icy_metadata), deadline_s)
                head = read_head(connection, deadline_s)
                if head.status not in _REDIRECTS:
                    return _response(url, head, connection, byte_range)
            except BaseException:
                connection.close()
                raise
            connection.close()
            url = redirected(url, head)
        raise RefusedAddressError(f"{url} comes after {MAX_REDIRECTS} redirects and is not the last: refused")

    def _request(self, url: StreamUrl, byte_range: tuple[int, int] | None, icy_metadata: bool) -> bytes:
        lines = [
            f"GET {url.target} HTTP/1.1",
            f"Host: {url.host_and_port}",
            "User-Agent: Tidzam",
            "Accept: */*",
            "Accept-Encoding: identity",
            "Connection: close",
        ]
        if icy_metadata:
            lines.append("Icy-MetaData: 1")
        if byte_range is not None:
            offset, length = byte_range
            lines.append(f"Range: bytes={offset}-{offset + length - 1}")
        if self._login is not None and self._login.origin == url.origin:
            lines.append(f"Authorization: {basic_authorization(self._login)}")
        return "\r\n".join([*lines, "", ""]).encode("ascii")


def basic_authorization(login: Login) -> str:
    """The header value of Basic authentication (RFC 7617)."""
    return "Basic " + base64.b64encode(f"{login.user}:{login.password}".encode()).decode("ascii")


def redirected(url: StreamUrl, head: ResponseHead) -> StreamUrl:
    """Where a redirect leads.

    Raises:
        RefusedAddressError: to something that is no URL of http, or from https to http.
        FetchError: it does not say where.
    """
    location = head.get("location")
    if not location:
        raise FetchError(f"{url} answers {head.status} without saying where to go")
    target = join_url(url, location)
    require_no_downgrade(url, target)
    if target.scheme not in ("http", "https"):
        raise RefusedAddressError(f"{url} redirects to {target}: refused, only http and https are followed")
    return target


def require_no_downgrade(url: StreamUrl, target: StreamUrl) -> None:
    """RefusedAddressError if what was asked for by https would be fetched by http."""
    if url.scheme == "https" and target.scheme == "http":
        raise RefusedAddressError(f"{url} leads to {target}: refused, https does not go on as http")


def _response(
    url: StreamUrl, head: ResponseHead, connection: Connection, byte_range: tuple[int, int] | None
) -> Response:
    if head.status == 401:
        raise FetchError(
            f"{url} wants a user and password: write http://USER:PASSWORD@HOST/..., or mend them"
        )
    if head.status not in (200, 206):
        raise FetchError(f"{url} answers {head.status} {head.reason}".rstrip())
    if byte_range is not None and head.status != 206:
        raise FetchError(f"{url} cannot give a part of itself: it answers 200 to a range")
    if byte_range is None and head.status == 206:
        raise FetchError(f"{url} answers with a part of itself, which was not asked for")
    body, length = body_of(head, connection)
    return Response(url, head, body, length, connection)
