"""The header that ffmpeg writes before raw samples: it says how many channels they have."""

from __future__ import annotations

import struct
from typing import Final

from tidzam_platform.errors import DecodingError

MAX_HEADER_BYTES: Final = 4096
_CHUNK: Final = struct.Struct("<4sI")
_RIFF_BYTES: Final = 12
_FORMAT: Final = struct.Struct("<HH")  # tag, channels; RIFF, "Multiple Channel Audio Data and WAVE Files"


def read_wav_header(head: bytes) -> tuple[int, int] | None:
    """The number of channels, and the length of the header in bytes; None if ``head`` does not hold all of it yet.

    Raises:
        DecodingError: it is no WAV.
    """
    if len(head) < _RIFF_BYTES:
        return None
    if not head.startswith(b"RIFF") or head[8:12] != b"WAVE":
        raise DecodingError("ffmpeg wrote no WAV header")
    channels = 0
    position = _RIFF_BYTES
    while position + _CHUNK.size <= len(head):
        kind, length = _CHUNK.unpack_from(head, position)
        position += _CHUNK.size
        if kind == b"data":
            if not channels:
                raise DecodingError("ffmpeg wrote a WAV header without channels")
            return channels, position
        if position + length > len(head):
            return None
        if kind == b"fmt ":
            channels = _FORMAT.unpack_from(head, position)[1]
        position += length + length % 2
    return None
