"""When a window's audio ended: held against the samples themselves, in a graph whose clock is ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.benchmarks.engine_report import PlayedSource
from streamer.analyzer.benchmarks.jack_clock import FrameTimes, JackClock, Reading
from streamer.analyzer.benchmarks.window_ends import Grid, window_ends
from streamer.engine.graph import ANALYZER, ClockGraph
from streamer.engine.rings import ChannelRings, RingFolder, Segment, SegmentKind, SourceRing

CYCLE = 512
GRID = Grid(window_frames=4800, hop_frames=2400)
BEGIN_S = 1000.0


class Played:
    """A source whose samples are their own numbers, played cycle by cycle; each begins where our clock says."""

    def __init__(self, folder: RingFolder) -> None:
        self._graph = ClockGraph(period_frames=CYCLE, paced=False)
        self.ring = SourceRing.create(folder, "then", 1, seconds=4)
        self.rings = ChannelRings.create(folder, 1, 4)
        source = self._graph.open_source("then", self.ring)
        inputs = self._graph.open_inputs(ANALYZER, self.rings)
        self._graph.connect(source.ports[0], inputs.bind(0).port)
        self.ring.write(np.arange(1, 100_001, dtype=np.float32)[:, None] / 2**20)
        self.clock = JackClock(self._graph.frame_time, self.rings, lambda: self.now_s)
        self.now_s = BEGIN_S
        self.written_s: list[tuple[int, float]] = []  # ring frames before which all was written, and when

    def play(self, cycles: int) -> None:
        """Each cycle is computed when it begins."""
        for _ in range(cycles):
            self.clock.read()
            self._graph.step(1)
            self.written_s.append((self.rings.written_frames, self.now_s))
            self.now_s += CYCLE / 48_000

    def read_s(self, source_frame: int) -> float:
        """When that sample could be read from the channel rings; found by its value."""
        at = np.flatnonzero(self.rings.data[0] == np.float32((source_frame + 1) / 2**20))
        assert len(at) == 1
        return next(when for written, when in self.written_s if written > at[0])

    def close(self) -> None:
        self._graph.close()
        self.ring.close()
        self.rings.close()


@pytest.fixture
def played(tmp_path: Path) -> Iterator[Played]:
    with RingFolder(tmp_path) as folder:
        made = Played(folder)
        yield made
        made.close()


def test_a_window_ended_within_the_cycle_before_its_last_sample_could_be_read(played: Played) -> None:
    played.play(3)
    played.ring.playing = True
    played.play(30)
    played.ring.playing = False  # a pause in the middle of a window
    played.play(7)
    played.ring.playing = True
    played.play(60)
    assert played.ring.underflow_frames == 0
    source = PlayedSource(1, tuple(played.ring.segments_kept()), played.ring.played_frames)
    ends = window_ends(source, GRID, FrameTimes(played.clock.readings), CYCLE)
    assert len(ends) == (90 * CYCLE - GRID.window_frames) // GRID.hop_frames + 1
    for number, ended_s in enumerate(ends):
        read_s = played.read_s(number * GRID.hop_frames + GRID.window_frames - 1)
        assert read_s - CYCLE / 48_000 - 1e-6 < ended_s <= read_s + 1e-6
    gap_s = float(np.max(np.diff(ends)))
    assert gap_s == pytest.approx((GRID.hop_frames + 7 * CYCLE) / 48_000)


def test_the_clock_says_how_far_the_rings_are_written(played: Played) -> None:
    played.play(5)
    times = FrameTimes(played.clock.readings)
    assert times.ahead_ms() == 0  # it was read when a cycle began
    assert times.wander_ms(BEGIN_S, played.now_s) == pytest.approx(0, abs=1e-6)


def test_a_reading_that_was_interrupted_is_taken_again(played: Played) -> None:
    played.play(1)
    ticks = iter([0.0, 0.5, 1.0, 1.0001, 99.0])
    clock = JackClock(lambda: 7, played.rings, lambda: next(ticks))
    clock.read()
    assert [(reading.jack_frame, reading.at_s) for reading in clock.readings] == [(7, pytest.approx(1.00005))]


@given(
    steps=st.lists(st.integers(1, 100_000), min_size=1, max_size=20),
    frame=st.integers(-100_000, 3_000_000),
    rate=st.floats(0.999, 1.001),
)
def test_time_between_readings_is_a_straight_line_and_goes_on_beyond_them(
    steps: list[int], frame: int, rate: float
) -> None:
    frames = np.cumsum(steps)
    readings = [Reading(int(at), BEGIN_S + at / 48_000 * rate, 0) for at in frames]
    (found,) = FrameTimes(readings).of(np.array([frame]))
    inside = min(max(frame, int(frames[0])), int(frames[-1]))
    expected = BEGIN_S + inside / 48_000 * rate + (frame - inside) / 48_000
    assert found == pytest.approx(expected, abs=1e-6)


@given(
    gaps=st.lists(
        st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
        min_size=1,
        max_size=10,
    ),
    begin=st.integers(0, 100_000),
)
def test_segments_are_followed_as_a_plain_loop_does(gaps: list[tuple[int, int]], begin: int) -> None:
    """Some frames sound, then there is silence for a while, and so on."""
    jack, own = begin, 0
    segments = [Segment(0, 0, SegmentKind.STOPPED)]
    sounded = {}  # jack frame of each source frame
    for frames, silence in gaps:
        segments.append(Segment(jack, own, SegmentKind.AUDIO))
        sounded.update({own + step: jack + step for step in range(frames)})
        jack, own = jack + frames, own + frames
        segments.append(Segment(jack, own, SegmentKind.UNDERFLOW))
        jack += silence
    times = FrameTimes([Reading(0, 0.0, 0), Reading(48_000_000, 1000.0, 0)])
    ends = window_ends(PlayedSource(1, tuple(segments), own), GRID, times, CYCLE)
    expected = [
        (sounded[first + GRID.window_frames - 1] + 1 - CYCLE) / 48_000
        for first in range(0, own - GRID.window_frames + 1, GRID.hop_frames)
    ]
    np.testing.assert_allclose(ends, expected, atol=1e-6)
