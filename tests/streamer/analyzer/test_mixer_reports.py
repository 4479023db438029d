"""The mixer's rules hear of the classes that they name, and of nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from streamer.analyzer.mixer_reports import MixerReports
from streamer.engine.control import ControlServer, EventHub
from tests.streamer.analyzer.keeping.made import window
from tests.support.waiting import wait_for
from tidzam_platform.settings import Settings

Told = list[dict[str, dict[str, float]]]


@pytest.fixture
def told() -> Told:
    return []


@pytest.fixture
def reports(home: Settings, told: Told) -> Iterator[MixerReports]:
    def hear(*, scores: dict[str, dict[str, float]]) -> dict[str, Any]:
        told.append(scores)
        return {"channels": len(scores)}

    handlers = {"mixer.classes": lambda: {"classes": ["human", "rain"]}, "channels.heard": hear}
    server = ControlServer(home.home, handlers, EventHub())
    server.start()
    reports = MixerReports(home.home)
    reports.start()
    try:
        yield reports
    finally:
        reports.stop()
        server.stop()


def test_the_newest_scores_of_the_classes_that_rules_name(reports: MixerReports, told: Told) -> None:
    newest = window(2, "human-speech", 0.8, scores={"human": 0.9, "rain": 0.25})

    def is_told() -> bool:
        for result in (window(1, "rain", 0.1), newest):
            reports.note(result)
        return bool(told)

    wait_for(is_told, "the engine is told")
    assert told[0]["marsh:out_1"] == pytest.approx({"human": 0.9, "human-speech": 0.8, "rain": 0.25})


def test_what_waited_in_the_spool_says_nothing_of_now(reports: MixerReports, told: Told) -> None:
    late, live = replace(window(1, "rain"), was_spooled=True), window(1, "rain", channel=2)

    def is_told() -> bool:
        reports.note(late)
        reports.note(live)
        return bool(told)

    wait_for(is_told, "the engine is told")
    assert all(set(scores) == {"marsh:out_2"} for scores in told)


def test_without_an_engine_nothing_happens(home: Settings) -> None:
    reports = MixerReports(home.home)
    reports.start()
    reports.note(window(1))
    reports.stop()


def test_an_answer_without_sense_does_not_end_it(home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.analyzer.mixer_reports._TELL_S", 0.01)
    monkeypatch.setattr("streamer.analyzer.mixer_reports._ASK_AGAIN_S", 0.01)
    answers: list[dict[str, Any]] = []

    def classes() -> dict[str, Any]:
        answers.append({} if len(answers) < 2 else {"classes": ["rain"]})
        return answers[-1]

    server = ControlServer(home.home, {"mixer.classes": classes}, EventHub())
    server.start()
    reports = MixerReports(home.home)
    reports.start()
    try:
        wait_for(lambda: reports._wanted == ("rain",), "it asks again")
        assert reports.faults == 2
    finally:
        reports.stop()
        server.stop()
