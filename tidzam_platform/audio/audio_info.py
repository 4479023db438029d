"""What is known of an audio file before its samples are used."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from tidzam_platform.audio.ogg.timeline import Timeline

# Seconds are exact to the sample, but are floats: this much of a frame is rounding, no audio.
_ROUNDING_FRAMES: Final = 1e-4


@dataclass(frozen=True)
class AudioInfo:
    """What :func:`tidzam_platform.audio.probe` finds out.

    Attributes:
        container: ``ogg``, ``wav``, ``flac``, ``mp3``, ``aac``, ``mp4``, ``matroska``, ``aiff``, ``caf`` or ``au``.
        codec: ffprobe's ``codec_name``, e.g. ``opus`` or ``pcm_s16le``.
        rate_hz: sampling rate of the decoded audio; 48000 for Opus.
        channels: how many channels the decoded audio has.
        seconds: length on the file's own time axis, holes included; 0 is the first sample.
        holes: (start_s, end_s) where audio is missing, in order, apart from each other; decoded as zeros.
        truncated: the file ends early, or a stretch of it ends without its end mark: audio of unknown length is
            missing there.
        tags: comments of the file, keys in lower case.
        timeline: of Ogg, where its audio lies: a decoder need not look through the file again.
    """

    container: str
    codec: str
    rate_hz: int
    channels: int
    seconds: float
    holes: tuple[tuple[float, float], ...]
    truncated: bool
    tags: Mapping[str, str]
    timeline: Timeline | None = field(default=None, repr=False, compare=False)


def holes_in_frames(info: AudioInfo, rate_hz: int) -> list[tuple[int, int]]:
    """The holes as half-open ranges of frames at ``rate_hz``, each widened to whole frames."""
    return [
        (math.floor(start_s * rate_hz + _ROUNDING_FRAMES), math.ceil(end_s * rate_hz - _ROUNDING_FRAMES))
        for start_s, end_s in info.holes
    ]
