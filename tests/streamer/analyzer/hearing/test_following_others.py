"""Live streams, ports of others, engines that come and go, and the thread that hears."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from streamer.analyzer.hearing import AudioHistory, Hearer
from streamer.analyzer.hearing.following import EngineFollower
from streamer.engine.graph import LIVE_STREAMS
from streamer.engine.rings import ENGINE_RATE_HZ
from tests.streamer.analyzer.hearing.conftest import GEOMETRY
from tests.streamer.analyzer.hearing.small_engine import NS_PER_S, Listener, SmallEngine, numbered
from tests.streamer.sources.clocks import Clock
from tests.support.waiting import wait_for
from tidzam_platform.analyzer_sections import AnalyzerSettings

Hear = Callable[..., Hearer]
WINDOW, HOP = GEOMETRY.window_frames, GEOMETRY.hop_frames


def starts(listener: Listener, channel: str) -> list[int]:
    return [start for _, start, _ in listener.of(channel)]


def grid(frames: int, first: int = 0) -> list[int]:
    """The windows of so many frames of a run, if it is heard from ``first`` on."""
    return [start for start in range(0, frames - WINDOW + 1, HOP) if start >= first]


class TestLiveStreams:
    def test_they_are_timed_by_the_wall_clock_from_where_their_slot_began(
        self, engine: SmallEngine, listener: Listener, tmp_path: Path
    ) -> None:
        clock = Clock()
        hearer = Hearer(tmp_path, AnalyzerSettings(), listener.on_moment, utc_ns=clock.utc_ns)
        hearer.set_geometry(GEOMETRY)
        hearer.look()
        engine.add_live(1)
        engine.cycle(2048)
        engine.add_live(7)
        engine.cycle(2048)
        hearer.look()
        for number, frames in ((1, 4096), (7, 2048)):
            windows = listener.of(f"{LIVE_STREAMS}:out_{number}")
            assert [start for _, start, _ in windows] == grid(frames)
            begun_ns = clock.utc_ns() - frames * NS_PER_S // ENGINE_RATE_HZ
            assert {run.anchor_utc_ns for run, _, _ in windows} == {begun_ns}
            assert all((row == np.float32(number / 1000)).all() for _, _, row in windows)
        hearer.end()

    def test_time_that_the_graph_lost_begins_another_run(
        self, engine: SmallEngine, hear: Hear, listener: Listener
    ) -> None:
        hearer = hear()
        hearer.look()
        engine.add_live(1)
        engine.cycle(2048)
        hearer.look()
        engine._now += 40_000  # the clock went on; the graph did not
        for _ in range(60):
            engine.cycle(512)
            hearer.look()
        assert engine.rings.missed_frames > 39_000
        assert len({run for run, _, _ in listener.of(f"{LIVE_STREAMS}:out_1")}) == 2
        assert len(listener.ended) == 1

    def test_what_was_seen_before_they_go_is_heard_and_not_kept(
        self, engine: SmallEngine, hear: Hear, listener: Listener
    ) -> None:
        history = AudioHistory(10**7)
        history.set_seconds(1)
        hearer = hear(history=history)
        hearer.look()
        engine.add_live(3)
        engine.cycle(1500)
        hearer.look()
        engine.cycle(200)
        hearer.look()
        engine.remove_live(3)
        engine.cycle(2000)
        hearer.look()
        ((run, numbers),) = listener.ended
        assert (run.source, numbers) == (LIVE_STREAMS, (3,))
        assert starts(listener, f"{LIVE_STREAMS}:out_3") == grid(1700)
        assert history.span(run, 3, 0) is None, "what people send is not kept, not even in memory"
        assert history.counts()["channels"] == 0


def test_a_port_of_another_program_is_heard_when_it_is_clear_that_it_has_no_ring(
    engine: SmallEngine, listener: Listener, tmp_path: Path
) -> None:
    clock = Clock()
    hearer = Hearer(tmp_path, AnalyzerSettings(), listener.on_moment, monotonic=clock.monotonic)
    hearer.set_geometry(GEOMETRY)
    hearer.look()
    engine._bind("microscope:out_1")
    engine.publish()
    engine.cycle(1500)
    hearer.look()
    assert not hearer.status()["channels"]
    clock.pass_s(2.1)
    hearer.look()
    assert starts(listener, "microscope:out_1") == grid(1500)
    hearer.end()


class TestEngines:
    def test_one_that_starts_later_is_heard_from_its_beginning(
        self, tmp_path: Path, hear: Hear, listener: Listener
    ) -> None:
        hearer = hear()
        hearer.look()
        assert "start it" in hearer.status()["engine"]
        with SmallEngine(tmp_path) as engine:
            engine.add("marsh")
            engine.play("marsh", 3000)
            wait_for(lambda: _looked(hearer)["engines"] == 1, "it is found")
            assert starts(listener, "marsh:out_1") == grid(3000)

    def test_one_that_ends_ends_all_runs_and_the_next_one_is_found(
        self, tmp_path: Path, hear: Hear, listener: Listener
    ) -> None:
        hearer = hear()
        for turn in range(3):
            with SmallEngine(tmp_path) as engine:
                wait_for(lambda turn=turn: _looked(hearer)["engines"] == turn + 1, "it is found")  # type: ignore[misc]
                engine.add("marsh")
                engine.play("marsh", 2000)
                hearer.look()
            wait_for(lambda: not _looked(hearer)["channels"], "it has ended")
            assert len(listener.ended) == turn + 1
        assert len(listener.of("marsh:out_1")) == 3 * len(grid(2000))

    def test_one_that_was_killed_is_noticed(self, tmp_path: Path) -> None:
        program = (
            "import sys, time; from pathlib import Path; from streamer.engine.rings import *;"
            "folder = RingFolder(Path(sys.argv[1])); rings = ChannelRings.create(folder, 1, 0.5);"
            "Directory.create(folder).write({'channel_rings': rings.path.name, 'sources': {}, 'slots': []});"
            "print('ready', flush=True); time.sleep(60)"
        )
        clock = Clock()
        follower = EngineFollower(tmp_path, monotonic=clock.monotonic)
        assert follower.found() is None
        with subprocess.Popen(
            [sys.executable, "-c", program, str(tmp_path)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            clock.pass_s(2)
            found = follower.found()
            assert found is not None
            assert found.is_new
            clock.pass_s(1.5)
            assert not follower.has_ended(), "its graph stands still, but it lives"
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
            assert not follower.has_ended(), "not looked at each time"
            clock.pass_s(1.5)
            assert follower.has_ended()
            follower.let_go()

    @pytest.mark.usefixtures("engine")
    def test_the_same_one_found_again_is_not_heard_from_its_beginning(self, tmp_path: Path) -> None:
        clock = Clock()
        follower = EngineFollower(tmp_path, monotonic=clock.monotonic)
        for _ in range(2):
            clock.pass_s(2)
            found = follower.found()
            assert found is not None
            assert not found.is_new
            follower.let_go()


def _looked(hearer: Hearer) -> dict[str, int]:
    hearer.look()
    return hearer.counts()


def test_what_came_too_late_is_counted_by_channel(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    engine.add("marsh", 2)
    engine.play("marsh", 2000)
    hearer.look()
    engine.play("marsh", 40_000)  # the rings hold 24,576
    hearer.look()
    engine.play("marsh", 1000)
    hearer.look()
    counts = hearer.counts()
    left_out = counts["windows_left_out"]["lost"]
    assert left_out > 0
    assert len(listener.windows) + left_out == 2 * len(grid(43_000))
    assert counts["channel_windows_left_out"] == {"marsh:out_1": left_out // 2, "marsh:out_2": left_out // 2}
    assert counts["lost_frames"] > 0
    assert hearer.status()["channels"]["marsh:out_1"]["left_out"] == {
        "lost": left_out // 2,
        "missed": 0,
        "skipped": 0,
    }


def test_silence_that_the_engine_puts_in_is_no_part_of_a_window(
    engine: SmallEngine, hear: Hear, listener: Listener
) -> None:
    hearer = hear()
    hearer.look()
    source = engine.add("marsh")
    engine.play("marsh", 600)
    engine.cycle(700)  # too few samples
    hearer.look()
    engine.play("marsh", 1400)
    hearer.look()
    assert starts(listener, "marsh:out_1") == grid(2000)
    np.testing.assert_array_equal(
        listener.of("marsh:out_1")[0][2], numbered(source.serial, 0, WINDOW, 1)[:, 0]
    )
    assert hearer.counts()["interruptions"] == 1


def test_wild_samples_are_tamed(engine: SmallEngine, hear: Hear, listener: Listener) -> None:
    hearer = hear()
    hearer.look()
    source = engine.add("marsh")
    wild = np.full((1000, 1), 0.5, np.float32)
    wild[:4, 0] = [np.nan, np.inf, -np.inf, 7]
    source.ring.write(wild)
    engine.cycle(1000)
    hearer.look()
    ((_, _, row),) = listener.of("marsh:out_1")
    assert row[:5].tolist() == [0, 0, 0, 1, 0.5]


class TestThread:
    def test_it_hears_by_itself_until_it_is_stopped(
        self, engine: SmallEngine, hear: Hear, listener: Listener
    ) -> None:
        hearer = hear()
        hearer.start()
        wait_for(lambda: hearer.status()["is_hearing"], "it hears")
        engine.add("marsh")
        engine.play("marsh", 3000)
        wait_for(lambda: len(listener.windows) == len(grid(3000)), "all windows come")
        hearer.stop()
        hearer.stop()
        assert len(listener.ended) == 1
        assert not hearer.status()["is_hearing"]
        assert hearer.counts()["faults"] == 0

    def test_a_fault_is_counted_and_hearing_goes_on(
        self, engine: SmallEngine, tmp_path: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        heard: list[int] = []

        def on_moment(moment: object) -> None:
            heard.append(1)
            if len(heard) == 1:
                raise ValueError("a fault of who listens")

        hearer = Hearer(tmp_path, AnalyzerSettings(), on_moment)
        hearer.set_geometry(GEOMETRY)
        hearer.start()
        wait_for(lambda: hearer.status()["is_hearing"], "it hears")
        engine.add("marsh")
        engine.play("marsh", 2000)
        wait_for(lambda: hearer.counts()["faults"] == 1, "the fault is counted")
        wait_for(lambda: hearer.status()["is_hearing"], "it hears again")
        engine.play("marsh", 3000)
        wait_for(lambda: len(heard) > 1, "windows come again")
        hearer.stop()
        assert "a fault of who listens" in caplog.text

    def test_it_can_be_stopped_without_having_been_started(self, hear: Hear) -> None:
        hear().stop()
