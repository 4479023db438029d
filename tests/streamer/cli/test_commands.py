"""``./tidzam source``, ``status`` and ``listen`` against a real engine; ``source test`` without one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.cli.listen import listen
from streamer.cli.source import source
from streamer.cli.status import status
from tests.support.crash import cli_environment
from tests.support.endless_media import EndlessOgg
from tests.support.engine_process import EngineProcess, file_folders, tones
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.stream_behaviours import Garbage, Healthy, Stall, Status
from tests.support.waiting import wait_for
from tidzam_platform.cli.main import cli
from tidzam_platform.errors import RefusedAddressError, SourceError, TidzamError


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("recordings")
    tones(folder / "tones.opus", 2, 20)
    return folder


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory, folder: Path) -> Iterator[EngineProcess]:
    home = tmp_path_factory.mktemp("commands") / "home"
    with EngineProcess(home, sources__file_folders=file_folders(folder)) as engine:
        yield engine


@pytest.fixture(autouse=True)
def home(engine: EngineProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIDZAM_HOME", str(engine.home))


def run(command: Any, *arguments: object) -> Result:
    """Run a command that shall succeed."""
    result = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result


def answer(command: Any, *arguments: object) -> Any:
    return json.loads(run(command, *arguments, "--json").stdout)


def test_a_source_is_added_shown_and_removed(engine: EngineProcess, folder: Path) -> None:
    run(
        source,
        "add",
        "pond",
        "--file",
        folder / "tones.opus",
        "--temporary",
        "--latitude",
        46.5,
        "--longitude",
        6.6,
    )
    engine.wait_until("pond", "playing")
    listed = {one["name"]: one for one in answer(source, "list")["sources"]}
    assert listed["pond"]["channels"] == ["pond:out_1", "pond:out_2"]
    assert "pond" in run(source, "list").stdout
    shown = run(source, "show", "pond").stdout
    assert "samples come" in shown
    assert "waits until fewer other sources are starting" in shown
    assert "{" not in shown
    assert str(folder / "tones.opus") in run(source, "list").stdout.replace("\n", "")
    wait_for(lambda: all(one["sounding"] for one in answer(status)["channels"]), "both channels sound")
    table = run(status).stdout
    assert "pond:out_2" in table
    assert "sounds" in table
    assert run(source, "remove", "pond").stdout == "pond is removed; its recordings stay\n"
    assert not [one for one in answer(source, "list")["sources"] if one["name"] == "pond"]


def test_a_channel_that_another_keeps_from_listeners_says_which(engine: EngineProcess, folder: Path) -> None:
    run(source, "add", "pond", "--file", folder / "tones.opus", "--temporary")
    assert "solo" not in run(status).stdout
    engine.client.request("mixer.set", channel="pond:out_2", solo=True, by="ann")
    try:
        told = {one["channel"]: one for one in answer(status)["channels"]}
        assert (told["pond:out_1"]["heard"], told["pond:out_2"]["heard"]) == (False, True)
        table = run(status).stdout
        assert table.count("not heard") == 1
        assert table.count("solo") == 2
    finally:
        engine.client.request("mixer.release", channel="pond:out_2")
        run(source, "remove", "pond")


def test_ctrl_c_of_the_wait_says_what_stays(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with (
        EngineProcess(home, sources__private_addresses="true") as engine,
        FaultyStreamServer() as server,
    ):
        server.behave("/pond", Stall())
        with subprocess.Popen(
            [sys.executable, "-m", "tidzam_platform.cli", "source", "add", "pond", server.url("/pond")],
            env=cli_environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            try:
                assert process.stderr is not None
                assert "waiting until it is heard" in process.stderr.readline()
                process.send_signal(signal.SIGINT)
                out, err = process.communicate(timeout=30)
            finally:
                process.kill()
        assert process.returncode == 130, err
        assert err.strip() == "tidzam: no longer waiting; pond stays: ./tidzam source list shows how it does"
        assert out == ""
        assert listed(engine) == ["pond"]


def add(*arguments: object) -> Result:
    """``./tidzam source add``, whatever comes of it."""
    return CliRunner().invoke(source, ["add", *map(str, arguments)])


def listed(engine: EngineProcess) -> list[str]:
    return [one["name"] for one in engine.client.request("sources.list")["sources"]]


def test_adding_waits_until_the_source_has_begun(engine: EngineProcess, folder: Path) -> None:
    added = run(source, "add", "pond", "--file", folder / "tones.opus", "--temporary")
    assert added.stdout == "pond: playing; ./tidzam status shows what is heard\n"
    status = answer(source, "add", "pond", "--file", folder / "tones.opus", "--temporary")
    assert (status["name"], status["state"]) == ("pond", "playing")
    run(source, "remove", "pond")


def test_a_source_that_fails_for_good_is_told_with_its_reason_and_the_exit_code(
    engine: EngineProcess, folder: Path
) -> None:
    failed = add("film", "--file", folder / "none.opus", "--temporary", "--json")
    assert isinstance(failed.exception, TidzamError)
    assert "none.opus" in str(failed.exception)
    assert json.loads(failed.stdout)["state"] == "failed"
    refused = add("lake", "http://127.0.0.1:9/lake.ogg")
    assert isinstance(refused.exception, RefusedAddressError), "a permanent one, but no waiting mends it"
    assert "127.0.0.1" in str(refused.exception)
    assert "./tidzam source remove lake" in str(refused.exception)
    assert refused.stdout == ""
    assert {"film", "lake"} <= set(listed(engine))
    silent = {one["name"]: one for one in answer(status)["without_channels"]}
    assert (silent["film"]["state"], silent["lake"]["is_permanent"]) == ("failed", True)
    assert "127.0.0.1" in silent["lake"]["last_failure"]
    table = run(status).stdout
    assert "sources without channels" in table
    for expected in ("film", "failed", "none.opus", "lake"):
        assert expected in table
    run(source, "remove", "film")
    run(source, "remove", "lake")
    assert answer(status)["without_channels"] == []
    assert "sources without channels" not in run(status).stdout


@pytest.mark.parametrize(
    "origin", [{"path": "/etc/passwd"}, {"url": "http://169.254.169.254/"}, {"url": "http://2852039166/"}]
)
def test_over_http_what_may_never_be_heard_is_not_even_added(
    engine: EngineProcess, origin: dict[str, str]
) -> None:
    asked = {"specification": {"name": "lake", **origin}, "keep": True, "must_be_allowed": True}
    with pytest.raises(RefusedAddressError):
        engine.client.request("sources.add", **asked)
    assert "lake" not in listed(engine)


def test_over_http_an_archive_of_which_there_is_nothing_is_not_even_added(engine: EngineProcess) -> None:
    asked = {"specification": {"name": "then", "database": "nosuch"}, "must_be_allowed": True}
    with pytest.raises(SourceError, match=r"holds nothing of 'nosuch'.*archive list"):
        engine.client.request("sources.add", **asked)
    assert "then" not in listed(engine)


def test_a_list_without_sources_says_how_to_add_one(engine: EngineProcess) -> None:
    for name in listed(engine):
        engine.client.request("sources.remove", name=name)
    assert (
        run(source, "list").stdout == "there are no sources: ./tidzam source add --help says how to add one\n"
    )


def test_adding_without_waiting_fails_for_nothing_that_comes_later(engine: EngineProcess) -> None:
    added = run(source, "add", "lake", "http://127.0.0.1:9/lake.ogg", "--no-wait")
    assert added.stdout.startswith("lake: ")
    assert "lake" in listed(engine)
    run(source, "remove", "lake")


def test_a_permanent_source_that_may_come_yet_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with (
        EngineProcess(tmp_path / "home", sources__private_addresses="true"),
        FaultyStreamServer() as server,
    ):
        monkeypatch.setenv("TIDZAM_HOME", str(tmp_path / "home"))
        server.behave("/pond", Status("503 Service Unavailable"))
        told = run(source, "add", "pond", server.url("/pond"))
        assert "503" in told.stdout
        assert "it is tried again" in told.stdout
        assert add("brook", server.url("/pond"), "--temporary").exit_code != 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["remove", "nothing"], "no source 'nothing'"),
        (["seek", "nothing", "2026-04-01-05-00-00"], "no source 'nothing'"),
        (["add", "two words", "http://example.org/a.ogg"], "two words"),
        (["add", "pond"], "where its audio comes from"),
        (["add", "pond", "file:///etc/passwd"], "file://"),
        (["add", "pond", "http://example.org/", "--channels", "nine"], "nine"),
        (["add", "pond", "http://example.org/", "--zone", "Mars/Olympus"], "Mars/Olympus"),
        (["add", "pond", "http://example.org/", "--latitude", "4"], "belong together"),
    ],
)
def test_what_makes_no_sense_is_said(engine: EngineProcess, arguments: list[str], said: str) -> None:
    before = engine.client.request("sources.list")
    with pytest.raises(TidzamError, match=said):
        CliRunner().invoke(source, arguments, catch_exceptions=False)
    assert engine.client.request("sources.list") == before


def test_a_channel_that_nobody_can_listen_to_says_why(engine: EngineProcess, folder: Path) -> None:
    run(source, "add", "pond", "--file", folder / "tones.opus", "--temporary")
    engine.wait_until("pond", "playing")
    with pytest.raises(SourceError, match="Icecast is off"):
        CliRunner().invoke(listen, ["pond:out_1"], catch_exceptions=False)
    with pytest.raises(SourceError, match="no channel lake:out_1"):
        CliRunner().invoke(listen, ["lake:out_1"], catch_exceptions=False)
    refused = CliRunner().invoke(listen, ["pond:out_1", "--output", "a.ogg"])
    assert refused.exit_code == 2
    assert "--seconds" in refused.output
    run(source, "remove", "pond")


def test_a_url_is_tried_without_an_engine(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    media = EndlessOgg((folder / "tones.opus").read_bytes())
    with FaultyStreamServer() as server:
        server.behave("/pond", Healthy(media))
        server.behave("/missing", Status(404))
        server.behave("/garbage", Garbage())
        with pytest.raises(RefusedAddressError):
            CliRunner().invoke(source, ["test", server.url("/pond")], catch_exceptions=False)
        assert server.connections == 0
        monkeypatch.setenv("TIDZAM_SOURCES__PRIVATE_ADDRESSES", "true")
        heard = answer(source, "test", server.url("/pond"), "--seconds", 1)
        assert (heard["container"], heard["channels"], heard["is_live"]) == ("ogg", 2, True)
        assert heard["seconds"] == pytest.approx(1.0)
        for rms, peak in heard["levels_dbfs"]:
            assert -20 < rms < peak < -10
        assert "RMS dBFS" in run(source, "test", server.url("/pond"), "--seconds", 0.5).stdout
        for path in ("/missing", "/garbage"):
            with pytest.raises(TidzamError):
                CliRunner().invoke(source, ["test", server.url(path)], catch_exceptions=False)


def test_without_an_engine_it_is_said_how_to_start_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDZAM_HOME", str(tmp_path))
    with pytest.raises(TidzamError, match="tidzam start engine"):
        CliRunner().invoke(status, [], catch_exceptions=False)


@pytest.mark.parametrize(
    "name", ["engine", "listen", "source", "status", "start", "stop", "restart", "token", "web"]
)
def test_every_command_is_there_and_has_examples(name: str) -> None:
    page = run(cli, name, "--help").stdout
    assert f"./tidzam {name}" in page
