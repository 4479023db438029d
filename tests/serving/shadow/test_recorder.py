"""What is recorded adds up, whoever records, and does not grow for ever."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from serving.client import PairLatency
from serving.shadow import ShadowRecorder, WindowOrigin, origins_key, shadow_report
from serving.shadow import recorder as shadow_recorder
from serving.shadow import records as shadow_records
from tests.serving.shadow.made_answers import answered, described
from tests.support.waiting import wait_for
from tidzam_platform.catalog import Catalog
from tidzam_platform.catalog.tables import ShadowDisagreement, ShadowHour
from tidzam_platform.errors import CatalogError
from tidzam_platform.settings import DecisionSettings

LATENCY = PairLatency(stable_s=0.01, canary_s=0.02)
NOON = datetime(2026, 4, 1, 12, 30, tzinfo=UTC)


class Clock:
    """Shows what it is set to."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def make_recorder(catalog: Catalog, clock: Clock) -> Callable[..., ShadowRecorder]:
    def make(opened: Catalog = catalog, **more) -> ShadowRecorder:
        more = {"flush_s": 3600.0, "now": clock, **more}
        return ShadowRecorder(
            opened, DecisionSettings(), lambda number: described(number, "rain", "wren"), **more
        )

    return make


def record(recorder: ShadowRecorder, *, stable: int = 3, canary: int = 4, key: str | None = None) -> None:
    """A batch of two windows: one with the same answer (rain), one with another (wren and rain)."""
    recorder(
        answered(stable, [[0.9, 0.1], [0.1, 0.9]]), answered(canary, [[0.8, 0.1], [0.9, 0.1]]), LATENCY, key
    )


def test_comparisons_are_kept_by_pair_and_hour_and_told(catalog, clock, make_recorder):
    key = origins_key([WindowOrigin("site:out_1", "a"), WindowOrigin("site:out_2", "b")])
    with make_recorder() as recorder:
        record(recorder, key=key)
        clock.now += timedelta(hours=1)
        record(recorder)
        recorder.flush()
        record(recorder)
        clock.now += timedelta(minutes=1)
        record(recorder, canary=5)
    report = shadow_report(catalog)
    assert report["pairs"] == [
        {"stable": 3, "canary": 5, "windows": 2, "last_at": "2026-04-01T13:31:00.000Z"},
        {"stable": 3, "canary": 4, "windows": 6, "last_at": "2026-04-01T13:30:00.000Z"},
    ]
    assert (report["comparison"]["stable"], report["comparison"]["canary"]) == (3, 5), "compared last"
    of_four = shadow_report(catalog, canary=4)["comparison"]
    assert [(one["hour"], one["windows"]) for one in of_four["hours"]] == [
        ("2026-04-01T12:00:00.000Z", 2),
        ("2026-04-01T13:00:00.000Z", 4),
    ]
    assert (of_four["windows"], of_four["batches"]) == (6, 3)
    assert (of_four["agreement"], of_four["leaf_agreement"]) == (0.5, 0.5)
    classes = {one["class"]: one for one in of_four["classes"]}
    assert list(classes) == ["rain", "wren", "unknown", "no_signal"]
    assert (classes["rain"]["stable_rate"], classes["rain"]["canary_rate"]) == (0.5, 1.0)
    assert classes["rain"]["mean_difference"] == pytest.approx((-0.1 + 0.8) / 2, abs=1e-5)
    assert classes["wren"]["stable_windows"] == 3
    assert classes["unknown"]["mean_difference"] is None
    assert of_four["latency"]["stable"]["mean_s"] == pytest.approx(0.01)
    assert of_four["latency"]["canary"]["p99_s"] == pytest.approx(0.02, rel=0.5)
    newest, *_, oldest = of_four["disagreements"]
    assert newest["at"] == "2026-04-01T13:30:00.000Z"
    assert (oldest["channel"], oldest["start"]) == ("site:out_2", "b")
    assert (oldest["stable"]["class"], oldest["canary"]["class"]) == ("wren", "rain")
    assert shadow_report(catalog, stable=7)["comparison"] is None


def test_nothing_recorded_is_no_error(catalog):
    assert shadow_report(catalog) == {"pairs": [], "comparison": None}


def test_several_processes_add_at_once_and_nothing_is_lost(catalog, catalog_url, make_recorder):
    # A database cannot tell processes from connections of threads.
    start = threading.Barrier(3)

    def work(_number: int) -> None:
        own = Catalog.open(catalog_url)
        try:
            with make_recorder(own) as recorder:
                start.wait(30)
                for _ in range(5):
                    record(recorder)
                    recorder.flush()
        finally:
            own.close()

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(work, range(3)))
    comparison = shadow_report(catalog)["comparison"]
    assert (comparison["batches"], comparison["windows"]) == (15, 30)
    assert len(comparison["disagreements"]) == 15


def test_old_hours_are_summed_up_and_the_sum_stays_right(catalog, clock, make_recorder):
    with make_recorder() as recorder:
        for _ in range(3):
            record(recorder)
            recorder.flush()
            clock.now += timedelta(days=20)
    with catalog.reading() as session:
        hours = session.scalars(select(ShadowHour.hour).order_by(ShadowHour.hour)).all()
    assert hours == [
        shadow_records.BEFORE,
        *(datetime(2026, 4, 1, 12, tzinfo=UTC) + timedelta(days=days) for days in (20, 40)),
    ]
    comparison = shadow_report(catalog)["comparison"]
    assert comparison["windows"] == 6
    assert comparison["first_at"] == "2026-04-01T12:30:00.000Z"
    assert len(comparison["hours"]) == 2


def test_disagreements_and_pairs_are_bounded_and_the_newest_stay(catalog, clock, make_recorder, monkeypatch):
    monkeypatch.setattr(shadow_records, "KEPT_DISAGREEMENTS", 5)
    monkeypatch.setattr(shadow_records, "KEPT_PAIRS", 2)
    with make_recorder() as recorder:
        for canary in (4, 5, 6):
            for number in range(4):
                record(recorder, canary=canary, key=origins_key([WindowOrigin("x", str(number))] * 2))
                record(recorder, canary=canary, key=origins_key([WindowOrigin("x", str(number))] * 2))
                recorder.flush()
                clock.now += timedelta(minutes=1)
    report = shadow_report(catalog)
    assert [one["canary"] for one in report["pairs"]] == [6, 5]
    assert [one["start"] for one in report["comparison"]["disagreements"]] == ["3", "3", "2", "2", "1"]
    with catalog.reading() as session:
        assert session.scalar(select(func.count()).select_from(ShadowDisagreement)) == 10


def test_memory_is_bounded_between_two_writes(make_recorder, catalog, monkeypatch):
    monkeypatch.setattr(shadow_recorder, "_MOST_DISAGREEMENTS", 3)
    with make_recorder() as recorder:
        for _ in range(10):
            record(recorder)
    comparison = shadow_report(catalog)["comparison"]
    assert comparison["windows"] == 20
    assert len(comparison["disagreements"]) == 3


def test_it_writes_after_so_many_windows_and_after_so_long(make_recorder, catalog):
    with make_recorder(flush_windows=4) as recorder:
        record(recorder)
        record(recorder)
        wait_for(lambda: bool(shadow_report(catalog)["pairs"]), "four windows to be written")
    with make_recorder(flush_s=0.05) as recorder:
        record(recorder, canary=5)
        wait_for(lambda: len(shadow_report(catalog)["pairs"]) == 2, "the time to be over")


@pytest.mark.parametrize("catalog_url", ["sqlite"], indirect=True)
def test_what_the_catalog_does_not_take_is_kept_and_written_later(make_recorder, catalog, clock, monkeypatch):
    monkeypatch.setattr(shadow_recorder, "_MOST_HOURS", 2)

    def rename(before: str, after: str) -> None:
        with catalog.session() as session:
            session.execute(text(f"ALTER TABLE {before} RENAME TO {after}"))

    rename("shadow_hours", "elsewhere")
    with make_recorder() as recorder:
        for _ in range(3):
            record(recorder)
            with pytest.raises(CatalogError, match="shadow_hours"):
                recorder.flush()
            clock.now += timedelta(hours=1)
        assert recorder.lost_windows == 2, "of the oldest hour: two are kept"
        rename("elsewhere", "shadow_hours")
    comparison = shadow_report(catalog)["comparison"]
    assert comparison["windows"] == 4
    assert [one["hour"] for one in comparison["hours"]] == [
        "2026-04-01T13:00:00.000Z",
        "2026-04-01T14:00:00.000Z",
    ]


@pytest.mark.parametrize("catalog_url", ["sqlite"], indirect=True)
def test_one_generation_is_not_compared_with_itself_and_all_threads_end(make_recorder, catalog):
    with make_recorder() as recorder:
        record(recorder, canary=3)
    assert shadow_report(catalog)["pairs"] == []
    assert not any(thread.name == "shadow-recorder" for thread in threading.enumerate())
