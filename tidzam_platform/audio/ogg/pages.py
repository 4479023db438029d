"""Ogg pages (RFC 3533 section 6): reading them from damaged files, and writing them."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

from tidzam_platform.errors import DecodingError

CAPTURE_PATTERN: Final = b"OggS"
CONTINUED: Final = 1
FIRST: Final = 2
LAST: Final = 4
NO_GRANULE: Final = -1  # no packet ends on the page
MAX_SEGMENTS: Final = 255

_HEADER = struct.Struct("<4sBBqIIIB")
_CHECKSUM = slice(22, 26)
_SEARCH_BYTES = 1 << 16
# Every "OggS" in garbage may promise 64 KiB to check. A hostile file can have one every few bytes: what is checked
# in vain may be this much, and so many times what was read, before we give up.
_VAIN_BYTES = 1 << 25
_VAIN_TIMES = 8

_BIT_REVERSE = bytes(int(f"{value:08b}"[::-1], 2) for value in range(256))


@dataclass(frozen=True, slots=True)
class Page:
    """A whole page whose checksum is right.

    Attributes:
        offset: byte of the file at which it begins.
        flags: CONTINUED, FIRST (of its stream), LAST.
        granule: position at the end of the last packet that ends here, or NO_GRANULE.
        serial: number of its logical stream.
        sequence: number of the page within the stream.
        lacing: the segment table; its values add up to the length of the body.
        body: the segments.
        after_damage: bytes that belong to no whole page lie right before it.
    """

    offset: int
    flags: int
    granule: int
    serial: int
    sequence: int
    lacing: bytes
    body: bytes
    after_damage: bool = False

    @property
    def end(self) -> int:
        """The byte of the file after the page."""
        return self.offset + _HEADER.size + len(self.lacing) + len(self.body)

    def packet_lengths(self) -> tuple[list[int], bool]:
        """Length of each packet's share of this page, and whether the last goes on on the next page."""
        if MAX_SEGMENTS not in self.lacing:
            return list(self.lacing), False
        lengths = []
        length = 0
        for value in self.lacing:
            length += value
            if value < MAX_SEGMENTS:
                lengths.append(length)
                length = 0
        unfinished = self.lacing[-1] == MAX_SEGMENTS
        if unfinished:
            lengths.append(length)
        return lengths, unfinished


class PageReader:
    """Iterates over the whole pages of a file in bounded memory; skips everything else.

    Attributes:
        cut: after the end, whether the file ended within a page.
    """

    def __init__(self, handle: BinaryIO, start: int = 0, end: int | None = None) -> None:
        """Read pages that begin in ``[start, end)``; ``handle`` must be seekable."""
        self._handle = handle
        self._start = start
        self._end = end
        self._vain_bytes = 0
        self.cut = False

    def __iter__(self) -> Iterator[Page]:
        """Yield the pages in the order of the file.

        Raises:
            DecodingError: far too many places look like a page and are none.
        """
        offset = self._start
        damaged = False
        while self._end is None or offset < self._end:
            page = self._page_at(offset, damaged)
            if page is not None:
                damaged = False
                offset = page.end
                yield page
                continue
            following = self._find(offset + 1)
            if following is None:
                return
            damaged = True
            offset = following

    def _page_at(self, offset: int, after_damage: bool) -> Page | None:
        self._handle.seek(offset)
        header = self._handle.read(_HEADER.size)
        if len(header) < _HEADER.size:
            self.cut |= CAPTURE_PATTERN.startswith(header[:4]) and header != b""
            return None
        pattern, version, flags, granule, serial, sequence, checksum, segments = _HEADER.unpack(header)
        if pattern != CAPTURE_PATTERN or version != 0:
            return None
        lacing = self._handle.read(segments)
        body_bytes = sum(lacing)
        body = self._handle.read(body_bytes)
        if len(lacing) < segments or len(body) < body_bytes:
            self.cut = True
            return None
        if _page_checksum(header, lacing, body) != checksum:
            self._vain_bytes += body_bytes
            if self._vain_bytes > _VAIN_BYTES + _VAIN_TIMES * offset:
                raise DecodingError(
                    f"no Ogg pages with a right checksum around byte {offset}: damaged beyond use"
                )
            return None
        # A page that looked cut before it was bytes of chance within damage.
        self.cut = False
        return Page(offset, flags, granule, serial, sequence, lacing, body, after_damage)

    def _find(self, offset: int) -> int | None:
        """First place from ``offset`` on that may begin a page."""
        self._handle.seek(offset)
        tail = b""
        while True:
            chunk = self._handle.read(_SEARCH_BYTES)
            window = tail + chunk
            found = window.find(CAPTURE_PATTERN)
            if found >= 0:
                return offset - len(tail) + found
            if not chunk:
                return None
            offset += len(chunk)
            tail = window[-(len(CAPTURE_PATTERN) - 1) :]


def write_page(
    *, flags: int, granule: int, serial: int, sequence: int, lacing: bytes, body: bytes | memoryview
) -> bytes:
    """The bytes of one page, checksum included."""
    header = _HEADER.pack(CAPTURE_PATTERN, 0, flags, granule, serial, sequence & 0xFFFFFFFF, 0, len(lacing))
    checksum = _page_checksum(header, lacing, bytes(body))
    return b"".join(
        (header[: _CHECKSUM.start], checksum.to_bytes(4, "little"), header[_CHECKSUM.stop :], lacing, body)
    )


def write_packet_pages(packet: bytes, *, first: bool, serial: int, sequence: int) -> list[bytes]:
    """A header packet on pages of its own (granule 0), as many as it needs."""
    lacing = b"\xff" * (len(packet) // MAX_SEGMENTS) + bytes([len(packet) % MAX_SEGMENTS])
    pages = []
    for number, begin in enumerate(range(0, len(lacing), MAX_SEGMENTS)):
        part = lacing[begin : begin + MAX_SEGMENTS]
        body = packet[begin * MAX_SEGMENTS : begin * MAX_SEGMENTS + sum(part)]
        flags = (FIRST if first and number == 0 else 0) | (CONTINUED if number else 0)
        granule = 0 if begin + len(part) == len(lacing) else NO_GRANULE
        pages.append(
            write_page(
                flags=flags,
                granule=granule,
                serial=serial,
                sequence=sequence + number,
                lacing=part,
                body=body,
            )
        )
    return pages


def _page_checksum(header: bytes, lacing: bytes, body: bytes) -> int:
    """CRC-32 (0x04c11db7, not reflected, initially 0) of the page with its checksum field zeroed.

    zlib has the same polynomial reflected and with inverted ends: bits reversed within the bytes and in the result,
    and the inversions undone, it computes this one at the speed of C.
    """
    checksum = 0xFFFFFFFF
    for part in (header[: _CHECKSUM.start], bytes(4), header[_CHECKSUM.stop :], lacing, body):
        checksum = zlib.crc32(part.translate(_BIT_REVERSE), checksum)
    return int.from_bytes((checksum ^ 0xFFFFFFFF).to_bytes(4, "little").translate(_BIT_REVERSE), "big")
