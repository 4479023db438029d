"""Moments wait a short time, in order; who asks passes answers on in that order."""

from __future__ import annotations

import threading

import pytest

from streamer.analyzer.asking.live_queue import LiveQueue, Ticket
from tests.streamer.analyzer.asking.made import Site, run_of
from tests.support.waiting import wait_for

MOMENTS = Site(run_of(), 2, 10).moments()
PLENTY = 1 << 30


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_what_waits_longer_than_allowed_is_taken_out_oldest_first() -> None:
    clock = Clock()
    queue = LiveQueue(1.0, PLENTY, clock)
    assert queue.put(MOMENTS[0]) == []
    clock.now_s += 0.75
    assert queue.put(MOMENTS[1]) == []
    assert queue.behind_s == 0.75
    clock.now_s += 0.75
    assert queue.put(MOMENTS[2]) == [MOMENTS[0]]
    assert queue.windows == 4
    clock.now_s += 5
    assert queue.put(MOMENTS[3]) == [MOMENTS[1], MOMENTS[2]]
    ticket = queue.take()
    assert ticket is not None
    assert ticket.moment is MOMENTS[3]
    assert queue.behind_s == 0


def test_no_more_audio_waits_than_allowed() -> None:
    queue = LiveQueue(60, 3 * MOMENTS[0].audio.nbytes)
    late = [moment for moment in MOMENTS for moment in queue.put(moment)]
    assert late == MOMENTS[:-3]


def test_tickets_are_passed_on_in_order_whoever_is_first() -> None:
    queue = LiveQueue(60, PLENTY)
    for moment in MOMENTS:
        queue.put(moment)
    tickets = [queue.take() for _ in MOMENTS]
    passed: list[int] = []

    def pass_on(ticket: Ticket) -> None:
        with queue.in_turn(ticket):
            passed.append(ticket.number)

    threads = []
    for ticket in reversed(tickets):
        assert ticket is not None
        thread = threading.Thread(target=pass_on, args=(ticket,))
        thread.start()
        threads.append(thread)
        if ticket.number > 1:
            assert passed == []
    for thread in threads:
        thread.join(10)
    assert passed == list(range(1, len(MOMENTS) + 1))


def test_a_turn_that_fails_does_not_keep_the_next() -> None:
    queue = LiveQueue(60, PLENTY)
    queue.put(MOMENTS[0])
    queue.put(MOMENTS[1])
    first, second = queue.take(), queue.take()
    assert first is not None
    assert second is not None
    with pytest.raises(ZeroDivisionError), queue.in_turn(first):
        _ = 1 // 0
    with queue.in_turn(second):
        pass


def test_who_waits_is_woken_by_a_moment_and_by_the_end() -> None:
    queue = LiveQueue(60, PLENTY)
    took: list[Ticket | None] = []
    thread = threading.Thread(target=lambda: took.extend([queue.take(), queue.take()]))
    thread.start()
    queue.put(MOMENTS[0])
    wait_for(lambda: len(took) == 0 and queue.windows == 0, "the moment is taken")
    assert queue.wait_until_empty(1)
    assert queue.close() == []
    thread.join(10)
    assert took[1] is None
    assert took[0] is not None
    assert queue.put(MOMENTS[1]) == [MOMENTS[1]]


def test_what_waits_at_the_end_is_given_back() -> None:
    queue = LiveQueue(60, PLENTY)
    queue.put(MOMENTS[0])
    queue.put(MOMENTS[1])
    assert not queue.wait_until_empty(0.01)
    assert queue.close() == MOMENTS[:2]
