"""Samples without a container: which forms are taken, and the header that makes them a file like any other."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from serving.gateway.refusals import bad_request
from tidzam_platform.audio.decoding import MAX_RATE_HZ

_WAV_PCM: Final = 1
_WAV_FLOAT: Final = 3
_WAV_HEADER: Final = struct.Struct("<4sI4s4sIHHIIHH4sI")
_WAV_BEFORE_SIZE: Final = 8  # "RIFF" and the size itself, which it does not count
_AU_HEADER: Final = struct.Struct(">4sIIIII")
MAX_CHANNELS: Final = 255


@dataclass(frozen=True)
class SampleFormat:
    """One form of samples, by ffmpeg's name.

    Attributes:
        sample_bytes: of one sample of one channel.
        wav_tag: how WAV calls it; None where the file is made an AU.
        au_encoding: how AU calls it.
    """

    sample_bytes: int
    wav_tag: int | None = None
    au_encoding: int = 0


# WAV holds little-endian samples, AU (Sun's .snd) big-endian ones.
FORMATS: Final[Mapping[str, SampleFormat]] = {
    "u8": SampleFormat(1, _WAV_PCM),
    "s16le": SampleFormat(2, _WAV_PCM),
    "s24le": SampleFormat(3, _WAV_PCM),
    "s32le": SampleFormat(4, _WAV_PCM),
    "f32le": SampleFormat(4, _WAV_FLOAT),
    "f64le": SampleFormat(8, _WAV_FLOAT),
    "s16be": SampleFormat(2, None, 3),
    "s24be": SampleFormat(3, None, 4),
    "s32be": SampleFormat(4, None, 5),
    "f32be": SampleFormat(4, None, 6),
    "mulaw": SampleFormat(1, None, 1),
    "alaw": SampleFormat(1, None, 27),
}
# Media types of samples in network byte order (RFC 3551 section 4.5, RFC 3190 section 4).
_MEDIA_TYPES: Final = {"audio/l16": "s16be", "audio/l24": "s24be"}
_PARAMETERS: Final = ("format", "rate_hz", "channels")


@dataclass(frozen=True)
class RawAudio:
    """What a sender says of samples that say nothing of themselves."""

    format_name: str
    rate_hz: int
    channels: int

    @property
    def frame_bytes(self) -> int:
        """Of one sample of all channels."""
        return FORMATS[self.format_name].sample_bytes * self.channels

    @property
    def header_bytes(self) -> int:
        """Length of ``header``."""
        return (_AU_HEADER if FORMATS[self.format_name].wav_tag is None else _WAV_HEADER).size

    def header(self, data_bytes: int) -> bytes:
        """What to put before so many bytes of samples.

        Raises:
            HttpRefusalError: that is no whole number of frames (400).
        """
        if data_bytes % self.frame_bytes:
            raise bad_request(
                f"{data_bytes} bytes are no whole number of frames of {self.frame_bytes} bytes "
                f"({self.format_name}, channels: {self.channels}): look at format and channels again"
            )
        kind = FORMATS[self.format_name]
        if kind.wav_tag is None:
            size = _AU_HEADER.size
            return _AU_HEADER.pack(b".snd", size, data_bytes, kind.au_encoding, self.rate_hz, self.channels)
        return _WAV_HEADER.pack(
            b"RIFF",
            _WAV_HEADER.size - _WAV_BEFORE_SIZE + data_bytes,
            b"WAVE",
            b"fmt ",
            16,
            kind.wav_tag,
            self.channels,
            self.rate_hz,
            self.rate_hz * self.frame_bytes,
            self.frame_bytes,
            8 * kind.sample_bytes,
            b"data",
            data_bytes,
        )


def raw_audio_of(
    query: Mapping[str, str], media_type: str, media_parameters: Mapping[str, str]
) -> RawAudio | None:
    """What a request says of its samples, None where it holds a file.

    Args:
        query: ``format`` (one of FORMATS), ``rate_hz`` and ``channels`` (1 if it is not said); nothing else.
        media_type: of the body, in lower case; ``audio/l16`` and ``audio/l24`` say the format too.
        media_parameters: of the media type: ``rate`` and ``channels``.

    Raises:
        HttpRefusalError: a value is wrong or unknown, or the rate is missing (400).
    """
    if unknown := sorted(set(query) - set(_PARAMETERS)):
        raise bad_request(f"unknown parameter {unknown[0][:40]!r}: there are {', '.join(_PARAMETERS)}")
    name = query.get("format") or _MEDIA_TYPES.get(media_type)
    if name is None:
        if query:
            raise bad_request(f"rate_hz and channels go with format, one of {', '.join(FORMATS)}")
        return None
    if name not in FORMATS:
        raise bad_request(f"unknown format {name[:40]!r}: one of {', '.join(FORMATS)}")
    rate_hz = query.get("rate_hz") or media_parameters.get("rate")
    if rate_hz is None:
        raise bad_request("samples need their rate: add rate_hz")
    channels = query.get("channels") or media_parameters.get("channels") or "1"
    return RawAudio(
        name, _number("rate_hz", rate_hz, MAX_RATE_HZ), _number("channels", channels, MAX_CHANNELS)
    )


def _number(name: str, text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 9 and 1 <= int(text) <= most):
        raise bad_request(f"{name} is a whole number from 1 to {most}, not {text[:40]!r}")
    return int(text)
