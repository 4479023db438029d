"""JACK killed, hung, or throwing us out: everything is back with the same names and connections."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import psutil
import pytest

from streamer.engine.graph import (
    ANALYZER,
    LIVE_STREAMS,
    ClockGraph,
    Connection,
    GraphKeeper,
    Jackd,
    open_graph,
    server_name,
)
from streamer.engine.graph.jackd import jackd_command
from streamer.engine.rings import ChannelRings, SegmentKind
from tests.streamer.graph.conftest import SETTINGS, MakeSource
from tests.streamer.graph.harness import Listener, connected_listener, fill, let_pass
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.clock import parse_utc, utc_now
from tidzam_platform.errors import AudioGraphError, MissingSystemPartError, ProcessError
from tidzam_platform.settings import GraphSettings

BACK_S = 10.0


def killed(keeper: GraphKeeper) -> None:
    """Kill -9."""
    assert keeper.server_pid is not None
    os.kill(keeper.server_pid, signal.SIGKILL)


def stopped(keeper: GraphKeeper) -> None:
    """It hangs: it lives, and answers nobody."""
    assert keeper.server_pid is not None
    os.kill(keeper.server_pid, signal.SIGSTOP)


def thrown_out(_keeper: GraphKeeper) -> None:
    """A client's sockets are gone, as when the server throws it out."""
    for descriptor in sorted(sockets())[-1:]:
        with socket.socket(fileno=os.dup(descriptor)) as tail:
            tail.shutdown(socket.SHUT_RDWR)


def sockets() -> set[int]:
    """Our open unix sockets."""
    found = set()
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # it was closed meanwhile
            if str(link.readlink()).startswith("socket:"):
                found.add(int(link.name))
    return found


@pytest.mark.parametrize("fault", [killed, stopped, thrown_out])
def test_after_a_fault_all_is_back_within_ten_seconds(
    keeper: GraphKeeper,
    rings: ChannelRings,
    make_source: MakeSource,
    fault: Callable[[GraphKeeper], None],
) -> None:
    marsh, forest, live = make_source(), make_source("forest", 2), make_source("live", 1)
    sources = [keeper.open_source("marsh", marsh), keeper.open_source("forest", forest)]
    inputs = keeper.open_inputs(ANALYZER, rings)
    streams = keeper.open_bundle(LIVE_STREAMS, 3)
    listeners = [
        connected_listener(keeper, inputs, rings, marsh, sources[0].ports, {0: 4, 2: 0}),
        connected_listener(keeper, inputs, rings, forest, sources[1].ports, {0: 2, 1: 1}),
        connected_listener(keeper, inputs, rings, live, (streams.add(2, live),), {0: 3}),
    ]
    by_a_person(keeper, "jack_connect", "forest:out_2", "system:playback_1")
    for ring in (marsh, forest, live):
        ring.playing = True
    wait_for(lambda: all(listener.hear().audio > 2000 for listener in listeners), "audio")
    wait_for(lambda: len(keeper._connections._seen) == 6, "the keeper has seen what the person did")
    ports, connections, before = keeper.ports(), keeper.connections(), keeper.frame_time()
    lost = threading.Event()
    reasons: list[str] = []

    def on_lost(reason: str) -> None:
        reasons.append(reason)
        lost.set()

    keeper.on_lost(on_lost)
    pid, failed_at, began = keeper.server_pid, time.monotonic(), utc_now() - timedelta(milliseconds=1)
    fault(keeper)
    wait_for(lost.is_set, "the loss is told", BACK_S)
    assert keeper.status()["lost_because"] == reasons[0], "at once, and not only when it is back"
    wait_for(
        lambda: (
            keeper.is_running and set(keeper.ports()) >= set(ports) and keeper.connections() == connections
        ),
        "ports and connections",
        BACK_S,
    )
    for ring in (marsh, forest, live):
        fill(ring)
    heard = [listener.hear().audio for listener in listeners]
    wait_for(
        lambda: all(
            listener.hear().audio > frames + 2000 for listener, frames in zip(listeners, heard, strict=True)
        ),
        "audio",
        BACK_S,
    )
    assert time.monotonic() - failed_at < BACK_S
    assert keeper.server_pid != pid
    assert len(reasons) == 1
    status = keeper.status()
    assert (status["running"], status["restarts"], status["lost_because"]) == (True, 1, reasons[0])
    assert began <= parse_utc(status["lost_at"]) <= utc_now()
    assert Connection("forest:out_2", "system:playback_1") in connections
    # The listeners proved each sample. The time without JACK is told as missed, and time goes on.
    assert before < keeper.frame_time()
    wait_for(lambda: rings.missed_frames > 0, "what it cost is known")
    assert all(ring.missed_frames > 0 for ring in (marsh, forest, live))
    for listener in listeners:
        assert set(listener.heard.frames) <= {
            SegmentKind.STOPPED,
            SegmentKind.AUDIO,
            SegmentKind.UNDERFLOW,
            SegmentKind.MISSED,
        }
        assert listener.heard.lost_frames == 0


def by_a_person(keeper: GraphKeeper, program: str, *arguments: str) -> None:
    """Run a program of jackd2 against the engine's server."""
    subprocess.run(
        [program, *arguments],
        env={**os.environ, "JACK_DEFAULT_SERVER": keeper.server, "JACK_NO_START_SERVER": "1"},
        check=True,
        timeout=20,
        capture_output=True,
    )


def test_what_is_asked_for_while_jack_is_away_is_done_when_it_is_back(
    keeper: GraphKeeper, rings: ChannelRings, make_source: MakeSource
) -> None:
    inputs = keeper.open_inputs(ANALYZER, rings)
    gone = keeper.open_source("gone", make_source("gone"))
    keeper.connect(gone.ports[0], inputs.bind(0).port)
    with keeper.client_lock:  # the keeper cannot make anything meanwhile
        killed(keeper)
        wait_for(lambda: not keeper.is_running, "the loss")
        ring = make_source("marsh", 2)
        source = keeper.open_source("marsh", ring)
        bound = inputs.bind(3)
        keeper.connect(source.ports[1], bound.port)
        gone.close()
        streams = keeper.open_bundle(LIVE_STREAMS, 2)
        streams.add(1, make_source("live", 1))
        with pytest.raises(AudioGraphError, match="already"):
            keeper.open_source("marsh", ring)
    ring.playing = True
    wait_for(
        lambda: keeper.is_running and keeper.connections() == {("marsh:out_2", bound.port)}, "back", BACK_S
    )
    assert {"marsh:out_1", "marsh:out_2", "analyzer:input_1", "tidzam-livestreams:out_1"} <= set(
        keeper.ports()
    )
    assert not [port for port in keeper.ports() if port.startswith("gone:")]
    listener = Listener(rings, ring, {1: 3}, rings.written_frames)
    let_pass(keeper, lambda: listener.hear().audio > 1000, "audio")


def test_a_client_that_jack_refused_is_tried_again(
    keeper: GraphKeeper, rings: ChannelRings, make_source: MakeSource
) -> None:
    source, inputs = keeper.open_source("marsh", make_source()), keeper.open_inputs(ANALYZER, rings)
    pair = (source.ports[0], inputs.bind(0).port)
    keeper.connect(*pair)
    with keeper.client_lock:  # as it is after a life in which it could not be made
        assert source._client is not None
        source._client.close()
        source.unmake()
        keeper._connections.lost()
        keeper._try_again_s = 0.0
    wait_for(lambda: keeper.connections() == {pair}, "it is there again, and connected")


def test_a_name_that_another_program_has_is_refused(keeper: GraphKeeper, make_source: MakeSource) -> None:
    program = (
        "import jack, sys; client = jack.Client('marsh', servername=sys.argv[1], no_start_server=True);"
        "client.activate(); print('ready', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, keeper.server],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(AudioGraphError, match="is there one of this name"):
            keeper.open_source("marsh", make_source())
        assert keeper.is_running
        other.communicate()
    assert keeper.open_source("marsh", make_source()).ports[0] in keeper.ports()


def test_what_somebody_undid_is_not_made_again(
    keeper: GraphKeeper, rings: ChannelRings, make_source: MakeSource
) -> None:
    source, inputs = keeper.open_source("marsh", make_source()), keeper.open_inputs(ANALYZER, rings)
    pairs = [(port, inputs.bind(slot).port) for slot, port in enumerate(source.ports)]
    for pair in pairs:
        keeper.connect(*pair)
    by_a_person(keeper, "jack_connect", "marsh:out_1", "system:playback_1")
    by_a_person(keeper, "jack_connect", "marsh:out_2", "system:playback_2")
    wait_for(lambda: len(keeper._connections._seen) == 5, "the keeper has seen it")
    keeper.disconnect(*pairs[0])
    by_a_person(keeper, "jack_disconnect", "marsh:out_1", "system:playback_1")
    wait_for(lambda: len(keeper._connections._seen) == 3, "the keeper has seen it")
    killed(keeper)
    wait_for(lambda: not keeper.is_running, "the loss")
    wait_for(lambda: len(keeper.connections()) == 3, "back", BACK_S)
    assert keeper.connections() == {*pairs[1:], ("marsh:out_2", "system:playback_2")}


def test_an_own_connection_is_left_alone_by_ours(
    keeper: GraphKeeper, rings: ChannelRings, make_source: MakeSource
) -> None:
    source, inputs = keeper.open_source("marsh", make_source()), keeper.open_inputs(ANALYZER, rings)
    by_a_person(keeper, "jack_connect", source.ports[0], inputs.bind(1).port)
    keeper.connect(source.ports[0], inputs.bind(0).port)
    keeper.disconnect(source.ports[0], "analyzer:input_1")
    assert keeper.connections() == {("marsh:out_1", "analyzer:input_2")}


def test_a_changed_block_size_outlives_jack(keeper: GraphKeeper) -> None:
    by_a_person(keeper, "jack_bufsize", "512")
    wait_for(lambda: keeper.cycle_frames == 512, "the new size")
    wait_for(lambda: keeper._cycle_frames == 512, "the keeper has seen it")
    killed(keeper)
    wait_for(lambda: keeper.status()["restarts"] == 1 and keeper.is_running, "back", BACK_S)
    assert keeper.cycle_frames == 512


def test_jackd_killed_five_times_is_back_each_time(
    keeper: GraphKeeper, rings: ChannelRings, make_source: MakeSource
) -> None:
    ring = make_source(channels=1)
    source, inputs = keeper.open_source("marsh", ring), keeper.open_inputs(ANALYZER, rings)
    listener = connected_listener(keeper, inputs, rings, ring, source.ports, {0: 0})
    ring.playing = True
    times = [keeper.frame_time()]
    descriptors, threads = psutil.Process().num_fds(), psutil.Process().num_threads()
    for restarts in range(1, 6):
        killed(keeper)
        wait_for(lambda: keeper.status()["restarts"] == restarts and keeper.is_running, "back", BACK_S)  # noqa: B023
        fill(ring)
        audio = listener.hear().audio
        let_pass(keeper, lambda: listener.hear().audio > audio + 500, "audio", BACK_S)  # noqa: B023
        times.append(keeper.frame_time())
    assert times == sorted(times)
    assert psutil.Process().num_fds() <= descriptors
    assert psutil.Process().num_threads() <= threads


ENGINE = """
import sys, time
from pathlib import Path
from streamer.engine.graph import GraphKeeper
from tidzam_platform.settings import GraphSettings
keeper = GraphKeeper(GraphSettings(period_frames=256), Path(sys.argv[1]))
print(keeper.server_pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    require_part("jackd")
    process = subprocess.Popen(
        [sys.executable, "-c", ENGINE, str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_jackd_dies_with_its_engine_and_leaves_the_next_one_no_trouble(
    engine: subprocess.Popen[str], tmp_path: Path
) -> None:
    assert engine.stdout is not None
    jackd = int(engine.stdout.readline())
    assert psutil.pid_exists(jackd)
    engine.kill()
    engine.wait()
    wait_for(lambda: not psutil.pid_exists(jackd), "jackd is gone too")
    with GraphKeeper(SETTINGS, tmp_path) as keeper:
        assert keeper.is_running


def test_a_jackd_that_cannot_start_is_said_with_what_it_said(tmp_path: Path) -> None:
    require_part("jackd")
    settings = GraphSettings(kind="jack", driver="alsa", device="hw:nosuchcard")
    with pytest.raises(ProcessError, match="nosuchcard"):
        open_graph(settings, tmp_path)


def test_auto_takes_jack_where_it_can_and_our_own_graph_where_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    require_part("jackd")
    for settings, kind in (
        (SETTINGS, GraphKeeper),
        (GraphSettings(driver="alsa", device="hw:nosuchcard"), ClockGraph),
        (GraphSettings(kind="clock"), ClockGraph),
    ):
        graph = open_graph(settings, tmp_path)
        assert isinstance(graph, kind)
        graph.close()
    assert "JACK cannot run here" in caplog.text
    monkeypatch.setenv("PATH", str(tmp_path))
    graph = open_graph(GraphSettings(), tmp_path)
    assert isinstance(graph, ClockGraph)
    graph.close()
    with pytest.raises(MissingSystemPartError, match="jackd is not installed"):
        open_graph(GraphSettings(kind="jack"), tmp_path)


def test_nothing_is_left_of_a_closed_keeper(tmp_path: Path) -> None:
    require_part("jackd")
    before = {thread.name for thread in threading.enumerate()}
    with GraphKeeper(SETTINGS, tmp_path) as keeper:
        pid = keeper.server_pid
    assert pid is not None
    assert not psutil.pid_exists(pid)
    assert not list(Path("/dev/shm").glob(f"*{server_name(tmp_path)}*"))  # noqa: S108
    left = {thread.name for thread in threading.enumerate()} - before
    assert left <= {"tidzam-spawner_0"}


def test_the_server_has_ports_for_all_channels_and_not_more_than_jackd_allows() -> None:
    require_part("jackd")

    def ports(channels: int) -> int:
        command = jackd_command("x", GraphSettings(max_channels=channels), 1024)
        return int(command[command.index("-p") + 1])

    assert [ports(channels) for channels in (1, 256, 1024)] == [512, 768, 2304]
    alsa = jackd_command("x", GraphSettings(driver="alsa", device="hw:1"), 64)
    assert alsa[alsa.index("alsa") + 1 :] == ["-d", "hw:1", "-r", "48000", "-p", "64"]


def test_what_jackd_says_is_kept_but_not_for_ever() -> None:
    require_part("jackd")
    with Jackd("tidzam-test-says", SETTINGS) as jackd:
        wait_for(lambda: any("jackdmp" in line for line in jackd.last_lines()), "its greeting")
        assert len(jackd.last_lines()) <= 40
        jackd.kill()
        wait_for(lambda: not jackd.is_running(), "its end")
        with pytest.raises(ProcessError, match="jackdmp"):
            jackd.require_running()
