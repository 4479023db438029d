"""What the time axis needs of each codec in Ogg: its headers, and how long a packet lasts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from tidzam_platform.audio.ogg.flac import FlacStream
from tidzam_platform.audio.ogg.opus import OpusStream
from tidzam_platform.audio.ogg.vorbis import VorbisStream

HEAD_BYTES: Final = 32  # of a packet's first bytes, enough for every codec's duration


class StreamCodec(Protocol):
    """One logical stream, made from its first packet. Ticks are samples at ``rate_hz``.

    Attributes:
        name: ffprobe's name of the codec.
        rate_hz: rate of the granule positions and of the decoded audio.
        channels: of the decoded audio.
        pre_skip: ticks at the start of the stream that are no audio (RFC 7845 section 4.2).
        first_packet_is_silent: a decoder that begins at a packet makes no audio from it, it needs the one before.
        tags: the comments, known after their header.
    """

    name: str
    rate_hz: int
    channels: int
    pre_skip: int
    first_packet_is_silent: bool
    tags: dict[str, str]

    def take_header(self, packet: bytes) -> bool:
        """Read a further header packet; False if the packet is audio."""

    def is_ready(self) -> bool:
        """Whether all headers that decoding needs were there."""

    def ticks(self, head: bytes) -> int:
        """Duration of the next packet, of which ``head`` is the first HEAD_BYTES (or all); 0 for nonsense."""

    def restart(self) -> None:
        """Forget the packet before: the next one comes after a loss."""

    def decoder_headers(self) -> Sequence[bytes]:
        """Header packets for a decoder that begins anywhere: no pre-skip, no comments."""


_STREAMS: Final[tuple[Callable[[bytes], StreamCodec | None], ...]] = (
    OpusStream.from_first_packet,
    VorbisStream.from_first_packet,
    FlacStream.from_first_packet,
)
# For a message only: what else is met in Ogg.
_OTHERS: Final = {b"Speex   ": "Speex", b"\x80theora": "Theora", b"fishead\0": "Skeleton", b"BBCD": "Dirac"}


def stream_codec(first_packet: bytes) -> StreamCodec | None:
    """The codec whose first packet this is; None if it is no audio that we decode, or damaged."""
    for make in _STREAMS:
        codec = make(first_packet)
        if codec is not None:
            return codec
    return None


def foreign_name(first_packet: bytes) -> str:
    """What to call a stream that :func:`stream_codec` does not know."""
    return next(
        (name for start, name in _OTHERS.items() if first_packet.startswith(start)), "an unknown codec"
    )
