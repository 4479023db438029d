"""What nobody foresaw costs what was at hand; the decider goes on, and nobody waits for it for ever."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import Any

import pytest

from streamer.analyzer.deciding import Decider
from streamer.analyzer.deciding.chain import Chain
from streamer.analyzer.deciding.classes import Classes
from streamer.analyzer.deciding.stretch import HeardWindow
from tests.streamer.analyzer.asking.made import Site, run_of
from tests.streamer.analyzer.deciding.made import Decisions, by_identity, described, heard_of, keys, straight
from tests.streamer.analyzer.deciding.running import SETTINGS, WINDOWS, all_of, deciding, sounding
from tests.support.waiting import wait_for


def test_a_fault_of_a_channel_costs_its_open_event_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    add = Chain.add

    def faulty(self: Chain, index: int, window: HeardWindow, classes: Classes) -> Any:
        if window.key.number == 1 and index == 5:
            raise ValueError("nobody foresaw this")
        return add(self, index, window, classes)

    monkeypatch.setattr(Chain, "add", faulty)
    site, told = Site(run_of(), 2, 20), Decisions()
    for number, index in all_of(site):
        site.sound(number, index, 0.9 if index < 10 else 0.0)
    with deciding(told) as decider:
        decider.expect(keys(site, all_of(site)))
        decider.heard(heard_of(site, all_of(site), was_spooled=True))
        wait_for(lambda: len(told.results) == 39, "all other windows are told")
        wait_for(lambda: decider.counts()["faults"] == 1, "it is counted")
        assert decider.counts()["undecided"] == 1
    of_second = straight(site, 2, range(20), SETTINGS)[1]
    assert [one for one in told.detections if one.channel == "marsh:out_2"] == of_second
    first = [one for one in told.detections if one.channel == "marsh:out_1"]
    assert by_identity(first) == by_identity(straight(site, 1, range(6, 20), SETTINGS)[1])
    assert sorted(map(repr, told.settled_names())) == sorted(map(repr, site.names())), "it is not asked anew"


def test_a_fault_of_a_listener_keeps_nothing_from_the_others() -> None:
    site, told = sounding(), Decisions()

    def broken(_told: object) -> None:
        raise ValueError("nobody foresaw this")

    decider = Decider(SETTINGS, described, broken, told.on_detection, told.on_settled)
    decider.start()
    decider.expect(keys(site, all_of(site)))
    decider.heard(heard_of(site, all_of(site)))
    wait_for(lambda: decider.counts()["faults"] > 0, "it is counted")
    assert decider.stop()
    expected = [one for number in (1, 2) for one in straight(site, number, range(WINDOWS), SETTINGS)[1]]
    assert by_identity(told.detections) == by_identity(expected)


def test_an_answer_without_sense_is_lost() -> None:
    site, told = sounding(), Decisions()
    windows = all_of(site)
    with deciding(told) as decider:
        decider.expect(keys(site, windows))
        senseless = heard_of(site, windows[:4])
        decider.heard(replace(senseless, prediction=heard_of(site, windows[:2]).prediction))
        decider.heard(heard_of(site, windows[4:]))
        wait_for(lambda: len(told.results) == len(windows) - 4, "the others are told")
        assert decider.counts()["lost"] == 4


def test_who_brings_more_than_is_decided_does_not_wait_for_ever() -> None:
    site, told = sounding(), Decisions()
    windows = all_of(site)
    told.gate.clear()
    decider = Decider(
        SETTINGS, described, told.on_results, told.on_detection, told.on_settled, patience_s=0.1
    )
    decider.start()
    decider.expect(keys(site, windows))
    for window in windows[:20]:
        decider.heard(heard_of(site, [window]))
    lost = decider.counts()["lost"]
    assert 0 < lost <= 12
    told.gate.set()
    assert decider.stop()
    assert len(told.results) == 20 - lost


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_has_died_is_not_waited_for() -> None:
    site, told = sounding(), Decisions()

    def ended(_told: object) -> None:
        raise SystemExit  # ends a thread silently

    decider = Decider(SETTINGS, described, ended, told.on_detection)
    decider.start()
    windows = all_of(site)
    decider.expect(keys(site, windows))
    began_s = time.monotonic()
    for window in windows[:12]:
        decider.heard(heard_of(site, [window]))
    assert time.monotonic() - began_s < 15
    assert decider.counts()["lost"] > 0
    assert decider.stop()
