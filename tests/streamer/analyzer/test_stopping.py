"""The analyzer ends within the time that supervision gives it, and says what did not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.core import Analyzer
from streamer.analyzer.stopping import OrderedStop
from tests.streamer.sources.clocks import Clock
from tests.support.waiting import wait_for
from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections
from tidzam_platform.settings import Settings

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)


def part(clock: Clock, takes_s: float, given_s: list[float]) -> Callable[[float], bool]:
    def stop(timeout_s: float) -> bool:
        given_s.append(timeout_s)
        clock.pass_s(min(takes_s, timeout_s))
        return takes_s <= timeout_s

    return stop


@given(st.floats(0.1, 60), st.lists(st.floats(0, 100), min_size=1, max_size=12))
def test_all_parts_together_keep_to_one_time(stop_s: float, takes_s: list[float]) -> None:
    clock = Clock()
    given_s: list[float] = []
    ending = OrderedStop(stop_s, monotonic=clock.monotonic)
    for number, seconds in enumerate(takes_s):
        ending.add(str(number), part(clock, seconds, given_s))
    began_s = clock.monotonic()
    ending.begin()
    late = ending.stop()
    assert clock.monotonic() - began_s < stop_s
    order = list(reversed(takes_s))
    assert late == [
        str(len(order) - 1 - place)
        for place, (seconds, may) in enumerate(zip(order, given_s, strict=True))
        if seconds > may
    ]
    assert min(given_s) >= 0.3 * stop_s / len(takes_s), "who comes last has its share too"


def test_what_was_spent_before_is_part_of_it() -> None:
    clock, given_s = Clock(), list[float]()
    ending = OrderedStop(20, monotonic=clock.monotonic)
    ending.add("one", part(clock, 100, given_s))
    ending.begin()
    clock.pass_s(10)
    assert ending.stop() == ["one"]
    assert given_s == [pytest.approx(9)]


def test_a_part_that_fails_or_hangs_is_told_and_costs_the_others_nothing(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock, given_s = Clock(), list[float]()

    def broken(_timeout_s: float) -> bool:
        raise ValueError("nobody foresaw this")

    ending = OrderedStop(20, monotonic=clock.monotonic)
    ending.add("storing", part(clock, 0.1, given_s))
    ending.add("asking", broken)
    ending.add("hearing", part(clock, 1000, given_s))
    assert ending.stop() == ["hearing", "asking"]
    assert "asking failed to end" in caplog.text
    assert "hearing has not ended after" in caplog.text
    assert len(given_s) == 2


def test_a_locked_catalog_costs_neither_the_time_nor_a_detection(
    home: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    quick = home.supervision.model_copy(update={"stop_s": 4.0})
    settings = home.model_copy(update={"supervision": quick})
    detections = [
        Detection(f"{number:024x}", 3, "marsh:out_1", NOON, NOON + timedelta(seconds=1), "birds", 0.5)
        for number in range(3)
    ]
    with Analyzer(settings) as analyzer:
        lock = sqlite3.connect(settings.home / "catalog.db", isolation_level=None)
        try:
            lock.execute("BEGIN IMMEDIATE")
            for detection in detections:
                analyzer._detection(detection)
            began_s = time.monotonic()
            analyzer.__exit__()
            assert time.monotonic() - began_s < 4
        finally:
            lock.close()
        assert "storing has not ended after" in caplog.text
        assert "3 detections wait in the journal for the next start" in caplog.text
    with Analyzer(settings) as analyzer:
        wait_for(lambda: analyzer.store.status()["waiting"] == 0, "they are stored")
    catalog = Catalog.open(settings.catalog_url)
    assert {one.id for one in LiveDetections(catalog).newest(10)} == {one.id for one in detections}
    catalog.close()
