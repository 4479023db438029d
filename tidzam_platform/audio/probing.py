"""Finding out what a file holds, without trusting what it says."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from tidzam_platform.audio.audio_info import AudioInfo
from tidzam_platform.audio.ffmpeg import INPUT_OPTIONS, Child
from tidzam_platform.audio.frame_log import DecodedFrames, log_frames
from tidzam_platform.audio.ogg.comments import MAX_VALUE_BYTES, PICTURE
from tidzam_platform.audio.ogg.timeline import Timeline, read_timeline
from tidzam_platform.audio.opening import opened
from tidzam_platform.audio.riff import WavData, read_wav_data
from tidzam_platform.audio.sniffing import FLAC, OGG, WAV, Container, sniff
from tidzam_platform.errors import DecodingError, EmptyAudioError

# A header's length and the decoded one may differ by an encoder's padding; less missing than this is no cut.
_CUT_S: Final = 0.1
_MAX_ANSWER_BYTES: Final = 1 << 20


@dataclass(frozen=True)
class StreamHeader:
    """What ffprobe reads from the headers of the first audio stream.

    Attributes:
        codec: its ``codec_name``.
        rate_hz: sampling rate.
        channels: number of channels.
        stated_s: length that the header states, None if it does not.
        tags: of the file and the stream, keys in lower case.
    """

    codec: str
    rate_hz: int
    channels: int
    stated_s: float | None
    tags: dict[str, str]


def probe(path: Path) -> AudioInfo:
    """Find out codec, rate, channels, exact length, holes and tags of an audio file.

    Ogg is read page by page without decoding; PCM in WAV is counted; everything else is decoded once.

    Raises:
        AudioNotFoundError: there is no such file.
        EmptyAudioError: it holds no bytes, or headers and no audio.
        UnknownAudioFormatError: it is no audio that we open; nothing else has been opened then.
        DecodingError: it is damaged beyond use.
        AudioError: it is no regular file, or may not be read.
        MissingSystemPartError: ffmpeg is not installed, and the file is no Ogg.
    """
    with opened(path) as handle:
        container = sniff(handle)
        if container is OGG:
            return ogg_info(read_timeline(handle))
        return _probe_other(path, handle, container)


def ogg_info(timeline: Timeline) -> AudioInfo:
    """What a timeline says of its file."""
    return AudioInfo(
        container=OGG.name,
        codec=timeline.codec,
        rate_hz=timeline.rate_hz,
        channels=timeline.channels,
        seconds=timeline.seconds,
        holes=timeline.holes,
        truncated=timeline.truncated,
        tags=timeline.tags,
        timeline=timeline,
    )


def input_arguments(path: Path, container: Container) -> list[str]:
    """How ffmpeg and ffprobe are shown a file: demuxer forced, files only, no name that is an option."""
    checks = ["-err_detect", "crccheck+explode"] if container is FLAC else []
    return [*INPUT_OPTIONS, *checks, "-f", container.demuxer, "-i", f"file:{path.absolute()}"]


def read_header(path: Path, container: Container) -> StreamHeader:
    """Ask ffprobe for the first audio stream.

    Raises:
        DecodingError: it cannot make sense of the file.
        EmptyAudioError: there is no audio stream.
    """
    entries = "stream=codec_name,sample_rate,channels,duration:stream_tags:format_tags"
    arguments = ["-select_streams", "a:0", "-show_entries", entries, "-of", "json"]
    with Child("ffprobe", [*input_arguments(path, container), *arguments]) as child:
        answer = child.read_all(_MAX_ANSWER_BYTES)
        child.finish()
    try:
        found = json.loads(answer)
        streams = found.get("streams", [])
        if not streams:
            raise EmptyAudioError(f"a {container.name} file without an audio stream")
        stream = streams[0]
        header = StreamHeader(
            codec=str(stream["codec_name"]),
            rate_hz=int(stream["sample_rate"]),
            channels=int(stream["channels"]),
            stated_s=float(stream["duration"]) if "duration" in stream else None,
            tags=_tags(found.get("format", {}).get("tags", {}) | stream.get("tags", {})),
        )
    except (ValueError, KeyError) as error:
        raise DecodingError(f"ffprobe says nothing sensible about this {container.name} file") from error
    if header.rate_hz < 1 or header.channels < 1:
        raise DecodingError(f"a {container.name} file of {header.channels} channels at {header.rate_hz} Hz")
    return header


def _tags(found: dict[str, str]) -> dict[str, str]:
    return {
        key.lower(): value
        for key, value in found.items()
        if len(value) <= MAX_VALUE_BYTES and key.lower() != PICTURE
    }


def _probe_other(path: Path, handle: BinaryIO, container: Container) -> AudioInfo:
    wav = read_wav_data(handle, os.fstat(handle.fileno()).st_size) if container is WAV else None
    header = read_header(path, container)
    if wav is not None and header.codec.startswith("pcm_") and wav.block_bytes:
        decoded = DecodedFrames(wav.held_bytes // wav.block_bytes)
    else:
        decoded = log_frames(
            input_arguments(path, container),
            rate_hz=header.rate_hz,
            channels=header.channels,
            find_gaps=container is FLAC,
        )
    if decoded.frames == 0:
        raise EmptyAudioError(f"a {container.name} file from which no audio can be decoded")
    seconds = decoded.frames / header.rate_hz
    return AudioInfo(
        container=container.name,
        codec=header.codec,
        rate_hz=header.rate_hz,
        channels=header.channels,
        seconds=seconds,
        holes=tuple((start / header.rate_hz, end / header.rate_hz) for start, end in decoded.gaps),
        truncated=decoded.unsure or _is_cut(container, header, wav, seconds),
        tags=header.tags,
    )


def _is_cut(container: Container, header: StreamHeader, wav: WavData | None, seconds: float) -> bool:
    if wav is not None:
        return wav.truncated
    return container.states_length and header.stated_s is not None and seconds < header.stated_s - _CUT_S
