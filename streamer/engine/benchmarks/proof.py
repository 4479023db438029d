"""Holds what was heard against what was sent, sample by sample, and tells each frame that is missing apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from streamer.engine.benchmarks.tones import PERIOD_FRAMES, tones
from streamer.engine.rings import BlockReader, ChannelRings, SegmentKind, SourceRing, source_pieces

_CHUNK_FRAMES: Final = 1 << 15


@dataclass
class Tally:
    """Frames of one channel each, added up over all channels.

    Attributes:
        good: heard exactly as they were sent.
        reader_lost: overwritten before the reader had them; it counted them.
        underflow: silence that the graph put in and said so.
        missed: not computed by the graph, which said so.
        mixups: samples of another channel.
        unexplained: wrong, or skipped, and nothing says why.
    """

    good: int = 0
    reader_lost: int = 0
    underflow: int = 0
    missed: int = 0
    mixups: int = 0
    unexplained: int = 0

    def as_dict(self) -> dict[str, int]:
        """All of them by name."""
        return asdict(self)


class Proof:
    """Reads the slots of one source, whose channels are ``first`` onwards, and proves each sample.

    Args:
        rings: where its channels are recorded, channel n of the source in slot ``slots[n]``.
        ring: the source's own.
        slots: in the order of its channels.
        first: number of its first channel among all that sound.
        others: a period of every channel, float32 ``[PERIOD_FRAMES, all channels]``.
        from_frame: ring frame to begin at.
    """

    def __init__(
        self,
        rings: ChannelRings,
        ring: SourceRing,
        slots: Sequence[int],
        first: int,
        others: NDArray[np.float32],
        from_frame: int,
    ) -> None:
        self._rings, self._ring, self._others = rings, ring, others
        self._reader = BlockReader(rings, slots, first_frame=from_frame)
        # Twice in a row, so that what begins anywhere in a period is one slice.
        period = tones(first, len(slots)).T
        self._expected = np.concatenate([period] * (2 + _CHUNK_FRAMES // PERIOD_FRAMES), axis=1)
        self._channels = len(slots)
        self._next_source_frame = -1
        self.tally = Tally()

    @property
    def next_frame(self) -> int:
        """The ring frame that is read next."""
        return self._reader.next_frame

    def read(self, until_frame: int) -> None:
        """Read and prove what is there before ring frame ``until_frame``."""
        while (left := min(self._reader.available, until_frame - self._reader.next_frame)) > 0:
            samples = self._reader.read(min(left, _CHUNK_FRAMES))
            self.tally.reader_lost += samples.lost_frames * self._channels
            if samples.lost_frames:
                self._next_source_frame = -1
            pieces = source_pieces(
                samples.first_frame,
                samples.data.shape[1],
                self._rings.segments_kept(),
                self._ring.segments_kept(),
            )
            for piece in pieces:
                begin = piece.ring_frame - samples.first_frame
                self._prove(samples.data[:, begin : begin + piece.frames], piece.kind, piece.source_frame)

    def _prove(self, data: NDArray[np.float32], kind: SegmentKind | None, source_frame: int | None) -> None:
        channels, frames = data.shape
        tally = self.tally
        if kind is SegmentKind.UNDERFLOW:
            tally.underflow += data.size
        elif kind is SegmentKind.MISSED:
            tally.missed += data.size
        elif kind is not SegmentKind.AUDIO or source_frame is None:
            tally.unexplained += data.size
        else:
            if self._next_source_frame >= 0:
                tally.unexplained += abs(source_frame - self._next_source_frame) * channels
            self._next_source_frame = source_frame + frames
            at = source_frame % PERIOD_FRAMES
            wrong = data != self._expected[:, at : at + frames]
            count = int(np.count_nonzero(wrong))
            tally.good += data.size - count
            if count:
                self._blame(data, wrong, source_frame)

    def _blame(self, data: NDArray[np.float32], wrong: NDArray[np.bool_], source_frame: int) -> None:
        """Is what is wrong the sound of another channel?"""
        frames = (source_frame + np.arange(data.shape[1])) % PERIOD_FRAMES
        for channel in np.flatnonzero(wrong.any(axis=1)):
            at = np.flatnonzero(wrong[channel])
            same = (self._others[frames[at]] == data[channel, at][:, None]) & (data[channel, at] != 0)[
                :, None
            ]
            mixups = int(same.sum(axis=0).max())
            # A few equal samples are chance: two sines cross.
            mixups = mixups if mixups > len(at) // 2 else 0
            self.tally.mixups += mixups
            self.tally.unexplained += len(at) - mixups
