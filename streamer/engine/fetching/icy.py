"""Titles within a stream, as SHOUTcast and Icecast put them between the audio (``icy-metaint``)."""

from __future__ import annotations

import re
from typing import Final

from streamer.engine.fetching.http_bodies import Body
from streamer.engine.fetching.http_heads import ResponseHead
from tidzam_platform.errors import FetchError

_MAX_INTERVAL_BYTES: Final = 1 << 24
_BLOCK_UNIT_BYTES: Final = 16
_MAX_VALUE: Final = 500
_NUMBER: Final = re.compile(r"[0-9]{1,9}")
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]+")
# A value ends at a quote with a semicolon after it, or at the end: titles have quotes in them.
_FIELD: Final = re.compile(r"([A-Za-z][A-Za-z0-9_]{0,63})='(.*?)'(?:;|$)", re.DOTALL)
_STREAM_HEADERS: Final = ("name", "genre", "description", "url", "br")


def interval_bytes(head: ResponseHead) -> int | None:
    """How many bytes of audio lie between two blocks of metadata, None if there are none.

    Raises:
        FetchError: the header makes no sense; where the blocks lie cannot be known then.
    """
    stated = head.get("icy-metaint")
    if stated is None:
        return None
    if not _NUMBER.fullmatch(stated.strip()) or int(stated) > _MAX_INTERVAL_BYTES:
        raise FetchError("the server's answer has an icy-metaint that makes no sense")
    return int(stated) or None


def header_metadata(head: ResponseHead) -> dict[str, str]:
    """What the headers say of the stream: ``name``, ``genre``, ``description``, ``url``, ``br``, ``content_type``."""
    found = {"content_type": head.content_type}
    for key in _STREAM_HEADERS:
        found[key] = clean_text((head.get(f"icy-{key}") or "").encode("latin-1"))
    return {key: value for key, value in found.items() if value}


def parse_block(block: bytes) -> dict[str, str]:
    """The fields of a block of metadata, e.g. ``{"StreamTitle": "..."}``; empty if there are none in it."""
    text = _decoded(block.rstrip(b"\0"))
    return {match[1]: _cleaned(match[2]) for match in _FIELD.finditer(text)}


def clean_text(data: bytes) -> str:
    """Text of a server for people to read: UTF-8, else Latin-1; no control characters, shortened."""
    return _cleaned(_decoded(data))


class WithoutMetadata:
    """A body with the blocks of metadata taken out.

    Attributes:
        title: of the last block that had one.
        blocks: how many blocks have come, empty ones left out.
    """

    def __init__(self, body: Body, interval: int) -> None:
        """Read ``body``; ``interval`` bytes of audio lie between two blocks."""
        self._body = body
        self._interval = interval
        self._left = interval
        self._pending = bytearray()
        self._wanted = 0  # of the block that is arriving; 0: its length has not come yet
        self.title = ""
        self.blocks = 0

    def read(self, max_bytes: int, deadline_s: float) -> bytes:
        """As :class:`~streamer.engine.fetching.http_bodies.Body`."""
        while not self._left:
            data = self._body.read(self._wanted - len(self._pending) if self._wanted else 1, deadline_s)
            if not data:
                return b""
            self._take_metadata(data)
        data = self._body.read(min(max_bytes, self._left), deadline_s)
        self._left -= len(data)
        return data

    def _take_metadata(self, data: bytes) -> None:
        if not self._wanted:
            self._wanted = data[0] * _BLOCK_UNIT_BYTES
        else:
            self._pending += data
        if len(self._pending) < self._wanted:
            return
        if self._pending:
            self.blocks += 1
            self.title = parse_block(bytes(self._pending)).get("StreamTitle", self.title)
        self._pending.clear()
        self._wanted = 0
        self._left = self._interval


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def _cleaned(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:_MAX_VALUE]
