"""Microphones of permanent sources are missed while they are away, and not any more once they are removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from streamer.analyzer.expected_microphones import ExpectedMicrophones
from streamer.engine.control import ControlServer, EventHub
from tests.support.waiting import wait_for
from tidzam_platform.errors import EngineUnavailableError
from tidzam_platform.settings import Settings


def source(name: str, *channels: str, is_permanent: bool = True) -> dict[str, Any]:
    return {"name": name, "channels": list(channels), "is_permanent": is_permanent}


def test_those_of_permanent_sources_also_while_they_are_away(home: Settings) -> None:
    sources = [
        source("marsh", "marsh:out_1", "marsh:out_2"),
        source("film", "film:out_1", is_permanent=False),
    ]
    expected: list[list[str]] = []
    forgotten: list[str] = []

    def expect(channels: Iterable[str]) -> None:
        expected.append(list(channels))

    microphones = ExpectedMicrophones(home.home, expect, forgotten.append)
    server = ControlServer(home.home, {"sources.list": lambda: {"sources": sources}}, EventHub())
    server.start()
    try:
        microphones.look()
        sources[0] = source("marsh")  # it backs off: it has no ports
        microphones.look()
        assert expected == [["marsh:out_1", "marsh:out_2"]] * 2
        assert forgotten == []
        del sources[0]
        microphones.look()
        assert expected[-1] == []
        assert forgotten == ["marsh:out_1", "marsh:out_2"]
    finally:
        server.stop()
        microphones.stop()


def test_while_the_engine_is_away_nothing_changes(home: Settings) -> None:
    told: list[str] = []
    microphones = ExpectedMicrophones(home.home, told.extend, told.append)
    with pytest.raises(EngineUnavailableError):
        microphones.look()
    microphones.stop()
    assert told == []


Sources = list[dict[str, Any]]


@pytest.fixture
def sources(home: Settings) -> Iterator[Sources]:
    """What the engine of the home lists."""
    known: Sources = []
    server = ControlServer(home.home, {"sources.list": lambda: {"sources": known}}, EventHub())
    server.start()
    yield known
    server.stop()


@pytest.fixture
def forgotten() -> list[str]:
    return []


@contextmanager
def looking(
    home: Settings, forgotten: list[str], *patterns: str
) -> Iterator[tuple[ExpectedMicrophones, list[str]]]:
    expected: list[str] = []

    def expect(channels: Iterable[str]) -> None:
        expected[:] = channels

    microphones = ExpectedMicrophones(home.home, expect, forgotten.append, patterns or ("*",))
    try:
        yield microphones, expected
    finally:
        microphones.stop()


def test_a_source_for_a_while_that_is_unloaded_is_forgotten_also_if_its_last_windows_come_after(
    home: Settings, sources: Sources, forgotten: list[str]
) -> None:
    with looking(home, forgotten) as (microphones, expected):
        sources.append(source("film", "film:out_1", is_permanent=False))
        microphones.look()
        assert (expected, forgotten) == ([], [])
        sources.clear()
        for _ in range(5):
            microphones.look()
        assert forgotten == ["film:out_1"] * 3
        sources.append(source("film", "film:out_1", is_permanent=False))
        microphones.look()
        sources.clear()
        microphones.look()
        sources.append(source("film", "film:out_1", is_permanent=True))
        microphones.look()
        assert forgotten == ["film:out_1"] * 4, "it is back"
        assert expected == ["film:out_1"]


def test_no_channel_is_expected_that_is_not_heard(
    home: Settings, sources: Sources, forgotten: list[str]
) -> None:
    sources += [source("marsh", "marsh:out_1", "marsh:out_2"), source("pond", "pond:out_1")]
    with looking(home, forgotten, "marsh:out_1", "lake:*") as (microphones, expected):
        microphones.look()
        assert expected == ["marsh:out_1"]


def test_channels_that_a_source_has_no_more_are_forgotten(
    home: Settings, sources: Sources, forgotten: list[str]
) -> None:
    with looking(home, forgotten) as (microphones, expected):
        sources.append(source("marsh", "marsh:out_1", "marsh:out_2"))
        microphones.look()
        sources[0] = source("marsh", "marsh:out_1")  # another one of the same name
        microphones.look()
        assert forgotten == ["marsh:out_2"]
        assert expected == ["marsh:out_1"]


def test_an_answer_without_sense_does_not_end_it(
    home: Settings, sources: Sources, forgotten: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.analyzer.expected_microphones._LOOK_S", 0.01)
    sources.append({"name": "marsh"})
    with looking(home, forgotten) as (microphones, expected):
        microphones.start()
        wait_for(lambda: microphones.faults > 0, "it makes no sense")
        sources[0] = source("marsh", "marsh:out_1")
        wait_for(lambda: expected == ["marsh:out_1"], "it asks again")
