"""Telling from its first bytes what an answer is: audio of some container, a playlist, or nothing that is opened."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from streamer.engine.fetching.containers import container_of_stream, id3_bytes
from streamer.engine.fetching.http import Response
from streamer.engine.fetching.http_bodies import Body
from streamer.engine.fetching.http_heads import printable
from streamer.engine.fetching.playlists import is_text, playlist_kind
from tidzam_platform.audio.sniffing import HEAD_BYTES, Container
from tidzam_platform.errors import FetchError

_READ_BYTES: Final = 1 << 14
_FIRST_LOOK_BYTES: Final = 64
_TEXT_LOOK_BYTES: Final = 2048  # a playlist in XML says what it is after a declaration and comments
_MAX_ID3_BYTES: Final = 1 << 24  # pictures of covers are in them
_MAX_ID3_TAGS: Final = 4


@dataclass(frozen=True)
class Beginning:
    """What an answer begins with.

    Attributes:
        head: the bytes that were read to find out.
        container: of the audio; None if it is none.
        playlist: ``m3u``, ``pls`` or ``xspf``; None if it is none.
    """

    head: bytes
    container: Container | None
    playlist: str | None


def look_at(response: Response, body: Body, deadline_s: float) -> Beginning:
    """Read as little of ``body`` as tells what it is; ID3 tags before audio are dropped.

    Args:
        response: whose body it is.
        body: what is read.
        deadline_s: until when, of ``time.monotonic``.

    Raises:
        FetchError: it fails, does not come in time, or is nothing that is opened.
    """
    reader = _Reader(response, body, deadline_s)
    reader.fill(_FIRST_LOOK_BYTES)
    for _ in range(_MAX_ID3_TAGS):
        tag_bytes = id3_bytes(bytes(reader.head[:_FIRST_LOOK_BYTES]))
        if not tag_bytes or tag_bytes > _MAX_ID3_BYTES:
            break
        reader.drop(tag_bytes)
        reader.fill(_FIRST_LOOK_BYTES)
    while True:
        head = bytes(reader.head)
        kind = playlist_kind(head, response.head.content_type, response.url.path)
        if kind is not None:
            return Beginning(head, None, kind)
        container = container_of_stream(head, is_whole=reader.is_ended)
        if container is not None:
            return Beginning(head, container, None)
        if reader.is_ended or len(head) >= (_TEXT_LOOK_BYTES if is_text(head) else HEAD_BYTES):
            raise FetchError(_no_audio(response, head))
        reader.fill(2 * len(head))


def read_rest(response: Response, body: Body, head: bytes, *, max_bytes: int, deadline_s: float) -> bytes:
    """All of an answer that begins with ``head``; FetchError if it is too large, or not here in time."""
    reader = _Reader(response, body, deadline_s)
    reader.head += head
    reader.fill(max_bytes + 1)
    if len(reader.head) > max_bytes:
        raise FetchError(f"{response.url} is a playlist of more than {max_bytes} bytes")
    return bytes(reader.head)


class _Reader:
    def __init__(self, response: Response, body: Body, deadline_s: float) -> None:
        self._response = response
        self._body = body
        self._deadline_s = deadline_s
        self.head = bytearray()
        self.is_ended = False

    def fill(self, length: int) -> None:
        """Have ``length`` bytes in ``head``, or all that there are."""
        while len(self.head) < length and not self.is_ended:
            if time.monotonic() > self._deadline_s:  # it trickles: no single wait was too long
                raise FetchError(f"{self._response.url} sends too slowly to tell what it is")
            data = self._body.read(_READ_BYTES, self._deadline_s)
            self.is_ended = not data
            self.head += data

    def drop(self, length: int) -> None:
        """Leave out the next ``length`` bytes, without keeping them all at once."""
        while length and (self.head or not self.is_ended):
            self.fill(1)
            dropped = min(length, len(self.head))
            del self.head[:dropped]
            length -= dropped


def _no_audio(response: Response, head: bytes) -> str:
    if not head:
        return f"{response.url} answers with nothing"
    beginning = printable(head[:16].decode("latin-1"), 16)
    return (
        f"{response.url} begins with {beginning!r}, like no stream that is opened here: use Ogg, FLAC, WAV, MP3, AAC, "
        "MPEG-TS, MP4, Matroska, HLS, or a playlist of one"
    )
