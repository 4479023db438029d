"""Sets of numbers kept as ranges behave as sets do."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from streamer.analyzer.asking.index_ranges import IndexRanges

NUMBERS = st.integers(0, 40)
STEPS = st.lists(st.tuples(st.sampled_from(["add", "remove", "split"]), NUMBERS, NUMBERS), max_size=30)


def numbers(ranges: IndexRanges) -> list[int]:
    return [number for first, last in ranges for number in range(first, last + 1)]


@given(STEPS)
def test_they_are_sets(steps: list[tuple[str, int, int]]) -> None:
    ranges, expected = IndexRanges(), set[int]()
    for step, one, other in steps:
        first, last = min(one, other), max(one, other)
        if step == "add":
            ranges.add(first, last)
            expected |= set(range(first, last + 1))
        elif step == "remove":
            removed = [number for low, high in ranges.remove(first, last) for number in range(low, high + 1)]
            assert removed == sorted(expected & set(range(first, last + 1)))
            expected -= set(range(first, last + 1))
        else:
            assert numbers(ranges.split(first)) == sorted(number for number in expected if number < first)
            expected = {number for number in expected if number >= first}
        assert numbers(ranges) == sorted(expected)
        assert len(ranges) == len(expected)
        assert bool(ranges) == bool(expected)
        assert all((number in ranges) == (number in expected) for number in range(42))
        if expected:
            assert ranges.first == min(expected)
    pairs = list(ranges)
    assert all(one[1] + 1 < other[0] for one, other in itertools.pairwise(pairs)), "they never touch"


def test_a_million_windows_in_a_row_are_one_range() -> None:
    ranges = IndexRanges()
    for number in range(1000):
        ranges.add(number)
    ranges.add(1000, 10**6)
    assert list(ranges) == [(0, 10**6)]
    assert len(ranges) == 10**6 + 1
