"""What ffmpeg is told, to make Ogg of samples."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal

Codec = Literal["opus", "vorbis", "flac"]

MAX_CHANNELS: Final = {"opus": 64, "vorbis": 64, "flac": 8}  # of ffmpeg's resampler, or of the format
MAX_TAG_CHARACTERS: Final = 1000
_STEREO: Final = 2
# What libvorbis takes at 48 kHz, per channel; outside it does not start.
_VORBIS_KBPS: Final = (32, 240)
_US_PER_S: Final = 1_000_000


def encoder_arguments(
    codec: Codec,
    *,
    rate_hz: int,
    channels: int,
    bitrate_kbps: int,
    page_s: float,
    tags: Mapping[str, str],
) -> list[str]:
    """Arguments of ffmpeg: float32 ``[frames, channels]``, interleaved, in on standard input, Ogg out.

    Args:
        codec: FLAC is lossless for samples of 24 bits.
        rate_hz: of the samples; Opus takes 48000.
        channels: as many as ``MAX_CHANNELS`` says. More than two are independent of each other in Opus (RFC 7845,
            mapping family 255), since they are microphones and no loudspeakers.
        bitrate_kbps: of one channel, Opus and Vorbis.
        page_s: longest page: what is lost at most when the writer dies, and how late a listener hears.
        tags: comments; keys of printable ASCII without '='. Characters that control anything are taken out of values.
    """
    return [
        *("-hide_banner", "-loglevel", "error", "-protocol_whitelist", "pipe"),
        # Headerless samples: there is nothing to probe. ("-fflags nobuffer" would lose what was probed.)
        *("-probesize", "32", "-analyzeduration", "0"),
        *("-f", "f32le", "-ar", str(rate_hz), "-ac", str(channels), "-i", "pipe:0", "-map_metadata", "-1"),
        *_codec_arguments(codec, channels, bitrate_kbps),
        *(word for key, value in tags.items() for word in ("-metadata", f"{key}={printable(value)}")),
        *("-threads", "1", "-flush_packets", "1", "-page_duration", str(round(page_s * _US_PER_S))),
        *("-f", "ogg", "pipe:1"),
    ]


def printable(text: str) -> str:
    """``text`` without characters that control anything, in one line of bounded length."""
    return "".join(letter if letter.isprintable() else " " for letter in text[:MAX_TAG_CHARACTERS]).strip()


def _codec_arguments(codec: Codec, channels: int, bitrate_kbps: int) -> list[str]:
    if codec == "flac":
        return ["-c:a", "flac", "-sample_fmt", "s32"]
    if codec == "vorbis":
        low, high = _VORBIS_KBPS
        return ["-c:a", "libvorbis", "-b:a", f"{min(max(bitrate_kbps, low), high) * channels}k"]
    mapping = ["-mapping_family", "255"] if channels > _STEREO else []
    # "lowdelay": see tidzam_platform.audio.encoding; left to choose, libopus takes noise and wind for speech.
    return ["-c:a", "libopus", "-application", "lowdelay", "-b:a", f"{bitrate_kbps * channels}k", *mapping]
