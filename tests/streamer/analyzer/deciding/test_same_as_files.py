"""A recording heard live gives the detections of the file, with the same ids, also when the server goes and comes."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from serving.analysis import hear_file
from serving.client import ModelClient
from serving.repository import ModelRepository
from serving.server.embedded import EmbeddedServer
from streamer.analyzer.windows import Moment, WindowKey, WindowResult
from streamer.cli.analyze import analyze
from streamer.cli.live_answers import LiveAnswers
from tests.streamer.analyzer.asking.made import run_of
from tests.streamer.analyzer.deciding.analyzing import Analyzing, analyzing
from tests.streamer.analyzer.deciding.made import by_identity, detections_of
from tests.support.parts import require_part
from tests.support.tiny_model import RATE_HZ
from tests.support.waiting import wait_for
from tidzam_platform.audio import cut_windows, decode_blocks, write_audio
from tidzam_platform.detections.detection import Detection
from tidzam_platform.settings import Settings, load_settings

SECONDS, CHANNELS = 60, 3
RUN = run_of()
SETTINGS = Settings.model_validate(
    {
        "analyzer": {"max_behind_s": 30},
        "decision": {"events": {"fill_s": 0.3, "on_threshold": 0.5, "off_threshold": 0.3}},
    }
)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Noise whose colour and level change now and then, so that the tiny model hears this and that."""
    require_part("ffmpeg")
    random = np.random.default_rng(5)
    audio = random.normal(size=(CHANNELS, SECONDS * RATE_HZ)).astype(np.float32)
    for channel in audio:
        begin = 0
        while begin < len(channel):
            end = begin + int(random.uniform(0.2, 3) * RATE_HZ)
            lag = int(random.integers(1, 12))
            piece = np.convolve(channel[begin:end], np.ones(lag) / lag, "same")
            channel[begin:end] = piece * 10 ** random.uniform(-1.6, 0)
            begin = end
    path = tmp_path_factory.mktemp("recording") / "marsh.wav"
    write_audio(path, np.clip(audio, -1, 1), RATE_HZ, codec="wav")
    return path


@pytest.fixture
def repository(tmp_path: Path, exported: Callable[[int], Path]) -> ModelRepository:
    repository = ModelRepository(tmp_path / "models")
    with repository.staging() as staged:
        shutil.copytree(exported(3), staged, dirs_exist_ok=True)
        repository.publish(3, staged)
    return repository


@pytest.fixture
def server(repository: ModelRepository) -> Iterator[EmbeddedServer]:
    server = EmbeddedServer(repository, poll_interval_s=0.1)
    server.start()
    assert server.wait_for_generation(30) == 3
    yield server
    server.stop()


def moments_of(path: Path) -> list[Moment]:
    geometry = RUN.geometry
    return [
        Moment(
            tuple(WindowKey(RUN, number, window.start_frame, 0.0) for number in range(1, CHANNELS + 1)),
            window.samples,
        )
        for window in cut_windows(
            decode_blocks(path, rate_hz=RATE_HZ),
            window_frames=geometry.window_frames,
            hop_frames=geometry.hop_frames,
        )
    ]


def heard_in_file(path: Path, client: ModelClient) -> list[Detection]:
    hearing = hear_file(path, client, SETTINGS.decision)
    return by_identity(detections_of(hearing.events, RUN, 3))


def require_same(found: list[Detection], expected: list[Detection]) -> None:
    """Also in their ids; scores differ by the size of the batch, in the last bits."""
    exact = [replace(one, score=0.0) for one in by_identity(found)]
    assert exact == [replace(one, score=0.0) for one in expected]
    np.testing.assert_allclose(
        [one.score for one in by_identity(found)], [one.score for one in expected], atol=1e-5
    )


SMOOTHING = Settings.model_validate(
    {
        "analyzer": {"max_behind_s": 30},
        "decision": {"events": {**SETTINGS.decision.events.model_dump(), "smoothing_windows": 4}},
    }
)


def test_with_smoothing_the_answers_and_detections_are_those_of_the_file(
    tmp_path: Path, recording: Path, server: EmbeddedServer
) -> None:
    moments = moments_of(recording)
    with ModelClient(server.address) as client:
        hearing = hear_file(recording, client, SMOOTHING.decision, keep_windows=True)
        of_file = {(one.channel, one.start_frame): one.answer.class_path for one in hearing.windows}
        expected = by_identity(detections_of(hearing.events, RUN, 3))
        assert len(expected) > 10
        unsmoothed = hear_file(recording, client, SETTINGS.decision, keep_windows=True).windows
        others = sum(of_file[one.channel, one.start_frame] != one.answer.class_path for one in unsmoothed)
        assert others > len(of_file) // 20, "smoothing makes a difference"
        with analyzing(tmp_path, lambda: client, SMOOTHING) as made:
            for moment in moments:
                made.submit(moment)
            wait_for(lambda: made.decider.counts()["windows"] == len(of_file), "all are heard", 60)
            made.decider.end(RUN)
            wait_for(lambda: len(made.stored()) == len(expected), "all are stored")
            require_same(made.stored(), expected)
            assert answers_of(made.told.results) == of_file
        by_hand = LiveAnswers(client.describe(), SMOOTHING)
        shown = [
            result for moment in moments for result in by_hand(moment.keys, client.predict(moment.audio))
        ]
        assert answers_of(shown) == of_file


def answers_of(results: Iterable[WindowResult]) -> dict[tuple[int, int], str]:
    return {(one.key.number, one.key.start_frame): one.answer.class_path for one in results}


def test_a_file_that_is_shown_has_the_answers_of_the_file(
    recording: Path, server: EmbeddedServer, home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert home.home.is_dir()
    monkeypatch.setenv("TIDZAM_DECISION__EVENTS__SMOOTHING_WINDOWS", "4")
    decision = load_settings().decision
    assert decision.events.smoothing_windows == 4
    command = ["--stream", str(recording), "--server", server.address, "--json"]
    shown = CliRunner().invoke(analyze, command, catch_exceptions=False)
    assert shown.exit_code == 0
    with ModelClient(server.address) as client:
        hearing = hear_file(recording, client, decision, keep_windows=True)
    lines = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [(line["channel"], line["result"]) for line in lines] == [
        (f"{recording.stem}:out_{one.channel}", one.answer.class_path) for one in hearing.windows
    ]


def require_each_window_once(made: Analyzing, windows: int) -> None:
    assert made.lost == []
    names = made.told.names
    assert len(names) == len(set(names)) == windows


def test_live_and_file_give_the_same(tmp_path: Path, recording: Path, server: EmbeddedServer) -> None:
    moments = moments_of(recording)
    with ModelClient(server.address) as client:
        expected = heard_in_file(recording, client)
        assert len(expected) > 20
        assert len({one.class_path for one in expected}) == 3
        with analyzing(tmp_path, lambda: client, SETTINGS) as made:
            for moment in moments:
                made.submit(moment)
            wait_for(lambda: made.decider.counts()["windows"] == len(moments) * CHANNELS, "all are heard", 60)
            made.decider.end(RUN)
            wait_for(lambda: len(made.stored()) == len(expected), "all are stored")
            require_same(made.stored(), expected)
            require_each_window_once(made, len(moments) * CHANNELS)
            assert made.asker.counts()["to_spool"] == 0


def test_a_server_that_goes_and_comes_back_makes_no_difference(
    tmp_path: Path, recording: Path, server: EmbeddedServer, repository: ModelRepository
) -> None:
    moments = moments_of(recording)
    first, second = len(moments) // 3, 2 * len(moments) // 3
    with ModelClient(server.address) as client:
        expected = heard_in_file(recording, client)
        with analyzing(tmp_path, lambda: client, SETTINGS) as made:
            for moment in moments[:first]:
                made.submit(moment)
            wait_for(
                lambda: made.decider.counts()["windows"] == first * CHANNELS, "those before are heard", 60
            )
            assert server.stop()
            for moment in moments[first:second]:
                made.submit(moment)
            outage = (second - first) * CHANNELS
            wait_for(lambda: made.asker.counts()["to_spool"] == outage, "they wait on disk", 60)
            wait_for(lambda: bool(made.describer.status()["problem"]), "it is found to be away")
            again = EmbeddedServer(
                repository, port=int(server.address.rpartition(":")[2]), poll_interval_s=0.1
            )
            again.start()
            try:
                assert again.wait_for_generation(30) == 3
                wait_for(lambda: not made.describer.status()["problem"], "it is back", 30)
                for moment in moments[second:]:
                    made.submit(moment)
                wait_for(
                    lambda: made.decider.counts()["windows"] == len(moments) * CHANNELS, "all are heard", 60
                )
                made.decider.end(RUN)
                wait_for(lambda: len(made.stored()) == len(expected), "all are stored")
                require_same(made.stored(), expected)
                require_each_window_once(made, len(moments) * CHANNELS)
                assert made.decider.counts()["late_windows"] >= outage
                wait_for(lambda: made.spool.status()["bytes"] == 0, "the spool is empty")
            finally:
                assert again.stop()
