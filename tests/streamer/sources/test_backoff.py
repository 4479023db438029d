"""Waits between tries, and the places of those that start."""

from __future__ import annotations

import random
import statistics
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamer.engine.fetching import Cancellation
from streamer.engine.sources.backoff import BASE_S, HEALTHY_S, Backoff
from streamer.engine.sources.start_slots import CHRONIC_FAILURES, StartSlots, released
from tests.support.waiting import wait_for


@given(st.floats(0.01, 100), st.integers(0, 200), st.integers())
def test_waits_lie_within_a_range_that_doubles_up_to_its_bound(
    max_s: float, failures: int, seed: int
) -> None:
    backoff = Backoff(max_s, chance=random.Random(seed))  # noqa: S311
    for number in range(failures):
        assert backoff.range_s == min(BASE_S * 2.0 ** min(number, 60), max_s)
        assert 0 <= backoff.wait_s() <= min(BASE_S * 2.0 ** min(number, 60), max_s)
    assert backoff.failures == failures


def test_many_that_fail_together_come_back_spread_out() -> None:
    chance = random.Random(1)  # noqa: S311
    waits = []
    for _ in range(200):
        backoff = Backoff(8.0, chance=chance)
        for _ in range(6):
            last_s = backoff.wait_s()
        waits.append(last_s)
    assert 3.0 < statistics.mean(waits) < 5.0
    assert min(waits) < 1.0
    assert max(waits) > 7.0


def test_a_healthy_time_is_a_new_beginning() -> None:
    backoff = Backoff(8.0)
    for _ in range(10):
        backoff.wait_s()
    backoff.note_played(HEALTHY_S - 1)
    assert backoff.range_s == 8.0
    backoff.note_played(HEALTHY_S)
    assert backoff.range_s == BASE_S


def test_no_more_than_the_limit_start_at_once() -> None:
    slots = StartSlots(3)
    done = threading.Semaphore(0)
    with Cancellation() as cancellation:

        def start() -> None:
            slot = slots.acquire(cancellation)
            assert slot is not None
            with released(slot):
                assert slots.taken <= 3
                cancellation.wait_for(cancellation.fileno(), 0, 0)
            done.release()

        threads = [threading.Thread(target=start) for _ in range(30)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
            assert not thread.is_alive()
    assert slots.most_taken <= 3
    assert (slots.taken, slots.waiting) == (0, 0)


def test_who_never_failed_goes_before_who_hangs_for_ever() -> None:
    slots = StartSlots(4)
    with Cancellation() as cancellation:
        held = [slots.acquire(cancellation, failures=100) for _ in range(2)]
        assert all(held)
        waiting = threading.Thread(target=slots.acquire, args=(cancellation, CHRONIC_FAILURES))
        waiting.start()
        wait_for(lambda: slots.waiting == 1, "a third one that fails again and again waits")
        healthy = slots.acquire(cancellation)
        assert healthy is not None
        assert slots.waiting == 1
        cancellation.cancel()
        waiting.join(20)
        assert not waiting.is_alive()


def test_who_waits_for_an_answer_keeps_nobody_from_starting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.engine.sources.start_slots.LENT_S", 0.1)
    slots = StartSlots(1)
    with Cancellation() as cancellation:
        hanging = slots.acquire(cancellation)
        assert hanging is not None
        hanging.lend()
        other = slots.acquire(cancellation)
        assert other is not None, "the place of the hanging one came back"
        assert (slots.taken, slots.most_taken) == (1, 1)
        answered: list[bool] = []
        thread = threading.Thread(target=lambda: answered.append(hanging.keep(cancellation)))
        thread.start()
        wait_for(lambda: slots.waiting == 1, "the one that was answered waits for its turn")
        other.release()
        thread.join(20)
        assert answered == [True]
        assert slots.taken == 1
        hanging.release()
        hanging.release()
        assert slots.taken == 0


def test_who_is_answered_in_time_keeps_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("streamer.engine.sources.start_slots.LENT_S", 0.1)
    slots = StartSlots(1)
    with Cancellation() as cancellation:
        slot = slots.acquire(cancellation)
        assert slot is not None
        slot.lend()
        assert slot.keep(cancellation)
        thread = threading.Thread(target=slots.acquire, args=(cancellation,))
        thread.start()
        wait_for(lambda: slots.waiting == 1, "another one waits")
        thread.join(0.3)
        assert slots.waiting == 1, "longer than a place is lent"
        cancellation.cancel()
        thread.join(20)
        assert not slot.keep(cancellation)
        slot.release()
        assert slots.taken == 0


def test_a_wait_for_a_place_can_be_ended() -> None:
    slots = StartSlots(1)
    with Cancellation() as cancellation:
        slot = slots.acquire(cancellation)
        assert slot is not None
        found: list[object] = ["nothing"]
        waiting = threading.Thread(target=lambda: found.append(slots.acquire(cancellation)))
        waiting.start()
        wait_for(lambda: slots.waiting == 1, "it waits")
        cancellation.cancel()
        waiting.join(20)
        assert found == ["nothing", None]
        slot.release()
        slot.release()
        assert slots.taken == 0
