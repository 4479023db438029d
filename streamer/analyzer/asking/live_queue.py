"""Moments that wait in memory for the model server: a short time, and never much."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NamedTuple

from streamer.analyzer.windows import Moment


class Ticket(NamedTuple):
    """A moment that somebody asks for; answers are passed on in the order of the numbers."""

    number: int
    moment: Moment


class LiveQueue:
    """A queue between the thread that hears and those that ask; safe to use from many threads.

    Args:
        max_behind_s: how long a moment may wait, s.
        max_bytes: most audio that waits.
        clock: monotonic seconds.
    """

    def __init__(
        self, max_behind_s: float, max_bytes: int, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._max_behind_s, self._max_bytes, self._clock = max_behind_s, max_bytes, clock
        self._condition = threading.Condition()
        self._waiting: deque[tuple[float, Moment]] = deque()
        self._bytes = 0
        self._given = self._passed = 0  # tickets: given to who asks, passed on
        self._closed = False

    def put(self, moment: Moment) -> list[Moment]:
        """Add a moment; never waits. Returns those that have waited too long, oldest first: they are taken out."""
        with self._condition:
            if self._closed:
                return [moment]
            now_s = self._clock()
            self._waiting.append((now_s, moment))
            self._bytes += moment.audio.nbytes
            late = []
            while self._waiting and (
                self._bytes > self._max_bytes or now_s - self._waiting[0][0] > self._max_behind_s
            ):
                late.append(self._pop())
            self._condition.notify()
            return late

    def take(self) -> Ticket | None:
        """The oldest moment; waits for one. None when the queue is closed."""
        with self._condition:
            self._condition.wait_for(lambda: bool(self._waiting) or self._closed)
            if not self._waiting:
                return None
            self._given += 1
            ticket = Ticket(self._given, self._pop())
            self._condition.notify_all()
            return ticket

    @contextmanager
    def in_turn(self, ticket: Ticket) -> Iterator[None]:
        """Wait until all tickets before this one are passed on; this one is when the context ends.

        Each ticket must come here once, and whoever holds one asks within a deadline: so nobody waits for ever.
        """
        with self._condition:
            self._condition.wait_for(lambda: self._passed == ticket.number - 1)
        try:
            yield
        finally:
            with self._condition:
                self._passed = ticket.number
                self._condition.notify_all()

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Wait until no moment waits to be asked for; False if some still do."""
        with self._condition:
            return self._condition.wait_for(lambda: not self._waiting, timeout_s)

    def close(self) -> list[Moment]:
        """Take no more; returns what waits, oldest first."""
        with self._condition:
            self._closed = True
            left = [moment for _, moment in self._waiting]
            self._waiting.clear()
            self._bytes = 0
            self._condition.notify_all()
            return left

    @property
    def behind_s(self) -> float:
        """How long the oldest has waited, s; 0 if none waits."""
        with self._condition:
            return self._clock() - self._waiting[0][0] if self._waiting else 0.0

    @property
    def windows(self) -> int:
        """How many windows wait."""
        with self._condition:
            return sum(len(moment.keys) for _, moment in self._waiting)

    def _pop(self) -> Moment:
        _, moment = self._waiting.popleft()
        self._bytes -= moment.audio.nbytes
        return moment
