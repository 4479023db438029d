"""The compiled kernels, called without a graph: ports are arrays."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from streamer.engine.graph.blocks import R_HANDLES, Block, player_block, recorder_block
from streamer.engine.graph.clock_driver import clock_code
from streamer.engine.graph.play_kernel import play_kernel
from streamer.engine.graph.record_kernel import record_kernel
from streamer.engine.rings import ChannelRings, SourceRing

LARGEST_CYCLE = 8192


class Player:
    """Plays a source's ring into arrays, as a graph's callback does."""

    def __init__(self, ring: SourceRing) -> None:
        self.buffers = np.full((ring.channels, LARGEST_CYCLE), np.nan, np.float32)
        handles = [int(row.ctypes.data) for row in self.buffers]
        self._ring = ring
        self._block = player_block(ring.address(), handles)

    def cycle(self, frames: int, now: int, *, held: bool = False) -> NDArray[np.float32]:
        """What sounds in a cycle: float32 ``[channels, frames]``."""
        self.buffers[:] = np.nan
        microseconds = now * 1_000_000 // self._ring.rate_hz
        play_kernel()(self._block.address, clock_code().get_buffer, frames, now, microseconds, int(held))
        assert np.isnan(self.buffers[:, frames:]).all(), "a cycle writes no further than its frames"
        return self.buffers[:, :frames].copy()


class Recorder:
    """Records arrays into channel rings, as a graph's callback does."""

    def __init__(self, rings: ChannelRings, slots: int) -> None:
        self.buffers = np.zeros((slots, LARGEST_CYCLE), np.float32)
        self.xruns = Block(1)
        self._rings = rings
        self._block = recorder_block(rings.address(), rings.slots, self.xruns.address)
        for slot in range(slots):
            rings.reserve_slot(slot)
            self._block.words[R_HANDLES + slot] = self.buffers[slot].ctypes.data

    def cycle(self, data: NDArray[np.float32], now: int, microseconds: int | None = None) -> None:
        """Record float32 ``[slots, frames]``; the time is that of the frame unless told."""
        frames = data.shape[1]
        if microseconds is None:
            microseconds = now * 1_000_000 // self._rings.rate_hz
        self.buffers[:, :frames] = data
        record_kernel()(self._block.address, clock_code().get_buffer, frames, now, microseconds)


def numbered(first: int, frames: int, channels: int) -> NDArray[np.float32]:
    """Frames ``[frames, channels]`` that tell their own number and channel, exactly up to 2**24 of both together."""
    return (np.arange(first, first + frames)[:, None] * channels + np.arange(channels)).astype(np.float32)
