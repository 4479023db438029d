"""From the engine's rate to that of a generation, continuous across blocks, on a grid that counts from the anchor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from streamer.engine.rings import ENGINE_RATE_HZ
from tidzam_platform.audio.blocks import Samples, valid_samples


class Resampled(NamedTuple):
    """Frames at the rate asked for: the number of the first one from the anchor, and float32 ``[channels, frames]``."""

    frame: int
    samples: Samples


class ToModelRate:
    """Resamples an unbroken stretch of a run, channel by channel. For one thread.

    At 48 kHz samples go through untouched. At another rate frame k is at k / rate seconds from the anchor, wherever
    the stretch begins: it begins at the first frame of ours at which there is one at that rate too, at most a second
    later and for usual rates within a hundredth of one.

    Args:
        channels: how many.
        rate_hz: the rate wanted.
        frame: the first frame of the stretch, counted from the anchor at 48 kHz.
    """

    def __init__(self, channels: int, rate_hz: int, frame: int) -> None:
        common = math.gcd(ENGINE_RATE_HZ, rate_hz)
        ours, theirs = ENGINE_RATE_HZ // common, rate_hz // common
        begin = -(-frame // ours) * ours
        self._skip = begin - frame
        self._channels = channels
        self.next_frame = begin // ours * theirs
        """The next one that comes out."""
        self._streams = [_stream(rate_hz) for _ in range(channels)] if rate_hz != ENGINE_RATE_HZ else []

    def feed(self, samples: Samples) -> Resampled:
        """The next frames, float32 ``[channels, frames]`` at 48 kHz; what comes out may lag behind by milliseconds."""
        if self._skip:
            skipped = min(self._skip, samples.shape[1])
            self._skip -= skipped
            samples = samples[:, skipped:]
        if not self._streams:
            return self._given(samples)
        return self._given(self._resampled(samples, last=False))

    def flush(self) -> Resampled:
        """What is still to come when the stretch has ended; nothing may be fed after it."""
        nothing = np.empty((self._channels, 0), np.float32)
        return self._given(self._resampled(nothing, last=True) if self._streams else nothing)

    def keep_rows(self, rows: Sequence[int]) -> None:
        """The other channels are not fed any more."""
        self._channels = len(rows)
        self._streams = [self._streams[row] for row in rows] if self._streams else []

    def _resampled(self, samples: Samples, *, last: bool) -> Samples:
        chunks = zip(self._streams, samples, strict=True)
        # A filter overshoots.
        return valid_samples(np.stack([stream.resample_chunk(chunk, last=last) for stream, chunk in chunks]))

    def _given(self, samples: Samples) -> Resampled:
        frame = self.next_frame
        self.next_frame += samples.shape[1]
        return Resampled(frame, samples)


def _stream(rate_hz: int) -> Any:
    import soxr  # type: ignore[import-untyped]

    return soxr.ResampleStream(ENGINE_RATE_HZ, rate_hz, 1, dtype="float32")


def frames_at(frame: int, rate_hz: int) -> int:
    """How many frames at ``rate_hz`` there are in ``frame`` frames at 48 kHz, rounded down."""
    return frame * rate_hz // ENGINE_RATE_HZ


def engine_frames(frame: int, rate_hz: int) -> int:
    """How many frames at 48 kHz it takes to have ``frame`` at ``rate_hz``, rounded up."""
    return -(-frame * ENGINE_RATE_HZ // rate_hz)
