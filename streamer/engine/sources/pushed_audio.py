"""Samples that the API pushes: bounded queues, any rate, resampled to the engine's."""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, Final, NamedTuple

import numpy as np

from streamer.engine.rings import ENGINE_RATE_HZ
from streamer.engine.sources.drift import Frames
from tidzam_platform.errors import SourceError

MIN_RATE_HZ: Final = 4_000
MAX_RATE_HZ: Final = 192_000
MAX_WAITING_S: Final = 3.0  # a browser that was asleep sends what it has kept at once
_FULL_SCALE: Final = 32768.0
_SAMPLE_BYTES: Final = 2


class Pushed(NamedTuple):
    """A block as it came: float32 ``[frames, channels]`` in [-1, 1), and its rate."""

    block: Frames
    rate_hz: int

    @property
    def seconds(self) -> float:
        """How long it lasts."""
        return len(self.block) / self.rate_hz


def read_pcm16(pcm: bytes, rate_hz: int, channels: int = 1) -> Pushed:
    """Read interleaved 16-bit little-endian samples.

    Raises:
        SourceError: half a frame, no samples, too many, or a rate that no microphone has.
    """
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise SourceError(
            f"{rate_hz} Hz is no rate of a microphone: {MIN_RATE_HZ} to {MAX_RATE_HZ} are taken"
        )
    if not pcm or len(pcm) % (_SAMPLE_BYTES * channels):
        raise SourceError(
            f"{len(pcm)} bytes are no samples: send whole frames of {channels} channels, 16 bits, little-endian"
        )
    block = np.frombuffer(pcm, "<i2").reshape(-1, channels).astype(np.float32) / _FULL_SCALE
    pushed = Pushed(block, rate_hz)
    if pushed.seconds > MAX_WAITING_S:
        raise SourceError(f"{pushed.seconds:.1f} s at once are too much: send {MAX_WAITING_S:g} s at most")
    return pushed


class PushQueue:
    """Blocks between the thread that pushes and the one that plays; the oldest ones are dropped when it is full."""

    def __init__(self, channels: int = 1) -> None:
        self.channels = channels
        self._arrived = threading.Condition()
        self._blocks: deque[Pushed] = deque()
        self._waiting_s = 0.0
        self._ended = False
        self.dropped_frames = 0
        """Frames, at the rate at which they came, that were dropped because nobody took them in time."""
        self.pushed_frames = 0
        """Frames that came, at their own rate."""

    def push(self, pcm: bytes, rate_hz: int) -> None:
        """Take a block; never waits. SourceError as ``read_pcm16``, and when it has ended."""
        pushed = read_pcm16(pcm, rate_hz, self.channels)
        with self._arrived:
            if self._ended:
                raise SourceError("this live stream has ended: open another one")
            self._blocks.append(pushed)
            self._waiting_s += pushed.seconds
            self.pushed_frames += len(pushed.block)
            while self._waiting_s > MAX_WAITING_S:
                dropped = self._blocks.popleft()
                self._waiting_s -= dropped.seconds
                self.dropped_frames += len(dropped.block)
            self._arrived.notify()

    def take(self, timeout_s: float) -> Pushed | None:
        """The oldest block; None if none comes in time, or it has ended."""
        with self._arrived:
            self._arrived.wait_for(lambda: bool(self._blocks) or self._ended, timeout_s)
            if not self._blocks:
                return None
            pushed = self._blocks.popleft()
            self._waiting_s = max(self._waiting_s - pushed.seconds, 0.0) if self._blocks else 0.0
            return pushed

    @property
    def has_ended(self) -> bool:
        """Whether nothing more comes than what is there."""
        return self._ended

    def end(self) -> None:
        """Nothing more may be pushed."""
        with self._arrived:
            self._ended = True
            self._arrived.notify_all()


class ToEngineRate:
    """Resamples blocks of any rate, which may change, to the engine's. For one thread."""

    def __init__(self, channels: int) -> None:
        self._channels = channels
        self._rate_hz = ENGINE_RATE_HZ
        self._resampler: Any = None

    def resample(self, pushed: Pushed) -> Frames:
        """float32 ``[frames, channels]`` at 48 kHz."""
        import soxr  # type: ignore[import-untyped]

        if pushed.rate_hz != self._rate_hz:
            self._rate_hz = pushed.rate_hz
            self._resampler = (
                None
                if pushed.rate_hz == ENGINE_RATE_HZ
                else soxr.ResampleStream(pushed.rate_hz, ENGINE_RATE_HZ, self._channels, dtype="float32")
            )
        if self._resampler is None:
            return pushed.block
        resampled: Frames = self._resampler.resample_chunk(pushed.block)
        return resampled
