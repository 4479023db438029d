"""Ogg pages (RFC 3533 section 6) out of bytes that come piece by piece."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Final

from tidzam_platform.audio.ogg.pages import CAPTURE_PATTERN, FIRST, LAST

_HEADER: Final = struct.Struct("<4sBBqIIIB")
MAX_PAGE_BYTES: Final = _HEADER.size + 255 + 255 * 255


@dataclass(frozen=True, slots=True)
class PageBytes:
    """One whole page as it stood in the stream.

    Attributes:
        data: all its bytes.
        flags: CONTINUED, FIRST, LAST of ``tidzam_platform.audio.ogg.pages``.
        granule: position at the end of the last packet that ends here; -1 if none does.
        serial: number of its logical stream.
        body: where its segments begin in ``data``.
    """

    data: bytes
    flags: int
    granule: int
    serial: int
    body: int

    @property
    def is_first(self) -> bool:
        """Whether a logical stream begins with it."""
        return bool(self.flags & FIRST)

    @property
    def is_last(self) -> bool:
        """Whether its logical stream ends with it."""
        return bool(self.flags & LAST)


class PageSplitter:
    """Gives the whole pages among bytes that are fed to it; skips what is none. Checksums are not looked at.

    Memory is bounded: what cannot begin a page is dropped.
    """

    def __init__(self) -> None:
        self._buffer = bytearray()
        self.skipped_bytes = 0

    def feed(self, data: bytes) -> list[PageBytes]:
        """Take the next bytes; returns the pages that are whole now."""
        self._buffer += data
        pages = []
        while (page := self._next()) is not None:
            pages.append(page)
        return pages

    def _next(self) -> PageBytes | None:
        buffer = self._buffer
        while True:
            if not buffer.startswith(CAPTURE_PATTERN) and not self._skip_to_pattern(0):
                return None
            if len(buffer) < _HEADER.size:
                return None
            _, version, flags, granule, serial, _, _, segments = _HEADER.unpack_from(buffer)
            if version != 0:
                self._skip_to_pattern(1)
                continue
            body = _HEADER.size + segments
            if len(buffer) < body:
                return None
            end = body + sum(buffer[_HEADER.size : body])
            if len(buffer) < end:
                return None
            data = bytes(buffer[:end])
            del buffer[:end]
            return PageBytes(data, flags, granule, serial, body)

    def _skip_to_pattern(self, start: int) -> bool:
        """Drop what is before the next place that may begin a page; False if more bytes must come first."""
        found = self._buffer.find(CAPTURE_PATTERN, start)
        keep_from = found if found >= 0 else max(len(self._buffer) - len(CAPTURE_PATTERN) + 1, 0)
        self.skipped_bytes += keep_from
        del self._buffer[:keep_from]
        return found >= 0
