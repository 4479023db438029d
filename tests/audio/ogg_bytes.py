"""Taking Ogg files apart and putting them together again, written without the code under test."""

from __future__ import annotations

import struct
from collections.abc import Iterable


def split_pages(data: bytes) -> list[bytes]:
    """The pages of an undamaged file, in order."""
    pages = []
    position = 0
    while position < len(data):
        assert data[position : position + 4] == b"OggS"
        segments = data[position + 26]
        end = position + 27 + segments + sum(data[position + 27 : position + 27 + segments])
        pages.append(data[position:end])
        position = end
    return pages


def granule(page: bytes) -> int:
    return int(struct.unpack_from("<q", page, 6)[0])


def flags(page: bytes) -> int:
    return page[5]


def packets(page: bytes) -> list[bytes]:
    """The packets of a page on which each begins and ends."""
    segments = page[26]
    position = 27 + segments
    found = []
    packet = b""
    for value in page[27 : 27 + segments]:
        packet += page[position : position + value]
        position += value
        if value < 255:
            found.append(packet)
            packet = b""
    assert not packet
    return found


def make_page(
    bodies: Iterable[bytes],
    *,
    granule: int,
    sequence: int,
    serial: int = 1,
    flags: int = 0,
    open_end: bool = False,
) -> bytes:
    """A page that holds the given packets; with ``open_end`` the last one, a multiple of 255 long, goes on."""
    lacing = b""
    body = b""
    for packet in bodies:
        lacing += b"\xff" * (len(packet) // 255) + bytes([len(packet) % 255])
        body += packet
    if open_end:
        assert lacing[-1] == 0
        lacing = lacing[:-1]
    return with_checksum(
        struct.pack("<4sBBqIIIB", b"OggS", 0, flags, granule, serial, sequence, 0, len(lacing))
        + lacing
        + body
    )


def changed(
    page: bytes,
    *,
    granule: int | None = None,
    sequence: int | None = None,
    serial: int | None = None,
    flags: int | None = None,
) -> bytes:
    """The page with some fields replaced and a right checksum."""
    copy = bytearray(page)
    for value, place, kind in (
        (granule, 6, "<q"),
        (serial, 14, "<I"),
        (sequence, 18, "<I"),
        (flags, 5, "<B"),
    ):
        if value is not None:
            struct.pack_into(kind, copy, place, value)
    return with_checksum(bytes(copy))


def repaginated(audio: list[bytes], *, ticks: int, segments: int, first_sequence: int) -> list[bytes]:
    """The packets of audio pages, ``ticks`` each, on pages of so many segments that packets go on over pages."""
    bodies = [packet for page in audio for packet in packets(page)]
    lacing = b"".join(b"\xff" * (len(body) // 255) + bytes([len(body) % 255]) for body in bodies)
    stream = b"".join(bodies)
    serial = int.from_bytes(audio[0][14:18], "little")
    pages = []
    ended = 0
    open_end = False
    for sequence, begin in enumerate(range(0, len(lacing), segments), first_sequence):
        part = lacing[begin : begin + segments]
        body, stream = stream[: sum(part)], stream[sum(part) :]
        end_here = sum(value < 255 for value in part)
        ended += end_here
        position = granule(audio[-1]) if not stream else ended * ticks if end_here else -1
        kind = (1 if open_end else 0) | (0 if stream else 4)
        header = struct.pack("<4sBBqIIIB", b"OggS", 0, kind, position, serial, sequence, 0, len(part))
        pages.append(with_checksum(header + part + body))
        open_end = part[-1] == 255
    return pages


def with_checksum(page: bytes) -> bytes:
    """The page with its checksum put right, by the table of RFC 3533's reference implementation."""
    blank = page[:22] + bytes(4) + page[26:]
    checksum = 0
    for byte in blank:
        checksum = (checksum << 8 & 0xFFFFFFFF) ^ _TABLE[checksum >> 24 ^ byte]
    return blank[:22] + struct.pack("<I", checksum) + blank[26:]


def _entry(value: int) -> int:
    remainder = value << 24
    for _ in range(8):
        remainder = (remainder << 1 ^ 0x04C11DB7 if remainder & 0x80000000 else remainder << 1) & 0xFFFFFFFF
    return remainder


_TABLE = [_entry(value) for value in range(256)]
