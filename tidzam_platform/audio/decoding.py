"""Decoding: any number of channels, in bounded memory, on a time axis that never slides."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from tidzam_platform.audio.audio_info import AudioInfo
from tidzam_platform.audio.blocks import Block, Samples
from tidzam_platform.audio.ffmpeg import INPUT_OPTIONS, Child
from tidzam_platform.audio.ogg.feeding import stream_of_run
from tidzam_platform.audio.ogg.timeline import Stretch, Timeline, read_timeline
from tidzam_platform.audio.opening import opened
from tidzam_platform.audio.pieces import Decoded, Piece, Silence
from tidzam_platform.audio.probing import input_arguments, probe, read_header
from tidzam_platform.audio.sniffing import FLAC, OGG, Container, sniff
from tidzam_platform.errors import AudioError, EmptyAudioError

MAX_RATE_HZ: Final = 768_000
_SPARE_S: Final = 0.1
_AUDIO_ONLY: Final = ("-map", "0:a:0", "-vn", "-sn", "-dn")
# Unasked, ffmpeg writes each packet by itself: 50 writes a second of audio, and as often a reader wakes.
_RAW_OUTPUT: Final = ("-c:a", "pcm_f32le", "-flush_packets", "0", "-f", "f32le", "pipe:1")


def decode_blocks(
    path: Path, *, rate_hz: int | None = None, block_s: float = 1.0, info: AudioInfo | None = None
) -> Generator[Block, None, None]:
    """Decode a file block by block.

    Frame k is always time k / rate: where audio is missing there are zeros. Memory is bounded by a block and the
    decoder; closing the generator ends ffmpeg.

    Args:
        path: the file.
        rate_hz: resample to this rate; by default the file's own.
        block_s: length of a block, s; only the last one may be shorter.
        info: what :func:`probe` said of this very file, which saves another look.

    Yields:
        Blocks of float32 ``[channels, frames]`` in [-1, 1], without a gap between them. What is not a number
        becomes 0, what is beyond is clipped. In all ``round(seconds * rate)`` frames.

    Raises:
        AudioError: as :func:`probe` does; DecodingError also when decoding fails on the way.
        ValueError: the rate or the length of a block makes no sense.
    """
    with closing(decode_interleaved(path, rate_hz=rate_hz, block_s=block_s, info=info)) as blocks:
        for start, frames in blocks:
            yield Block(start, frames.T.copy(order="C"))


def decode_interleaved(
    path: Path, *, rate_hz: int | None = None, block_s: float = 1.0, info: AudioInfo | None = None
) -> Generator[tuple[int, Samples], None, None]:
    """As :func:`decode_blocks`, for who copies the samples anyway: the next block takes the memory of this one.

    Yields:
        first frame, float32 ``[frames, channels]``, as long as no other is asked for.
    """
    if not 0 < block_s < float("inf"):
        raise ValueError(f"blocks cannot be {block_s} s long")
    with _decoder(path, rate_hz, info) as decoder:
        yield from _blocks(decoder, max(round(block_s * decoder.rate_hz), 1))


def read_audio(path: Path, *, rate_hz: int | None = None, max_s: float = 600.0) -> Samples:
    """Decode a whole file of bounded length.

    Args:
        path: the file.
        rate_hz: resample to this rate; by default the file's own.
        max_s: the most that is read into memory, s.

    Returns:
        float32 ``[channels, frames]`` in [-1, 1], as from :func:`decode_blocks`.

    Raises:
        AudioError: as :func:`decode_blocks`; also when the file is longer than ``max_s``.
    """
    with _decoder(path, rate_hz, None) as decoder:
        max_frames = round(max_s * decoder.rate_hz)
        too_long = f"longer than {max_s:g} s: decode it block by block"
        if decoder.frames is not None and decoder.frames > max_frames:
            raise AudioError(too_long)
        blocks: list[Samples] = []
        for start, frames in _blocks(decoder, decoder.rate_hz):
            if start + len(frames) > max_frames:
                raise AudioError(too_long)
            blocks.append(frames.T.copy())
    return np.concatenate(blocks, axis=1)


@dataclass(frozen=True)
class _Decoder:
    rate_hz: int
    channels: int
    frames: int | None  # in all, None if only the end will tell
    pieces: Iterator[Piece]


@contextmanager
def _decoder(path: Path, rate_hz: int | None, info: AudioInfo | None) -> Iterator[_Decoder]:
    if rate_hz is not None and not 1 <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(f"{rate_hz} Hz is no sampling rate: give 1 to {MAX_RATE_HZ}")
    with opened(path) as handle:
        container = sniff(handle)
        if container is OGG:
            timeline = (info and info.timeline) or read_timeline(handle)
            rate = rate_hz or timeline.rate_hz
            channels = timeline.channels
            frames: int | None = round(timeline.seconds * rate)
            pieces = _ogg_pieces(handle, timeline, rate)
        else:
            # Only FLAC must be looked through before, to learn of its gaps.
            if info is None and container is FLAC:
                info = probe(path)
            source = info or read_header(path, container)
            rate, channels = rate_hz or source.rate_hz, source.channels
            frames = None if info is None else round(info.seconds * rate)
            pieces = _file_pieces(path, container, source.rate_hz, rate, info)
        with closing(pieces):
            yield _Decoder(rate, channels, frames, pieces)


def _blocks(decoder: _Decoder, block_frames: int) -> Iterator[tuple[int, Samples]]:
    """Cut the frames of all pieces into blocks of equal length, one after the other in the same memory."""
    interleaved = np.empty((block_frames, decoder.channels), np.float32)
    filled = start = 0
    for piece in decoder.pieces:
        while got := piece.read_into(interleaved[filled:]):
            filled += got
            if filled == block_frames:
                yield start, interleaved
                start += filled
                filled = 0
    if filled:
        yield start, interleaved[:filled]
    elif not start:
        raise EmptyAudioError("no audio can be decoded from it")


def _ogg_pieces(handle: BinaryIO, timeline: Timeline, rate_hz: int) -> Generator[Piece, None, None]:
    """Each stretch decoded by a decoder of its own, silence between them, all exactly as long as they last."""
    reached = 0
    for stretch in timeline.stretches:
        start, end = round(stretch.start_s * rate_hz), round(stretch.end_s * rate_hz)
        yield Silence(start - reached)
        feed = stream_of_run(handle, stretch.link, stretch.run)
        arguments = [*INPUT_OPTIONS, "-f", OGG.demuxer, "-i", "pipe:0", *_AUDIO_ONLY]
        arguments += [*_filters(stretch, rate_hz), *_RAW_OUTPUT]
        with Child("ffmpeg", arguments, feed=feed) as child:
            yield Decoded(child, end - start, spare_frames=round(_SPARE_S * rate_hz))
        reached = end


def _filters(stretch: Stretch, rate_hz: int) -> list[str]:
    filters = []
    if stretch.skip_ticks:
        filters.append(f"atrim=start_sample={stretch.skip_ticks}")
    if rate_hz != stretch.link.codec.rate_hz:
        filters.append(_resample(rate_hz))
    return ["-af", ",".join(filters)] if filters else []


def _resample(rate_hz: int) -> str:
    """By soxr, of its usual quality: as live audio is resampled, so that the same sound gives the same samples."""
    return f"aresample={rate_hz}:resampler=soxr"


def _file_pieces(
    path: Path, container: Container, own_rate_hz: int, rate_hz: int, info: AudioInfo | None
) -> Generator[Piece, None, None]:
    """One decoder for the file; where gaps are known, silence is put into what it writes."""
    filters = ["-af", _resample(rate_hz)] if rate_hz != own_rate_hz else []
    arguments = ["-nostdin", *input_arguments(path, container), *_AUDIO_ONLY, *filters, *_RAW_OUTPUT]
    spare_frames = round(_SPARE_S * rate_hz)
    with Child("ffmpeg", arguments) as child:
        reached = 0
        for start_s, end_s in info.holes if info is not None else ():
            start, end = round(start_s * rate_hz), round(end_s * rate_hz)
            yield Decoded(child, start - reached, spare_frames=spare_frames, is_last=False)
            yield Silence(end - start)
            reached = end
        left = None if info is None else round(info.seconds * rate_hz) - reached
        yield Decoded(child, left, spare_frames=spare_frames)
