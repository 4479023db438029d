"""What is promised of an audio graph, held against each kind of it: JACK, JACK kept alive, and ours."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from streamer.engine.graph import ANALYZER, LIVE_STREAMS, AudioGraph, ClockGraph, Connection, PortKind
from streamer.engine.rings import ChannelReader, ChannelRings, SegmentKind
from tests.streamer.graph.conftest import MakeSource
from tests.streamer.graph.harness import connected_listener, fill, let_pass, stand
from tests.support.waiting import wait_for
from tidzam_platform.errors import AudioGraphError, InvalidNameError


def test_ports_have_the_names_of_the_original(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    source = graph.open_source("marsh-2", make_source(channels=3))
    inputs = graph.open_inputs(ANALYZER, rings)
    bound = [inputs.bind(slot) for slot in (0, 5)]
    assert source.ports == ("marsh-2:out_1", "marsh-2:out_2", "marsh-2:out_3")
    assert [one.port for one in bound] == ["analyzer:input_1", "analyzer:input_6"]
    assert inputs.ports == {0: "analyzer:input_1", 5: "analyzer:input_6"}
    assert stand("marsh-2", graph.ports(PortKind.OUTPUT)) == list(source.ports)
    assert stand("marsh-2", graph.ports(PortKind.INPUT)) == []
    assert stand(ANALYZER, graph.ports()) == ["analyzer:input_1", "analyzer:input_6"]


def test_each_channel_arrives_where_it_is_connected_sample_for_sample(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    ring = make_source(channels=5, seconds=1.5)
    source, inputs = graph.open_source("marsh", ring), graph.open_inputs(ANALYZER, rings)
    # Not in order, and one channel to nowhere.
    slots = {0: 3, 1: 0, 3: 1, 4: 2}
    listener = connected_listener(graph, inputs, rings, ring, source.ports, slots)
    ring.playing = True
    let_pass(graph, lambda: listener.hear().audio > 30_000, "30,000 frames")
    ring.finish()
    let_pass(graph, lambda: listener.hear().last_source_frame == ring.written_frames - 1, "the last frame")
    assert listener.heard.audio == ring.played_frames == ring.written_frames
    assert set(listener.heard.frames) <= {SegmentKind.STOPPED, SegmentKind.AUDIO}
    assert (ring.underflow_frames, ring.missed_frames, listener.heard.lost_frames) == (0, 0, 0)


def test_several_sources_do_not_mix(graph: AudioGraph, rings: ChannelRings, make_source: MakeSource) -> None:
    inputs = graph.open_inputs(ANALYZER, rings)
    listeners, sounds = [], []
    for number in range(4):
        ring = make_source(f"source{number}", channels=number + 1)
        source = graph.open_source(f"source{number}", ring)
        slots = {channel: 4 * number + channel for channel in range(number + 1)}
        listeners.append(connected_listener(graph, inputs, rings, ring, source.ports, slots))
        sounds.append(ring)
    for ring in sounds:
        ring.playing = True
    let_pass(graph, lambda: min(listener.hear().audio for listener in listeners) > 20_000, "20,000 frames")
    assert {kind for listener in listeners for kind in listener.heard.frames} <= {
        SegmentKind.STOPPED,
        SegmentKind.AUDIO,
    }


def test_too_few_frames_are_silence_that_is_counted_and_told(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    ring = make_source(channels=2, seconds=0.5)
    source, inputs = graph.open_source("marsh", ring), graph.open_inputs(ANALYZER, rings)
    listener = connected_listener(graph, inputs, rings, ring, source.ports, {0: 0, 1: 1})
    assert ring.underflow_frames == 0
    ring.playing = True
    let_pass(graph, lambda: ring.underflow_frames > 0, "underflow")
    fill(ring)
    let_pass(graph, lambda: listener.hear().audio > ring.capacity_frames, "audio again")
    ring.playing = False
    counted = ring.underflow_frames
    cycles = ring.cycles
    let_pass(graph, lambda: ring.cycles > cycles + 3, "cycles")
    listener.hear()
    assert listener.heard.frames[SegmentKind.UNDERFLOW] == ring.underflow_frames >= counted
    assert ring.underflow_frames - counted <= 2 * graph.cycle_frames


def test_a_reader_that_falls_behind_counts_what_it_loses(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    ring = make_source(channels=1)
    source, inputs = graph.open_source("marsh", ring), graph.open_inputs(ANALYZER, rings)
    bound = inputs.bind(0)
    graph.connect(source.ports[0], bound.port)
    ring.playing = True
    slow = ChannelReader(rings, 0, first_frame=bound.since_frame)
    end = bound.since_frame + rings.capacity_frames + 10_000
    let_pass(graph, lambda: rings.written_frames > end, "the ring is full", deadline_s=60)
    samples = slow.read(1 << 20)
    assert samples.lost_frames == slow.lost_frames == samples.first_frame - bound.since_frame > 10_000
    assert slow.next_frame == bound.since_frame + slow.lost_frames + len(samples.data)


def test_a_closed_source_leaves_nothing_and_is_not_played_any_more(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    ring = make_source()
    source, inputs = graph.open_source("marsh", ring), graph.open_inputs(ANALYZER, rings)
    graph.connect(source.ports[0], inputs.bind(0).port)
    ring.playing = True
    let_pass(graph, lambda: ring.played_frames > 0, "it plays")
    source.close()
    source.close()
    played, cycles = ring.played_frames, rings.cycles
    assert stand("marsh", graph.ports()) == []
    assert graph.connections() == set()
    let_pass(graph, lambda: rings.cycles > cycles + 3, "cycles")
    assert ring.played_frames == played
    again = graph.open_source("marsh", ring)
    let_pass(graph, lambda: ring.played_frames > played, "it plays again")
    again.close()
    inputs.close()
    written = rings.written_frames
    time.sleep(0.02)
    assert rings.written_frames == written
    assert stand(ANALYZER, graph.ports()) == []


def test_connecting_twice_and_undoing_twice_is_no_error_and_unknown_ports_are(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    source, inputs = graph.open_source("marsh", make_source()), graph.open_inputs(ANALYZER, rings)
    pair = (source.ports[1], inputs.bind(2).port)
    for _ in range(2):
        graph.connect(*pair)
        assert graph.connections() == {Connection("marsh:out_2", "analyzer:input_3")}
    for _ in range(2):
        graph.disconnect(*pair)
        assert graph.connections() == set()
    for output, port in (("marsh:out_9", pair[1]), (pair[0], "analyzer:input_9"), (pair[1], pair[0])):
        with pytest.raises(AudioGraphError):
            graph.connect(output, port)
    with pytest.raises(AudioGraphError, match="no port nobody:out_1"):
        graph.connect("nobody:out_1", pair[1])


@pytest.mark.parametrize("name", ["system", "analyzer", "tidzam-control", "tidzam-livestreams"])
def test_no_source_may_have_a_name_of_the_graph(
    graph: AudioGraph, make_source: MakeSource, name: str
) -> None:
    with pytest.raises(InvalidNameError, match="choose another"):
        graph.open_source(name, make_source())


def test_names_are_well_formed_and_used_once(graph: AudioGraph, make_source: MakeSource) -> None:
    ring = make_source()
    for name in ("", "a b", "a:b", "../a", "-a", "a" * 65):
        with pytest.raises(InvalidNameError):
            graph.open_source(name, ring)
    longest = graph.open_source("a" * 62, ring)
    assert longest.ports[0] in graph.ports()
    with pytest.raises(AudioGraphError, match="already"):
        graph.open_source("a" * 62, ring)
    assert len(stand("a" * 62, graph.ports())) == 3


def test_an_input_hears_the_sum_of_what_is_connected(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    ring = make_source(channels=2)
    source, inputs = graph.open_source("marsh", ring), graph.open_inputs(ANALYZER, rings)
    bound = inputs.bind(0)
    ring.playing = True
    for port in source.ports:
        graph.connect(port, bound.port)
    cycles = rings.cycles
    let_pass(graph, lambda: rings.cycles > cycles + 3, "cycles")
    reader = ChannelReader(rings, 0)
    let_pass(graph, lambda: reader.available > 1000, "frames")
    data = reader.read(1000).data
    # Frame n of channels 0 and 1 is 2n and 2n + 1.
    np.testing.assert_array_equal(np.diff(data), 4)


def test_a_slot_can_be_given_to_another_channel(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    ring = make_source(channels=2)
    source, inputs = graph.open_source("marsh", ring), graph.open_inputs(ANALYZER, rings)
    first = connected_listener(graph, inputs, rings, ring, source.ports, {0: 7})
    ring.playing = True
    let_pass(graph, lambda: first.hear().audio > 2000, "the first channel")
    inputs.unbind(7)
    inputs.unbind(7)
    assert inputs.ports == {}
    assert stand(ANALYZER, graph.ports()) == []
    written = rings.data[7].copy()
    cycles = rings.cycles
    let_pass(graph, lambda: rings.cycles > cycles + 3, "cycles")
    np.testing.assert_array_equal(rings.data[7], written)
    second = connected_listener(graph, inputs, rings, ring, source.ports, {1: 7})
    let_pass(graph, lambda: second.hear().audio > 2000, "the other channel")
    with pytest.raises(AudioGraphError, match="no slot 16"):
        inputs.bind(16)


def test_ports_of_a_bundle_come_and_go_and_each_has_its_own_ring(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    streams = graph.open_bundle(LIVE_STREAMS, 4)
    inputs = graph.open_inputs(ANALYZER, rings)
    first, second = make_source("one", channels=1), make_source("two", channels=1)
    ports = (streams.add(3, first), streams.add(1, second))
    assert ports == ("tidzam-livestreams:out_3", "tidzam-livestreams:out_1")
    assert set(streams.ports) == set(ports)
    listener = connected_listener(graph, inputs, rings, first, ports, {0: 5})
    other = connected_listener(graph, inputs, rings, second, (ports[1],), {0: 6})
    first.playing = True
    let_pass(graph, lambda: listener.hear().audio > 2000, "the first stream")
    assert other.hear().audio == second.played_frames == 0
    streams.remove(3)
    streams.remove(3)
    played, cycles = first.played_frames, rings.cycles
    let_pass(graph, lambda: rings.cycles > cycles + 3, "cycles")
    assert first.played_frames == played
    assert stand(LIVE_STREAMS, graph.ports()) == ["tidzam-livestreams:out_1"]
    for number, ring in ((0, first), (5, first), (1, first), (2, make_source("wide", channels=2))):
        with pytest.raises(AudioGraphError):
            streams.add(number, ring)
    streams.close()
    assert stand(LIVE_STREAMS, graph.ports()) == []


def test_changes_are_told(graph: AudioGraph, rings: ChannelRings, make_source: MakeSource) -> None:
    told = threading.Event()
    graph.on_change(told.set)

    def is_told() -> bool:
        seen = told.wait(5.0)
        told.clear()
        return seen

    source, inputs = graph.open_source("marsh", make_source()), graph.open_inputs(ANALYZER, rings)
    assert is_told()
    bound = inputs.bind(0)
    assert is_told()
    graph.connect(source.ports[0], bound.port)
    assert is_told()
    graph.disconnect(source.ports[0], bound.port)
    assert is_told()
    source.close()
    assert is_told()


def test_a_listener_that_fails_does_not_silence_the_others(
    graph: AudioGraph, rings: ChannelRings, caplog: pytest.LogCaptureFixture
) -> None:
    told = threading.Event()

    def fail() -> None:
        raise ValueError("broken")

    graph.on_change(fail)
    graph.on_change(told.set)
    graph.open_inputs(ANALYZER, rings).bind(0)
    wait_for(told.is_set, "the second listener")
    assert "a listener of the audio graph failed" in caplog.text


def test_another_block_size_changes_no_sample(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource, change_block_size
) -> None:
    ring = make_source(channels=3)
    source, inputs = graph.open_source("marsh", ring), graph.open_inputs(ANALYZER, rings)
    listener = connected_listener(graph, inputs, rings, ring, source.ports, {0: 2, 1: 1, 2: 0})
    ring.playing = True
    let_pass(graph, lambda: listener.hear().audio > 2000, "audio")
    for frames in (1024, 64, 256):
        change_block_size(graph, frames)
        wait_for(lambda: graph.cycle_frames == frames, "the new size")  # noqa: B023 - it is called here
        fill(ring)
        more = listener.hear().audio + 8000
        let_pass(graph, lambda: listener.hear().audio > more, "audio goes on")  # noqa: B023
    # The listener proved each sample; JACK may leave cycles out while it changes, which is told as missed.
    assert set(listener.heard.frames) <= set(SegmentKind) - {SegmentKind.UNDERFLOW}
    assert graph.is_running


@pytest.fixture
def change_block_size(request: pytest.FixtureRequest):
    """What a person does: the program jack_bufsize, or the setter of our own graph."""
    import os
    import shutil
    import subprocess

    from streamer.engine.graph import GraphKeeper

    def change(graph: AudioGraph, frames: int) -> None:
        if isinstance(graph, ClockGraph):
            graph.cycle_frames = frames
            return
        server = graph.server if isinstance(graph, GraphKeeper) else request.getfixturevalue("jackd").server
        program = shutil.which("jack_bufsize")
        assert program is not None
        subprocess.run(
            [program, str(frames)],
            env={**os.environ, "JACK_DEFAULT_SERVER": server, "JACK_NO_START_SERVER": "1"},
            check=True,
            timeout=20,
            capture_output=True,
        )

    return change


def test_time_goes_on_at_the_rate(graph: AudioGraph, rings: ChannelRings) -> None:
    inputs = graph.open_inputs(ANALYZER, rings)
    let_pass(graph, lambda: rings.cycles > 0, "a cycle")
    begin, before = rings.jack_frame_of(0), graph.frame_time()
    let_pass(graph, lambda: rings.written_frames > 9600, "a fifth of a second")
    after = graph.frame_time()
    assert begin is not None
    assert begin - 9600 < before < after
    assert after - before > 4800
    assert abs(rings.jack_frame_of(rings.written_frames) - after) < 48_000
    assert graph.rate_hz == 48_000
    assert inputs.name == ANALYZER


def test_the_status_says_what_it_is_and_counts(graph: AudioGraph) -> None:
    status = graph.status()
    assert status["kind"] == ("clock" if isinstance(graph, ClockGraph) else "jack")
    assert status["running"] is graph.is_running is True
    assert status["xruns"] == graph.xruns
    assert status["restarts"] == 0
    assert status["cycle_frames"] in (0, graph.cycle_frames)  # 0 before the first cycle
    assert (status["lost_because"], status["lost_at"]) == (None, None)


def test_closing_the_graph_first_is_no_error(
    graph: AudioGraph, rings: ChannelRings, make_source: MakeSource
) -> None:
    source, inputs = graph.open_source("marsh", make_source()), graph.open_inputs(ANALYZER, rings)
    streams = graph.open_bundle(LIVE_STREAMS, 2)
    streams.add(1, make_source("live", channels=1))
    inputs.bind(0)
    graph.close()
    graph.close()
    streams.remove(1)
    inputs.unbind(0)
    for client in (source, inputs, streams):
        client.close()
