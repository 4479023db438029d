"""Which container a stream is, from its first bytes; a stream may be joined anywhere."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tidzam_platform.audio.mpeg_audio import adts_frame_bytes, mp3_frame_bytes
from tidzam_platform.audio.sniffing import AAC, FLAC, HEAD_BYTES, MP3, Container, container_of

MPEG_TS: Final = Container("mpegts", "mpegts", states_length=False)
RTSP: Final = Container("rtsp", "rtsp", states_length=False)

_TS_PACKET_BYTES: Final = 188
_TS_SYNC: Final = 0x47
_TS_PACKETS: Final = 5
# Among 64 KiB of chance two frame headers at the right distance do occur; four do not.
_FRAMES_IN_A_ROW: Final = 4
_LEAST_BYTES: Final = 64  # enough for every signature at the beginning
_ID3_HEADER_BYTES: Final = 10


def container_of_stream(head: bytes, *, is_whole: bool = False) -> Container | None:
    """The container that ``head`` begins with, or is in the middle of.

    Args:
        head: the first bytes, up to HEAD_BYTES, without ID3 tags.
        is_whole: nothing more will come, so that less evidence must do.

    Returns:
        None if it is none that we open, or if that cannot be told yet.
    """
    if len(head) < _LEAST_BYTES and not is_whole:
        return None
    head = head[:HEAD_BYTES]
    if _is_transport_stream(head):
        return MPEG_TS
    found = container_of(head)
    if found is None and _holds_frames(head, mp3_frame_bytes):
        found = MP3
    if found is None and _holds_frames(head, adts_frame_bytes):
        found = AAC
    return found


def id3_bytes(head: bytes) -> int:
    """Length of the ID3v2 tag that ``head`` begins with, 0 if none (ID3v2.4 section 3.1)."""
    if not head.startswith(b"ID3") or len(head) < _ID3_HEADER_BYTES or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer_bytes = _ID3_HEADER_BYTES if head[5] & 0x10 else 0
    return _ID3_HEADER_BYTES + size + footer_bytes


def may_hold_id3(container: Container) -> bool:
    """Whether segments of this container may begin with ID3 tags, which are not its own (RFC 8216 section 3.4)."""
    return container in (MP3, AAC, FLAC)


def _is_transport_stream(head: bytes) -> bool:
    """Whether packets of a transport stream (ISO 13818-1 section 2.4.3) lie in ``head`` side by side."""
    for offset in range(min(_TS_PACKET_BYTES, len(head))):
        signs = head[offset::_TS_PACKET_BYTES]
        if len(signs) < _TS_PACKETS:
            return False
        if signs.count(_TS_SYNC) == len(signs):
            return True
    return False


def _holds_frames(head: bytes, frame_bytes: Callable[[bytes], int]) -> bool:
    offset = head.find(b"\xff")
    while offset >= 0:
        if _frames_at(head, offset, frame_bytes) >= _FRAMES_IN_A_ROW:
            return True
        offset = head.find(b"\xff", offset + 1)
    return False


def _frames_at(head: bytes, position: int, frame_bytes: Callable[[bytes], int]) -> int:
    """How many frame headers follow one another from ``position`` on, as far as is wanted."""
    frames = 0
    while frames < _FRAMES_IN_A_ROW:
        length = frame_bytes(head[position : position + 7])
        if not length:
            break
        frames += 1
        position += length
    return frames
