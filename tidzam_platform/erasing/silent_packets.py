"""A packet of silence that lasts as long as another one, and the comment that tells of it.

Opus: RFC 6716 sections 3 and 4.3 (the first symbol of a CELT frame says that it is silent), appendix B for streams of
several channels; Vorbis: Vorbis I sections 4.3.1 and 7.2.2 (a floor that is not used); FLAC: RFC 9639 section 9.
"""

from __future__ import annotations

import math
from typing import Final, Protocol

from tidzam_platform.audio.ogg.codecs import StreamCodec
from tidzam_platform.audio.ogg.vorbis import read_mode_flags
from tidzam_platform.errors import ArchiveError

_CELT_CONFIGURATIONS: Final = {120: 28, 240: 29, 480: 30, 960: 31}  # full band, by ticks of a frame
_SILENT_FRAME: Final = b"\xff\xfe"
_MAX_FRAMES: Final = 48
_MAPPING_FAMILY: Final = 18  # of the identification header
_STREAMINFO: Final = 17  # of the first packet of FLAC in Ogg
_FLAC_BITS: Final = {1: 8, 2: 12, 4: 16, 5: 20, 6: 24, 7: 32}


class Silencer(Protocol):
    """Makes packets of silence for one stream."""

    def header(self, packet: bytes) -> bytes:
        """A header packet, less what would be wrong of a stream with silence in it."""
        ...

    def silent(self, packet: bytes, ticks: int) -> bytes:
        """A packet that lasts ``ticks`` as ``packet`` does, and is silent."""
        ...


def silencer_of(codec: StreamCodec, first_packet: bytes) -> Silencer:
    """For a stream with that identification header; ArchiveError if there is none for its codec."""
    if codec.name == "opus":
        return OpusSilencer(first_packet)
    if codec.name == "vorbis":
        return VorbisSilencer(first_packet, codec.decoder_headers()[-1])
    if codec.name == "flac":
        return FlacSilencer(first_packet)
    raise ArchiveError(f"{codec.name} in Ogg cannot be erased")


class OpusSilencer:
    """Silent CELT frames, one stream for each that the packet holds."""

    def __init__(self, head: bytes) -> None:
        family = head[_MAPPING_FAMILY]
        self._stereo = (
            [head[9] == 2]
            if family == 0
            else [number < head[_MAPPING_FAMILY + 2] for number in range(head[_MAPPING_FAMILY + 1])]
        )

    def header(self, packet: bytes) -> bytes:
        """Nothing is wrong with them."""
        return packet

    def silent(self, packet: bytes, ticks: int) -> bytes:  # noqa: ARG002 - only its length counts
        """See ``Silencer``."""
        frame = next((size for size in (960, 480, 240, 120) if ticks % size == 0), 0)
        frames = ticks // frame if frame else 0
        if not 1 <= frames <= _MAX_FRAMES:
            raise ArchiveError(f"an Opus packet of {ticks} ticks cannot be replaced")
        last = len(self._stereo) - 1
        return b"".join(
            _opus_stream(_CELT_CONFIGURATIONS[frame], frames, stereo=stereo, delimited=number < last)
            for number, stereo in enumerate(self._stereo)
        )


def _opus_stream(configuration: int, frames: int, *, stereo: bool, delimited: bool) -> bytes:
    toc = configuration << 3 | int(stereo) << 2
    length = bytes([len(_SILENT_FRAME)]) if delimited else b""
    if frames == 1:
        return bytes([toc]) + length + _SILENT_FRAME
    return bytes([toc | 3, frames]) + length + _SILENT_FRAME * frames


class VorbisSilencer:
    """The packet's mode and window, and no floor in any channel."""

    def __init__(self, identification: bytes, setup: bytes) -> None:
        self._channels = identification[11]
        self._is_long = read_mode_flags(setup)
        self._mode_bits = max(len(self._is_long) - 1, 0).bit_length()

    def header(self, packet: bytes) -> bytes:
        """Nothing is wrong with them."""
        return packet

    def silent(self, packet: bytes, ticks: int) -> bytes:  # noqa: ARG002 - its window says how long it lasts
        """See ``Silencer``."""
        first = int.from_bytes(packet[:2], "little")
        mode = first >> 1 & ((1 << self._mode_bits) - 1)
        bits = 1 + self._mode_bits + (2 if mode < len(self._is_long) and self._is_long[mode] else 0)
        kept = first & ((1 << bits) - 1)
        return kept.to_bytes(math.ceil((bits + self._channels) / 8) + 2, "little")


class FlacSilencer:
    """A constant subframe of 0 in each channel."""

    def __init__(self, first_packet: bytes) -> None:
        packed = int.from_bytes(first_packet[_STREAMINFO + 10 : _STREAMINFO + 14], "big")
        self._channels = (packed >> 9 & 7) + 1
        self._bits = (packed >> 4 & 31) + 1

    def header(self, packet: bytes) -> bytes:
        """Sizes of frames and the sum of all samples become unknown."""
        if not packet.startswith(b"\x7fFLAC"):
            return packet
        changed = bytearray(packet)
        changed[_STREAMINFO + 4 : _STREAMINFO + 10] = bytes(6)
        changed[_STREAMINFO + 18 : _STREAMINFO + 34] = bytes(16)
        return bytes(changed)

    def silent(self, packet: bytes, ticks: int) -> bytes:  # noqa: ARG002 - the header says how long it lasts
        """See ``Silencer``."""
        coded = packet[4]
        number_bytes = 1 if coded < 0x80 else 8 - (coded ^ 0xFF).bit_length()
        extra = {6: 1, 7: 2}.get(packet[2] >> 4, 0) + {12: 1, 13: 2, 14: 2}.get(packet[2] & 15, 0)
        head = bytearray(packet[: 4 + number_bytes + extra])
        bits = _FLAC_BITS.get(head[3] >> 1 & 7, self._bits)
        head[3] = (self._channels - 1) << 4 | head[3] & 0x0F
        body = bytes(head) + bytes([_checksum(bytes(head), 0x07, 8)])
        body += bytes(math.ceil(self._channels * (8 + bits) / 8))
        return body + _checksum(body, 0x8005, 16).to_bytes(2, "big")


def _checksum(data: bytes, polynomial: int, bits: int) -> int:
    """A CRC, not reflected, that begins at 0 (RFC 9639 sections 9.1.8 and 9.3)."""
    value, top, mask = 0, 1 << (bits - 1), (1 << bits) - 1
    for byte in data:
        value ^= byte << (bits - 8)
        for _ in range(8):
            value = (value << 1 ^ polynomial if value & top else value << 1) & mask
    return value
