"""Every window is heard or told as lost, once; live ones in order and first; nothing blocks who hears."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from serving.client.routes import Route
from streamer.analyzer.asking import Asker, Spool
from streamer.analyzer.asking.spans import LostWindows
from streamer.analyzer.windows import Heard, Moment
from streamer.engine.reserved_names import LIVE_STREAMS
from tests.streamer.analyzer.asking.made import Site, StandIn, Told, assert_in_order, run_of
from tests.support.waiting import wait_for
from tidzam_platform.errors import ModelServerError
from tidzam_platform.settings import Settings

AT_ONCE_S = 3.0  # on a machine that does other things too


@pytest.fixture
def spool(tmp_path: Path) -> Iterator[Spool]:
    spool = Spool(tmp_path / "spool", 64)
    yield spool
    spool.close()


@contextmanager
def asking(
    model: StandIn, spool: Spool, told: Told, *, max_behind_s: float = 20.0, at_once: int = 2
) -> Iterator[Asker]:
    settings = Settings.model_validate(
        {"analyzer": {"max_behind_s": max_behind_s, "requests_at_once": at_once}}
    )
    asker = Asker(lambda: model, settings, spool, told.heard, told.lose)
    asker.start()
    try:
        yield asker
    finally:
        told.gate.set()
        assert asker.stop()


def wait_for_all(told: Told, sites: Sequence[Site]) -> None:
    windows = sum(len(site.names()) for site in sites)
    wait_for(lambda: len(told.all) >= windows, f"all {windows} windows are told")
    assert sorted(map(repr, told.all)) == sorted(repr(name) for site in sites for name in site.names())


def test_answers_come_in_order_each_once(spool: Spool) -> None:
    site, told, model = Site(run_of(), 3, 60), Told(), StandIn(delay_s=0.002)
    with asking(model, spool, told, at_once=8) as asker:
        for moment in site.moments():
            asker.submit(moment)
        wait_for_all(told, [site])
        assert told.live == site.names()
        assert asker.counts() == {
            "submitted": 180,
            "answered": 180,
            "to_spool": 0,
            "lost": 0,
            "drained": 0,
            "faults": 0,
        }
        assert asker.status()["away_since"] is None
        assert asker.status()["spool"]["waiting_windows"] == 0
    assert set(model.rows) == {3}, "a request a moment"


def test_an_outage_costs_nothing_and_live_windows_resume_at_once(spool: Spool) -> None:
    site, told, model = Site(run_of(), 2, 90), Told(), StandIn()
    moments = site.moments()
    with asking(model, spool, told) as asker:
        for moment in moments[:30]:
            asker.submit(moment)
        wait_for(lambda: len(told.live) == 60, "those before are heard")
        model.away = True
        for moment in moments[30:60]:
            asker.submit(moment)
        wait_for(lambda: spool.status()["waiting_windows"] + 32 >= 60, "those meanwhile wait")
        assert asker.status()["away_because"] == "nobody answers"
        assert asker.status()["away_since"] is not None
        model.away = False
        back_s = time.monotonic()
        for moment in moments[60:]:
            asker.submit(moment)
        wait_for(lambda: len(told.live) == 120, "live windows are heard again")
        assert time.monotonic() - back_s < AT_ONCE_S
        wait_for_all(told, [site])
        assert told.lost == []
        assert told.live == site.names()[:60] + site.names()[120:]
        assert told.late == site.names()[60:120]
        assert asker.counts()["drained"] == asker.counts()["to_spool"] == 60
        assert asker.status()["away_since"] is None


def test_live_windows_go_first(spool: Spool) -> None:
    old, new, told = Site(run_of("marsh"), 4, 80), Site(run_of("pond"), 1, 60), Told()
    model = StandIn()
    model.away = True
    with asking(model, spool, told) as asker:
        for moment in old.moments():
            asker.submit(moment)
        wait_for(lambda: spool.status()["waiting_windows"] + 32 >= 320, "they wait")
        model.delay_s = 0.01
        model.away = False
        longest_s = 0.0
        for moment in new.moments():
            asker.submit(moment)
            began_s, heard = time.monotonic(), len(told.live)
            wait_for(lambda heard=heard: len(told.live) > heard, "the live window is heard")  # type: ignore[misc]
            longest_s = max(longest_s, time.monotonic() - began_s)
        assert longest_s < AT_ONCE_S
        wait_for_all(told, [old, new])
        assert told.live == new.names()
        assert told.late == old.names()


def test_where_windows_were_is_said_only_to_a_client_that_looks_at_it(spool: Spool) -> None:
    for uses_keys in (True, False):
        site, told, model = Site(run_of(), 2, 5), Told(), StandIn(uses_keys=uses_keys)
        with asking(model, spool, told) as asker:
            for moment in site.moments():
                asker.submit(moment)
            wait_for_all(told, [site])
        assert [key is not None for _, key in model.asked] == [uses_keys] * 5


def test_a_server_that_fails_now_and_then_loses_nothing(spool: Spool) -> None:
    site, told, chance = Site(run_of(), 2, 300), Told(), random.Random(1)  # noqa: S311 - no secret

    class Moody(StandIn):
        def predict(self, *arguments, **options):  # type: ignore[no-untyped-def]
            self.away = chance.random() < 0.3
            return super().predict(*arguments, **options)

    with asking(Moody(), spool, told, at_once=4) as asker:
        for moment in site.moments():
            asker.submit(moment)
        wait_for(lambda: len(told.all) >= 600, "all are told", 60)
    assert sorted(map(repr, told.all)) == sorted(map(repr, site.names()))
    assert told.late
    assert told.lost == []
    assert_in_order(told.live)


def test_who_hears_is_never_held_up(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    site, told = Site(run_of(), 1, 200), Told()
    disk = threading.Event()
    append = spool.append

    def slow_append(moment: Moment) -> list[LostWindows]:
        assert disk.wait(30)
        return append(moment)

    monkeypatch.setattr(spool, "append", slow_append)  # a disk that stands still
    told.gate.clear()  # and nobody who takes the answers
    with asking(StandIn(), spool, told, max_behind_s=0.05) as asker:
        longest_s = 0.0
        for moment in site.moments():
            began_s = time.monotonic()
            asker.submit(moment)
            longest_s = max(longest_s, time.monotonic() - began_s)
            time.sleep(0.001)
        assert longest_s < AT_ONCE_S
        disk.set()
        told.gate.set()
        wait_for_all(told, [site])
    assert told.lost == []
    assert told.late


def test_when_too_much_waits_for_the_disk_it_is_lost_and_told(
    spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("streamer.analyzer.asking.asker._MAX_WRITING_BYTES", 100_000)
    site, told, model = Site(run_of(), 1, 100), Told(), StandIn()
    model.away = True
    disk, append = threading.Event(), spool.append
    monkeypatch.setattr(spool, "append", lambda moment: append(moment) if disk.wait(30) else [])
    with asking(model, spool, told) as asker:
        for moment in site.moments():
            asker.submit(moment)
        wait_for(lambda: len(told.lost) >= 100 - 100_000 // 8000, "what does not fit is lost")
        assert asker.status()["lost"] == {"marsh:out_1": len(told.lost)}
        assert "too slow" in asker.status()["last_lost_because"]
        disk.set()
        model.away = False
        wait_for_all(told, [site])
    assert told.late == [name for name in site.names() if name not in set(told.lost)]


def test_what_is_refused_for_good_is_lost_with_the_reason(spool: Spool) -> None:
    site, told, model = Site(run_of(), 2, 5), Told(), StandIn()
    model.refusal = ModelServerError("no sense in it")  # nothing final: it is tried again some times
    with asking(model, spool, told) as asker:
        for moment in site.moments():
            asker.submit(moment)
        wait_for_all(told, [site])
        assert sorted(map(repr, told.lost)) == sorted(map(repr, site.names()))
        assert told.reasons == {"no sense in it": 10}
        assert asker.counts()["lost"] == 10
        wait_for(lambda: spool.status()["bytes"] == 0, "the spool does not keep what is lost")
        model.refusal = None
        other = Site(run_of("pond"), 1, 1)
        asker.submit(other.moments()[0])
        wait_for(lambda: told.live == other.names(), "it goes on")


def test_what_waits_when_it_stops_is_heard_by_the_next(tmp_path: Path) -> None:
    site, model = Site(run_of(), 2, 40), StandIn()
    model.away = True
    told = Told()
    spool = Spool(tmp_path / "spool", 64)
    with asking(model, spool, told) as asker:
        for moment in site.moments():
            asker.submit(moment)
    spool.close()
    assert told.all == []
    model.away = False
    spool = Spool(tmp_path / "spool", 64)
    assert sum(map(len, spool.recovered())) == 80
    with asking(model, spool, told):
        wait_for_all(told, [site])
    spool.close()
    assert sorted(map(repr, told.late)) == sorted(map(repr, site.names()))


def test_a_full_spool_tells_which_windows_it_dropped(tmp_path: Path) -> None:
    site, told, model = Site(run_of(), 2, 200), Told(), StandIn()
    model.away = True
    spool = Spool(tmp_path / "spool", 0.5)
    with asking(model, spool, told) as asker:
        for moment in site.moments():
            asker.submit(moment)
        wait_for(lambda: asker.counts()["to_spool"] == 400, "all went to the spool")
        wait_for(lambda: len(told.lost) > 200, "the oldest are dropped")
        model.away = False
        wait_for_all(told, [site])
        assert told.late
        assert asker.status()["spool"]["dropped"].keys() == {"marsh:out_1", "marsh:out_2"}
    spool.close()


def test_a_client_that_fails_in_an_unforeseen_way_costs_one_moment(spool: Spool) -> None:
    site, told = Site(run_of(), 1, 3), Told()

    class Broken(StandIn):
        def predict(self, *arguments, **options):  # type: ignore[no-untyped-def]
            if not self.rows:
                self.rows.append(0)
                raise RuntimeError("nobody foresaw this")
            return super().predict(*arguments, **options)

    with asking(Broken(), spool, told, at_once=1) as asker:
        for moment in site.moments():
            asker.submit(moment)
        wait_for_all(told, [site])
    assert told.lost == site.names()[:1]
    assert told.live == site.names()[1:]


class TestLiveStreams:
    """What people send from browsers: heard beside all else, kept nowhere."""

    marsh, people = Site(run_of(), 2, 20), Site(run_of(LIVE_STREAMS), 2, 20, seed=1)

    def moments(self) -> list[Moment]:
        """Of both, as the hearer gathers them."""
        return [
            Moment(one.keys + other.keys, np.concatenate([one.audio, other.audio]))
            for one, other in zip(self.marsh.moments(), self.people.moments(), strict=True)
        ]

    def test_they_are_asked_for_by_themselves_without_the_shadow(self, spool: Spool) -> None:
        told, model = Told(), StandIn()
        with asking(model, spool, told) as asker:
            for moment in self.moments():
                asker.submit(moment)
            wait_for_all(told, [self.marsh, self.people])
        assert sorted(map(repr, told.live)) == sorted(map(repr, self.marsh.names() + self.people.names()))
        keys = [key for _, key in model.asked if key is not None]
        assert len(keys) == 20, "the shadow is told of the marsh"
        assert not any(LIVE_STREAMS in str(key) for key in keys)
        by_themselves = [route for route, key in model.asked if key is None]
        assert by_themselves == [Route.in_service()] * 20
        assert set(model.rows) == {2}

    def test_they_never_go_to_the_spool(self, tmp_path: Path) -> None:
        told, model = Told(), StandIn()
        spool = Spool(tmp_path / "spool", 64)
        model.away = True
        with asking(model, spool, told) as asker:
            for moment in self.moments():
                asker.submit(moment)
            wait_for(lambda: len(told.lost) == 40, "live streams do not wait")
            wait_for(lambda: asker.counts()["to_spool"] == 40, "the others do")
        spool.close()
        assert sorted(map(repr, told.lost)) == sorted(map(repr, self.people.names()))
        assert told.reasons == {"live streams do not wait": 40}
        kept = [path.read_bytes() for path in (tmp_path / "spool").iterdir()]
        assert any(b"marsh" in content for content in kept)
        assert not any(LIVE_STREAMS.encode() in content for content in kept)

    def test_nor_when_the_analyzer_ends(self, tmp_path: Path) -> None:
        told, model = Told(), StandIn(delay_s=0.2)
        spool = Spool(tmp_path / "spool", 64)
        with asking(model, spool, told, at_once=1) as asker:
            for moment in self.moments():
                asker.submit(moment)
        spool.close()
        assert told.lost
        assert {run.source for run, _, _ in told.lost} == {LIVE_STREAMS}
        assert not any(LIVE_STREAMS.encode() in path.read_bytes() for path in (tmp_path / "spool").iterdir())


class TestFaultsThatNobodyForesaw:
    def test_one_of_the_spool_costs_one_moment(self, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        site, told, model = Site(run_of(), 1, 20), Told(), StandIn()
        model.away = True
        append, faults = spool.append, [ValueError("nobody foresaw this")]

        def faulty(moment: Moment) -> list[LostWindows]:
            if faults:
                raise faults.pop()
            return append(moment)

        monkeypatch.setattr(spool, "append", faulty)
        with asking(model, spool, told) as asker:
            for moment in site.moments():
                asker.submit(moment)
            wait_for(lambda: len(told.lost) == 1, "it is told")
            assert "failed" in asker.status()["last_lost_because"]
            model.away = False
            wait_for_all(told, [site])
            assert len(told.late) == 19
            assert asker.counts()["faults"] == 1

    def test_one_of_draining_does_not_end_it(self, spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
        site, told, model = Site(run_of(), 1, 100), Told(), StandIn()
        model.away = True
        take, faults = spool.take, [ValueError("nobody foresaw this")]

        def faulty(most: int) -> tuple[Moment | None, list[LostWindows]]:
            if faults:
                raise faults.pop()
            return take(most)

        monkeypatch.setattr(spool, "take", faulty)
        hear, refused = told.heard, [ValueError("nor this")]

        def heard(what: Heard) -> None:
            if what.was_spooled and refused:
                raise refused.pop()
            hear(what)

        monkeypatch.setattr(told, "heard", heard)
        with asking(model, spool, told) as asker:
            for moment in site.moments():
                asker.submit(moment)
            wait_for(lambda: asker.counts()["to_spool"] == 100, "all wait")
            model.away = False
            wait_for_all(told, [site])
            assert told.late
            assert 0 < len(told.lost) <= 32, "one request"
            assert asker.counts()["faults"] == 2
            wait_for(lambda: spool.status()["waiting_windows"] == 0, "nothing waits")
