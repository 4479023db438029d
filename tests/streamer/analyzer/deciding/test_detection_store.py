"""Detections come into the catalog once each, also when it is away for a while; who waits for them is told after."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from streamer.analyzer.asking import WindowSpan
from streamer.analyzer.deciding import DetectionJournal, DetectionStore
from tests.streamer.analyzer.asking.made import run_of
from tests.support.waiting import wait_for
from tidzam_platform.catalog import Catalog
from tidzam_platform.detections.detection import Detection
from tidzam_platform.detections.live import LiveDetections

NOON = datetime(2026, 10, 1, 12, tzinfo=UTC)
SPAN = WindowSpan(run_of(), 1, 0, 5000)


def detection(number: int) -> Detection:
    start = NOON + timedelta(seconds=number)
    return Detection(f"{number:024x}", 3, "marsh:out_1", start, start + timedelta(seconds=1), "birds", 0.75)


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[DetectionJournal]:
    journal = DetectionJournal(tmp_path / "journal")
    yield journal
    journal.close()


@contextmanager
def storing(
    catalog: Catalog, journal: DetectionJournal, told: list[WindowSpan], **options: int
) -> Iterator[DetectionStore]:
    store = DetectionStore(catalog, journal, told.extend, **options)
    store.start()
    try:
        yield store
    finally:
        assert store.stop()


def stored(catalog: Catalog) -> list[Detection]:
    return sorted(LiveDetections(catalog).newest(10_000), key=lambda one: one.start)


def test_each_is_stored_once_however_often_it_is_told(catalog: Catalog, journal: DetectionJournal) -> None:
    expected = [detection(number) for number in range(1200)]
    with storing(catalog, journal, []) as store:
        for one in expected + expected[:300]:
            store.add(one)
    assert stored(catalog) == expected
    assert store.counts() == {
        "stored": 1200,
        "known": 300,
        "recovered": 0,
        "dropped": 0,
        "refused": 0,
        "failures": 0,
        "journal_failures": 0,
        "faults": 0,
    }
    assert journal.waiting == 0


@pytest.fixture
def refusing(tmp_path: Path) -> Iterator[DetectionJournal]:
    """A journal on a disk that takes nothing."""
    folder = tmp_path / "refusing"
    journal = DetectionJournal(folder)
    shutil.rmtree(folder)
    yield journal
    journal.close()


def test_windows_are_settled_when_all_that_was_added_before_is_in_the_catalog_if_there_is_no_journal(
    catalog: Catalog, refusing: DetectionJournal
) -> None:
    seen: list[tuple[int, int]] = []

    def on_stored(spans: Sequence[WindowSpan]) -> None:
        seen.extend((span.last_frame, LiveDetections(catalog).count()) for span in spans)

    store = DetectionStore(catalog, refusing, on_stored)
    store.start()
    for number in range(1, 1001):
        store.add(detection(number))
        if number % 10 == 0:
            store.settle([replace(SPAN, last_frame=number * 1000)])
    assert store.stop()
    assert [frame for frame, _ in seen] == [number * 1000 for number in range(10, 1001, 10)]
    assert all(count * 1000 >= frame for frame, count in seen)
    assert store.counts()["journal_failures"] > 0
    assert "cannot be written" in store.status()["problem"]


def test_what_the_catalog_refuses_does_not_keep_the_others(
    catalog: Catalog, journal: DetectionJournal
) -> None:
    told: list[WindowSpan] = []
    with storing(catalog, journal, told) as store:
        for number in range(20):
            bad = replace(detection(number), generation=None)  # type: ignore[arg-type]
            store.add(bad if number == 7 else detection(number))
        store.settle([SPAN])
        wait_for(lambda: told == [SPAN], "the rest is stored")
    assert stored(catalog) == [detection(number) for number in range(20) if number != 7]
    assert store.counts()["refused"] == 1


@pytest.fixture
def away(tmp_path: Path) -> Iterator[tuple[Catalog, Catalog]]:
    """A catalog whose table is away, and a connection that can bring it back."""
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    catalog, other = Catalog.open(url), Catalog.open(url)
    with other.session() as session:
        session.execute(text("ALTER TABLE detections RENAME TO elsewhere"))
    yield catalog, other
    catalog.close()
    other.close()


def bring_back(catalog: Catalog) -> None:
    with catalog.session() as session:
        session.execute(text("ALTER TABLE elsewhere RENAME TO detections"))


def test_while_the_catalog_is_away_they_wait_in_the_journal(
    away: tuple[Catalog, Catalog], journal: DetectionJournal
) -> None:
    catalog, other = away
    told: list[WindowSpan] = []
    with storing(catalog, journal, told) as store:
        for number in range(50):
            store.add(detection(number))
        store.settle([SPAN])
        wait_for(lambda: store.counts()["failures"] >= 2, "it is tried again")
        assert (store.status()["waiting"], store.status()["journaled"]) == (50, 50)
        assert "detections wait" in store.status()["problem"]
        wait_for(lambda: told == [SPAN], "the spool need not keep the windows of what is in the journal")
        bring_back(other)
        wait_for(lambda: store.status() == {"waiting": 0, "journaled": 0, "problem": ""}, "it is back")
    assert stored(other) == [detection(number) for number in range(50)]
    assert journal.waiting == 0


def test_what_waits_nowhere_but_in_memory_keeps_its_windows_in_the_spool(
    away: tuple[Catalog, Catalog], refusing: DetectionJournal
) -> None:
    catalog, other = away
    told: list[WindowSpan] = []
    with storing(catalog, refusing, told) as store:
        store.add(detection(1))
        store.settle([SPAN])
        wait_for(lambda: store.counts()["failures"] >= 2, "it is tried again")
        assert (store.status()["waiting"], store.status()["journaled"], told) == (1, 0, [])
        bring_back(other)
        wait_for(lambda: told == [SPAN], "it is back")
    assert stored(other) == [detection(1)]


def test_when_too_many_wait_the_oldest_are_dropped_and_counted(
    away: tuple[Catalog, Catalog], journal: DetectionJournal
) -> None:
    catalog, other = away
    told: list[WindowSpan] = []
    with storing(catalog, journal, told, most_waiting=100) as store:
        store.add(detection(0))
        wait_for(lambda: store.counts()["failures"] >= 1, "the first is on its way")
        for number in range(1, 501):
            store.add(detection(number))
            store.settle([replace(SPAN, last_frame=number * 1000)])
        assert store.status()["waiting"] == 100
        assert store.counts()["dropped"] == 401
        wait_for(lambda: store.status()["journaled"] == 100, "they are written down")
        bring_back(other)
        wait_for(lambda: store.status()["waiting"] == 0, "the rest is stored")
    assert stored(other) == [detection(0), *(detection(number) for number in range(402, 501))]
    frames = [span.last_frame for span in told]
    assert frames == sorted(frames)


def test_when_it_ends_while_the_catalog_is_away_the_next_one_stores_each_once(
    away: tuple[Catalog, Catalog], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    catalog, other = away
    expected = [detection(number) for number in range(1200)]
    journal = DetectionJournal(tmp_path / "journal", file_bytes=20_000)
    store = DetectionStore(catalog, journal)
    store.start()
    for one in expected:
        store.add(one)
    wait_for(lambda: store.counts()["failures"] >= 1, "it is tried")
    assert store.stop()
    assert "1200 detections wait in the journal" in caplog.text
    journal.close()
    bring_back(other)
    again = DetectionJournal(tmp_path / "journal")
    with storing(catalog, again, []) as store:
        assert store.counts()["recovered"] == 1200
        store.add(expected[0])
        wait_for(lambda: store.status()["waiting"] == 0, "all are stored")
        assert (store.counts()["stored"], store.counts()["known"]) == (1200, 1)
    again.close()
    assert stored(other) == expected
    assert [path.name for path in (tmp_path / "journal").iterdir()] == ["lock"]


def test_a_catalog_that_is_locked_holds_up_neither_the_journal_nor_the_end(
    tmp_path: Path, journal: DetectionJournal
) -> None:
    url = f"sqlite:///{tmp_path / 'catalog.db'}"
    catalog = Catalog.open(url)
    store = DetectionStore(catalog, journal)
    store.start()
    lock = sqlite3.connect(tmp_path / "catalog.db", isolation_level=None)
    try:
        lock.execute("BEGIN IMMEDIATE")
        for number in range(20):
            store.add(detection(number))
        began_s = time.monotonic()
        assert not store.stop(2), "a thread waits for the lock"
        assert time.monotonic() - began_s < 4
        assert (store.status()["waiting"], store.status()["journaled"]) == (20, 20)
    finally:
        lock.close()
    wait_for(lambda: store.status()["waiting"] == 0, "it is through")
    assert stored(catalog) == [detection(number) for number in range(20)]
    catalog.close()


def test_what_neither_catalog_nor_journal_took_is_said_to_be_lost(
    away: tuple[Catalog, Catalog], refusing: DetectionJournal, caplog: pytest.LogCaptureFixture
) -> None:
    catalog, _ = away
    told: list[WindowSpan] = []
    store = DetectionStore(catalog, refusing, told.extend)
    store.start()
    store.add(detection(1))
    store.settle([SPAN])
    wait_for(lambda: store.counts()["failures"] >= 1, "it is tried")
    assert not store.stop()
    assert "1 detections are lost" in caplog.text
    assert told == [], "the spool keeps their windows"


def test_what_nobody_foresaw_costs_one_detection(catalog: Catalog, journal: DetectionJournal) -> None:
    told: list[WindowSpan] = []
    senseless = replace(detection(1), start="yesterday")  # type: ignore[arg-type]
    with storing(catalog, journal, told) as store:
        for one in (detection(0), senseless, detection(2)):
            store.add(one)
        store.settle([SPAN])
        wait_for(lambda: told == [SPAN], "it goes on")
        assert store.counts()["refused"] == 1
        store.add(detection(3))
    assert stored(catalog) == [detection(0), detection(2), detection(3)]


def test_who_is_told_and_fails_does_not_end_it(catalog: Catalog, journal: DetectionJournal) -> None:
    def broken(_spans: Sequence[WindowSpan]) -> None:
        raise ValueError("nobody foresaw this")

    store = DetectionStore(catalog, journal, broken)
    store.start()
    store.settle([SPAN])
    wait_for(lambda: store.counts()["faults"] == 1, "it is counted")
    store.add(detection(1))
    assert store.stop()
    assert stored(catalog) == [detection(1)]
