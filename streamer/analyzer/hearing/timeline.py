"""When the frames of a group of channels were sound: from frames of the channel rings to those of a source's runs."""

from __future__ import annotations

import time
from bisect import bisect_right
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple, Protocol

from streamer.analyzer.hearing.segments import NewSegments
from streamer.engine.rings import (
    ENGINE_RATE_HZ,
    Anchor,
    ChannelRings,
    ChannelSegment,
    Piece,
    Segment,
    SegmentKind,
    SourceRing,
    source_pieces,
)
from streamer.engine.rings.layout import W_ANCHORS_WRITTEN, W_SEGMENTS_CLAIMED, W_SEGMENTS_WRITTEN

_NS_PER_S: Final = 1_000_000_000
# As for sources (live_clock.TOLERANCE_S): time lost beyond this is worth a new anchor.
_TOLERANCE_FRAMES: Final = ENGINE_RATE_HZ // 2


class Stretch(NamedTuple):
    """Frames of the channel rings of which all are a source's own samples, or none is.

    Attributes:
        ring_frame: its first frame in the channel rings.
        frames: its length.
        jack_frame: of its first frame; None if nobody knows it any more, and so not what it was either.
        anchor: of the run that its samples belong to; None for silence and where it is not known.
        frame: source frames from the anchor to its first sample; 0 without an anchor.
    """

    ring_frame: int
    frames: int
    jack_frame: int | None
    anchor: Anchor | None
    frame: int


class Timeline(Protocol):
    """What a group asks. What it asks about may be asked again, but nothing before it."""

    def stretches(self, first: int, frames: int) -> list[Stretch]:
        """What ``frames`` frames of the channel rings from ``first`` on were; they must have been written."""

    def anchors_between(self, anchor: Anchor, other: Anchor | None) -> list[Anchor]:
        """Anchors after ``anchor``, up to ``other`` and with it; all later ones if there is no ``other``."""

    @property
    def end_frame(self) -> int | None:
        """The source frame after the last one that was given to be heard; None if nobody can say."""


class SourceTimeline:
    """Of a source with a ring: its segments say what sounded when, its anchors when that was sound.

    Args:
        rings: the channel rings.
        ring: the source's, opened to be read.
    """

    def __init__(self, rings: ChannelRings, ring: SourceRing) -> None:
        self._ring = ring
        self._channel = NewSegments(
            rings.words,
            rings.segments,
            W_SEGMENTS_CLAIMED,
            W_SEGMENTS_WRITTEN,
            lambda row: ChannelSegment(row[0], row[1], row[2]),
        )
        self._source = NewSegments(
            ring.words,
            ring.segments,
            W_SEGMENTS_CLAIMED,
            W_SEGMENTS_WRITTEN,
            lambda row: Segment(row[0], row[1], SegmentKind(row[2])),
        )
        self._anchors: list[Anchor] = []
        self._anchors_seen = 0

    def stretches(self, first: int, frames: int) -> list[Stretch]:
        """See ``Timeline``."""
        # What the graph has played is known before it is recorded, so that this covers all that was written.
        played = self._ring.played_frames
        channel, source = self._channel.newest(first), self._source.known()
        self._refresh_anchors()
        pieces = source_pieces(first, frames, channel, source)
        if pieces and pieces[0].jack_frame is not None:
            self._source.forget_before(pieces[0].jack_frame)
        return [stretch for piece in pieces for stretch in self._stretches_of(piece, played)]

    def anchors_between(self, anchor: Anchor, other: Anchor | None) -> list[Anchor]:
        """See ``Timeline``."""
        later = [known for known in self._anchors if known.frame > anchor.frame]
        return [known for known in later if other is None or known.frame <= other.frame]

    @property
    def end_frame(self) -> int | None:
        """See ``Timeline``."""
        return self._ring.written_frames

    def _stretches_of(self, piece: Piece, played: int) -> list[Stretch]:
        ring_frame, frames, jack, source_frame, kind = piece
        if jack is None or (kind is None and self._source.have_gone):
            return [Stretch(ring_frame, frames, None, None, 0)]
        if kind is not SegmentKind.AUDIO or source_frame is None:
            return [Stretch(ring_frame, frames, jack, None, 0)]
        # A client that was taken out of the graph says no more; what it has not played was not heard.
        heard = max(min(frames, played - source_frame), 0)
        found = []
        bounds = [
            anchor.frame for anchor in self._anchors if source_frame < anchor.frame < source_frame + heard
        ]
        for begin, end in pairwise([source_frame, *dict.fromkeys(bounds), source_frame + heard]):
            anchor = self._anchor_of(begin)
            offset = begin - source_frame
            # Without an anchor nobody knows when it was.
            at = None if anchor is None else jack + offset
            frame = 0 if anchor is None else begin - anchor.frame
            found.append(Stretch(ring_frame + offset, end - begin, at, anchor, frame))
        if heard < frames:
            found.append(Stretch(ring_frame + heard, frames - heard, jack + heard, None, 0))
        return [stretch for stretch in found if stretch.frames]

    def _refresh_anchors(self) -> None:
        written = int(self._ring.words[W_ANCHORS_WRITTEN])
        if written != self._anchors_seen:
            # The newest of those at the same frame holds.
            self._anchors = list({anchor.frame: anchor for anchor in self._ring.anchors_kept()}.values())
            self._anchors_seen = written

    def _anchor_of(self, source_frame: int) -> Anchor | None:
        after = bisect_right(self._anchors, source_frame, key=lambda anchor: anchor.frame)
        return self._anchors[after - 1] if after else None


class RinglessTimeline:
    """Of a channel whose samples have no ring of a source: live streams, and ports of other programs.

    Its run begins where hearing begins, at the time that the wall clock says, and anew where the graph lost more than
    half a second.

    Args:
        rings: the channel rings.
        first: the first frame that is heard.
        utc_ns: the wall clock, ns since 1970.
    """

    def __init__(self, rings: ChannelRings, first: int, utc_ns: Callable[[], int] = time.time_ns) -> None:
        self._rings, self._utc_ns = rings, utc_ns
        self._anchors = [self._anchor_at(first)]
        self._missed_frames = rings.missed_frames

    def stretches(self, first: int, frames: int) -> list[Stretch]:
        """See ``Timeline``."""
        if self._rings.missed_frames - self._missed_frames > _TOLERANCE_FRAMES:
            self._missed_frames = self._rings.missed_frames
            self._anchors = [self._anchors[-1], self._anchor_at(first)]
        anchor = self._anchors[-1]
        # Its ring frames go on without a gap, so they stand for its jack frames as well.
        return [Stretch(first, frames, first, anchor, first - anchor.frame)]

    def anchors_between(self, anchor: Anchor, other: Anchor | None) -> list[Anchor]:
        """See ``Timeline``."""
        later = [known for known in self._anchors if known.frame > anchor.frame]
        return [known for known in later if other is None or known.frame <= other.frame]

    @property
    def end_frame(self) -> int | None:
        """See ``Timeline``; nobody knows whether more was to come."""
        return None

    def _anchor_at(self, ring_frame: int) -> Anchor:
        age_ns = (self._rings.written_frames - ring_frame) * _NS_PER_S // ENGINE_RATE_HZ
        return Anchor(ring_frame, self._utc_ns() - age_ns)
