"""Changes of one name come one after the other, in the order in which they were asked for."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from streamer.engine.sources.turns import Turns
from tests.support.waiting import wait_for
from tidzam_platform.errors import BusyError


def test_who_asked_first_is_first_and_nobody_shares_a_turn() -> None:
    turns, order, together = Turns(), list[int](), list[int]()
    gate = threading.Event()

    def change(number: int) -> None:
        with turns.of("marsh", 20):
            together.append(1)
            if number == 0:
                assert gate.wait(20)
            order.append(number)
            assert sum(together) == 1
            together.pop()

    with ThreadPoolExecutor(5) as pool:
        asked = []
        for number in range(5):
            asked.append(pool.submit(change, number))
            wait_for(lambda number=number: len(turns._queues["marsh"]) == number + 1, "it has asked")
        gate.set()
        for one in asked:
            one.result(20)
    assert order == [0, 1, 2, 3, 4]
    assert turns._queues == {}, "nothing is kept of names that nobody changes"


def test_other_names_do_not_wait() -> None:
    turns = Turns()
    with turns.of("marsh", 0), turns.of("pond", 0):
        pass


@pytest.mark.parametrize("wait_s", [0.0, 0.05])
def test_a_turn_that_does_not_come_in_time_is_given_up(wait_s: float) -> None:
    turns = Turns()
    with turns.of("marsh", 0):
        begin_s = time.monotonic()
        with pytest.raises(BusyError, match="'marsh' is being ended or replaced"), turns.of("marsh", wait_s):
            pytest.fail("somebody else has it")
        assert time.monotonic() - begin_s >= wait_s
    with turns.of("marsh", 0):
        pass


def test_a_turn_that_ends_with_an_error_is_over() -> None:
    turns = Turns()
    with pytest.raises(ValueError, match="broken"), turns.of("marsh", 0):
        raise ValueError("broken")
    with turns.of("marsh", 0):
        pass
