"""What readers and producers of rings hand each other."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

NS_PER_S = 1_000_000_000


class Playing(IntEnum):
    """What the graph does with a source's ring."""

    STOPPED = 0
    """Silence, that nobody counts as a fault."""
    ON = 1
    """Plays; a cycle for which there are too few frames is silent and counted as underflow."""
    DRAINING = 2
    """Plays what is left, then silence that is not counted: the source has ended."""


class SegmentKind(IntEnum):
    """What sounded during a segment of the graph's time."""

    STOPPED = 0
    """Silence: the source was not playing, or had ended."""
    AUDIO = 1
    """The source's own samples."""
    UNDERFLOW = 2
    """Silence put in because the source gave too little."""
    MISSED = 3
    """The graph did not compute these frames: an xrun, or JACK was away."""


class Anchor(NamedTuple):
    """This source frame was (or will have been) heard at that time."""

    frame: int
    utc_ns: int


class Segment(NamedTuple):
    """From this jack frame on, to the next segment. ``source_frame``: of its first frame; for silence the next one."""

    jack_frame: int
    source_frame: int
    kind: SegmentKind


class ChannelSegment(NamedTuple):
    """From this ring frame on, ring and jack frames advance together.

    ``missed_frames``: frames of time that the graph did not compute just before it (an xrun, or JACK was away).
    """

    ring_frame: int
    jack_frame: int
    missed_frames: int


class Fill(NamedTuple):
    """What ``SourceRing.fill_from`` did: frames read, and whether the pipe has ended."""

    frames: int
    ended: bool


@dataclass(frozen=True)
class Samples:
    """What a reader read.

    Attributes:
        first_frame: number of the first frame of ``data`` in its ring.
        data: a copy. float32 ``[frames]`` of a channel; ``[frames, channels]`` of a source; ``[slots, frames]`` of
            several channels. Nominally in [-1, 1]; never trust that.
        lost_frames: frames just before ``first_frame`` that were overwritten before this reader had them.
    """

    first_frame: int
    data: NDArray[np.float32]
    lost_frames: int


def utc_ns_after(anchor: Anchor, frame: int, rate_hz: int) -> int:
    """UTC of ``frame`` by an anchor, in whole nanoseconds, rounded down."""
    return anchor.utc_ns + (frame - anchor.frame) * NS_PER_S // rate_hz
