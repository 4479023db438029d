"""When the audio of each window of a source ended, from what the audio graph noted, and from nobody else's word."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from streamer.analyzer.benchmarks.engine_report import PlayedSource
from streamer.analyzer.benchmarks.jack_clock import FrameTimes
from streamer.engine.rings import ENGINE_RATE_HZ, SegmentKind


@dataclass(frozen=True)
class Grid:
    """Where windows lie, at 48 kHz: window ``k`` begins ``k`` hops after the anchor of its source."""

    window_frames: int
    hop_frames: int

    @classmethod
    def of_seconds(cls, window_s: float, hop_s: float) -> Grid:
        """From what a generation says of itself."""
        return cls(round(window_s * ENGINE_RATE_HZ), round(hop_s * ENGINE_RATE_HZ))


def window_ends(
    source: PlayedSource, grid: Grid, times: FrameTimes, cycle_frames: int
) -> NDArray[np.float64]:
    """``time.monotonic()`` when the audio of window 0, 1, ... of a source ended, float64 ``[windows]``.

    The last frame of a window is found in the source's segments: at which frame of JACK it sounded, silence in between
    included. Of that frame's end JACK's clock tells the time. A cycle is taken off: as at a sound card, what a cycle
    carries was sound during the cycle before it. So a window is never thought to have ended later than a microphone's
    would have.
    """
    count = max((source.played_frames - grid.window_frames) // grid.hop_frames + 1, 0)
    audio = [segment for segment in source.segments if segment.kind is SegmentKind.AUDIO]
    if not count or not audio:
        return np.empty(0)
    last_frames = np.arange(count, dtype=np.int64) * grid.hop_frames + grid.window_frames - 1
    begins = np.array([segment.source_frame for segment in audio], np.int64)
    shifts = np.array([segment.jack_frame - segment.source_frame for segment in audio], np.int64)
    jack_frames = last_frames + shifts[_segment_of(last_frames, begins)]
    return times.of(jack_frames + 1) - cycle_frames / ENGINE_RATE_HZ


def _segment_of(frames: NDArray[np.int64], begins: NDArray[np.int64]) -> NDArray[np.intp]:
    """The last segment that begins at or before each frame."""
    return np.maximum(np.searchsorted(begins, frames, side="right") - 1, 0)
