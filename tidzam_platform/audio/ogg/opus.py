"""Opus in Ogg (RFC 7845) and the duration of its packets (RFC 6716 section 3.1)."""

from __future__ import annotations

from typing import Final, Self

from tidzam_platform.audio.ogg.comments import read_comments, write_comments

RATE_HZ: Final = 48000
_HEAD = b"OpusHead"
_TAGS = b"OpusTags"
_HEAD_BYTES = 19
_PRE_SKIP = slice(10, 12)
_MAX_PACKET_TICKS: Final = 5760  # 120 ms

# Ticks of one frame for each of the 32 configurations (RFC 6716 table 2): SILK, hybrid, CELT.
_FRAME_TICKS: Final = (480, 960, 1920, 2880) * 3 + (480, 960) * 2 + (120, 240, 480, 960) * 4
# By the TOC byte, whose low two bits say how many frames follow: 1, 2, 2, or (-1) as many as the second byte says.
_PACKET_TICKS: Final = tuple(
    -1 if toc & 3 == 3 else _FRAME_TICKS[toc >> 3] * (1 if toc & 3 == 0 else 2) for toc in range(256)
)


class OpusStream:
    """See :class:`tidzam_platform.audio.ogg.codecs.StreamCodec`."""

    name = "opus"
    rate_hz = RATE_HZ
    first_packet_is_silent = False

    def __init__(self, head: bytes) -> None:
        self._head = head
        self.channels = head[9]
        self.pre_skip = int.from_bytes(head[_PRE_SKIP], "little")
        self.tags: dict[str, str] = {}

    @classmethod
    def from_first_packet(cls, packet: bytes) -> Self | None:
        """From the identification header; None if it is none (RFC 7845 section 5.1)."""
        if len(packet) < _HEAD_BYTES or not packet.startswith(_HEAD) or packet[8] >> 4 or packet[9] == 0:
            return None
        return cls(packet)

    def take_header(self, packet: bytes) -> bool:
        """The comment header is the only other one."""
        if not packet.startswith(_TAGS):
            return False
        self.tags = read_comments(packet[len(_TAGS) :])
        return True

    def is_ready(self) -> bool:
        """The identification header is enough."""
        return True

    def ticks(self, head: bytes) -> int:
        """The TOC byte says it; in code 3 together with the byte after it."""
        if not head:
            return 0
        ticks = _PACKET_TICKS[head[0]]
        if ticks < 0:
            ticks = _FRAME_TICKS[head[0] >> 3] * (head[1] & 0x3F) if len(head) > 1 else 0
        return ticks if ticks <= _MAX_PACKET_TICKS else 0

    def restart(self) -> None:
        """Packets do not depend on each other for their duration."""

    def decoder_headers(self) -> list[bytes]:
        """The identification header with a pre-skip of 0, and an empty comment header."""
        head = bytearray(self._head)
        head[_PRE_SKIP] = bytes(2)
        return [bytes(head), _TAGS + write_comments()]
