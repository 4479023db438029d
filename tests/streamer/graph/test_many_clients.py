"""Many sources of one channel each, which are as many clients of JACK: all are back soon after jackd was killed."""

from __future__ import annotations

import time

import pytest

from streamer.engine.graph import ANALYZER, GraphKeeper, JackGraph
from streamer.engine.graph.clients import SourceClient
from streamer.engine.graph.making_again import CycleFrames, cycle_frames_of
from streamer.engine.rings import ChannelRings, RingFolder, SegmentKind, SourceRing
from tests.streamer.graph.harness import Listener, fill
from tests.streamer.graph.test_keeper import by_a_person, killed
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.settings import GraphSettings

PROOFS = 8  # of so many sources every sample is proved


@pytest.mark.parametrize(
    ("sources", "back_s"),
    # On two cores with little else to do 128 are back in 5 s. Each of JACK's questions to each client waits for other
    # programs, so under a load average of 10 it was 21 s: the bound is for that.
    [(24, 10.0), pytest.param(128, 45.0, marks=pytest.mark.long)],
)
def test_many_sources_of_one_channel_are_back_with_all_that_they_had(
    folder: RingFolder, tmp_path_factory: pytest.TempPathFactory, sources: int, back_s: float
) -> None:
    require_part("jackd")
    rings = ChannelRings.create(folder, sources, 4)
    settings = GraphSettings(max_channels=sources)
    made = [SourceRing.create(folder, f"s{number}", 1, seconds=1.0) for number in range(sources)]
    with GraphKeeper(settings, tmp_path_factory.mktemp("home")) as keeper:
        inputs = keeper.open_inputs(ANALYZER, rings)
        with keeper.client_lock:  # what comes while JACK is away is made at one go
            killed(keeper)
            wait_for(lambda: not keeper.is_running, "the loss")
            for number, ring in enumerate(made):
                source = keeper.open_source(f"s{number}", ring)
                keeper.connect(source.ports[0], inputs.bind(number).port)
        wait_for(lambda: keeper.is_running and keeper.status()["restarts"] == 1, "all are there", 60)
        by_a_person(keeper, "jack_connect", "s1:out_1", "system:playback_1")
        wait_for(lambda: len(keeper._connections._seen) == sources + 1, "the keeper has seen it")
        ports, connections = set(keeper.ports()), keeper.connections()
        since = rings.claimed_frames
        for ring in made:
            fill(ring)
            ring.playing = True
        listeners = [
            Listener(rings, made[number], {0: number}, since)
            for number in range(0, sources, sources // PROOFS)
        ]
        wait_for(lambda: all(listener.hear().audio > 2000 for listener in listeners), "audio")
        before, xruns = keeper.frame_time(), keeper.xruns

        killed_s = time.monotonic()
        killed(keeper)
        wait_for(lambda: keeper.status()["restarts"] == 2 and keeper.is_running, "back", 4 * back_s)
        took_s = time.monotonic() - killed_s
        assert set(keeper.ports()) == ports
        assert keeper.connections() == connections
        assert len(connections) == sources + 1
        assert keeper.cycle_frames == settings.period_frames, "cycles were short while all was made again"
        assert 0 < keeper.status()["lost_for_s"] <= took_s
        assert keeper.frame_time() - before == pytest.approx(
            48_000 * (time.monotonic() - killed_s), abs=24_000
        )
        heard = [listener.hear().audio for listener in listeners]
        for ring in made:
            fill(ring)
        wait_for(
            lambda: all(
                listener.hear().audio > frames + 2000
                for listener, frames in zip(listeners, heard, strict=True)
            ),
            "audio of all",
        )
        assert all(SegmentKind.MISSED in listener.heard.frames for listener in listeners)
        assert all(ring.missed_frames > 0 for ring in made)
        assert keeper.xruns - xruns < 5, "late cycles of a graph in which nothing plays do not count"
        assert took_s < back_s


def test_jackd_killed_once_more_while_all_is_made_again_is_no_obstacle(
    folder: RingFolder, tmp_path_factory: pytest.TempPathFactory
) -> None:
    require_part("jackd")
    rings = ChannelRings.create(folder, 12, 2)
    with GraphKeeper(GraphSettings(max_channels=12), tmp_path_factory.mktemp("home")) as keeper:
        inputs = keeper.open_inputs(ANALYZER, rings)
        for number in range(12):
            source = keeper.open_source(f"s{number}", SourceRing.create(folder, f"s{number}", 1, seconds=1.0))
            keeper.connect(source.ports[0], inputs.bind(number).port)
        connections = keeper.connections()
        for pause_s in (0.2, 0.3, 0.4):  # while they are opened, or activated, or connected
            kill_twice(keeper, pause_s)
            assert keeper.connections() == connections
            assert keeper.cycle_frames == 1024


def kill_twice(keeper: GraphKeeper, pause_s: float) -> None:
    """Kill jackd, and the next one so soon after its start; returns when all is back."""
    first = keeper.server_pid
    killed(keeper)
    wait_for(lambda: not keeper.is_running, "the loss")
    wait_for(lambda: keeper.server_pid not in (None, first), "the next jackd")
    second = keeper.server_pid
    time.sleep(pause_s)
    killed(keeper)
    wait_for(lambda: keeper.is_running and keeper.server_pid not in (None, second), "back")


def test_all_clients_are_opened_before_the_first_is_activated(
    folder: RingFolder, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    require_part("jackd")
    steps: list[str] = []
    opened, activated = JackGraph.open_source, JackGraph.activate
    with GraphKeeper(GraphSettings(), tmp_path_factory.mktemp("home")) as keeper:
        for number in range(6):
            keeper.open_source(f"s{number}", SourceRing.create(folder, f"s{number}", 1, seconds=1.0))

        def open_source(graph: JackGraph, name: str, ring: SourceRing) -> SourceClient:
            steps.append(f"open at {graph.cycle_frames}")
            return opened(graph, name, ring)

        def activate(graph: JackGraph, name: str) -> None:
            steps.append(f"activate at {graph.cycle_frames}")
            activated(graph, name)

        monkeypatch.setattr(JackGraph, "open_source", open_source)
        monkeypatch.setattr(JackGraph, "activate", activate)
        killed(keeper)
        wait_for(lambda: keeper.status()["restarts"] == 1 and keeper.is_running, "back")
        assert steps == ["open at 64"] * 6 + ["activate at 256"] * 6
        assert keeper.cycle_frames == 1024


def test_cycles_are_short_where_there_is_something_to_gain() -> None:
    assert cycle_frames_of(1024, 128, may_be_short=True) == CycleFrames(64, 256, 1024)
    assert cycle_frames_of(128, 128, may_be_short=True) == CycleFrames(64, 128, 128)
    assert cycle_frames_of(1024, 2, may_be_short=True) == CycleFrames(1024, 1024, 1024)
    assert cycle_frames_of(1024, 128, may_be_short=False) == CycleFrames(1024, 1024, 1024)
