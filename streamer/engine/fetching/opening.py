"""The way in: from a URL to the bytes of a stream, through redirects and playlists."""

from __future__ import annotations

import ssl
import time
from typing import Final

from streamer.engine.fetching.addresses import AddressRules, Resolver, system_resolver
from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.fetching.connections import Dialler
from streamer.engine.fetching.first_bytes import look_at, read_rest
from streamer.engine.fetching.hls import HlsStream
from streamer.engine.fetching.hls_loading import SegmentLoader
from streamer.engine.fetching.hls_playlists import MAX_HLS_BYTES
from streamer.engine.fetching.http import HttpClient
from streamer.engine.fetching.http_bodies import Body
from streamer.engine.fetching.http_streams import HttpStream
from streamer.engine.fetching.icy import WithoutMetadata, interval_bytes
from streamer.engine.fetching.playlists import (
    MAX_DEPTH,
    MAX_TRIED,
    decode_playlist,
    is_hls,
    playlist_urls,
)
from streamer.engine.fetching.rtsp import RtspStream
from streamer.engine.fetching.streams import ByteStream
from streamer.engine.fetching.urls import Login, StreamUrl, parse_url
from tidzam_platform.errors import FetchError
from tidzam_platform.settings import SourcesSettings

# Redirects, playlists and the first bytes together: a source that does not come is noticed within 30 s.
_MAX_OPENING_S: Final = 25.0


def open_stream(
    url: str,
    settings: SourcesSettings,
    *,
    cancel: Cancellation,
    resolver: Resolver = system_resolver,
    tls: ssl.SSLContext | None = None,
) -> ByteStream:
    """Open the stream at a URL of http, https, icecast or rtsp; a playlist there, HLS among them, is followed.

    Args:
        url: as a person wrote it. A user and password in it go to that server and no other.
        settings: which addresses are allowed, and how long it may take.
        cancel: ends the opening and every later wait, from any thread; it must live longer than the stream.
        resolver: who looks names up, once for each connection.
        tls: what certificates are checked against; what the system trusts unless told otherwise.

    Returns:
        The stream, its container known from its first bytes. It is to be closed.

    Raises:
        RefusedAddressError: the URL, a redirect or a playlist leads where it may not. Nothing was connected to there.
        FetchError: it cannot be had now, or is no audio.
    """
    return _Opener(settings, cancel, resolver, tls).open(parse_url(url), None, 0)


class _Opener:
    def __init__(
        self, settings: SourcesSettings, cancel: Cancellation, resolver: Resolver, tls: ssl.SSLContext | None
    ) -> None:
        self._settings = settings
        self._cancel = cancel
        self._resolver = resolver
        self._tls = tls
        self._until_s = time.monotonic() + max(_MAX_OPENING_S, settings.connect_s)

    def open(self, url: StreamUrl, login: Login | None, depth: int) -> ByteStream:
        """Open what is at ``url``; ``login`` is that of the playlist that named it, ``depth`` how many did."""
        if url.scheme == "rtsp":
            return self._open_rtsp(url)
        login = url.login or login
        client = self._client(login, self._cancel)
        response = client.get(url, deadline_s=self._deadline_s(), icy_metadata=True)
        try:
            interval = interval_bytes(response.head)
            body: Body = response.body if interval is None else WithoutMetadata(response.body, interval)
            beginning = look_at(response, body, self._deadline_s())
            if beginning.container is not None:
                return HttpStream(
                    response,
                    body,
                    beginning.head,
                    beginning.container,
                    stall_s=self._settings.no_samples_s,
                )
            data = read_rest(
                response, body, beginning.head, max_bytes=MAX_HLS_BYTES, deadline_s=self._deadline_s()
            )
        except BaseException:
            response.close()
            raise
        response.close()
        text = decode_playlist(data)
        if beginning.playlist == "m3u" and is_hls(text):
            return self._open_hls(response.url, text, login)
        entries = playlist_urls(beginning.playlist or "", data, response.url)
        return self._open_entries(entries, response.url, login, depth)

    def _open_entries(
        self, urls: list[StreamUrl], source: StreamUrl, login: Login | None, depth: int
    ) -> ByteStream:
        """The first of the streams of a playlist that can be had."""
        if depth == MAX_DEPTH:
            raise FetchError(
                f"{source} is a playlist in a playlist, more than {MAX_DEPTH} deep: not followed"
            )
        failures = []
        for url in urls[:MAX_TRIED]:
            try:
                return self.open(url, login, depth + 1)
            except FetchError as error:
                self._cancel.require_going()
                failures.append(str(error))
        raise FetchError(f"{source} is a playlist whose streams cannot be had: {'; '.join(failures)}")

    def _open_hls(self, url: StreamUrl, text: str, login: Login | None) -> ByteStream:
        settings = self._settings
        cancel = self._cancel.child()
        try:
            loader = SegmentLoader(
                self._client(login, cancel),
                url,
                text,
                answer_s=settings.connect_s,
                stall_s=settings.no_samples_s,
                open_by_s=self._until_s,
                cancel=cancel,
            )
            return HlsStream(loader, lead_s=max(settings.buffer_s, 1.0), cancel=cancel)
        except BaseException:
            cancel.close()
            raise

    def _open_rtsp(self, url: StreamUrl) -> ByteStream:
        settings = self._settings
        cancel = self._cancel.child()
        try:
            dialler = Dialler(AddressRules.of(settings), self._resolver, self._tls, cancel)
            return RtspStream(
                url, dialler, answer_s=settings.connect_s, stall_s=settings.no_samples_s, cancel=cancel
            )
        except BaseException:
            cancel.close()
            raise

    def _client(self, login: Login | None, cancel: Cancellation) -> HttpClient:
        return HttpClient(self._settings, cancel=cancel, login=login, resolver=self._resolver, tls=self._tls)

    def _deadline_s(self) -> float:
        """Until when the next step must be done."""
        return min(time.monotonic() + self._settings.connect_s, self._until_s)
