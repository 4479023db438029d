"""Work a little ahead: in order, bounded, and soon at its end when nobody wants the rest."""

from __future__ import annotations

import threading
from contextlib import closing

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidzam_platform.look_ahead import futures_ahead, map_ahead


@given(st.lists(st.integers(), max_size=30), st.integers(1, 3), st.integers(1, 5))
def test_results_come_in_the_order_of_the_items(items: list[int], threads: int, ahead: int) -> None:
    assert list(map_ahead(str, items, threads=threads, ahead=ahead)) == [str(item) for item in items]


def test_no_more_than_ahead_is_begun() -> None:
    taken: list[int] = []

    def items() -> object:
        for item in range(100):
            taken.append(item)
            yield item

    with closing(map_ahead(str, items(), threads=2, ahead=4)) as results:  # type: ignore[arg-type]
        assert next(results) == "0"
        assert len(taken) == 4


def test_closing_begins_nothing_new_and_leaves_no_thread_at_work() -> None:
    begun: list[int] = []
    go_on = threading.Event()

    def work(item: int) -> int:
        begun.append(item)
        if item:
            go_on.wait(10)
        return item

    with closing(map_ahead(work, range(1000), threads=2, ahead=8)) as results:
        assert next(results) == 0
        go_on.set()
    assert len(begun) <= 9
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("look-ahead")]


def test_an_interrupt_of_who_uses_the_results_ends_it() -> None:
    begun: list[int] = []

    def use() -> None:
        with closing(map_ahead(begun.append, range(1000), threads=2)) as results:
            next(results)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        use()
    assert len(begun) <= 5


def test_the_first_error_comes_out_and_futures_keep_theirs() -> None:
    with pytest.raises(ValueError, match="invalid literal"):
        list(map_ahead(int, ["1", "x", "3"], threads=1))
    errors = [future.exception() for _, future in futures_ahead(int, ["1", "x", "3"], threads=1)]
    assert [type(error) for error in errors] == [type(None), ValueError, type(None)]
