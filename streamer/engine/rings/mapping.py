"""From a frame of a channel's ring to the source's own frame, and to what it was: audio or silence put in."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from streamer.engine.rings.frames import ChannelSegment, Segment, SegmentKind


class Piece(NamedTuple):
    """A run of frames of a channel's ring of which all is known, or nothing.

    Attributes:
        ring_frame: its first frame in the ring.
        frames: its length.
        jack_frame: of its first frame; None if no segment says it any more.
        source_frame: of its first frame; for silence the source frame that comes next; None if unknown.
        kind: what sounded; None if unknown.
    """

    ring_frame: int
    frames: int
    jack_frame: int | None
    source_frame: int | None
    kind: SegmentKind | None


def source_pieces(
    ring_frame: int, frames: int, channel: Sequence[ChannelSegment], source: Sequence[Segment]
) -> list[Piece]:
    """Cut ``frames`` frames of a channel's ring from ``ring_frame`` on into pieces.

    Args:
        ring_frame: first frame.
        frames: how many.
        channel: ``ChannelRings.segments_kept()``, oldest first.
        source: ``SourceRing.segments_kept()`` of the source that is connected, oldest first.
    """
    pieces = []
    for begin, end, jack in _ring_pieces(ring_frame, ring_frame + frames, channel):
        if jack is None:
            pieces.append(Piece(begin, end - begin, None, None, None))
            continue
        for jack_begin, jack_end, segment in _jack_pieces(jack, jack + end - begin, source):
            at = begin + jack_begin - jack
            if segment is None:
                pieces.append(Piece(at, jack_end - jack_begin, jack_begin, None, None))
                continue
            moves = segment.kind is SegmentKind.AUDIO
            source_frame = segment.source_frame + (jack_begin - segment.jack_frame if moves else 0)
            pieces.append(Piece(at, jack_end - jack_begin, jack_begin, source_frame, segment.kind))
    return pieces


def _ring_pieces(
    begin: int, end: int, segments: Sequence[ChannelSegment]
) -> Iterator[tuple[int, int, int | None]]:
    starts = [segment.ring_frame for segment in segments]
    while begin < end:
        after = bisect_right(starts, begin)
        stop = min(end, starts[after]) if after < len(starts) else end
        jack = segments[after - 1].jack_frame + begin - segments[after - 1].ring_frame if after else None
        yield begin, stop, jack
        begin = stop


def _jack_pieces(
    begin: int, end: int, segments: Sequence[Segment]
) -> Iterator[tuple[int, int, Segment | None]]:
    starts = [segment.jack_frame for segment in segments]
    while begin < end:
        after = bisect_right(starts, begin)
        stop = min(end, starts[after]) if after < len(starts) else end
        yield begin, stop, segments[after - 1] if after else None
        begin = stop
