"""A limit on how many sources are starting at the same time."""

from __future__ import annotations

import contextlib
import itertools
import threading
import time
from collections.abc import Iterator
from typing import Final

from streamer.engine.fetching.cancellation import Cancellation

# Sources that failed so often in a row get half of the places at most, so that one that has just dropped out need not
# wait behind many that hang.
CHRONIC_FAILURES: Final = 3
LENT_S: Final = 1.0
"""Who waits for an answer for longer hangs. That costs nothing, and must not keep others from healing."""


class StartSlots:
    """Places for those that start; who failed less often comes first, then who came first.

    Args:
        limit: how many places there are.
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self._chronic_limit = max(1, limit // 2)
        self._changed = threading.Condition()  # reentrant
        self._numbers = itertools.count()
        self._waiting: list[tuple[int, int]] = []  # failures, number
        self._taken = self._taken_by_chronic = 0
        self._lent: list[StartSlot] = []  # taken by those that wait for an answer
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
        slot = StartSlot(self, failures)
        return slot if self._take(slot, cancellation) else None

    def _take(self, slot: StartSlot, cancellation: Cancellation) -> bool:
        mine = (slot.failures, next(self._numbers))
        leave = cancellation.subscribe(self._wake)
        try:
            with self._changed:
                self._waiting.append(mine)
                try:
                    while not cancellation.is_cancelled and not self._may_go(mine, slot.is_chronic):
                        self._changed.wait(self._next_lapse_s())
                    if cancellation.is_cancelled:
                        return False
                    slot.is_held = True
                    self._taken += 1
                    self._taken_by_chronic += slot.is_chronic
                    self.most_taken = max(self.most_taken, self._taken)
                finally:
                    self._waiting.remove(mine)
                    self._changed.notify_all()
        finally:
            leave()
        return True

    def _may_go(self, mine: tuple[int, int], is_chronic: bool) -> bool:
        now_s = time.monotonic()
        for slot in [slot for slot in self._lent if slot.lapses_s <= now_s]:
            self._give_back(slot)
        if self._taken >= self.limit or (is_chronic and self._taken_by_chronic >= self._chronic_limit):
            return False
        return mine == min(self._waiting)

    def _next_lapse_s(self) -> float | None:
        """How long until a place that is lent comes back, s; None if there is none."""
        if not self._lent:
            return None
        return max(min(slot.lapses_s for slot in self._lent) - time.monotonic(), 0.0)

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()

    def _lend(self, slot: StartSlot) -> None:
        with self._changed:
            if slot.is_held:
                slot.lapses_s = time.monotonic() + LENT_S
                self._lent.append(slot)
                self._changed.notify_all()

    def _keep(self, slot: StartSlot, cancellation: Cancellation) -> bool:
        with self._changed:
            if slot in self._lent:
                self._lent.remove(slot)
            if slot.is_held:
                return not cancellation.is_cancelled
        return self._take(slot, cancellation)

    def _give_back(self, slot: StartSlot) -> None:
        with self._changed:
            if slot in self._lent:
                self._lent.remove(slot)
            if slot.is_held:
                slot.is_held = False
                self._taken -= 1
                self._taken_by_chronic -= slot.is_chronic
                self._changed.notify_all()


class StartSlot:
    """A place that is taken, until it is released. For one thread, which took it."""

    def __init__(self, slots: StartSlots, failures: int) -> None:
        self._slots = slots
        self.failures, self.is_chronic = failures, failures >= CHRONIC_FAILURES
        self.is_held = False  # this and the next one: under the lock of the slots
        self.lapses_s = 0.0

    def lend(self) -> None:
        """Let others have it if it takes longer than ``LENT_S``: a server is asked, and may hang."""
        self._slots._lend(self)  # noqa: SLF001 - one of us

    def keep(self, cancellation: Cancellation) -> bool:
        """It has answered: have the place until ``release``, also if it must be waited for again.

        Returns:
            False if it was cancelled.
        """
        return self._slots._keep(self, cancellation)  # noqa: SLF001 - one of us

    def release(self) -> None:
        """Give it back. May be called again."""
        self._slots._give_back(self)  # noqa: SLF001 - one of us


@contextlib.contextmanager
def released(slot: StartSlot) -> Iterator[StartSlot]:
    """Release ``slot`` at the end, if it has not been before."""
    try:
        yield slot
    finally:
        slot.release()
