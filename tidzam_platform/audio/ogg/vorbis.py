"""Vorbis in Ogg (Vorbis I specification) and the duration of its packets."""

from __future__ import annotations

from typing import Final, Self

from tidzam_platform.audio.ogg.comments import read_comments, write_comments

_IDENTIFICATION = b"\x01vorbis"
_COMMENT = b"\x03vorbis"
_SETUP = b"\x05vorbis"
_IDENTIFICATION_BYTES = 30
_MODE_BITS: Final = 41  # of one mode: block flag, window type (16), transform type (16), mapping (8)
_MAX_MODES: Final = 64


class VorbisStream:
    """See :class:`tidzam_platform.audio.ogg.codecs.StreamCodec`."""

    name = "vorbis"
    pre_skip = 0
    first_packet_is_silent = True

    def __init__(self, packet: bytes) -> None:
        self._identification = packet
        self._setup = b""
        self.channels = packet[11]
        self.rate_hz = int.from_bytes(packet[12:16], "little")
        self._block_sizes = (1 << (packet[28] & 15), 1 << (packet[28] >> 4))
        self._modes: list[int] = []  # the block size of each
        self._mode_mask = 0
        self._previous = 0  # block size of the packet before, 0 for none
        self.tags: dict[str, str] = {}

    @classmethod
    def from_first_packet(cls, packet: bytes) -> Self | None:
        """From the identification header; None if it is none (section 4.2.2)."""
        if len(packet) < _IDENTIFICATION_BYTES or not packet.startswith(_IDENTIFICATION):
            return None
        stream = cls(packet)
        return stream if stream.channels and stream.rate_hz else None

    def take_header(self, packet: bytes) -> bool:
        """Comment and setup header; audio packets have a first bit of 0, headers of 1."""
        if packet.startswith(_COMMENT):
            self.tags = read_comments(packet[len(_COMMENT) :])
        elif packet.startswith(_SETUP):
            self._modes = [self._block_sizes[flag] for flag in read_mode_flags(packet)]
            self._setup = packet if self._modes else b""
            self._mode_mask = (1 << max(len(self._modes) - 1, 0).bit_length()) - 1
        return bool(packet) and bool(packet[0] & 1)

    def is_ready(self) -> bool:
        """Nothing decodes without the setup header."""
        return bool(self._setup)

    def ticks(self, head: bytes) -> int:
        """A quarter of this and the previous block: where their windows overlap (section 4.3.8)."""
        if not head or head[0] & 1:
            return 0
        mode = head[0] >> 1 & self._mode_mask
        if mode >= len(self._modes):
            return 0
        block = self._modes[mode]
        ticks = (self._previous + block) // 4 if self._previous else 0
        self._previous = block
        return ticks

    def restart(self) -> None:
        """The next packet has no one to overlap with."""
        self._previous = 0

    def decoder_headers(self) -> list[bytes]:
        """All three, the comments left empty."""
        return [self._identification, _COMMENT + write_comments() + b"\x01", self._setup]


def read_mode_flags(setup: bytes) -> list[int]:
    """The block flag (0 short, 1 long) of each mode of a setup header; empty if it makes no sense.

    The modes are the last thing in the header (section 4.2.4), and what precedes them cannot be skipped without
    decoding all codebooks. So they are read backwards, as libavcodec's parser does: from the framing bit on, entries
    whose window and transform type are 0, until their number is the one that the 6 bits before them say. The longest
    such list is taken.
    """
    bits = int.from_bytes(setup[-(_MAX_MODES * _MODE_BITS // 8 + 16) :], "little")
    position = bits.bit_length() - 1  # the framing bit is the last one set: padding is 0
    flags: list[int] = []
    best: list[int] = []
    while position >= _MODE_BITS + 6 and len(flags) < _MAX_MODES:
        position -= _MODE_BITS
        entry = bits >> position & ((1 << _MODE_BITS) - 1)
        mapping, types, flag = entry >> 33, entry >> 1 & 0xFFFFFFFF, entry & 1
        if mapping >= _MAX_MODES or types:
            break
        flags.insert(0, flag)
        if (bits >> (position - 6) & 63) + 1 == len(flags):
            best = flags.copy()
    return best
