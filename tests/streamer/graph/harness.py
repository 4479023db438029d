"""What tests of the audio graph share: a source and inputs, and a proof that each sample is where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from streamer.engine.graph import ANALYZER, AudioGraph, ClockGraph, GraphInputs
from streamer.engine.rings import BlockReader, ChannelRings, SegmentKind, SourceRing, source_pieces
from tests.streamer.rings.played import numbered
from tests.support.waiting import wait_for


def let_pass(graph: AudioGraph, condition: Callable[[], bool], what: str, deadline_s: float = 20.0) -> None:
    """Let audio flow until ``condition``; a graph without a clock is stepped."""

    def step() -> bool:
        if isinstance(graph, ClockGraph) and not graph.is_called():
            graph.step(16)
        return condition()

    wait_for(step, what, deadline_s)


def fill(ring: SourceRing) -> None:
    """Write numbered frames until the ring is full."""
    ring.write(numbered(ring.written_frames, ring.room(), ring.channels))


@dataclass
class Heard:
    """What a reader of the channel rings heard, frame by frame, held against what the tables say."""

    frames: dict[SegmentKind | None, int]
    lost_frames: int
    last_source_frame: int

    @property
    def audio(self) -> int:
        return self.frames.get(SegmentKind.AUDIO, 0)


class Listener:
    """Hears one slot for each channel of a source and proves that it is that channel, sample for sample."""

    def __init__(
        self, rings: ChannelRings, ring: SourceRing, slots: dict[int, int], since_frame: int
    ) -> None:
        """``slots``: channel (from 0) -> slot."""
        self._rings, self._ring = rings, ring
        self._channels = list(slots)
        self._reader = BlockReader(rings, [slots[channel] for channel in slots], first_frame=since_frame)
        self._next_source_frame: int | None = None
        self.heard = Heard({}, 0, -1)

    def hear(self) -> Heard:
        """Read what there is."""
        samples = self._reader.read(1 << 20)
        assert samples.data.shape[0] == len(self._channels)
        frames = samples.data.shape[1]
        pieces = source_pieces(
            samples.first_frame, frames, self._rings.segments_kept(), self._ring.segments_kept()
        )
        self.heard.lost_frames += samples.lost_frames
        for piece in pieces:
            begin = piece.ring_frame - samples.first_frame
            data = samples.data[:, begin : begin + piece.frames]
            self.heard.frames[piece.kind] = self.heard.frames.get(piece.kind, 0) + piece.frames
            if piece.kind is not SegmentKind.AUDIO:
                assert not data.any(), piece
                continue
            assert piece.source_frame is not None
            expected = numbered(piece.source_frame, piece.frames, self._ring.channels).T[self._channels]
            np.testing.assert_array_equal(data, expected, str(piece))
            if self._next_source_frame is not None and not samples.lost_frames:
                assert piece.source_frame == self._next_source_frame, "no frame is skipped or heard twice"
            self._next_source_frame = piece.source_frame + piece.frames
            self.heard.last_source_frame = self._next_source_frame - 1
        return self.heard


def connected_listener(
    graph: AudioGraph,
    inputs: GraphInputs,
    rings: ChannelRings,
    ring: SourceRing,
    ports: tuple[str, ...],
    slots: dict[int, int],
) -> Listener:
    """Connect channel -> slot, wait until the connections hold, and listen from there on."""
    for channel, slot in slots.items():
        graph.connect(ports[channel], inputs.bind(slot).port)
    cycles = rings.cycles
    let_pass(graph, lambda: rings.cycles > cycles + 2, "cycles")
    return Listener(rings, ring, slots, rings.claimed_frames)


def stand(name: str, ports: list[str]) -> list[str]:
    """Those of ``ports`` that are of client ``name``."""
    return [port for port in ports if port.startswith(f"{name}:")]


__all__ = ["ANALYZER", "Heard", "Listener", "connected_listener", "fill", "let_pass", "stand"]
