"""The engine as a process: sources become channels, other processes hear them, and nothing of it outlives it."""

from __future__ import annotations

import base64
import contextlib
import resource
import signal
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest

from streamer.engine.descriptors import MOST_DESCRIPTORS
from streamer.engine.rings import BlockReader, ChannelRings, Directory
from tests.support.engine_process import RATE_HZ, EngineProcess, file_folders, is_alive, tones
from tests.support.waiting import wait_for
from tidzam_platform.errors import EngineUnavailableError, InvalidNameError, SourceError

CHANNELS = 4
PLACES = 6  # channels that the shared engine analyses at most
FEW_DESCRIPTORS = 512  # as of a shell; there may be more open here already


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    tones(folder / "tones.opus", CHANNELS, 20)
    return folder


@pytest.fixture(scope="module")
def shared_engine(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[EngineProcess]:
    """Starting one compiles its callbacks, which takes seconds."""
    home = tmp_path_factory.mktemp("engine") / "home"
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (FEW_DESCRIPTORS, hard))
    try:
        process = EngineProcess(
            home, sources__file_folders=file_folders(folder), graph__max_channels=str(PLACES)
        )
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    with process as engine:
        yield engine


@pytest.fixture
def engine(shared_engine: EngineProcess) -> Iterator[EngineProcess]:
    """The shared engine, without any source before and after."""
    yield shared_engine
    for one in shared_engine.client.request("sources.list")["sources"]:
        with contextlib.suppress(SourceError):  # it is being removed already
            shared_engine.client.request("sources.remove", name=one["name"])


@pytest.fixture
def own_engine(tmp_path: Path, folder: Path) -> Iterator[EngineProcess]:
    """For tests that end it."""
    with EngineProcess(tmp_path / "home", sources__file_folders=file_folders(folder)) as engine:
        yield engine


def pond(folder: Path, **more: object) -> dict[str, object]:
    return {"name": "pond", "path": str(folder / "tones.opus"), **more}


def loudest_hz(engine: EngineProcess, frames: int = RATE_HZ // 2) -> dict[str, float]:
    """The loudest frequency of each channel, as another process hears it."""
    with Directory.open(engine.home) as directory:
        document = directory.read()
        rings = ChannelRings.open(directory.path.parent / document["channel_rings"])
    slots = {entry["channel"]: entry["slot"] for entry in document["slots"]}
    with rings:
        reader = BlockReader(rings, list(slots.values()))
        wait_for(lambda: reader.available >= frames, "samples come")
        data = reader.read(frames).data
        spectra = np.abs(np.fft.rfft(data * np.hanning(data.shape[1])))
    return dict(zip(slots, spectra.argmax(axis=1) * RATE_HZ / data.shape[1], strict=True))


def test_each_channel_of_a_source_is_heard_by_another_process(engine: EngineProcess, folder: Path) -> None:
    assert engine.said["graph"] == "clock"
    engine.client.request("sources.add", specification=pond(folder))
    engine.wait_until("pond", "playing")
    names = [f"pond:out_{number}" for number in range(1, CHANNELS + 1)]
    wait_for(
        lambda: all(one["sounding"] for one in engine.client.request("channels.list")["channels"]),
        "all sound",
    )
    assert [one["channel"] for one in engine.client.request("channels.list")["channels"]] == names
    assert loudest_hz(engine) == pytest.approx({name: 200 * n for n, name in enumerate(names, 1)}, abs=4)
    engine.client.request("sources.remove", name="pond")
    assert engine.client.request("channels.list") == {"channels": []}
    with pytest.raises(SourceError, match="pond"):
        engine.client.request("sources.get", name="pond")


def test_a_channel_too_many_says_so_and_is_analysed_when_there_is_place(
    engine: EngineProcess, folder: Path
) -> None:
    engine.client.request("sources.add", specification=pond(folder))
    engine.wait_until("pond", "playing")
    engine.client.request("sources.add", specification={**pond(folder), "name": "marsh"})
    engine.wait_until("marsh", "playing")
    why = {one["channel"]: one["why"] for one in engine.client.request("channels.list")["channels"]}
    unheard = [f"marsh:out_{number}" for number in range(1 + PLACES - CHANNELS, CHANNELS + 1)]
    for name in unheard:
        assert "not analysed" in why[name]
        assert "graph.max_channels" in why[name]
    engine.client.request("sources.remove", name="pond")
    wait_for(
        lambda: all(one["sounding"] for one in engine.client.request("channels.list")["channels"]),
        "all sound",
    )
    heard = loudest_hz(engine)
    assert {name: heard[name] for name in unheard} == pytest.approx(
        {name: 200 * int(name[-1]) for name in unheard}, abs=4
    )
    assert {one["why"] for one in engine.client.request("channels.list")["channels"]} == {""}


def test_it_takes_the_descriptors_that_it_may_have_and_says_how_the_graph_is(engine: EngineProcess) -> None:
    soft, hard = psutil.Process(engine.pid).rlimit(psutil.RLIMIT_NOFILE)
    assert soft == (MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS))
    graph = engine.client.request("status")["graph"]
    assert (graph["kind"], graph["running"], graph["restarts"]) == ("clock", True, 0)
    assert (graph["lost_because"], graph["lost_at"]) == (None, None)


def test_a_file_that_has_played_to_its_end_says_so_and_its_channels_go(
    engine: EngineProcess, folder: Path
) -> None:
    short = tones(folder / "short.opus", 1, 1)
    engine.client.request("sources.add", specification={"name": "short", "path": str(short)})
    engine.wait_until("short", "stopped")
    assert engine.client.request("channels.list") == {"channels": []}
    history = engine.client.request("sources.get", name="short")["history"]
    assert [step["after"] for step in history] == ["waiting", "starting", "playing", "stopping", "stopped"]


def test_what_is_added_for_good_is_there_after_a_restart_and_the_rest_is_not(
    tmp_path: Path, folder: Path
) -> None:
    settings = {"sources__file_folders": file_folders(folder)}
    with EngineProcess(tmp_path / "home", **settings) as engine:
        engine.client.request("sources.add", specification=pond(folder, is_permanent=True), keep=True)
        engine.client.request("sources.add", specification={**pond(folder), "name": "passing"})
        engine.client.request("mixer.set", channel=_first(engine), gain_db=-6.0, by="ann")
        assert engine.end() == 0
        assert "Traceback" not in engine.log.read_text()
    with EngineProcess(tmp_path / "home", **settings) as engine:
        assert [one["name"] for one in engine.client.request("sources.list")["sources"]] == ["pond"]
        engine.wait_until("pond", "playing")
        assert _first(engine) == "pond:out_1"
        (channel, *_) = engine.client.request("channels.list")["channels"]
        assert (channel["gain_db"], channel["by"]) == (-6.0, "ann")


def _first(engine: EngineProcess) -> str:
    """The first channel of the pond."""
    engine.wait_until("pond", "playing")
    return str(engine.client.request("sources.get", name="pond")["channels"][0])


def test_the_mixer_is_told_over_the_socket_and_keeps_account(engine: EngineProcess, folder: Path) -> None:
    engine.client.request("sources.add", specification=pond(folder))
    engine.wait_until("pond", "playing")
    muted = engine.client.request("mixer.set", channel="pond:out_2", mute=True, by="ann")
    assert (muted["muted"], muted["heard"], muted["by"]) == (True, False, "ann")
    assert loudest_hz(engine)["pond:out_2"] == pytest.approx(400, abs=4), "the analyzer hears it as it is"
    assert engine.client.request("mixer.release", channel="pond:out_2", by="bob")["muted"] is False
    changes = engine.client.request("mixer.audit", limit=10)["changes"]
    assert [(change["by"], change["to"]) for change in changes] == [("bob", None), ("ann", True)]
    with pytest.raises(SourceError, match="no channel"):
        engine.client.request("mixer.set", channel="lake:out_1", mute=True, by="ann")
    with pytest.raises((InvalidNameError, SourceError)):
        engine.client.request("mixer.set", channel="nothing", mute=True, by="ann")


def test_live_streams_and_passing_sources_end_with_the_lease_of_who_opened_them(
    engine: EngineProcess, folder: Path
) -> None:
    time_s = np.arange(RATE_HZ // 4) / RATE_HZ
    pcm = base64.b64encode((8000 * np.sin(2 * np.pi * 1000 * time_s)).astype("<i2").tobytes()).decode()
    with engine.client.lease("web-1/"):
        opened = engine.client.request("live.open", owner="web-1/a", rate_hz=RATE_HZ, storage=True)
        assert opened["portname"] == "tidzam-livestreams:out_1"
        engine.client.request("sources.add", specification=pond(folder), owner="web-1/a")
        for _ in range(16):
            engine.client.request("live.push", owner="web-1/a", pcm=pcm, rate_hz=RATE_HZ)
        with pytest.raises(SourceError):
            engine.client.request("live.push", owner="web-1/b", pcm=pcm, rate_hz=RATE_HZ)
        wait_for(
            lambda: any(
                one["channel"] == "tidzam-livestreams:out_1" and one["sounding"]
                for one in engine.client.request("channels.list")["channels"]
            ),
            "what was pushed sounds",
        )
    wait_for(lambda: engine.client.request("channels.list") == {"channels": []}, "all of it is gone")
    kept = list((engine.home / "archive" / "unchecked").glob("livestream1-*.ogg"))
    assert len(kept) == 1


def test_a_second_engine_of_one_home_does_not_start(engine: EngineProcess) -> None:
    from tests.support.crash import run_cli

    second = run_cli(["engine"], engine.home, env={"TIDZAM_GRAPH__KIND": "clock"})
    assert second.returncode == 5
    assert "already running" in second.stderr
    assert engine.client.request("sources.list") == {"sources": []}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_in_order_and_leaves_nothing(
    own_engine: EngineProcess, folder: Path, number: int
) -> None:
    engine = own_engine
    engine.client.request("sources.add", specification=pond(folder))
    engine.wait_until("pond", "playing")
    children = engine.children()
    assert children, "ffmpeg runs"
    with Directory.open(engine.home) as directory:
        shared = directory.path.parent
    assert engine.end(number) == 0
    assert not [child for child in children if is_alive(child)]
    assert not shared.exists() or not list(shared.iterdir())
    assert "Traceback" not in engine.log.read_text()
    with pytest.raises(EngineUnavailableError):
        engine.client.request("status")


@pytest.mark.parametrize("lives", [2, pytest.param(10, marks=pytest.mark.long)])
def test_killed_again_and_again_it_leaves_no_orphans_and_its_permanent_source_comes_back(
    tmp_path: Path, folder: Path, lives: int
) -> None:
    home, settings = tmp_path / "home", {"sources__file_folders": file_folders(folder)}
    started: list[psutil.Process] = []
    for life in range(lives):
        with EngineProcess(home, **settings) as engine:
            if life == 0:
                engine.client.request(
                    "sources.add", specification=pond(folder, is_permanent=True, record=True), keep=True
                )
            engine.wait_until("pond", "playing")
            wait_for(lambda: len(engine.children()) >= 2, "a decoder and an encoder run")
            started += engine.children()
            engine.kill()
    wait_for(lambda: not [child for child in started if is_alive(child)], "no orphan is left")
    archive = home / "archive"
    with EngineProcess(home, **settings) as engine:
        engine.wait_until("pond", "playing")
        assert not list(archive.rglob(".*.damaged"))
        assert engine.end() == 0
    from tidzam_platform.audio import probe
    from tidzam_platform.audio.archive_names import parse_archive_name

    names = sorted(path for path in archive.rglob("*") if path.is_file() and not path.name.startswith("."))
    assert names
    for path in names:
        assert parse_archive_name(path.name).database == "pond"
        assert probe(path).seconds > 0
        assert probe(path).channels == CHANNELS
