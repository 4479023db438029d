"""Which container a file is, from its first bytes and never from its name.

ffmpeg guesses among hundreds of formats, some of which are lists of other files to open; so the demuxer is forced,
and what is not recognised here is never shown to ffmpeg.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import BinaryIO, Final

from tidzam_platform.audio.mpeg_audio import adts_frame_bytes, begins_with_frames, mp3_frame_bytes
from tidzam_platform.audio.ogg.pages import FIRST, PageReader
from tidzam_platform.errors import EmptyAudioError, UnknownAudioFormatError

HEAD_BYTES: Final = 1 << 16
_ID3_HEADER_BYTES: Final = 10
_MAX_ID3_TAGS: Final = 4


@dataclass(frozen=True)
class Container:
    """A container that we open.

    Attributes:
        name: how we call it.
        demuxer: ffmpeg's demuxer for it.
        states_length: ffprobe reads from its header how long the audio should be, so that a cut can be told.
    """

    name: str
    demuxer: str
    states_length: bool


OGG: Final = Container("ogg", "ogg", states_length=False)
WAV: Final = Container("wav", "wav", states_length=True)
FLAC: Final = Container("flac", "flac", states_length=True)
MP3: Final = Container("mp3", "mp3", states_length=False)
AAC: Final = Container("aac", "aac", states_length=False)
MP4: Final = Container("mp4", "mov", states_length=True)
MATROSKA: Final = Container("matroska", "matroska", states_length=False)
AIFF: Final = Container("aiff", "aiff", states_length=True)
CAF: Final = Container("caf", "caf", states_length=False)
AU: Final = Container("au", "au", states_length=True)


def sniff(handle: BinaryIO) -> Container:
    """Tell the container of an open file, which must be seekable.

    Raises:
        EmptyAudioError: it holds no bytes.
        UnknownAudioFormatError: it begins like no audio container that we open.
    """
    offset = 0
    for _ in range(_MAX_ID3_TAGS):
        handle.seek(offset)
        head = handle.read(HEAD_BYTES)
        tag_bytes = _id3_bytes(head)
        if not tag_bytes:
            break
        offset += tag_bytes
    if not head and not offset:
        raise EmptyAudioError("no bytes")
    container = container_of(head, after_id3=offset > 0)
    if container is None:
        raise UnknownAudioFormatError(
            f"begins with {head[:8]!r}, like no audio file that is opened here: "
            "use Ogg, FLAC, WAV, MP3, AAC, MP4, Matroska, AIFF, CAF or AU"
        )
    return container


def container_of(head: bytes, *, after_id3: bool = False) -> Container | None:
    """The container that begins with ``head`` (up to HEAD_BYTES), None if we open no such."""
    if after_id3:  # these carry ID3 tags before their first byte
        head = head.lstrip(b"\0")
        if head.startswith(b"fLaC"):
            return FLAC
        return _mpeg(head)
    if head.startswith(b"OggS"):
        return OGG
    if head.startswith(b"fLaC"):
        return FLAC
    if head[:4] in (b"RIFF", b"RF64", b"BW64") and head[8:12] == b"WAVE":
        return WAV
    if head.startswith(b"FORM") and head[8:12] in (b"AIFF", b"AIFC"):
        return AIFF
    if head.startswith(b"caff\0\1"):
        return CAF
    if head.startswith(b".snd"):
        return AU
    if head.startswith(b"\x1a\x45\xdf\xa3") and (b"matroska" in head[:64] or b"webm" in head[:64]):
        return MATROSKA
    if head[4:8] == b"ftyp":
        return MP4
    return _mpeg(head) or (OGG if _holds_first_page(head) else None)


def _mpeg(head: bytes) -> Container | None:
    if begins_with_frames(head, mp3_frame_bytes):
        return MP3
    if begins_with_frames(head, adts_frame_bytes):
        return AAC
    return None


def _id3_bytes(head: bytes) -> int:
    """Length of the ID3v2 tag that ``head`` begins with, 0 if none (ID3v2.4 section 3.1)."""
    if not head.startswith(b"ID3") or len(head) < _ID3_HEADER_BYTES or max(head[6:10]) > 0x7F:
        return 0
    size = head[6] << 21 | head[7] << 14 | head[8] << 7 | head[9]
    footer = _ID3_HEADER_BYTES if head[5] & 0x10 else 0
    return _ID3_HEADER_BYTES + size + footer


def _holds_first_page(head: bytes) -> bool:
    """Whether an Ogg stream begins in ``head`` after bytes that are none, as saved from a network."""
    if b"OggS" not in head:
        return False
    return any(page.flags & FIRST for page in PageReader(io.BytesIO(head)))
