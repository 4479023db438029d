"""One valid chained Ogg stream out of what several connections to a source gave (RFC 3533 section 4)."""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass
from typing import Final

from streamer.engine.encoding import PageBytes
from tidzam_platform.audio.ogg.pages import LAST, write_page

_SEQUENCE: Final = slice(18, 22)
_CHECKSUM: Final = slice(22, 26)
_LACING: Final = 27
_MAX_STREAMS: Final = 64  # of one link; more are passed on, and not looked after
_REMEMBERED: Final = 256  # numbers of earlier streams; no player remembers one that is longer ago
_STEP: Final = 0x9E3779B1  # odd, so that it comes to every number before it repeats one
_NUMBERS: Final = 1 << 32


@dataclass
class _Logical:
    """A stream of the link that is going on."""

    serial: int  # that listeners see
    sequence: int = 0  # of its last page
    granule: int = 0
    has_ended: bool = False


class OggChain:
    """Gives each connection's pages a place in the chain. For one thread at a time.

    The first connection passes as it is, and what comes later as far as it can: only where a stream has the number of
    an earlier connection's stream, as with a server that goes on where it was, it gets another one. Players would
    take it for the old stream otherwise, and its headers for audio.
    """

    def __init__(self) -> None:
        self._is_beginning = False  # among the first pages of a link's streams
        self._open: dict[int, _Logical] = {}  # by the number that the source gave it
        self._given: deque[int] = deque(maxlen=_REMEMBERED)  # numbers of this connection
        self._used: deque[int] = deque(maxlen=_REMEMBERED)  # of earlier ones

    def take(self, page: PageBytes) -> PageBytes:
        """The next page of the connection as listeners get it."""
        if page.is_first:
            if not self._is_beginning:
                self._open.clear()
            if len(self._open) < _MAX_STREAMS:
                self._open[page.serial] = _Logical(self._number_for(page.serial))
        self._is_beginning = page.is_first
        logical = self._open.get(page.serial)
        if logical is None:
            return page
        (logical.sequence,) = struct.unpack("<I", page.data[_SEQUENCE])
        logical.granule = max(page.granule, logical.granule)
        logical.has_ended |= page.is_last
        return page if logical.serial == page.serial else _renumbered(page, logical.serial)

    def begin_again(self) -> bytes:
        """The connection is gone: pages that end the streams that it left open. Another connection follows."""
        ends = [_end(logical) for logical in self._open.values() if not logical.has_ended]
        self._is_beginning = False
        self._open.clear()
        self._used.extend(self._given)
        self._given.clear()
        return b"".join(ends)

    def _number_for(self, serial: int) -> int:
        while serial in self._used:
            serial = (serial + _STEP) % _NUMBERS
        self._given.append(serial)
        return serial


def _end(logical: _Logical) -> bytes:
    """A page without a packet that ends the stream where it is (RFC 3533 section 6: the last page may be so)."""
    return write_page(
        flags=LAST,
        granule=logical.granule,
        serial=logical.serial,
        sequence=logical.sequence + 1,
        lacing=b"",
        body=b"",
    )


def _renumbered(page: PageBytes, serial: int) -> PageBytes:
    """The page with another number. A checksum that was wrong stays wrong: nothing damaged is made to look whole."""
    (sequence,) = struct.unpack("<I", page.data[_SEQUENCE])
    was, now = (
        write_page(
            flags=page.flags,
            granule=page.granule,
            serial=number,
            sequence=sequence,
            lacing=page.data[_LACING : page.body],
            body=page.data[page.body :],
        )
        for number in (page.serial, serial)
    )
    checksum = bytes(
        given ^ right_before ^ right_now
        for given, right_before, right_now in zip(
            page.data[_CHECKSUM], was[_CHECKSUM], now[_CHECKSUM], strict=True
        )
    )
    data = now[: _CHECKSUM.start] + checksum + now[_CHECKSUM.stop :]
    return PageBytes(data, page.flags, page.granule, serial, page.body)
