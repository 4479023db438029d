"""Thirty channels through real JACK and real Icecast: each at its own mount, with its own tone, encoded on demand."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from streamer.engine.encoding import PageSplitter
from tests.streamer.listening.made import Listener, ogg_tone
from tests.support.data import shared_data
from tests.support.endless_media import EndlessOgg
from tests.support.engine_process import RATE_HZ, EngineProcess, file_folders, tones
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.parts import require_part
from tests.support.stream_behaviours import Healthy, Reset
from tests.support.waiting import wait_for
from tidzam_platform.audio.ffmpeg import program
from tidzam_platform.errors import SourceError
from tidzam_platform.operations.ports import free_port

CHANNELS = 30
HEARD_S = 3.0
JACK = {"graph__kind": "jack", "icecast__enabled": "true"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("recordings")


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[EngineProcess]:
    require_part("jackd")
    require_part("icecast")
    settings = {**JACK, "icecast__port": str(free_port()), "sources__private_addresses": "true"}
    home = tmp_path_factory.mktemp("listening") / "home"
    with EngineProcess(home, **settings, sources__file_folders=file_folders(folder)) as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: EngineProcess) -> Iterator[EngineProcess]:
    """The shared engine, without any source before and after."""
    yield shared_engine
    for one in shared_engine.client.request("sources.list")["sources"]:
        with contextlib.suppress(SourceError):  # it is being removed already
            shared_engine.client.request("sources.remove", name=one["name"])


def encoders(engine: EngineProcess) -> int:
    """How many encoders run."""
    counts = engine.client.request("counts")
    return int(counts["listening_encoders"])


def listened(url: str, seconds: float = HEARD_S) -> np.ndarray:
    """So much of a mount, decoded: float32 ``[frames]``."""
    command = [program("ffmpeg"), "-loglevel", "error", "-f", "ogg", "-i", "pipe:0", "-t", str(seconds)]
    with (
        urllib.request.urlopen(url, timeout=30) as stream,  # noqa: S310 - of the engine
        subprocess.Popen(
            [*command, "-ac", "1", "-ar", str(RATE_HZ), "-f", "f32le", "pipe:1"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            bufsize=0,
        ) as ffmpeg,
    ):
        pcm: list[bytes] = []
        assert ffmpeg.stdin is not None
        assert ffmpeg.stdout is not None
        reading = threading.Thread(target=lambda out: pcm.append(out.read()), args=[ffmpeg.stdout])
        reading.start()
        with contextlib.suppress(BrokenPipeError):  # it has heard enough
            while ffmpeg.poll() is None and (data := stream.read1(1 << 14)):
                ffmpeg.stdin.write(data)
        ffmpeg.stdin.close()
        reading.join(30)
    return np.frombuffer(b"".join(pcm), np.float32)


def loudest_hz(audio: np.ndarray) -> float:
    part = audio[-RATE_HZ:]
    return float(np.abs(np.fft.rfft(part * np.hanning(len(part)))).argmax() * RATE_HZ / len(part))


def mounts_of(engine: EngineProcess) -> dict[str, list[str]]:
    return {one["channel"]: one["mounts"] for one in engine.client.request("channels.list")["channels"]}


def test_thirty_channels_are_listened_to_at_once_and_each_is_its_own(
    engine: EngineProcess, folder: Path
) -> None:
    recording = tones(folder / "impoundment.opus", CHANNELS, 60)
    engine.client.request("sources.add", specification={"name": "impoundment", "path": str(recording)})
    engine.wait_until("impoundment", "playing")
    names = [f"impoundment:out_{number}" for number in range(1, CHANNELS + 1)]
    assert list(mounts_of(engine)) == names
    assert encoders(engine) == 0, "nobody listens"
    addresses = [mounts_of(engine)[name][0] for name in names]
    wait_for(lambda: known_to_icecast(addresses[-1]), "Icecast knows the mounts")
    heard: dict[str, float] = {}

    def listen(name: str, address: str) -> None:
        heard[name] = loudest_hz(listened(address))

    threads = [threading.Thread(target=listen, args=pair) for pair in zip(names, addresses, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert heard == pytest.approx({name: 200 * number for number, name in enumerate(names, 1)}, abs=4)
    wait_for(lambda: encoders(engine) == 0, "the encoders end when nobody listens", 30)


def known_to_icecast(address: str) -> bool:
    try:
        with urllib.request.urlopen(address, timeout=10) as stream:  # noqa: S310 - of the engine
            return stream.status == 200
    except OSError:
        return False


@pytest.mark.long
def test_the_recording_of_the_impoundment_has_a_tone_a_channel(engine: EngineProcess) -> None:
    recording = shared_data("edge", "impoundment-2026-04-01-06-00-00.opus")
    archive = engine.home / "archive"
    archive.mkdir(exist_ok=True)
    (archive / recording.name).write_bytes(recording.read_bytes())
    engine.client.request(
        "sources.add",
        specification={"name": "impoundment", "path": str(archive / recording.name), "is_permanent": True},
    )
    engine.wait_until("impoundment", "playing")
    mounts = mounts_of(engine)
    assert len(mounts) == CHANNELS
    first, last = mounts["impoundment:out_1"], mounts["impoundment:out_30"]
    wait_for(lambda: known_to_icecast(last[1]), "Icecast knows the mounts")
    frequencies = [loudest_hz(listened(address)) for address in (*first, *last)]
    assert frequencies[0] == pytest.approx(frequencies[1], abs=4), "Opus and Vorbis are the same channel"
    assert frequencies[2] == pytest.approx(frequencies[3], abs=4)
    assert abs(frequencies[0] - frequencies[2]) > 50


def test_a_source_is_passed_on_as_it_is(engine: EngineProcess, tmp_path: Path) -> None:
    media = EndlessOgg(tones(tmp_path / "pond.opus", 2, 5).read_bytes())
    with FaultyStreamServer() as server:
        server.behave("/pond", Healthy(media))
        described = {"name": "pond", "url": server.url("/pond"), "format": "copy", "is_permanent": True}
        engine.client.request("sources.add", specification=described)
        engine.wait_until("pond", "playing")
        address = engine.client.request("sources.get", name="pond")["copied_at"]
        assert address.endswith("/pond.ogg")
        wait_for(lambda: known_to_icecast(address), "Icecast knows the mount")
        with urllib.request.urlopen(address, timeout=30) as stream:  # noqa: S310 - of the engine
            head = stream.read(4096)
        assert head.startswith(b"OggS")
        assert b"OpusHead" in head
        assert encoders(engine) == 0
        assert loudest_hz(listened(address, 2.0)) == pytest.approx(200, abs=204), (
            "both channels, mixed to one"
        )
        assert len(mounts_of(engine)) == 2, "its channels can be heard as well"
        engine.client.request("sources.remove", name="pond")
        wait_for(lambda: not known_to_icecast(address), "the mount goes with its source")


def test_who_listens_to_a_source_that_is_passed_on_hears_on_after_it_was_connected_again(
    engine: EngineProcess,
) -> None:
    first, second = (EndlessOgg(ogg_tone("libopus", hertz, 3)) for hertz in (500, 900))
    with FaultyStreamServer() as server:
        server.behave("/pond", Healthy(first))
        described = {"name": "pond", "url": server.url("/pond"), "format": "copy", "is_permanent": True}
        engine.client.request("sources.add", specification=described)
        engine.wait_until("pond", "playing")
        address = engine.client.request("sources.get", name="pond")["copied_at"]
        wait_for(lambda: known_to_icecast(address), "Icecast knows the mount")
        host, _, path = address.removeprefix("http://").partition("/")
        with Listener(int(host.rpartition(":")[2]), f"/{path}") as listener:

            def heard_s() -> list[float]:
                """Of each link of the stream."""
                ends: dict[int, list[int]] = {}
                for page in PageSplitter().feed(listener.data):
                    if page.granule > 0:
                        ends.setdefault(page.serial, []).append(page.granule)
                return [(granules[-1] - granules[0]) / RATE_HZ for granules in ends.values()]

            wait_for(lambda: max(heard_s(), default=0) > 1.5, "it is heard", 30)
            server.behave("/pond", Reset())
            engine.wait_until("pond", "backing_off")
            server.behave("/pond", Healthy(second))
            wait_for(lambda: len(heard_s()) == 2 and heard_s()[1] > 2, "it is heard again", 40)
            assert not listener.has_ended
        states = [step["after"] for step in engine.client.request("sources.get", name="pond")["history"]]
        assert "backing_off" in states
    audio = listener.audio()
    assert loudest_hz(audio[RATE_HZ // 4 : RATE_HZ * 5 // 4]) == pytest.approx(500, abs=4)
    assert loudest_hz(audio[-RATE_HZ:]) == pytest.approx(900, abs=4)
    assert encoders(engine) == 0
    engine.client.request("sources.remove", name="pond")
    wait_for(lambda: not known_to_icecast(address), "the mount goes with its source")


def test_while_jack_hangs_no_channel_is_said_to_sound(engine: EngineProcess, folder: Path) -> None:
    recording = tones(folder / "marsh.opus", 2, 60)
    engine.client.request("sources.add", specification={"name": "marsh", "path": str(recording)})
    seen: list[list[dict[str, Any]]] = []

    def all_are(sounding: bool) -> bool:
        seen.append(engine.client.request("channels.list")["channels"])
        return len(seen[-1]) == 2 and all(one["sounding"] is sounding for one in seen[-1])

    wait_for(lambda: all_are(True), "both sound")
    before = engine.client.request("status")["graph"]
    assert before["running"]
    os.kill(before["server_pid"], signal.SIGSTOP)
    wait_for(lambda: all_are(False), "it is noticed", 10)
    for one in seen[-1]:
        assert "audio graph" in one["why"]
        assert (one["peak_dbfs"], one["rms_dbfs"]) == (None, None)
    wait_for(lambda: all_are(True), "both sound again", 30)
    assert {one["why"] for one in seen[-1]} == {""}
    graph = engine.client.request("status")["graph"]
    assert (graph["running"], graph["restarts"]) == (True, before["restarts"] + 1)
    assert "computed nothing" in graph["lost_because"]
    assert graph["lost_at"] > engine.client.request("status")["since"]


def test_muting_silences_the_mount_within_a_second_and_nothing_else(
    engine: EngineProcess, folder: Path
) -> None:
    recording = tones(folder / "pond.opus", 1, 60)
    engine.client.request("sources.add", specification={"name": "pond", "path": str(recording)})
    engine.wait_until("pond", "playing")
    (address, _) = mounts_of(engine)["pond:out_1"]
    wait_for(lambda: known_to_icecast(address), "Icecast knows the mount")
    audio: list[np.ndarray] = []
    thread = threading.Thread(target=lambda: audio.append(listened(address, 10.0)))
    thread.start()
    wait_for(lambda: encoders(engine) > 0, "somebody listens")
    time.sleep(3.0)
    engine.client.request("mixer.set", channel="pond:out_1", mute=True, by="ann")
    thread.join(60)
    tenths = audio[0][: len(audio[0]) // 4800 * 4800].reshape(-1, RATE_HZ // 10)
    levels = np.sqrt((tenths**2).mean(axis=1))
    assert levels[:10].max() > 0.05
    silent = np.flatnonzero(levels < 1e-3)
    assert len(silent) > 5
    assert np.array_equal(silent, np.arange(silent[0], len(levels))), "from then on it is silent"
    (channel,) = engine.client.request("channels.list")["channels"]
    assert channel["sounding"]
    assert channel["rms_dbfs"] == pytest.approx(-17, abs=1)
