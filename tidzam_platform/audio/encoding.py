"""Encoding with ffmpeg, into files that are whole or absent."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from tidzam_platform import files
from tidzam_platform.audio.blocks import Samples, valid_samples
from tidzam_platform.audio.ffmpeg import INPUT_OPTIONS, Child
from tidzam_platform.errors import AudioError, EmptyAudioError

OPUS_RATE_HZ: Final = 48000
_MAX_TAG_BYTES: Final = 1 << 14
_STEREO: Final = 2
# Pieces of what is written, so that a long array is not copied at once.
_PIECE_FRAMES: Final = 1 << 16


@dataclass(frozen=True)
class _Format:
    muxer: str
    max_channels: int  # of the format, or of ffmpeg's resampler


_FORMATS: Final = {
    "opus": _Format("ogg", 64),
    "flac": _Format("flac", 8),
    "wav": _Format("wav", 64),
}


def write_audio(
    path: Path,
    samples: NDArray[Any] | Iterable[NDArray[Any]],
    rate_hz: int,
    *,
    codec: str = "opus",
    bitrate_kbps_per_channel: int = 48,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Encode ``samples`` into ``path``; afterwards the file is whole, or as it was before.

    Equal samples give equal bytes with one version of ffmpeg.

    Args:
        path: the file; its folder is made. The codec is not taken from its name.
        samples: real numbers ``[channels, frames]``, or an iterable of such blocks with equally many channels, which
            is written as it comes, in bounded memory. What is not a number becomes 0, what is beyond [-1, 1] is
            clipped.
        rate_hz: rate of the samples. Opus always decodes to 48 kHz.
        codec: ``opus`` (in Ogg; more than two channels with mapping family 255, which keeps their order), ``flac``
            (24 bits, at most 8 channels) or ``wav`` (32-bit float, RF64 above 4 GiB).
        bitrate_kbps_per_channel: of Opus, 6 to 256.
        tags: written as comments; WAV keeps only those keys that RIFF knows, such as ``title`` and ``comment``.

    Raises:
        EmptyAudioError: there are no frames.
        AudioError: more channels than the codec takes, or ffmpeg fails.
        ValueError: an argument makes no sense.
        MissingSystemPartError: ffmpeg is not installed.
    """
    if codec not in _FORMATS:
        raise ValueError(f"{codec!r} is no codec that is written here: use {', '.join(_FORMATS)}")
    if rate_hz < 1:
        raise ValueError(f"{rate_hz} Hz is no sampling rate")
    if not 6 <= bitrate_kbps_per_channel <= 256:
        raise ValueError(f"Opus takes 6 to 256 kbit/s per channel, not {bitrate_kbps_per_channel}")
    blocks = _valid_blocks(samples)
    first = next(blocks, None)
    if first is None:
        raise EmptyAudioError(f"{path}: there is no audio to write")
    channels = len(first)
    if channels > _FORMATS[codec].max_channels:
        raise AudioError(
            f"{path}: {codec} takes {_FORMATS[codec].max_channels} channels at most, not {channels}"
        )
    arguments = [
        *INPUT_OPTIONS,
        *("-f", "f32le", "-ar", str(rate_hz), "-ac", str(channels), "-i", "pipe:0", "-map_metadata", "-1"),
        *_codec_arguments(codec, channels, bitrate_kbps_per_channel),
        *_tag_arguments(tags or {}),
        *("-fflags", "+bitexact", "-flags:a", "+bitexact", "-f", _FORMATS[codec].muxer, "-y"),
    ]
    with files.whole_file(path) as temporary:
        feed = _interleaved(chain([first], blocks))
        with Child("ffmpeg", [*arguments, f"file:{temporary.absolute()}"], feed=feed) as child:
            child.read_all(1)  # it writes nothing there; its end is awaited, and the feed driven
            child.finish()


def _codec_arguments(codec: str, channels: int, bitrate_kbps: int) -> list[str]:
    if codec == "flac":
        return ["-c:a", "flac", "-sample_fmt", "s32"]
    if codec == "wav":
        return ["-c:a", "pcm_f32le", "-rf64", "auto"]
    mapping = ["-mapping_family", "255"] if channels > _STEREO else []
    bitrate = f"{bitrate_kbps * channels}k"
    # "lowdelay" keeps libopus to CELT. Left to choose, it takes some channels of noise, wind or rain for speech, and
    # its speech coder makes them up to 2.2 dB quieter (at 48 kbit/s per channel; CELT: 0.01 dB).
    return [
        "-c:a",
        "libopus",
        "-application",
        "lowdelay",
        "-ar",
        str(OPUS_RATE_HZ),
        "-b:a",
        bitrate,
        *mapping,
    ]


def _tag_arguments(tags: Mapping[str, str]) -> list[str]:
    arguments = []
    for key, value in tags.items():
        # The keys that Vorbis comments allow.
        if not key or "=" in key or not all(" " <= letter <= "}" for letter in key):
            raise ValueError(f"{key!r} is no key of a tag: use printable ASCII without '='")
        if "\0" in value or len(value.encode()) > _MAX_TAG_BYTES:
            raise ValueError(f"the tag {key} holds a null character or more than {_MAX_TAG_BYTES} bytes")
        arguments += ["-metadata", f"{key}={value}"]
    return arguments


def _valid_blocks(samples: NDArray[Any] | Iterable[NDArray[Any]]) -> Iterator[Samples]:
    """The blocks that have frames, checked."""
    channels = None
    for block in (samples,) if isinstance(samples, np.ndarray) else samples:
        if block.ndim != 2 or (channels is not None and len(block) != channels):
            expected = "[channels, frames]" if channels is None else f"[{channels} channels, frames]"
            raise ValueError(f"samples must have the shape {expected}, not {list(block.shape)}")
        channels = len(block)
        if channels == 0:
            raise ValueError("samples without channels")
        for start in range(0, block.shape[1], _PIECE_FRAMES):
            yield valid_samples(block[:, start : start + _PIECE_FRAMES])


def _interleaved(blocks: Iterable[Samples]) -> Iterator[bytes]:
    for block in blocks:
        yield block.T.astype("<f4", order="C").tobytes()
