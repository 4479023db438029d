"""Each window is told once, live ones at once; detections are those of a chain that heard all windows in order."""

from __future__ import annotations

import random
import threading
import time
from collections import defaultdict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streamer.analyzer.asking import WindowSpan
from streamer.analyzer.deciding import Decider
from streamer.analyzer.deciding import decider as decider_module
from tests.streamer.analyzer.asking.made import Site, assert_in_order, name_of, run_of
from tests.streamer.analyzer.deciding.made import (
    Decisions,
    by_identity,
    described,
    heard_of,
    keys,
    straight,
)
from tests.streamer.analyzer.deciding.running import SETTINGS, WINDOWS, all_of, deciding, sounding
from tests.support.waiting import wait_for
from tidzam_platform.settings import DecisionSettings, EventSettings

PROPERTY = settings(deadline=None)


@PROPERTY
@given(st.integers(0, 10**6), st.floats(0, 1), st.floats(0, 0.3), st.booleans())
def test_in_any_order_the_detections_are_those_of_windows_in_order(
    seed: int, disorder: float, losses: float, smooth: bool
) -> None:
    """Some windows come late from the spool, some are lost, all at random."""
    decision = DecisionSettings(events=EventSettings(smoothing_windows=3 if smooth else 1))
    chance = random.Random(seed)  # noqa: S311 - no secret
    site, told = sounding(seed), Decisions()
    windows = all_of(site)
    lost = {window for window in windows if chance.random() < losses}
    late = {window for window in windows if chance.random() < disorder / 2} - lost
    order = [window for window in windows if window not in late]
    for window in sorted(late, key=lambda one: one[1] + chance.random() * 5):
        order.insert(
            chance.randint(order.index(max((w for w in order if w < window), default=order[0])), len(order)),
            window,
        )
    with deciding(told, decision) as decider:
        decider.expect(keys(site, windows))
        for window in order:
            if window in lost:
                decider.lost(keys(site, [window]), "it is lost")
            else:
                decider.heard(heard_of(site, [window], was_spooled=window in late))
    heard = [window for window in windows if window not in lost]
    assert sorted(map(repr, told.names)) == sorted(repr(name_of(site.key(*window))) for window in heard)
    expected = []
    for number in range(1, site.channels + 1):
        indices = [index for channel, index in heard if channel == number]
        answers, detections = straight(site, number, indices, decision)
        expected += detections
        if not smooth:
            told_answers = {
                result.key.start_frame // 1000: result.answer
                for result in told.results
                if result.key.number == number
            }
            assert told_answers == answers
    assert by_identity(told.detections) == by_identity(expected)
    assert_in_order([name_of(result.key) for result in told.results if result.was_spooled])
    assert set(told.settled_names()) >= {name_of(site.key(*window)) for window in late}
    spans = told.settled_names()
    assert len(spans) == len(set(spans)), "no window is settled twice"


@PROPERTY
@given(st.integers(0, 10**6), st.integers(1, WINDOWS))
def test_from_a_settled_window_on_a_new_decider_detects_the_same(seed: int, killed_after: int) -> None:
    """So that after kill -9 each detection is stored once: ids of what is told again are the same."""
    site = sounding(seed, channels=1)
    _, expected = straight(site, 1, range(WINDOWS), SETTINGS)
    first = Decisions()
    decider = Decider(SETTINGS, described, first.on_results, first.on_detection, first.on_settled)
    decider.start()
    decider.expect_spans([WindowSpan(site.run, 1, 0, (WINDOWS - 1) * 1000)])
    for index in range(killed_after):
        decider.heard(heard_of(site, [(1, index)], was_spooled=True))
    wait_for(lambda: len(first.results) == killed_after, "they are decided")
    wait_for(lambda: decider.status()["backlog"] == 0, "they are settled")
    wait_for(lambda: decider.counts()["windows"] == killed_after, "they are counted")
    stored, settled = (
        list(first.detections),
        first.settled_names(),
    )  # what a process that is killed here leaves
    assert decider.stop()
    begin = len(settled)
    assert settled == site.names()[:begin]
    again = Decisions()
    with deciding(again) as other:
        if begin < WINDOWS:
            other.expect_spans([WindowSpan(site.run, 1, begin * 1000, (WINDOWS - 1) * 1000)])
        for index in range(begin, WINDOWS):
            other.heard(heard_of(site, [(1, index)], was_spooled=True))
    assert by_identity({*stored, *again.detections}) == by_identity(expected)


def test_live_windows_are_told_at_once_although_others_wait_in_the_spool() -> None:
    site, told = sounding(), Decisions()
    windows = all_of(site)
    with deciding(told) as decider:
        decider.expect(keys(site, windows))
        decider.heard(heard_of(site, windows[:20]))
        for begin in range(60, 120, 4):
            decider.heard(heard_of(site, windows[begin : begin + 4]))
        wait_for(lambda: len(told.results) == 80, "live windows are told")
        assert told.names == [name_of(site.key(*window)) for window in windows[:20] + windows[60:]]
        assert all(result.embedding is not None for result in told.results)
        assert decider.status()["held_bytes"] > 0
        assert decider.status()["expected_windows"] == 40
        known = len(told.detections)
        for begin in range(20, 60, 4):
            decider.heard(heard_of(site, windows[begin : begin + 4], was_spooled=True))
        wait_for(lambda: len(told.results) == 120, "the others are told")
        assert told.names[80:] == [name_of(site.key(*window)) for window in windows[20:60]]
        assert [result.was_spooled for result in told.results] == [False] * 80 + [True] * 40
        assert decider.counts()["late_windows"] == 40
        assert decider.status()["held_bytes"] == 0
        wait_for(lambda: len(told.detections) > known, "events go on where they were")
    expected = [one for number in (1, 2) for one in straight(site, number, range(WINDOWS), SETTINGS)[1]]
    assert by_identity(told.detections) == by_identity(expected)


def test_windows_are_settled_as_soon_as_no_sound_is_open_and_after_their_detections() -> None:
    site, told = Site(run_of(), 1, 40), Decisions()
    for index in range(40):
        site.sound(1, index, 0.9 if 10 <= index < 20 else 0.0)
    with deciding(told) as decider:
        decider.expect(keys(site, all_of(site)))
        for index in range(40):
            decider.heard(heard_of(site, [(1, index)], was_spooled=True))
        wait_for(lambda: decider.counts()["windows"] == 40, "they are decided")
        settled = list(told.settled)
    assert [name for span, known in settled if known == 0 for name in _names(span)] == site.names()[:10]
    assert [name for span, known in settled if known == 1 for name in _names(span)] == site.names()[10:]
    assert len(told.detections) == 1


def _names(span: WindowSpan) -> list:
    return [(span.run, span.number, frame) for frame in range(span.first_frame, span.last_frame + 1, 1000)]


def test_detections_of_each_channel_come_in_order() -> None:
    site, told = sounding(seed=5), Decisions()
    windows = all_of(site)
    with deciding(told) as decider:
        decider.expect(keys(site, windows))
        for window in reversed(windows):
            decider.heard(heard_of(site, [window], was_spooled=True))
    by_channel = defaultdict(list)
    for detection in told.detections:
        by_channel[detection.channel].append(detection.start)
    assert len(by_channel) == 2
    for starts in by_channel.values():
        assert starts == sorted(starts)
    assert_in_order(told.names)


def test_a_new_generation_finishes_what_is_open() -> None:
    site, told = Site(run_of(), 1, 20), Decisions()
    for index in range(20):
        site.sound(1, index, 0.9)
    windows = all_of(site)
    with deciding(told) as decider:
        decider.expect(keys(site, windows))
        decider.heard(heard_of(site, windows[:10], generation=3))
        decider.heard(heard_of(site, windows[10:], generation=4))
        wait_for(lambda: len(told.detections) == 1, "the event of the first is finished")
    first, second = told.detections
    assert (first.generation, second.generation) == (3, 4)
    assert by_identity([first]) == straight(site, 1, range(10), SETTINGS, 3)[1]
    assert by_identity([second]) == straight(site, 1, range(10, 20), SETTINGS, 4)[1]


def test_the_end_of_a_run_finishes_its_events() -> None:
    site, told = Site(run_of(), 2, 5), Decisions()
    for number, index in all_of(site):
        site.sound(number, index, 0.9)
    with deciding(told) as decider:
        decider.expect(keys(site, all_of(site)))
        decider.heard(heard_of(site, all_of(site)))
        wait_for(lambda: len(told.results) == 10, "they are told")
        assert told.detections == []
        decider.end(site.run, (2,))
        wait_for(lambda: len(told.detections) == 1, "the event of that channel is finished")
        assert told.detections[0].channel == "marsh:out_2"
        decider.end(site.run)
        wait_for(lambda: len(told.detections) == 2, "both channels' events are finished")


def test_a_channel_that_falls_silent_has_its_events_finished(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decider_module, "_QUIET_S", 0.05)
    site, told = Site(run_of(), 1, 1), Decisions()
    site.sound(1, 0, 0.9)
    with deciding(told) as decider:
        decider.expect(keys(site, all_of(site)))
        decider.heard(heard_of(site, all_of(site)))
        wait_for(lambda: len(told.detections) == 1, "its event is finished")


def test_when_too_much_is_held_events_are_cut_and_no_window_is_lost_or_told_twice() -> None:
    site, told = sounding(), Decisions()
    windows = all_of(site)
    with deciding(told, held_bytes=4000) as decider:
        decider.expect(keys(site, windows))
        for begin in range(20, 120, 10):
            decider.heard(heard_of(site, windows[begin : begin + 10]))
        wait_for(lambda: len(told.results) == 100, "live windows are told")
        assert decider.status()["held_bytes"] <= 4000
        decider.heard(heard_of(site, windows[:20], was_spooled=True))
        wait_for(lambda: len(told.results) == 120, "the others are told")
        assert decider.counts()["splits"] == 2
    assert sorted(map(repr, told.names)) == sorted(map(repr, site.names()))
    assert {name_of(site.key(*window)) for window in windows[:20]} <= set(told.settled_names())
    ids = [detection.id for detection in told.detections]
    assert len(ids) == len(set(ids))


def test_scores_of_a_generation_that_nobody_knows_are_counted_and_let_go() -> None:
    site, told = Site(run_of(), 1, 4), Decisions()
    decider = Decider(SETTINGS, lambda _: None, told.on_results, told.on_detection, told.on_settled)
    decider.start()
    decider.expect(keys(site, all_of(site)))
    decider.heard(heard_of(site, all_of(site), was_spooled=True))
    wait_for(lambda: decider.counts()["undecided"] == 4, "they are counted")
    assert "generation 3" in decider.status()["problem"]
    assert decider.stop()
    assert told.results == []
    assert told.settled_names() == site.names()


def test_a_rule_that_does_not_fit_the_generation_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    site, told = Site(run_of(), 1, 1), Decisions()
    multi = type(described(3))(**{**vars(described(3)), "labels": "multi"})
    decider = Decider(
        DecisionSettings(rule="margin"), lambda _: multi, told.on_results, told.on_detection, told.on_settled
    )
    decider.start()
    decider.expect(keys(site, all_of(site)))
    decider.heard(heard_of(site, all_of(site)))
    wait_for(lambda: "margin" in decider.status()["problem"], "the problem is said")
    assert decider.stop()


def test_windows_that_came_without_being_expected_are_not_told_and_the_spool_lets_go_of_them() -> None:
    site, told = Site(run_of(), 1, 4), Decisions()
    with deciding(told) as decider:
        decider.heard(heard_of(site, all_of(site), was_spooled=True))
        wait_for(lambda: decider.counts()["unexpected"] == 4, "they are counted")
    assert told.results == []
    assert told.settled_names() == site.names()


def test_who_answers_waits_when_there_is_much_to_decide_and_who_hears_never_does() -> None:
    site, told = Site(run_of(), 1, 100), Decisions()
    told.gate.clear()
    with deciding(told) as decider:
        thread = threading.Thread(
            target=lambda: [decider.heard(heard_of(site, [window])) for window in all_of(site)[:50]]
        )
        decider.expect(keys(site, all_of(site)[:50]))
        thread.start()
        wait_for(lambda: decider.status()["backlog"] == 8, "as much waits as may")
        began_s = time.monotonic()
        decider.expect(keys(site, all_of(site)[50:]))
        decider.lost(keys(site, all_of(site)[50:]), "lost")
        assert time.monotonic() - began_s < 3.0
        assert thread.is_alive()
        told.gate.set()
        thread.join(10)
        assert not thread.is_alive()
    assert told.names == site.names()[:50]
    assert decider.counts()["lost"] == 50


def test_after_the_end_nothing_is_decided() -> None:
    site, told = Site(run_of(), 1, 4), Decisions()
    with deciding(told) as decider:
        decider.expect(keys(site, all_of(site)))
    decider.heard(heard_of(site, all_of(site), was_spooled=True))
    decider.expect(keys(site, all_of(site)))
    assert told.results == []
    assert told.settled == [], "the next process hears them"
