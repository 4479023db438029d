"""What feeds a ring: live sources that come as they like, and files that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import pytest

from streamer.engine.graph import ClockGraph, GraphSource
from streamer.engine.rings import ENGINE_RATE_HZ, RingFolder, SourceReader, SourceRing
from streamer.engine.sources.drift import FillController
from streamer.engine.sources.live_clock import TOLERANCE_S, LiveClock
from streamer.engine.sources.live_writer import MAX_FULL_S, SETTLE_S, LiveCounts, LiveWriter
from streamer.engine.sources.paced_writer import PacedWriter
from tests.streamer.sources.clocks import Clock

CYCLE = 2048
CYCLE_S = CYCLE / ENGINE_RATE_HZ
RING_S = 4.0
TARGET_S = 1.0


class Stage:
    """A ring that a stepped graph plays, a live writer, and time that passes for all of them."""

    def __init__(self, folder: RingFolder, graph: ClockGraph, clock: Clock, *, can_wait: bool = True) -> None:
        self.graph, self.clock = graph, clock
        self.ring = SourceRing.create(folder, "marsh", 1, seconds=RING_S)
        self.client: GraphSource = graph.open_source("marsh", self.ring)
        self.counts = LiveCounts()
        self.controller = FillController(0)
        self.live_clock = LiveClock(self.ring, utc_ns=clock.utc_ns, monotonic=clock.monotonic)
        self.reader = SourceReader(self.ring, first_frame=0)
        self.sent = 0
        self.can_wait = can_wait
        self.begin()

    def begin(self) -> None:
        self.writer = LiveWriter(
            self.ring,
            self.live_clock,
            self.controller,
            target_frames=round(TARGET_S * ENGINE_RATE_HZ),
            counts=self.counts,
            can_wait=self.can_wait,
            monotonic=self.clock.monotonic,
        )

    def send(self, seconds: float) -> None:
        """A block comes."""
        frames = round(seconds * ENGINE_RATE_HZ)
        ramp = np.arange(self.sent, self.sent + frames) % 1000 / 1000
        self.sent += frames
        self.writer.write(ramp.astype(np.float32)[:, None])

    def pass_s(self, seconds: float, *, speed: float = 1.0, graph: bool = True, waits: bool = False) -> None:
        """Time passes, the graph plays, and a source gives samples at ``speed`` of real time."""
        for _ in range(round(seconds / CYCLE_S)):
            self.clock.pass_s(CYCLE_S)
            if graph:
                self.graph.step()
            if speed and (not waits or self.writer.may_write()):
                self.send(speed * CYCLE_S)
            self.writer.check()

    @property
    def waiting_s(self) -> float:
        return self.ring.waiting_frames / ENGINE_RATE_HZ

    def error_s(self, frame: int, true_utc_ns: int) -> float:
        """How wrong the time of a frame is."""
        utc_ns = self.ring.utc_ns_of(frame)
        assert utc_ns is not None
        return (utc_ns - true_utc_ns) / 1e9

    def close(self) -> None:
        self.client.close()
        self.ring.close()


@pytest.fixture
def made(ring_folder: RingFolder, stepped_graph: ClockGraph, clock: Clock) -> Iterator[Callable[..., Stage]]:
    stages: list[Stage] = []

    def make(**more: bool) -> Stage:
        stages.append(Stage(ring_folder, stepped_graph, clock, **more))
        return stages[-1]

    yield make
    for stage in stages:
        stage.close()


def test_it_sounds_when_as_much_waits_as_shall_and_never_runs_dry(made: Callable[..., Stage]) -> None:
    stage = made()
    stage.pass_s(TARGET_S - 0.1)
    assert not stage.writer.is_sounding
    assert stage.ring.written_frames == 0
    stage.pass_s(0.3)
    assert stage.writer.is_sounding
    stage.pass_s(60)
    assert stage.ring.underflow_frames == 0
    assert abs(stage.waiting_s - TARGET_S) < 0.05
    assert stage.counts == LiveCounts()


def test_its_time_is_that_of_the_first_sample(made: Callable[..., Stage], clock: Clock) -> None:
    stage = made()
    begun_ns = clock.utc_ns()
    stage.pass_s(10)
    assert abs(stage.error_s(0, begun_ns)) < 2 * CYCLE_S
    assert len(stage.ring.anchors_kept()) == 1


def test_what_a_server_had_kept_is_of_before(made: Callable[..., Stage], clock: Clock) -> None:
    stage = made()
    stage.send(1.5)
    stage.pass_s(SETTLE_S + 0.1)
    assert stage.writer.is_sounding
    assert abs(stage.error_s(0, clock.utc_ns() - round((1.5 + SETTLE_S + 0.1) * 1e9))) < 0.05


def test_a_clock_that_is_set_moves_no_time(made: Callable[..., Stage], clock: Clock) -> None:
    stage = made()
    begun_ns = clock.utc_ns()
    for hour in (3600, -7200, 3600):
        stage.pass_s(40)
        clock.set_wall_clock(hour)
    assert len(stage.ring.anchors_kept()) == 1
    assert abs(stage.error_s(stage.ring.written_frames, begun_ns + round(120 * 1e9))) < 0.1


def test_after_a_pause_it_is_silent_until_enough_is_there_and_time_stays_right(
    made: Callable[..., Stage], clock: Clock
) -> None:
    stage = made()
    stage.pass_s(5)
    stage.pass_s(3, speed=0)
    assert not stage.writer.is_sounding
    assert stage.counts.rebuffers == 1
    assert stage.counts.inserted_frames == stage.ring.underflow_frames > 0
    lost_at = stage.sent
    stage.pass_s(1.5)
    assert not stage.writer.is_sounding, "twice as much waits now"
    stage.pass_s(2)
    assert stage.writer.is_sounding
    assert len(stage.ring.anchors_kept()) == 2, "three seconds are missing: a jump of time"
    assert stage.ring.anchors_kept()[1].frame == pytest.approx(lost_at, abs=500)  # the resampler's delay
    assert abs(stage.error_s(stage.ring.written_frames, clock.utc_ns())) < 0.1


def test_a_pause_that_is_made_up_for_is_no_jump(made: Callable[..., Stage], clock: Clock) -> None:
    stage = made()
    stage.pass_s(5)
    stage.pass_s(2, speed=0)
    stage.send(2)
    stage.pass_s(1)
    assert stage.writer.is_sounding
    assert len(stage.ring.anchors_kept()) == 1
    assert stage.counts.dropped_frames == 0
    assert abs(stage.error_s(stage.ring.written_frames, clock.utc_ns())) < 0.1


def test_bursts_find_their_own_delay(made: Callable[..., Stage]) -> None:
    stage = made()
    for _ in range(20):
        stage.send(1.6)
        stage.pass_s(1.6, speed=0)
    rebuffers = stage.counts.rebuffers
    assert rebuffers <= 2
    for _ in range(40):
        stage.send(1.6)
        stage.pass_s(1.6, speed=0)
    assert stage.counts.rebuffers == rebuffers
    assert stage.counts.dropped_frames == 0


def test_a_clock_that_is_too_fast_to_be_corrected_is_brought_back_by_dropping(
    made: Callable[..., Stage],
) -> None:
    stage = made(can_wait=False)
    stage.pass_s(120, speed=1.05)
    assert stage.counts.dropped_frames == stage.ring.overflow_frames > 0
    assert stage.counts.rebuffers == 0
    written = stage.ring.written_frames
    lost_by_resampling = stage.sent - written - stage.counts.dropped_frames
    assert 0 <= lost_by_resampling < 0.0011 * stage.sent + ENGINE_RATE_HZ * 0.01
    assert stage.waiting_s <= RING_S
    assert len(stage.ring.anchors_kept()) > 1, "each drop is a jump of time"


def test_a_clock_that_is_too_slow_to_be_corrected_is_silent_now_and_then(made: Callable[..., Stage]) -> None:
    stage = made()
    stage.pass_s(100, speed=0.95)
    assert stage.counts.inserted_frames == stage.ring.underflow_frames > 0
    assert stage.counts.rebuffers <= 4
    assert stage.counts.dropped_frames == 0


def test_a_server_is_made_to_wait_before_anything_is_dropped(made: Callable[..., Stage]) -> None:
    stage = made()
    stage.pass_s(100, waits=True)
    stage.pass_s(MAX_FULL_S, graph=False, waits=True)
    assert stage.counts.dropped_frames == 0
    assert not stage.writer.may_write() or stage.counts.dropped_frames == 0
    stage.pass_s(10, graph=False, waits=True)
    assert stage.counts.dropped_frames > 0, "the graph is gone for good"
    stage.pass_s(20, waits=True)
    assert abs(stage.waiting_s - TARGET_S) < 0.2, "the delay is what it was"


def test_a_file_that_calls_itself_live_is_played_whole(made: Callable[..., Stage]) -> None:
    stage = made()
    stage.pass_s(120, speed=4.0, waits=True)
    assert stage.counts == LiveCounts()
    assert stage.ring.underflow_frames == 0


def test_a_new_start_is_a_new_anchor_and_what_waited_is_played(
    made: Callable[..., Stage], clock: Clock
) -> None:
    stage = made()
    stage.pass_s(5)
    waited = stage.ring.written_frames
    stage.begin()
    stage.pass_s(1.2, speed=0)
    assert stage.ring.played_frames == waited
    assert stage.ring.underflow_frames == 0
    clock.set_wall_clock(3600)
    again_ns = clock.utc_ns()
    stage.pass_s(3)
    anchor = stage.ring.anchors_kept()[-1]
    assert anchor.frame == waited
    assert abs(anchor.utc_ns - again_ns) < 0.1e9


def test_time_that_drifts_apart_gets_a_new_anchor(made: Callable[..., Stage], clock: Clock) -> None:
    stage = made()
    stage.pass_s(5)
    # The graph's clock and the source's agree, and both are wrong by 1 %.
    for _ in range(120):
        stage.pass_s(1)
        clock.pass_s(0.01)
    anchors = len(stage.ring.anchors_kept())
    assert 2 <= anchors <= 4
    assert abs(stage.error_s(stage.ring.written_frames, clock.utc_ns())) < 2.5 * TOLERANCE_S


def test_a_burst_that_goes_on_after_it_began_to_play_is_found_within_seconds(
    made: Callable[..., Stage], clock: Clock
) -> None:
    stage = made()
    stage.pass_s(1.5)
    stage.send(2.0)  # what the server had kept comes late: all of it was sound before now
    stage.pass_s(1.9)
    assert len(stage.ring.anchors_kept()) == 1, "more of it may still come"
    stage.pass_s(0.3)
    assert len(stage.ring.anchors_kept()) == 2
    assert abs(stage.error_s(stage.ring.written_frames, clock.utc_ns())) < 0.1
    stage.pass_s(70)
    assert len(stage.ring.anchors_kept()) == 2


class TestPaced:
    def test_every_sample_arrives_in_order(self, ring_folder: RingFolder, stepped_graph: ClockGraph) -> None:
        with SourceRing.create(ring_folder, "marsh", 2, seconds=0.5) as ring:
            client = stepped_graph.open_source("marsh", ring)
            reader = SourceReader(ring, first_frame=0)
            heard = []

            def wait(_seconds: float) -> bool:
                stepped_graph.step(4)
                heard.append(reader.read(1 << 20).data)
                return True

            writer = PacedWriter(ring, wait)
            sent = np.random.default_rng(1).standard_normal((100_000, 2)).astype(np.float32)
            for begin in range(0, len(sent), 7000):
                assert writer.write(sent[begin : begin + 7000])
                heard.append(reader.read(1 << 20).data)
            assert writer.play_out()
            assert ring.waiting_frames == 0
            np.testing.assert_array_equal(np.concatenate(heard), sent)
            assert reader.lost_frames == ring.overflow_frames == 0
            client.close()

    def test_it_can_be_ended_while_it_waits(self, ring_folder: RingFolder) -> None:
        with SourceRing.create(ring_folder, "marsh", 1, seconds=0.5) as ring:
            writer = PacedWriter(ring, lambda _seconds: False)
            assert not writer.write(np.zeros((ENGINE_RATE_HZ, 1), np.float32))
            assert not writer.play_out()

    def test_a_graph_that_stands_still_is_not_waited_for_without_end(self, ring_folder: RingFolder) -> None:
        with SourceRing.create(ring_folder, "marsh", 1, seconds=0.5) as ring:
            waited = []
            writer = PacedWriter(ring, lambda seconds: waited.append(seconds) or True)  # type: ignore[func-returns-value]
            assert writer.write(np.zeros((100, 1), np.float32))
            assert not writer.play_out()
            assert 10 < sum(waited) < 30
