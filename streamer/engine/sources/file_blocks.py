"""Decoding a file from any place in it, in blocks for a ring: exactly the samples that batch analysis sees."""

from __future__ import annotations

import contextlib
import itertools
import os
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from streamer.engine.fetching.cancellation import Cancellation
from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.drift import Frames
from streamer.engine.sources.ogg_seek import timeline_from
from tidzam_platform.audio import decode_blocks
from tidzam_platform.audio.ffmpeg import INPUT_OPTIONS, Child
from tidzam_platform.audio.ogg.feeding import stream_of_run
from tidzam_platform.audio.ogg.timeline import Stretch, Timeline
from tidzam_platform.audio.opening import opened
from tidzam_platform.audio.pieces import Decoded, Piece, Silence
from tidzam_platform.audio.sniffing import OGG, sniff
from tidzam_platform.errors import EmptyAudioError

_BLOCK_S: Final = 0.2
_BLOCK_FRAMES: Final = round(_BLOCK_S * ENGINE_RATE_HZ)
_SPARE_FRAMES: Final = ENGINE_RATE_HZ // 10
# Up to so far into a file decoding what comes before is quicker than looking for the place.
_NEAR_S: Final = 5.0


@dataclass(frozen=True)
class FileBlocks:
    """A file that is being decoded.

    Attributes:
        channels: how many it has.
        blocks: float32 ``[frames, channels]`` at 48 kHz in [-1, 1], without a gap.
    """

    channels: int
    blocks: Iterator[Frames]


@contextlib.contextmanager
def decoded_file(
    path: Path, cancellation: Cancellation, *, start_frame: int = 0, known_s: float | None = None
) -> Iterator[FileBlocks]:
    """Decode ``path`` from frame ``start_frame`` (at 48 kHz) on.

    From the start of the file the samples are those of ``tidzam_platform.audio.decode_blocks``, bit by bit; from within
    an Ogg file a lossy decoder may differ from them by less than 1e-3, and by nothing in time.

    Args:
        path: the file.
        cancellation: ends it.
        start_frame: where to begin.
        known_s: length of the file's time axis, if the catalog knows it.

    Raises:
        AudioError: there is no such file, no audio in it, or none from there on.
        FetchError: it was cancelled.
    """
    with contextlib.ExitStack() as stack:
        blocks = stack.enter_context(_opened(path, cancellation, start_frame, known_s))
        first = next(blocks, None)
        if first is None:
            raise EmptyAudioError(f"{path}: no audio from {start_frame / ENGINE_RATE_HZ:.1f} s on")
        yield FileBlocks(first.shape[1], itertools.chain([first], blocks))


@contextlib.contextmanager
def _opened(
    path: Path, cancellation: Cancellation, start_frame: int, known_s: float | None
) -> Iterator[Iterator[Frames]]:
    start_s = start_frame / ENGINE_RATE_HZ
    if start_s > _NEAR_S:
        with opened(path) as handle:
            found = None
            if sniff(handle) is OGG:
                size_bytes = os.fstat(handle.fileno()).st_size
                found = timeline_from(handle, size_bytes, start_s, cancellation, known_s=known_s)
            if found is not None:
                with contextlib.closing(_from_timeline(*found, start_frame)) as blocks:
                    yield blocks
                return
    with contextlib.closing(_from_beginning(path, start_frame, cancellation)) as blocks:
        yield blocks


def _from_beginning(
    path: Path, start_frame: int, cancellation: Cancellation
) -> Generator[Frames, None, None]:
    with contextlib.closing(decode_blocks(path, rate_hz=ENGINE_RATE_HZ, block_s=_BLOCK_S)) as blocks:
        for block in blocks:
            cancellation.require_going()
            passed = start_frame - block.start_frame
            if passed < block.samples.shape[1]:
                yield block.samples.T[max(passed, 0) :]


def _from_timeline(handle: BinaryIO, timeline: Timeline, start_frame: int) -> Generator[Frames, None, None]:
    """Blocks of the stretches from ``start_frame`` on, zeros between them."""
    reached = start_frame
    for stretch in timeline.stretches:
        begin, end = round(stretch.start_s * ENGINE_RATE_HZ), round(stretch.end_s * ENGINE_RATE_HZ)
        if end <= reached:
            continue
        if begin > reached:
            yield from _blocks(Silence(begin - reached), timeline.channels)
        arguments = [
            *(*INPUT_OPTIONS, "-f", OGG.demuxer, "-i", "pipe:0", "-map", "0:a:0", "-vn", "-sn", "-dn"),
            *(*_filters(stretch), "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1"),
        ]
        with Child("ffmpeg", arguments, feed=stream_of_run(handle, stretch.link, stretch.run)) as child:
            decoded = Decoded(child, end - begin, spare_frames=_SPARE_FRAMES)
            skip = max(reached - begin, 0)
            for block in _blocks(decoded, timeline.channels):
                if skip < len(block):
                    yield block[skip:]
                skip = max(skip - len(block), 0)
        reached = end


def _blocks(piece: Piece, channels: int) -> Iterator[Frames]:
    while True:
        block = np.empty((_BLOCK_FRAMES, channels), np.float32)
        frames = piece.read_into(block)
        if not frames:
            return
        yield block[:frames]


def _filters(stretch: Stretch) -> list[str]:
    filters = [f"atrim=start_sample={stretch.skip_ticks}"] if stretch.skip_ticks else []
    if stretch.link.codec.rate_hz != ENGINE_RATE_HZ:
        filters.append(f"aresample={ENGINE_RATE_HZ}")
    return ["-af", ",".join(filters)] if filters else []
