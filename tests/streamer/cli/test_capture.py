"""``./tidzam capture``: what a microphone hears becomes a live stream of a Tidzam, and is gone with it."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from streamer.capture import Microphone
from streamer.cli.capture import capture
from tests.streamer.web.web_process import WebProcess
from tests.support.engine_process import EngineProcess, tones
from tests.support.waiting import wait_for
from tidzam_platform.access import Role
from tidzam_platform.errors import DecodingError, EngineUnavailableError, TidzamError, TokenError


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineProcess, WebProcess]]:
    home = tmp_path_factory.mktemp("capture") / "home"
    with EngineProcess(home) as engine, WebProcess(home) as web:
        yield engine, web


def test_a_file_is_heard_as_a_microphone_would_be_and_kept(
    site: tuple[EngineProcess, WebProcess], tmp_path: Path
) -> None:
    engine, web = site
    walk = tones(tmp_path / "walk.opus", 1, 4)
    _, secret = web.tokens.create(Role.LABEL, "ann")
    (tmp_path / "token").write_text(f"{secret}\n")
    arguments = [
        "--url",
        f"http://{web.address}",
        "--file",
        str(walk),
        "--token-file",
        str(tmp_path / "token"),
    ]
    answers = []
    running = threading.Thread(
        target=lambda: answers.append(
            CliRunner().invoke(capture, [*arguments, "--keep", "--json"], catch_exceptions=False)
        )
    )
    running.start()
    wait_for(
        lambda: any(
            one["channel"] == "tidzam-livestreams:out_1" and one["sounding"]
            for one in engine.client.request("channels.list")["channels"]
        ),
        "it sounds",
    )
    running.join(60)
    assert answers[0].exit_code == 0, answers[0].output
    sent = json.loads(answers[0].stdout.splitlines()[-1])
    assert sent["port"] == "tidzam-livestreams:out_1"
    assert sent["seconds"] == pytest.approx(4, abs=0.1)
    assert sent["dropped_frames"] == 0
    wait_for(lambda: engine.client.request("channels.list") == {"channels": []}, "its port goes with it")
    assert list((engine.home / "archive" / "unchecked").glob("livestream1-*.ogg"))


def test_a_wrong_token_and_one_that_may_not_are_refused(
    site: tuple[EngineProcess, WebProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, web = site
    walk = tones(tmp_path / "walk.opus", 1, 1)
    arguments = ["--url", f"http://{web.address}", "--file", str(walk)]
    monkeypatch.setenv("TIDZAM_TOKEN", "nobody-gave-this")
    with pytest.raises(TokenError, match="token"):
        CliRunner().invoke(capture, arguments, catch_exceptions=False)
    monkeypatch.delenv("TIDZAM_TOKEN")
    with pytest.raises(TidzamError, match="label"):
        CliRunner().invoke(capture, [*arguments, "--keep"], catch_exceptions=False)


def test_where_nobody_answers_it_is_said(tmp_path: Path) -> None:
    walk = tones(tmp_path / "walk.opus", 1, 1)
    with pytest.raises(EngineUnavailableError, match="tidzam start"):
        CliRunner().invoke(
            capture, ["--url", "http://127.0.0.1:1", "--file", str(walk)], catch_exceptions=False
        )


def test_a_device_that_is_not_there_is_an_error_with_what_ffmpeg_said() -> None:
    with Microphone("hw:99") as microphone, pytest.raises(DecodingError, match="hw:99"):
        list(microphone.blocks())


def test_a_device_is_a_name_and_no_option() -> None:
    assert CliRunner().invoke(capture, ["--device", "-i /etc/passwd"]).exit_code == 2
