"""FLAC in Ogg (RFC 9639 section 10.1) and the duration of its packets (section 9.1)."""

from __future__ import annotations

from typing import Final, Self

from tidzam_platform.audio.ogg.comments import read_comments, write_comments

_SIGNATURE = b"\x7fFLAC"
_STREAMINFO = slice(17, 51)  # after signature, version, number of headers, "fLaC" and the block's own header
_FRAME_SYNC = 0xFF
_VORBIS_COMMENT = 4
_LAST_BLOCK = 0x80

# Samples of a frame by the 4-bit code of its header; 6 and 7: written as 8 or 16 bits after the frame number.
_BLOCK_SIZES: Final = (0, 192, 576, 1152, 2304, 4608, 0, 0, *(256 << power for power in range(8)))


class FlacStream:
    """See :class:`tidzam_platform.audio.ogg.codecs.StreamCodec`."""

    name = "flac"
    pre_skip = 0
    first_packet_is_silent = False

    def __init__(self, packet: bytes) -> None:
        self._first_packet = packet
        # 16+16 bits block sizes, 24+24 bits frame sizes, then 20 bits of rate, 3 of channels, 5 of bits per sample.
        packed = int.from_bytes(packet[_STREAMINFO][10:14], "big")
        self.rate_hz = packed >> 12
        self.channels = (packed >> 9 & 7) + 1
        self.tags: dict[str, str] = {}

    @classmethod
    def from_first_packet(cls, packet: bytes) -> Self | None:
        """From the packet that holds STREAMINFO; None if it is none."""
        if not packet.startswith(_SIGNATURE) or len(packet) < _STREAMINFO.stop or packet[9:13] != b"fLaC":
            return None
        stream = cls(packet)
        return stream if stream.rate_hz else None

    def take_header(self, packet: bytes) -> bool:
        """Every other metadata block is a packet; audio begins with a sync code, which no block type has."""
        if packet[:1] == bytes([_FRAME_SYNC]):
            return False
        if packet and packet[0] & ~_LAST_BLOCK == _VORBIS_COMMENT:
            self.tags = read_comments(packet[4:])
        return True

    def is_ready(self) -> bool:
        """STREAMINFO is enough."""
        return True

    def ticks(self, head: bytes) -> int:
        """The block size of the frame header."""
        if len(head) < 5 or head[0] != _FRAME_SYNC or head[1] & 0xFC != 0xF8:
            return 0
        code = head[2] >> 4
        if code not in (6, 7):
            return _BLOCK_SIZES[code]
        coded_number = head[4]
        number_bytes = 1 if coded_number < 0x80 else 8 - (coded_number ^ 0xFF).bit_length()
        return 1 + int.from_bytes(head[4 + number_bytes : 4 + number_bytes + code - 5], "big")

    def restart(self) -> None:
        """Packets do not depend on each other for their duration."""

    def decoder_headers(self) -> list[bytes]:
        """STREAMINFO, of unknown length and sum since the run is a part, and an empty comment block."""
        first = bytearray(self._first_packet[: _STREAMINFO.stop])
        first[7:9] = (1).to_bytes(2, "big")
        first[13] &= ~_LAST_BLOCK & 0xFF
        first[_STREAMINFO.start + 13] &= 0xF0  # the upper 4 bits belong to the bits per sample
        first[_STREAMINFO.start + 14 : _STREAMINFO.stop] = bytes(_STREAMINFO.stop - _STREAMINFO.start - 14)
        comments = write_comments()
        return [
            bytes(first),
            bytes([_LAST_BLOCK | _VORBIS_COMMENT]) + len(comments).to_bytes(3, "big") + comments,
        ]
