"""Lanes: the requests to one side of the server share a breaker and a number of places in flight, and no others.

So a canary that hangs takes nothing from the stable generation: neither its places nor its good name.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from serving.client.circuit_breaker import BreakerPolicy, CircuitBreaker
from serving.client.deadlines import Deadline
from serving.client.routes import Target
from serving.signature import STABLE


class Lane:
    """One lane; safe to use from many threads.

    Args:
        breaker: what opens when requests of this lane fail.
        max_in_flight: how many of its requests may be under way at once.
    """

    def __init__(self, breaker: CircuitBreaker, max_in_flight: int) -> None:
        self.breaker = breaker
        self._places = threading.Semaphore(max_in_flight)
        self._lock = threading.Lock()
        self._in_flight = 0

    @property
    def in_flight(self) -> int:
        """Requests under way."""
        return self._in_flight

    @contextmanager
    def place(self, deadline: Deadline) -> Iterator[bool]:
        """Hold a place while the context lasts; yields False if none came free within the deadline."""
        if not self._places.acquire(timeout=deadline.left_s):
            yield False
            return
        try:
            with self._lock:
                self._in_flight += 1
            yield True
        finally:
            with self._lock:
                self._in_flight -= 1
            self._places.release()


class Lanes:
    """The lanes of a client: one for what is in service, one for each other label.

    Args:
        server: what is behind them, for the log.
        max_in_flight: of each lane.
        policy: of each lane's breaker.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        server: str,
        max_in_flight: int,
        policy: BreakerPolicy,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server, self._max_in_flight, self._policy, self._clock = server, max_in_flight, policy, clock
        self._lock = threading.Lock()
        self._lanes: dict[str, Lane] = {}

    def of(self, target: Target) -> Lane:
        """The lane of a target: versions and the newest share that of ``stable``."""
        label = target.label or STABLE
        with self._lock:
            if label not in self._lanes:
                name = self._server if label == STABLE else f"{self._server}, label {label!r}"
                breaker = CircuitBreaker(name, self._policy, self._clock)
                self._lanes[label] = Lane(breaker, self._max_in_flight)
            return self._lanes[label]

    def all(self) -> list[Lane]:
        """Every lane that was used."""
        with self._lock:
            return list(self._lanes.values())

    def found_well(self) -> None:
        """The server said that it serves: close all breakers."""
        for lane in self.all():
            lane.breaker.found_well()
