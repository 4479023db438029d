"""Channels of one source that came together: read from the rings as one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import numpy as np

from streamer.analyzer.hearing.cutter import Cause
from streamer.analyzer.hearing.runs import Outlets, Piece, RunFollower
from streamer.analyzer.hearing.timeline import Stretch, Timeline
from streamer.analyzer.windows import Geometry
from streamer.engine.rings import (
    ENGINE_RATE_HZ,
    Anchor,
    BlockReader,
    ChannelRings,
    Samples,
    SourceReader,
    SourceRing,
)
from tidzam_platform.audio.blocks import valid_samples

_BLOCK_FRAMES: Final = ENGINE_RATE_HZ // 2  # read at once at most
_BLOCKS_IN_RING: Final = 8  # and no more than so many fill the rings


class ChannelGroup:
    """Follows its slots through the rings. For one thread.

    Args:
        source: the name of their source.
        members: number of each channel, from 1, and its slot.
        rings: the channel rings.
        ring: the source's; None if it has none.
        timeline: what the frames are.
        first_frame: of the channel rings, from which on they are heard.
        geometry: how windows are cut.
        outlets: where they go.
    """

    def __init__(
        self,
        source: str,
        members: Mapping[int, int],
        rings: ChannelRings,
        ring: SourceRing | None,
        timeline: Timeline,
        first_frame: int,
        geometry: Geometry,
        outlets: Outlets,
    ) -> None:
        self.source = source
        self._members = dict(sorted(members.items()))
        self._rings, self._ring, self._timeline, self._outlets = rings, ring, timeline, outlets
        self._reader = self._new_reader(first_frame)
        self._block_frames = min(_BLOCK_FRAMES, rings.capacity_frames // _BLOCKS_IN_RING)
        self._runs = RunFollower(source, self.numbers, timeline, geometry, outlets)
        self._cause: Cause | None = None  # of what is missing since the last sample, if something is
        self._interrupted = False
        self._jack_next: int | None = None
        self.due_frame = first_frame
        """Once the rings are written up to here there may be a window, or it is time to read."""
        outlets.tally.come(source, self.numbers)

    @property
    def numbers(self) -> tuple[int, ...]:
        """Of its channels, from 1."""
        return tuple(self._members)

    def advance(self, until: int, written: int, are_valid: Callable[[], bool]) -> bool:
        """Hear all frames of the rings before ``until``.

        Args:
            until: at most ``written``.
            written: frames of the rings that are written now.
            are_valid: asked after each copy: whether the slots were its own until then.

        Returns:
            Whether they all were; else what was copied last is not heard, but read again later.
        """
        while (begin := self._reader.next_frame) < until:
            frames = min(until - begin, self._block_frames)
            stretches = self._timeline.stretches(begin, frames)
            if any(stretch.anchor for stretch in stretches):
                samples = self._reader.read(frames)
                if samples.lost_frames:
                    stretches = self._timeline.stretches(samples.first_frame, samples.data.shape[1])
            else:
                samples = Samples(begin, np.empty((len(self._members), 0), np.float32), 0)
                self._reader.next_frame = begin + frames
            if not are_valid():
                self._reader.next_frame = begin
                return False
            self._hear(samples, stretches, written)
        self.due_frame = until + min(self._runs.wanted_frames, self._block_frames)
        return True

    def keep_only(self, numbers: set[int], verified: int) -> None:
        """The slots of the others are not its own any more; before frame ``verified`` of the rings they were."""
        self._advance_for_certain(verified)
        rows = [row for row, number in enumerate(self._members) if number in numbers]
        gone = [number for number in self._members if number not in numbers]
        self._runs.keep_rows(rows)
        self._members = {number: slot for number, slot in self._members.items() if number in numbers}
        self._reader = self._new_reader(self._reader.next_frame)
        self._leave(gone)

    def finish(self, verified: int) -> None:
        """The slots are not its own any more.

        Args:
            verified: before this frame of the rings they were. Of what comes after it only that is heard which equals
                what the source has played.
        """
        try:
            self._advance_for_certain(verified)
            if self._ring is not None:
                self._hear_what_was_played(self._ring, self._rings.written_frames)
            self._runs.end()
        finally:
            self._leave(self.numbers)

    def cut_by(self, geometry: Geometry) -> None:
        """Windows are cut by another geometry from now on."""
        self._runs.cut_by(geometry)
        self.due_frame = self._reader.next_frame

    def _advance_for_certain(self, until: int) -> None:
        written = self._rings.written_frames
        self.advance(min(until, written), written, lambda: True)

    def _hear(self, samples: Samples, stretches: list[Stretch], written: int) -> None:
        """Take stretches of the rings; ``samples`` holds them, or nothing where all of them are silence."""
        first = samples.first_frame
        if samples.lost_frames:
            self._outlets.tally.lost_frames += samples.lost_frames
            self._note_unknown()
        data = valid_samples(samples.data)
        now_s = self._outlets.monotonic()
        for stretch in stretches:
            if stretch.jack_frame is None:
                self._note_unknown()
                continue
            if self._jack_next not in (None, stretch.jack_frame):
                self._cause, self._interrupted = self._cause or Cause.MISSED, True
            self._jack_next = stretch.jack_frame + stretch.frames
            begin = stretch.ring_frame - first
            part = data[:, begin : begin + stretch.frames]
            if stretch.anchor is None or not part.shape[1]:
                self._interrupted = True
                continue
            arrived_s = now_s - (written - stretch.ring_frame) / ENGINE_RATE_HZ
            piece = Piece(stretch.anchor, stretch.frame, part, arrived_s, self._interrupted)
            self._runs.hear(piece, self._cause or Cause.SKIPPED)
            self._cause, self._interrupted = None, False

    def _note_unknown(self) -> None:
        self._cause, self._interrupted, self._jack_next = Cause.LOST, True, None

    def _hear_what_was_played(self, ring: SourceRing, written: int) -> None:
        """The last samples of a source come just before its slots are taken away, and may be in the rings or not."""
        while (begin := self._reader.next_frame) < written:
            samples = self._reader.read(min(written - begin, self._block_frames))
            stretches = self._timeline.stretches(samples.first_frame, samples.data.shape[1])
            if samples.lost_frames or not all(
                self._was_played(ring, stretch, samples) for stretch in stretches
            ):
                return
            self._hear(samples, stretches, written)

    def _was_played(self, ring: SourceRing, stretch: Stretch, samples: Samples) -> bool:
        if stretch.anchor is None:
            return stretch.jack_frame is not None
        begin = stretch.ring_frame - samples.first_frame
        heard = samples.data[:, begin : begin + stretch.frames]
        played = _frames_of(ring, stretch.anchor, stretch)
        rows = [number - 1 for number in self._members]
        return len(played) == stretch.frames and np.array_equal(heard, played[:, rows].T)

    def _leave(self, numbers: tuple[int, ...] | list[int]) -> None:
        self._outlets.tally.go(self.source, numbers)
        if self._outlets.history is not None:
            self._outlets.history.leave(self.source, numbers)

    def _new_reader(self, first_frame: int) -> BlockReader:
        return BlockReader(self._rings, list(self._members.values()), first_frame=first_frame)


def _frames_of(
    ring: SourceRing, anchor: Anchor, stretch: Stretch
) -> np.ndarray[tuple[int, ...], np.dtype[np.float32]]:
    """What is in the source's ring, float32 ``[frames, channels]``; fewer frames than asked for if they have gone."""
    samples = SourceReader(ring, first_frame=anchor.frame + stretch.frame).read(stretch.frames)
    return samples.data[:0] if samples.lost_frames else samples.data
