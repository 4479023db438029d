"""The analyzer with all that it needs: engine, model server, catalog; each a process of its own."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import IO, Any

import pytest

from serving.analysis import hear_file
from serving.local import open_generation
from tests.support.analyzer_process import AnalyzerProcess
from tests.support.crash import cli_environment
from tests.support.engine_process import EngineProcess
from tests.support.model_server import ModelServerProcess
from tests.support.small_site import SIZE, TrainedHome
from tests.support.waiting import wait_for
from tidzam_platform.archive import index_archive
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import LiveDetection, Recording
from tidzam_platform.clock import format_utc
from tidzam_platform.detections.detection import Detection, detection_of, is_detection
from tidzam_platform.names import channel
from tidzam_platform.operations.ports import free_port
from tidzam_platform.settings import Settings

SOURCE = "then"
AWAY_AFTER_S, AWAY_S = 5.0, 5.0  # within the 20 s of a recording


@dataclass(frozen=True)
class Heard:
    """What came of a recording that was played while the model server was away for a while."""

    home: Path
    recording: Path
    windows: list[dict[str, Any]]
    of_file: dict[tuple[str, str], dict[str, float]]
    stored: list[Detection]
    expected: list[Detection]
    counts: dict[str, Any]
    jack_lines: list[dict[str, Any]]
    exit_code: int


@pytest.fixture(scope="module")
def heard(trained_home: TrainedHome, tmp_path_factory: pytest.TempPathFactory) -> Heard:
    """One recording of the made site, heard live and as a file."""
    home = shutil.copytree(trained_home.folder, tmp_path_factory.mktemp("live") / "home")
    settings = Settings(home=home)
    first, *_ = sorted(trained_home.site.archive_folder.rglob("*.opus"))
    settings.archive_folder.mkdir(exist_ok=True)
    shutil.copy(first, settings.archive_folder)
    catalog = Catalog.open(settings.catalog_url)
    index_archive(catalog, settings.archive_folder, locks_folder=settings.locks_folder)
    with catalog.reading() as session:
        recording = session.query(Recording).order_by(Recording.start).first()
        assert recording is not None
        path, start, database = Path(recording.path), recording.start, recording.source.name
    port = free_port()
    variables = {"model_server__port": port, "analyzer__max_behind_s": 0.5, "model_server__deadline_s": 3}
    windows = home / "windows.jsonl"
    server = ModelServerProcess(home, port)
    try:
        with EngineProcess(home) as engine, AnalyzerProcess(home, **variables) as analyzer:
            server.wait_ready()
            wait_for(lambda: analyzer.status()["model"]["generation"] is not None, "it knows the model", 60)
            environment = cli_environment(home, {"TIDZAM_MODEL_SERVER__PORT": str(port)})
            with (
                windows.open("wb") as output,
                _command(["events", "--what", "windows", "--json"], environment, output) as events,
            ):
                wait_for(lambda: _is_following(analyzer), "somebody follows", 60)
                source = {"name": SOURCE, "database": database, "date": _dashed(start), "is_permanent": False}
                with _heard_by_hand(environment, home) as jack_lines:
                    engine.client.request("sources.add", specification=source)
                    wait_for(lambda: windows.stat().st_size > 0, "windows are heard", 60)
                server.stop()
                wait_for(lambda: int(analyzer.counts()["asking_to_spool"]) > 4, "windows wait on disk", 60)
                server = ModelServerProcess(home, port)
                engine.wait_until(SOURCE, "stopped", 60)
                wait_for(lambda: _is_done(analyzer), "all is heard", 60)
                counts = analyzer.counts()
                wait_for(lambda: len(_lines(windows)) >= int(counts["deciding_windows"]), "all is told", 20)
                events.send_signal(signal.SIGINT)
                events.wait(20)
            exit_code = analyzer.end()
    finally:
        server.stop()
    model = open_generation(settings.models_folder, None)
    hearing = hear_file(path, model, settings.decision, keep_windows=True)
    paths = [known.path for known in hearing.description.classes]
    of_file = {}
    for window in hearing.windows:
        when = format_utc(start + timedelta(seconds=hearing.seconds(window.start_frame)))
        of_file[channel(SOURCE, window.channel), when] = dict(zip(paths, window.scores.tolist(), strict=True))
    expected = [
        detection_of(event, 1, SOURCE, start, hearing.description.rate_hz)
        for event in hearing.events
        if is_detection(event)
    ]
    with catalog.reading() as session:
        stored = [
            Detection(row.id, row.generation, row.channel, row.start, row.end, row.class_path, row.score)
            for row in session.query(LiveDetection)
        ]
    catalog.close()
    return Heard(home, path, _lines(windows), of_file, stored, expected, counts, jack_lines, exit_code)


def test_windows_and_detections_are_those_of_the_file(heard: Heard) -> None:
    told = {(window["chan"], window["time"]): window["outputs"] for window in heard.windows}
    assert set(told) == set(heard.of_file)
    for key, scores in heard.of_file.items():
        assert told[key] == pytest.approx(scores, abs=1e-3)
    assert {one.id for one in heard.stored} == {one.id for one in heard.expected}


def test_no_window_is_lost_or_told_twice_though_the_server_was_away(heard: Heard) -> None:
    names = [(window["chan"], window["time"]) for window in heard.windows]
    assert len(set(names)) == len(names)
    assert len(names) == heard.counts["hearing_windows"]
    assert heard.counts["deciding_lost"] == 0
    assert len(names) == SIZE.channels * (2 * SIZE.recording_s - 1)
    late = [window for window in heard.windows if window["late"]]
    assert late
    for name in {window["chan"] for window in heard.windows}:
        times = [window["time"] for window in late if window["chan"] == name]
        assert times == sorted(times), "what waited comes in order"


def test_channels_are_heard_by_hand_beside_the_analyzer(heard: Heard) -> None:
    assert heard.jack_lines
    assert {str(line["channel"]).partition(":")[0] for line in heard.jack_lines} == {SOURCE}


def test_it_ends_in_order(heard: Heard) -> None:
    assert heard.exit_code == 0
    assert not (heard.home / "run" / "analyzer.sock").exists()


def test_a_second_one_on_the_same_home_is_refused(home: Settings) -> None:
    with AnalyzerProcess(home.home):
        second = subprocess.run(
            [sys.executable, "-m", "tidzam_platform.cli", "analyzer"],
            env=cli_environment(home.home, {}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
    assert second.returncode == 5, second.stderr
    assert "another analyzer" in second.stderr
    assert "Traceback" not in second.stderr


def _is_following(analyzer: AnalyzerProcess) -> bool:
    return int(analyzer.status()["followers"]) > 0


def _is_done(analyzer: AnalyzerProcess) -> bool:
    status = analyzer.status()
    waiting = status["asking"]["spool"]["waiting_windows"] + status["asking"]["live_windows"]
    return not (waiting or status["deciding"]["expected_windows"] or status["store"]["waiting"])


def _dashed(start: object) -> str:
    return f"{start:%Y-%m-%d-%H-%M-%S}"


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.endswith("}")]


def _command(arguments: list[str], environment: dict[str, str], output: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tidzam_platform.cli", *arguments]
    return subprocess.Popen(command, env=environment, stdout=output)


@contextmanager
def _heard_by_hand(environment: dict[str, str], folder: Path) -> Iterator[list[dict[str, Any]]]:
    """``analyze --jack`` waits for the source meanwhile; filled with the first that it says, at the end."""
    output, remarks = folder / "by_hand.jsonl", folder / "by_hand.log"
    lines: list[dict[str, Any]] = []
    command = [sys.executable, "-m", "tidzam_platform.cli", "analyze", "--jack", f"{SOURCE}:*", "--json"]
    with (
        output.open("wb") as out,
        remarks.open("wb") as err,
        subprocess.Popen(command, env=environment, stdout=out, stderr=err) as process,
    ):
        try:
            wait_for(lambda: "heard when they come" in remarks.read_text(), "it waits for channels", 60)
            yield lines
            wait_for(lambda: len(_lines(output)) >= 2, "two windows are heard by hand", 60)
            process.send_signal(signal.SIGINT)
            assert process.wait(20) == 130
        finally:
            process.kill()
    lines += _lines(output)
