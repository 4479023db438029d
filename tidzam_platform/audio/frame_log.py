"""Decoding a file once without keeping its samples: how many there are, and where some are missing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from tidzam_platform.audio.ffmpeg import Child
from tidzam_platform.audio.limits import MAX_HOLE_S, MAX_LOSSES, MAX_LOST_START_S
from tidzam_platform.errors import DecodingError

_CHUNK_BYTES: Final = 1 << 16
_BYTES_PER_SAMPLE: Final = 2  # framecrc encodes to pcm_s16le


@dataclass(frozen=True)
class DecodedFrames:
    """The time axis of a decoded file.

    Attributes:
        frames: length in frames, gaps included.
        gaps: half-open ranges of frames that could not be decoded.
        unsure: positions jumped as no loss explains; the time goes on there without a gap.
    """

    frames: int
    gaps: tuple[tuple[int, int], ...] = ()
    unsure: bool = False


def log_frames(input_arguments: list[str], *, rate_hz: int, channels: int, find_gaps: bool) -> DecodedFrames:
    """Decode the first audio stream and add up what ffmpeg's framecrc says of each piece.

    Args:
        input_arguments: of ffmpeg, up to and including the input.
        rate_hz: of the decoded audio; the unit of its timestamps.
        channels: of the decoded audio.
        find_gaps: the codec's frames carry their own position (FLAC), so that the timestamps can be believed.

    Raises:
        DecodingError: ffmpeg fails, or there are too many gaps.
    """
    arguments = ["-nostdin", *input_arguments, "-map", "0:a:0", "-vn", "-sn", "-dn", "-c:a", "pcm_s16le"]
    origin = reached = 0
    unsure = False
    gaps: list[tuple[int, int]] = []
    with Child("ffmpeg", [*arguments, "-f", "framecrc", "pipe:1"]) as child:
        for line in _lines(child):
            if line.startswith(b"#"):
                continue
            position, piece_bytes = _read_line(line)
            frames = piece_bytes // (_BYTES_PER_SAMPLE * channels)
            missing = position - origin - reached if find_gaps else 0
            believed_s = MAX_HOLE_S if reached else MAX_LOST_START_S
            if missing > believed_s * rate_hz:
                origin += missing
                unsure |= reached > 0
            elif missing > 0:
                gaps.append((reached, reached + missing))
                reached += missing
                if len(gaps) > MAX_LOSSES:
                    raise DecodingError(f"more than {MAX_LOSSES} losses: damaged beyond use")
            reached += frames
        child.finish()
    return DecodedFrames(reached, tuple(gaps), unsure)


def _read_line(line: bytes) -> tuple[int, int]:
    """Presentation time and size from ``stream, dts, pts, duration, size, checksum``."""
    try:
        _, _, position, _, size, *_ = line.split(b",")
        return int(position), int(size)
    except ValueError as error:
        raise DecodingError(f"ffmpeg's framecrc answers in an unknown form: {line[:80]!r}") from error


def _lines(child: Child) -> Iterator[bytes]:
    buffer = bytearray(_CHUNK_BYTES)
    rest = b""
    while got := child.read_into(memoryview(buffer)):
        *lines, rest = (rest + bytes(buffer[:got])).split(b"\n")
        yield from lines
    if rest:
        yield rest
