"""Uploads that mean harm, or are merely too much, made as small as they can be."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

from tests.support.parts import require_part

DAY_S = 86_400


_FLAC_LENGTH = slice(21, 26)  # of the file: 4 bits of something else, 36 bits of samples in all (RFC 9639)
_FLAC_FRAMES = 42  # where they begin if STREAMINFO is the only block before them


def silent_day(path: Path) -> Path:
    """A day of silence as FLAC at 8 kHz, in less than 200 kB."""
    command = [
        require_part("ffmpeg"), "-v", "error", "-nostdin", "-y",
        "-f", "lavfi", "-i", "anullsrc=r=8000:cl=mono:n=65535", "-t", str(DAY_S),
        "-c:a", "flac", "-compression_level", "0", "-frame_size", "65535", "-f", "flac", path,
    ]  # fmt: skip
    subprocess.run(command, check=True)
    return path


def with_length(flac: bytes, samples: int) -> bytes:
    """The file with another length in its header; 0 says that it is not known."""
    kept = flac[_FLAC_LENGTH.start] & 0xF0
    stated = bytes([kept | samples >> 32]) + (samples & 0xFFFFFFFF).to_bytes(4, "big")
    return flac[: _FLAC_LENGTH.start] + stated + flac[_FLAC_LENGTH.stop :]


def many_times(flac: bytes, times: int) -> bytes:
    """The audio so many times over; the header does not say how long that is."""
    assert flac[4] & 0x7F == 0, "the first block of FLAC is STREAMINFO"
    assert int.from_bytes(flac[5:8], "big") == 34, "and as long as ever"
    frames = flac.index(b"\xff\xf8", _FLAC_FRAMES)
    head = with_length(flac, 0)[:_FLAC_FRAMES]
    return bytes([*head[:4], head[4] | 0x80, *head[5:]]) + flac[frames:] * times


def wav(
    path: Path,
    *,
    seconds: float = 1.0,
    channels: int = 1,
    rate_hz: int = 8000,
    stated_rate_hz: int | None = None,
) -> Path:
    """Unsigned 8-bit samples of a square wave; the header may state another rate."""
    frames = round(seconds * rate_hz)
    data = (b"\x20" * 10 * channels + b"\xe0" * 10 * channels) * (frames // 20 + 1)
    data = data[: frames * channels]
    rate = stated_rate_hz or rate_hz
    header = struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        b"RIFF", 36 + len(data), b"WAVE", b"fmt ", 16, 1, channels, rate, rate * channels & 0xFFFFFFFF, channels, 8,
        b"data", len(data),
    )  # fmt: skip
    path.write_bytes(header + data)
    return path
