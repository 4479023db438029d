"""``./tidzam listen``: what is heard goes into a file that is whole; how much it is, and why no more, is told."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from streamer.cli.listen import listen
from streamer.engine.control import EngineClient
from tests.support.crash import cli_environment
from tests.support.endless_media import EndlessOgg
from tests.support.engine_process import EngineProcess, file_folders, tones
from tests.support.fake_engine import FakeEngine
from tests.support.faulty_stream_server import Behaviour, FaultyStreamServer
from tests.support.parts import require_part
from tests.support.stream_behaviours import HalfPage, Healthy, Raw, Reset, Status, answer_head
from tests.support.waiting import wait_for
from tidzam_platform.audio.probing import probe
from tidzam_platform.errors import FetchError, MissingSystemPartError, SourceError

MOUNT = "/pond-out_1.opus"


@pytest.fixture(scope="module")
def media(tmp_path_factory: pytest.TempPathFactory) -> EndlessOgg:
    return EndlessOgg(tones(tmp_path_factory.mktemp("tone") / "tone.opus", 1, 4).read_bytes())


@pytest.fixture
def mounts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyStreamServer]:
    """The server of the mounts of pond:out_1 and pond:out_2; a proxy of the environment would lead nowhere."""
    home = tmp_path / "home"
    home.mkdir()
    (tmp_path / "out").mkdir()
    monkeypatch.setenv("TIDZAM_HOME", str(home))
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "example.org")
    with FakeEngine(home) as engine, FaultyStreamServer() as server:
        with EngineClient(home) as client:
            client.request("sources.add", specification={"name": "pond"}, keep=False)
        engine.mount = server.url("/{}-out_{}.opus")
        yield server


def run(*arguments: object) -> Result:
    """Run it, whatever becomes of it."""
    return CliRunner().invoke(listen, [str(argument) for argument in arguments])


def told(result: Result) -> dict[str, Any]:
    """Its answer, as it is."""
    answer = json.loads(result.stdout)
    assert isinstance(answer, dict)
    return answer


def require_as_told(output: Path, answer: dict[str, Any]) -> None:
    """What was told of a file is so, and nothing else was left beside it."""
    assert answer["output"] == str(output)
    assert answer["bytes"] == output.stat().st_size > 0
    info = probe(output)
    assert (info.holes, info.truncated) == ((), False)
    assert answer["seconds"] == pytest.approx(info.seconds, abs=1e-3)
    assert not (output.parent / ".partial").exists()


def test_where_any_player_hears_it(mounts: FaultyStreamServer) -> None:
    answer = told(run("pond:out_1", "--json"))
    assert answer == {"channel": "pond:out_1", "mounts": [mounts.url(MOUNT), mounts.url("/pond-out_1.ogg")]}
    assert mounts.connections == 0


def test_a_file_has_what_was_asked_and_the_answer_says_so(
    mounts: FaultyStreamServer, media: EndlessOgg, tmp_path: Path
) -> None:
    mounts.behave(MOUNT, Healthy(media, real_time=False))
    output = tmp_path / "out" / "pond.ogg"
    result = run("pond:out_1", "--output", output, "--seconds", 2.5, "--json")
    assert result.exit_code == 0, result.output
    answer = told(result)
    require_as_told(output, answer)
    assert answer["seconds"] == pytest.approx(2.5, abs=0.05)
    assert answer["why_short"] == ""
    plain = run("pond:out_1", "--output", output, "--seconds", 1)
    assert plain.stdout == f"1.0 s of pond:out_1 ({output.stat().st_size} bytes) are in {output}\n"


def test_a_stream_that_ends_early_is_kept_and_told_of_with_its_own_length(
    mounts: FaultyStreamServer, media: EndlessOgg, tmp_path: Path
) -> None:
    mounts.behave(MOUNT, HalfPage(media, blocks=2))
    output = tmp_path / "out" / "pond.ogg"
    result = run("pond:out_1", "--output", output, "--seconds", 60, "--json")
    answer = told(result)
    require_as_told(output, answer)
    assert answer["seconds"] == pytest.approx(media.begin_s(2), abs=0.1)
    assert "ended the stream" in answer["why_short"]
    assert isinstance(result.exception, FetchError)
    assert result.exception.exit_code != 0
    assert f"ended after {answer['seconds']:.1f} s of 60 s" in str(result.exception)
    assert str(output) in str(result.exception)


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        (Status("403 Forbidden"), "403"),
        (Reset(), "does not answer"),
        (Raw(answer_head(Content_Type="audio/ogg")), "ended the stream"),
        (Raw(answer_head(Content_Type="audio/ogg") + b"no Ogg at all" * 1000), "nothing could be written"),
    ],
    ids=["refused", "reset", "empty", "garbage"],
)
def test_where_nothing_is_heard_the_file_stays_as_it_was(
    mounts: FaultyStreamServer, tmp_path: Path, behaviour: Behaviour, said: str
) -> None:
    mounts.behave(MOUNT, behaviour)
    output = tmp_path / "pond.ogg"
    output.write_bytes(b"of yesterday")
    result = run("pond:out_1", "--output", output, "--seconds", 60, "--json")
    assert isinstance(result.exception, FetchError)
    assert said in str(result.exception)
    assert result.stdout == ""
    assert output.read_bytes() == b"of yesterday"


def test_a_mount_that_icecast_does_not_have_names_the_channels_that_there_are(
    mounts: FaultyStreamServer, tmp_path: Path
) -> None:
    result = run("pond:out_2", "--output", tmp_path / "pond.ogg", "--seconds", 60)
    assert isinstance(result.exception, FetchError)
    for part in ("404", "pond:out_1, pond:out_2", "max_encoders"):
        assert part in str(result.exception)


def test_a_channel_that_there_is_not_names_those_that_there_are(mounts: FaultyStreamServer) -> None:
    result = run("lake:out_1", "--json")
    assert isinstance(result.exception, SourceError)
    assert "no channel lake:out_1; there are pond:out_1, pond:out_2" in str(result.exception)


def test_a_file_in_a_folder_that_there_is_not_is_refused(mounts: FaultyStreamServer, tmp_path: Path) -> None:
    result = run("pond:out_1", "--output", tmp_path / "none" / "x.ogg", "--seconds", 1)
    assert result.exit_code == 2
    assert "mkdir" in result.output
    assert not (tmp_path / "none").exists()
    assert mounts.connections == 0


@pytest.mark.parametrize("verbose", [False, True])
def test_what_the_player_complains_of_is_shown_if_it_is_asked_for(
    mounts: FaultyStreamServer, media: EndlessOgg, tmp_path: Path, *, verbose: bool
) -> None:
    mounts.behave(MOUNT, Healthy(media))
    player = tmp_path / "programs" / "mpv"
    player.parent.mkdir()
    player.write_text("#!/bin/sh\necho ALSA lib pcm.c: no card >&2\nexit 2\n")
    player.chmod(0o755)
    ended = subprocess.run(
        [sys.executable, "-m", "tidzam_platform.cli", "listen", "pond:out_1", *["--verbose"] * verbose],
        env=cli_environment(tmp_path / "home", {"PATH": f"{player.parent}:/usr/bin:/bin"}),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == SourceError.exit_code
    assert "is there a sound card?" in ended.stderr
    assert ("ALSA lib" in ended.stderr) is verbose


def test_a_player_that_cannot_play_it_says_so_where_icecast_is_the_reason(mounts: FaultyStreamServer) -> None:
    require_part("mpv")
    result = run("pond:out_1")
    assert isinstance(result.exception, FetchError)
    assert "404" in str(result.exception)
    assert len(mounts.requests(MOUNT)) >= 2, "mpv asked for it without a proxy, and so did we"


def test_without_a_player_it_says_which_to_install(
    mounts: FaultyStreamServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = run("pond:out_1")
    assert isinstance(result.exception, MissingSystemPartError)
    assert "apt-get install mpv" in str(result.exception)


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_ctrl_c_and_sigterm_keep_what_was_heard(
    mounts: FaultyStreamServer, media: EndlessOgg, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    mounts.behave(MOUNT, Healthy(media, burst_s=3.0))
    output = tmp_path / "out" / "pond.ogg"
    command = [sys.executable, "-m", "tidzam_platform.cli", "listen", "pond:out_1", "--seconds", "60"]
    with subprocess.Popen(
        [*command, "--output", output, "--json"],
        env=cli_environment(tmp_path / "home"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            wait_for(lambda: _partial_bytes(output) > 10_000, "some of it is on the disk", 30)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == code, err.decode()
    answer = json.loads(out)
    require_as_told(output, answer)
    assert 1.0 < answer["seconds"] < 60.0
    assert answer["why_short"] == "it was interrupted"
    assert err.decode().strip().endswith("tidzam: stopped")
    assert "Traceback" not in err.decode()


def _partial_bytes(output: Path) -> int:
    return sum(path.stat().st_size for path in (output.parent / ".partial").glob("*"))


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """A real engine with the real Icecast: pond:out_1 and pond:out_2 play, and one of them may be heard at a time."""
    require_part("icecast")
    folder = tmp_path_factory.mktemp("recordings")
    settings = {"icecast__enabled": "true", "icecast__port": "0", "icecast__max_encoders": "1"}
    home = tmp_path_factory.mktemp("listen") / "home"
    with EngineProcess(home, **settings, sources__file_folders=file_folders(folder)) as engine:
        recording = tones(folder / "pond.opus", 2, 120)
        engine.client.request("sources.add", specification={"name": "pond", "path": str(recording)})
        engine.wait_until("pond", "playing")
        yield engine


def test_real_icecast_is_heard_and_its_refusal_explained(
    engine: EngineProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TIDZAM_HOME", str(engine.home))
    (address, _) = told(run("pond:out_1", "--json"))["mounts"]
    with ExitStack() as listening:  # who comes and goes would have Icecast ask for its encoder anew
        wait_for(lambda: _joins(address, listening), "Icecast knows the mount")
        refused = run("pond:out_2", "--output", tmp_path / "second.ogg", "--seconds", 1)
        result = run("pond:out_1", "--output", tmp_path / "first.ogg", "--seconds", 1, "--json")
    assert isinstance(refused.exception, FetchError)
    assert "pond:out_1, pond:out_2" in str(refused.exception)
    assert result.exit_code == 0, result.output
    require_as_told(tmp_path / "first.ogg", told(result))
    assert told(result)["seconds"] == pytest.approx(1, abs=0.05)


def _joins(address: str, listening: ExitStack) -> bool:
    """Whether the mount is heard, and then until ``listening`` ends."""
    try:
        stream = urllib.request.urlopen(address, timeout=10)  # noqa: S310 - of the engine
    except OSError:
        return False
    return bool(listening.enter_context(stream).read(4))
