"""Sets of whole numbers that mostly follow one another, kept as ranges: a million windows cost a few bytes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator


class IndexRanges:
    """A set of whole numbers; not safe to use from several threads."""

    def __init__(self) -> None:
        # Disjoint, ascending, never touching: range i is _firsts[i].._lasts[i], both included.
        self._firsts: list[int] = []
        self._lasts: list[int] = []
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """The ranges in ascending order: first and last number of each."""
        return zip(list(self._firsts), list(self._lasts), strict=True)

    def __contains__(self, number: int) -> bool:
        place = bisect_right(self._firsts, number) - 1
        return place >= 0 and number <= self._lasts[place]

    @property
    def first(self) -> int:
        """The smallest number; IndexError if there is none."""
        return self._firsts[0]

    def add(self, first: int, last: int | None = None) -> None:
        """Put the numbers from ``first`` to ``last`` (the same by default) into the set."""
        last = first if last is None else last
        begin = bisect_left(self._lasts, first - 1)
        end = bisect_right(self._firsts, last + 1)
        self._count -= self._size(begin, end)
        if begin < end:
            first, last = min(first, self._firsts[begin]), max(last, self._lasts[end - 1])
        self._firsts[begin:end], self._lasts[begin:end] = [first], [last]
        self._count += last - first + 1

    def remove(self, first: int, last: int | None = None) -> list[tuple[int, int]]:
        """Take the numbers from ``first`` to ``last`` (the same by default) out; returns the ranges that were there."""
        last = first if last is None else last
        begin = bisect_left(self._lasts, first)
        end = bisect_right(self._firsts, last)
        removed, kept = [], []
        for low, high in zip(self._firsts[begin:end], self._lasts[begin:end], strict=True):
            removed.append((max(low, first), min(high, last)))
            kept += [(low, first - 1)] if low < first else []
            kept += [(last + 1, high)] if high > last else []
        if removed:
            self._firsts[begin:end] = [low for low, _ in kept]
            self._lasts[begin:end] = [high for _, high in kept]
            self._count -= sum(high - low + 1 for low, high in removed)
        return removed

    def split(self, number: int) -> IndexRanges:
        """Take out the numbers below ``number``, as a set of their own."""
        below = IndexRanges()
        if self._firsts and self._firsts[0] < number:
            for first, last in self.remove(self._firsts[0], number - 1):
                below.add(first, last)
        return below

    def _size(self, begin: int, end: int) -> int:
        return sum(self._lasts[begin:end]) - sum(self._firsts[begin:end]) + max(0, end - begin)
