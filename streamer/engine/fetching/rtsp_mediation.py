"""What is changed between ffmpeg and an RTSP server: addresses, passwords; and what is not let through."""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass, replace
from typing import Final

from streamer.engine.fetching.http_heads import printable
from streamer.engine.fetching.rtsp_login import RtspLogin
from streamer.engine.fetching.rtsp_messages import RtspMessage
from streamer.engine.fetching.urls import StreamUrl
from tidzam_platform.errors import FetchError, RefusedAddressError

LOCAL_PATH: Final = "/stream"  # what ffmpeg is told instead of the path, which may hold a secret
_MAX_OPEN_REQUESTS: Final = 16
_REQUEST: Final = re.compile(r"([A-Z_]{3,20}) (\S{1,8192}) RTSP/1\.0")
_ESSENTIAL: Final = ("DESCRIBE", "SETUP", "PLAY")
_MAX_SHOWN: Final = 60


@dataclass
class _Open:
    """A request without an answer."""

    method: str
    message: RtspMessage
    uri: str
    was_authorized: bool


class RtspMediator:
    """Stands between ffmpeg, which knows a loopback address and no password, and the server of ``url``.

    Attributes:
        failure: why the server refused what it was asked for; None if it did not.
    """

    def __init__(self, url: StreamUrl, local_port: int) -> None:
        """``local_port`` is where ffmpeg believes the server to be."""
        self._url = url
        self._local = f"rtsp://127.0.0.1:{local_port}"
        self._login = RtspLogin(url.login) if url.login is not None else None
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self.failure: FetchError | None = None

    def request(self, message: RtspMessage) -> bytes:
        """What the server is sent for a message of ffmpeg.

        Raises:
            RefusedAddressError: it asks the server to send to another address.
            FetchError: it is no RTSP.
        """
        if message.status is not None:  # an answer to a question of the server
            return message.written()
        match = _REQUEST.fullmatch(message.start)
        if match is None:
            raise FetchError("ffmpeg sent a request that is no RTSP")
        method, uri = match[1], self._real(match[2])
        transport = message.get("transport")
        if transport is not None and not _is_interleaved(transport):
            raise RefusedAddressError("ffmpeg asks for another transport than the connection itself: refused")
        message = replace(message, start=f"{method} {uri} RTSP/1.0")
        return self._authorized(_Open(method, message, uri, was_authorized=False))

    def answer(self, message: RtspMessage) -> tuple[bytes, bytes]:
        """What ffmpeg and the server are sent for a message of the server.

        Raises:
            RefusedAddressError: it leads to another address.
            FetchError: it wants a user and password that we do not have, or speaks something else.
        """
        status = message.status
        if status is None:
            if not _REQUEST.fullmatch(message.start):
                raise FetchError(f"{self._url} does not speak RTSP")
            if message.start.startswith("REDIRECT"):
                raise RefusedAddressError(f"{self._url} sends us to another address: refused, write that one")
            return message.written(), b""
        if 300 <= status < 400:
            raise RefusedAddressError(f"{self._url} redirects ({status}): refused, write the other address")
        transport = message.get("transport")
        if transport is not None and not _is_interleaved(transport):
            raise RefusedAddressError(
                f"{self._url} wants to send elsewhere than over the connection: refused"
            )
        asked = self._open.pop(message.get("cseq") or "", None)
        if status == 401:
            return b"", self._answer_challenge(message, asked)
        if status >= 400 and asked is not None and asked.method in _ESSENTIAL:
            said = printable(message.start.partition(" ")[2], _MAX_SHOWN)
            self.failure = FetchError(f"{self._url} answers {asked.method} with {said}")
        return message.written(), b""

    def _answer_challenge(self, message: RtspMessage, asked: _Open | None) -> bytes:
        challenges = message.get_all("www-authenticate")
        is_stale = any("stale=true" in challenge.lower().replace('"', "") for challenge in challenges)
        if self._login is None or asked is None or (asked.was_authorized and not is_stale):
            raise FetchError(
                f"{self._url} wants a user and password: write rtsp://USER:PASSWORD@..., or mend them"
            )
        if not self._login.take_challenge(challenges):
            raise FetchError(
                f"{self._url} wants a kind of login that is none of Basic and Digest (MD5, SHA-256)"
            )
        return self._authorized(asked)

    def _authorized(self, request: _Open) -> bytes:
        """The bytes of a request with what the server wants to know of us; it is remembered until it is answered."""
        message = request.message
        said = None if self._login is None else self._login.authorization(request.method, request.uri)
        if said is not None:
            message = message.with_header("Authorization", said)
        number = message.get("cseq") or ""
        self._open[number] = replace(request, was_authorized=said is not None)
        if len(self._open) > _MAX_OPEN_REQUESTS:
            self._open.popitem(last=False)
        return message.written()

    def _real(self, uri: str) -> str:
        """The server's own URI for one that ffmpeg made of the address that it was told."""
        server = f"rtsp://{self._url.host_and_port}"
        told = self._local + LOCAL_PATH
        if uri == told or uri.startswith((f"{told}/", f"{told}?")):
            return server + self._url.target + uri[len(told) :]
        return server + uri[len(self._local) :] if uri.startswith(f"{self._local}/") else uri


def _is_interleaved(transport: str) -> bool:
    """Whether every transport of the header is the RTSP connection itself (RFC 2326 section 10.12)."""
    return all(
        choice.strip().upper().startswith("RTP/AVP/TCP") and "destination=" not in choice.lower()
        for choice in transport.split(",")
    )
