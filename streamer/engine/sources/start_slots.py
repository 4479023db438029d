"""A limit on how many sources are starting at the same time."""

from __future__ import annotations

import contextlib
import itertools
import threading
from collections.abc import Iterator
from typing import Final

from streamer.engine.fetching.cancellation import Cancellation

# Sources that failed so often in a row get half of the places at most, so that one that has just dropped out need not
# wait behind many that hang.
CHRONIC_FAILURES: Final = 3


class StartSlots:
    """Places for those that start; who failed less often comes first, then who came first.

    Args:
        limit: how many places there are.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._chronic_limit = max(1, limit // 2)
        self._changed = threading.Condition()
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int]] = []  # failures, number
        self._taken = self._taken_by_chronic = 0
        self.most_taken = 0
        """Most places that were ever taken at the same time."""

    @property
    def taken(self) -> int:
        """How many are starting now."""
        return self._taken

    @property
    def waiting(self) -> int:
        """How many wait for a place."""
        return len(self._waiting)

    def acquire(self, cancellation: Cancellation, failures: int = 0) -> StartSlot | None:
        """Wait for a place; None if it was cancelled meanwhile.

        Args:
            cancellation: ends the wait.
            failures: how often the source failed in a row.
        """
        mine = (failures, next(self._numbers))
        is_chronic = failures >= CHRONIC_FAILURES
        leave = cancellation.subscribe(self._wake)
        try:
            with self._changed:
                self._waiting.append(mine)
                try:
                    self._changed.wait_for(
                        lambda: cancellation.is_cancelled or self._may_go(mine, is_chronic)
                    )
                    if cancellation.is_cancelled:
                        return None
                    self._taken += 1
                    self._taken_by_chronic += is_chronic
                    self.most_taken = max(self.most_taken, self._taken)
                finally:
                    self._waiting.remove(mine)
                    self._changed.notify_all()
        finally:
            leave()
        return StartSlot(self, is_chronic)

    def _may_go(self, mine: tuple[int, int], is_chronic: bool) -> bool:
        if self._taken >= self.limit or (is_chronic and self._taken_by_chronic >= self._chronic_limit):
            return False
        return mine == min(self._waiting)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _release(self, is_chronic: bool) -> None:
        with self._changed:
            self._taken -= 1
            self._taken_by_chronic -= is_chronic
            self._changed.notify_all()


class StartSlot:
    """A place that is taken, until it is released."""

    def __init__(self, slots: StartSlots, is_chronic: bool) -> None:
        self._slots, self._is_chronic = slots, is_chronic
        self._held = True

    def release(self) -> None:
        """Give it back. May be called again; by the thread that took it."""
        if self._held:
            self._held = False
            self._slots._release(self._is_chronic)  # noqa: SLF001 - one of us


@contextlib.contextmanager
def released(slot: StartSlot) -> Iterator[StartSlot]:
    """Release ``slot`` at the end, if it has not been before."""
    try:
        yield slot
    finally:
        slot.release()
