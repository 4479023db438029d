"""The rings of all analysed channels: what the graph heard at its inputs, for readers in any process."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from streamer.engine.rings import layout
from streamer.engine.rings.frames import ChannelSegment
from streamer.engine.rings.layout import MappedRing, capacity_of, make_file, reserve
from streamer.engine.rings.source_ring import RATE_HZ
from streamer.engine.rings.tables import entries
from tidzam_platform.errors import AudioGraphError

if TYPE_CHECKING:
    from streamer.engine.rings.folder import RingFolder


class ChannelRings(MappedRing):
    """Samples of up to ``slots`` channels, float32 ``[slots, capacity_frames]``, all counted by one ring frame.

    The graph's callback writes the same frames of all bound slots in each cycle. A slot takes memory when
    ``reserve_slot`` is called, and may be given to another channel later; the ``Directory`` says which channel is in
    which slot since which ring frame. Read it by ``ChannelReader`` or ``BlockReader``.
    """

    kind = layout.CHANNELS_KIND

    def __init__(self, path: Path, writable: bool) -> None:
        super().__init__(path, writable)
        self.data: NDArray[np.float32] = self.samples.reshape(self.channels, self.capacity_frames)
        self._reserved: set[int] = set()

    @classmethod
    def create(cls, folder: RingFolder, slots: int, seconds: float, *, rate_hz: int = RATE_HZ) -> Self:
        """Make rings of ``slots`` slots that hold ``seconds`` each; memory is taken slot by slot.

        Raises:
            AudioGraphError: there is not enough shared memory.
        """
        path = folder.new_path("channels")
        make_file(
            path,
            kind=cls.kind,
            channels=slots,
            capacity_frames=capacity_of(seconds, rate_hz),
            rate_hz=rate_hz,
            name="",
            reserve_bytes=0,
        ).close()
        rings = cls(path, writable=True)
        rings._is_ours = True
        return rings

    @property
    def slots(self) -> int:
        """How many channels there is place for."""
        return self.channels

    def reserve_slot(self, slot: int) -> None:
        """Give a slot its memory, before the callback writes there; done already: nothing happens.

        Raises:
            AudioGraphError: no such slot, or not enough shared memory.
        """
        if not 0 <= slot < self.slots:
            raise AudioGraphError(f"there is no slot {slot}: graph.max_channels allows {self.slots} channels")
        if slot in self._reserved:
            return
        size = self.capacity_frames * layout.BYTES_PER_SAMPLE
        descriptor = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        try:
            reserve(descriptor, layout.DATA_OFFSET + slot * size, size, self.path)
        finally:
            os.close(descriptor)
        # Every page is there before the callback comes to it.
        self.data[slot, :: layout.CAPACITY_STEP] = 0.0
        self._reserved.add(slot)

    def segments_kept(self) -> list[ChannelSegment]:
        """Which jack frame was which ring frame: the newest 1024 segments, oldest first."""
        _, rows = entries(self.words, self.segments, layout.W_SEGMENTS_CLAIMED, layout.W_SEGMENTS_WRITTEN)
        return [ChannelSegment(int(ring), int(jack), int(missed)) for ring, jack, missed, _ in rows]

    def jack_frame_of(self, ring_frame: int) -> int | None:
        """The jack frame of a ring frame; None where no segment says it (any more)."""
        before = [segment for segment in self.segments_kept() if segment.ring_frame <= ring_frame]
        return before[-1].jack_frame + ring_frame - before[-1].ring_frame if before else None

    @property
    def missed_frames(self) -> int:
        """Frames of time that the graph did not compute: xruns, and while JACK was away."""
        return int(self.words[layout.W_MISSED])

    @property
    def cycles(self) -> int:
        """Calls of the graph's callback."""
        return int(self.words[layout.W_CYCLES])

    def counts(self) -> dict[str, int]:
        """All counters, for metrics."""
        return {
            "written_frames": self.written_frames,
            "missed_frames": self.missed_frames,
            "cycles": self.cycles,
            "segments": int(self.words[layout.W_SEGMENTS_WRITTEN]),
        }
