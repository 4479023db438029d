"""Microphones of permanent sources are missed while they are away, and not any more once they are removed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from streamer.analyzer.expected_microphones import ExpectedMicrophones
from streamer.engine.control import ControlServer, EventHub
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
