"""FLAC of 16 bits with comments: samples come back as they were, and what the file is stands inside it.

The format: RFC 9639; comments as in Vorbis (its section 8.6).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform.audio.ffmpeg import INPUT_OPTIONS, Child
from tidzam_platform.audio.ogg.comments import MAX_VALUE_BYTES, read_comments
from tidzam_platform.errors import DecodingError, EmptyAudioError

SAMPLE_BITS: Final = 16
_MAGIC: Final = b"fLaC"
_STREAMINFO: Final = 0
_COMMENTS: Final = 4
_LAST: Final = 0x80
_STREAMINFO_BYTES: Final = 34
_MAX_BLOCK_BYTES: Final = (1 << 24) - 1
_TOTAL_BITS: Final = 36
_HEAD_ROOM_BYTES: Final = 1 << 16
_PIECE_FRAMES: Final = 1 << 16


@dataclass(frozen=True)
class FlacHead:
    """What stands before the audio.

    Attributes:
        rate_hz, channels, bits: of the samples.
        frames: how many; 0 if the file does not say.
        md5: of the samples as they are decoded, little-endian; zeros if the file does not say.
        comments: keys in lower case.
    """

    rate_hz: int
    channels: int
    bits: int
    frames: int
    md5: bytes
    comments: Mapping[str, str]


def encode_flac(samples: NDArray[np.int16], rate_hz: int, comments: Mapping[str, str]) -> bytes:
    """A whole FLAC file of one channel, in memory. Equal arguments give equal bytes with one version of ffmpeg.

    Args:
        samples: ``[frames]``, decoded again they are the same.
        rate_hz: of the samples.
        comments: keys of printable ASCII without ``=``, values of 16 KiB at most.

    Raises:
        EmptyAudioError: there are no samples.
        DecodingError: ffmpeg fails.
        MissingSystemPartError: ffmpeg is not installed.
        ValueError: a comment makes no sense.
    """
    if not len(samples):
        raise EmptyAudioError("there is no audio to make a clip of")
    block = _comment_block(comments)
    raw = np.ascontiguousarray(samples, "<i2")
    arguments = [
        *INPUT_OPTIONS,
        *("-f", "s16le", "-ar", str(rate_hz), "-ac", "1", "-i", "pipe:0", "-map_metadata", "-1"),
        *("-c:a", "flac", "-sample_fmt", "s16", "-fflags", "+bitexact", "-flags:a", "+bitexact"),
        *("-f", "flac", "pipe:1"),
    ]
    feed = (raw[begin : begin + _PIECE_FRAMES].tobytes() for begin in range(0, len(raw), _PIECE_FRAMES))
    with Child("ffmpeg", arguments, feed=feed) as child:
        encoded = child.read_all(raw.nbytes + raw.nbytes // 8 + _HEAD_ROOM_BYTES)
        child.finish()
    info, audio_at = b"", 0
    for kind, content, end in _blocks(encoded):
        if kind == _STREAMINFO:
            info = content
        audio_at = end
    if len(info) != _STREAMINFO_BYTES or audio_at >= len(encoded):
        raise DecodingError("ffmpeg made no FLAC of a clip")
    return b"".join(
        (
            _MAGIC,
            _block(
                _STREAMINFO,
                _with_length(info, len(raw), hashlib.md5(raw.tobytes(), usedforsecurity=False).digest()),
            ),
            _block(_COMMENTS, block, is_last=True),
            encoded[audio_at:],
        )
    )


def read_flac_head(data: bytes) -> FlacHead:
    """Read what stands before the audio of a FLAC file, given its beginning or all of it.

    Raises:
        DecodingError: it is no FLAC, or ends before its audio begins.
    """
    info, comments = b"", {}
    for kind, content, _ in _blocks(data):
        if kind == _STREAMINFO:
            info = content
        elif kind == _COMMENTS:
            comments = read_comments(content)
    if len(info) != _STREAMINFO_BYTES:
        raise DecodingError("a FLAC file without STREAMINFO")
    packed = int.from_bytes(info[10:18], "big")
    return FlacHead(
        rate_hz=packed >> 44,
        channels=(packed >> 41 & 0x7) + 1,
        bits=(packed >> _TOTAL_BITS & 0x1F) + 1,
        frames=packed & ((1 << _TOTAL_BITS) - 1),
        md5=info[18:],
        comments=comments,
    )


def _blocks(data: bytes) -> Iterator[tuple[int, bytes, int]]:
    """Kind and content of each metadata block, and where it ends."""
    if not data.startswith(_MAGIC):
        raise DecodingError("no FLAC: it does not begin with fLaC")
    position = len(_MAGIC)
    is_last = False
    while not is_last:
        head = data[position : position + 4]
        end = position + 4 + int.from_bytes(head[1:], "big")
        if len(head) < 4 or end > len(data):
            raise DecodingError("a FLAC file that ends before its audio begins")
        is_last = bool(head[0] & _LAST)
        yield head[0] & ~_LAST, data[position + 4 : end], end
        position = end


def _block(kind: int, content: bytes, *, is_last: bool = False) -> bytes:
    if len(content) > _MAX_BLOCK_BYTES:
        raise ValueError("comments of more than 16 MiB")
    return bytes([kind | (_LAST if is_last else 0)]) + len(content).to_bytes(3, "big") + content


def _with_length(info: bytes, frames: int, md5: bytes) -> bytes:
    """STREAMINFO that says length and checksum, which ffmpeg cannot go back to write into a pipe."""
    packed = int.from_bytes(info[10:18], "big") >> _TOTAL_BITS << _TOTAL_BITS | frames
    return info[:10] + packed.to_bytes(8, "big") + md5


def _comment_block(comments: Mapping[str, str]) -> bytes:
    vendor = b"tidzam"
    parts = [len(vendor).to_bytes(4, "little"), vendor, len(comments).to_bytes(4, "little")]
    for key, value in comments.items():
        if not key or "=" in key or not all(" " <= letter <= "}" for letter in key):
            raise ValueError(f"{key!r} is no key of a comment: use printable ASCII without '='")
        comment = f"{key}={value}".encode()
        if len(comment) > MAX_VALUE_BYTES:
            raise ValueError(f"the comment {key} is longer than {MAX_VALUE_BYTES} bytes")
        parts += [len(comment).to_bytes(4, "little"), comment]
    return b"".join(parts)
