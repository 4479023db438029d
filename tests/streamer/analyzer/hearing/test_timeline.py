"""Frames of the rings become frames of runs; what nobody knows is said to be unknown."""

from __future__ import annotations

import pytest

from streamer.analyzer.hearing.timeline import SourceTimeline, Stretch
from streamer.engine.rings import Anchor, SourceRing
from tests.streamer.analyzer.hearing.small_engine import SmallEngine


@pytest.fixture
def timeline(engine: SmallEngine) -> SourceTimeline:
    """Of the source marsh, which was added after a cycle of 100 frames."""
    engine.cycle(100)
    source = engine.add("marsh")
    return SourceTimeline(engine.rings, SourceRing.open(source.ring.path))


def anchors(engine: SmallEngine) -> list[Anchor]:
    return [Anchor(frame, utc_ns) for frame, utc_ns in sorted(engine.sources["marsh"].anchors.items())]


def told(stretches: list[Stretch]) -> list[tuple[int, int, Anchor | None, int]]:
    return [(one.ring_frame, one.frames, one.anchor, one.frame) for one in stretches]


def test_audio_silence_and_another_run(engine: SmallEngine, timeline: SourceTimeline) -> None:
    engine.play("marsh", 300)
    engine.cycle(50)
    engine.write("marsh", 40)
    engine.anchor("marsh")
    engine.write("marsh", 60)
    engine.cycle(100)
    first, second = anchors(engine)
    expected = [
        (0, 100, None, 0),
        (100, 300, first, 0),
        (400, 50, None, 0),
        (450, 40, first, 300),
        (490, 60, second, 0),
    ]
    assert told(timeline.stretches(0, 550)) == expected
    assert told(timeline.stretches(0, 550)) == expected, "asked again it says the same"
    assert told(timeline.stretches(200, 100)) == [(200, 100, first, 100)]
    assert all(one.jack_frame == one.ring_frame + 5000 for one in timeline.stretches(200, 350))
    assert timeline.anchors_between(first, second) == [second]
    assert timeline.anchors_between(second, None) == []
    assert timeline.end_frame == 400


def test_the_newest_of_two_anchors_at_the_same_frame_holds(
    engine: SmallEngine, timeline: SourceTimeline
) -> None:
    engine.anchor("marsh")
    engine.play("marsh", 100)
    (anchor,) = anchors(engine)
    assert told(timeline.stretches(100, 100)) == [(100, 100, anchor, 0)]


def test_before_a_source_was_there_it_was_silent(engine: SmallEngine, timeline: SourceTimeline) -> None:
    assert told(timeline.stretches(0, 100)) == [(0, 100, None, 0)]
    assert timeline.stretches(0, 100)[0].jack_frame == 5000


def test_a_source_without_an_anchor_was_at_no_time(engine: SmallEngine) -> None:
    source = engine.add("marsh", anchored=False)
    timeline = SourceTimeline(engine.rings, SourceRing.open(source.ring.path))
    engine.play("marsh", 100)
    assert timeline.stretches(0, 100) == [Stretch(0, 100, None, None, 0)]


def test_what_was_not_played_was_not_heard(engine: SmallEngine, timeline: SourceTimeline) -> None:
    """A client that was taken out of the graph leaves no segment; what it gave last goes on for ever, it seems."""
    engine.play("marsh", 100)
    source = engine.sources.pop("marsh")
    engine.cycle(200)
    assert told(timeline.stretches(100, 300)) == [
        (100, 100, Anchor(0, source.anchors[0]), 0),
        (200, 200, None, 0),
    ]
    source.ring.close()


def test_changes_that_were_forgotten_before_they_were_read_are_unknown(
    engine: SmallEngine, timeline: SourceTimeline
) -> None:
    for _ in range(600):
        engine.write("marsh", 10)
        engine.cycle(10)
        engine.cycle(10)
    frames = engine.rings.written_frames
    stretches = timeline.stretches(0, frames)
    assert sum(one.frames for one in stretches) == frames
    unknown = [one for one in stretches if one.jack_frame is None]
    assert unknown[0].ring_frame == 0
    assert sum(one.frames for one in unknown) == frames - 1024 * 10
    known = [one for one in stretches if one.anchor]
    assert [one.frame for one in known] == list(range(6000 - 512 * 10, 6000, 10))
    later = timeline.stretches(frames - 20, 20)
    assert told(later) == told(stretches)[-2:]
