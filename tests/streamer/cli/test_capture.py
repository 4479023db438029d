"""``./tidzam capture``: what a microphone hears becomes a live stream of a Tidzam, and is gone with it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import psutil
import pytest
from click.testing import CliRunner

from streamer.cli.capture import capture
from tests.streamer.capture.sound_card import path_with_card
from tests.streamer.web.web_process import WebProcess
from tests.support.crash import cli_environment, run_cli
from tests.support.engine_process import EngineProcess, is_alive, tones
from tests.support.fake_analyzer import FakeAnalyzer
from tests.support.waiting import wait_for
from tidzam_platform.access import Role
from tidzam_platform.errors import AudioError, DecodingError, EngineUnavailableError, TidzamError, TokenError


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EngineProcess, WebProcess]]:
    home = tmp_path_factory.mktemp("capture") / "home"
    with EngineProcess(home) as engine, WebProcess(home) as web:
        yield engine, web


def is_sounding(engine: EngineProcess) -> bool:
    """Whether a live stream is heard."""
    channels = engine.client.request("channels.list")["channels"]
    return any(one["channel"] == "tidzam-livestreams:out_1" and one["sounding"] for one in channels)


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
    wait_for(lambda: is_sounding(engine), "it sounds")
    running.join(60)
    assert answers[0].exit_code == 0, answers[0].output
    sent = json.loads(answers[0].stdout.splitlines()[-1])
    assert sent["port"] == "tidzam-livestreams:out_1"
    assert sent["seconds"] == pytest.approx(4, abs=0.1)
    assert sent["dropped_frames"] == 0
    wait_for(lambda: engine.client.request("channels.list") == {"channels": []}, "its port goes with it")
    kept = engine.home / "archive" / "unchecked"
    wait_for(lambda: any(kept.glob("livestream1-*.ogg")), "its recording is whole")


@pytest.mark.parametrize("is_running", [True, False])
def test_what_keeps_from_hearing_is_said(
    site: tuple[EngineProcess, WebProcess], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_running: bool
) -> None:
    engine, web = site
    monkeypatch.setenv("TIDZAM_HOME", str(engine.home))
    monkeypatch.setenv("TIDZAM_WEB__PORT", web.address.rpartition(":")[2])
    arguments = ["--file", str(tones(tmp_path / "walk.opus", 1, 1))]
    with FakeAnalyzer(engine.home) if is_running else nullcontext() as analyzer:
        if analyzer is not None:
            analyzer.status = {"model": {"generation": None, "problem": "there is no generation yet"}}
        captured = [
            CliRunner().invoke(capture, [*url, *arguments], catch_exceptions=False)
            for url in ([], ["--url", f"{web.url}/"])
        ]
    for one in captured:
        assert one.exit_code == 0
        assert "nothing is heard yet: " in one.stderr
        why = "there is no generation yet" if is_running else "./tidzam start analyzer"
        assert why in one.stderr


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
    with pytest.raises(
        EngineUnavailableError, match=r"\(connection refused\); start it with \./tidzam start"
    ):
        CliRunner().invoke(
            capture, ["--url", "http://127.0.0.1:1", "--file", str(walk)], catch_exceptions=False
        )


def test_a_card_that_is_pulled_out_ends_it_with_words_and_what_was_sent(
    site: tuple[EngineProcess, WebProcess], tmp_path: Path
) -> None:
    _, web = site
    ended = run_cli(
        ["capture", "--url", web.url, "--device", "hw:1,0", "--json"],
        tmp_path,
        env={"PATH": path_with_card(tmp_path / "card", seconds=1)},
    )
    assert ended.returncode == DecodingError.exit_code, ended.stderr
    assert "the device hw:1,0 gives no audio: it ended: was it unplugged?" in ended.stderr
    assert "Traceback" not in ended.stderr
    sent = json.loads(ended.stdout)
    assert sent["port"] == "tidzam-livestreams:out_1"
    assert sent["seconds"] == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_ends_it_in_order(
    site: tuple[EngineProcess, WebProcess], tmp_path: Path, number: signal.Signals
) -> None:
    engine, web = site
    path = {"PATH": path_with_card(tmp_path / "card")}
    with subprocess.Popen(
        [sys.executable, "-m", "tidzam_platform.cli", "capture", "--url", web.url, "--json"],
        env=cli_environment(tmp_path, path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        try:
            wait_for(lambda: is_sounding(engine), "it sounds")
            children = psutil.Process(process.pid).children(recursive=True)
            process.send_signal(number)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0, err.decode()
    assert engine.client.request("channels.list") == {"channels": []}, "it was closed before it ended"
    assert json.loads(out)["seconds"] > 0
    assert "Traceback" not in err.decode()
    assert children
    assert not any(is_alive(child) for child in children)


def test_elsewhere_nobody_is_told_to_start_it(tmp_path: Path) -> None:
    walk = tones(tmp_path / "walk.opus", 1, 1)
    arguments = ["--url", "http://nobody.invalid:8080", "--file", str(walk)]
    with pytest.raises(EngineUnavailableError) as refused:
        CliRunner().invoke(capture, arguments, catch_exceptions=False)
    assert "tidzam start" not in str(refused.value)
    assert "Max retries" not in str(refused.value)


@pytest.mark.parametrize(
    "url", ["ftp://x", "x", "", "http://", "http://[::1", "http://a:99999", "file:///etc/passwd"]
)
def test_what_is_no_address_of_a_web_process_is_wrong_usage(url: str) -> None:
    ended = CliRunner().invoke(capture, ["--url", url])
    assert ended.exit_code == 2
    assert "http://host:8080" in ended.output


@pytest.mark.parametrize("content", [b"", b"no audio at all" * 100])
def test_a_file_that_is_no_audio_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "walk.wav").write_bytes(content)
    with pytest.raises(AudioError, match=r"walk\.wav"):
        CliRunner().invoke(
            capture,
            ["--url", "http://127.0.0.1:1", "--file", str(tmp_path / "walk.wav")],
            catch_exceptions=False,
        )


def test_a_device_is_a_name_and_no_option() -> None:
    assert CliRunner().invoke(capture, ["--device", "-i /etc/passwd"]).exit_code == 2
