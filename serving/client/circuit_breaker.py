"""A circuit breaker: after many failures in a row a server is left alone for a while, and callers know at once.

The pattern is that of M. Nygard, "Release It!".

::

    CLOSED     requests pass
      | failures in a row reach the limit
    OPEN       requests are refused at once, until the wait is over; it doubles with each probe that fails
      | the wait is over, and a request comes
    HALF_OPEN  that request is the probe, all others are refused
      | it is answered: CLOSED              it fails: OPEN
"""

from __future__ import annotations

import enum
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

_LOG = logging.getLogger(__name__)
_FACTOR: Final = 2.0
_JITTER: Final = 0.2  # of the wait, to both sides: clients of one server spread out


class BreakerState(enum.Enum):
    """Whether requests pass; the module draws how one follows another."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half-open"


class _Event(enum.Enum):
    FAILED_TOO_OFTEN = enum.auto()
    WAITED = enum.auto()
    PROBE_ANSWERED = enum.auto()
    PROBE_FAILED = enum.auto()
    FOUND_WELL = enum.auto()  # the server said so itself, outside of any request


_STEPS: Final[Mapping[tuple[BreakerState, _Event], BreakerState]] = {
    (BreakerState.CLOSED, _Event.FAILED_TOO_OFTEN): BreakerState.OPEN,
    (BreakerState.OPEN, _Event.WAITED): BreakerState.HALF_OPEN,
    (BreakerState.HALF_OPEN, _Event.PROBE_ANSWERED): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, _Event.PROBE_FAILED): BreakerState.OPEN,
    (BreakerState.OPEN, _Event.FOUND_WELL): BreakerState.CLOSED,
    (BreakerState.HALF_OPEN, _Event.FOUND_WELL): BreakerState.CLOSED,
}


@dataclass(frozen=True)
class BreakerPolicy:
    """When a breaker opens, and for how long.

    Attributes:
        failures: it opens after so many requests in a row that ended UNAVAILABLE or DEADLINE_EXCEEDED.
        first_open_s: the first wait before a probe; doubled after each probe that fails.
        longest_open_s: no wait is longer, jitter of a fifth apart.
    """

    failures: int = 5
    first_open_s: float = 0.5
    longest_open_s: float = 5.0


class CircuitOpenError(Exception):
    """A request was not sent: the breaker is open, or its probe is under way. Stays inside the client."""

    def __init__(self, retry_after_s: float, failures: int) -> None:
        super().__init__(f"open after {failures} failures")
        self.retry_after_s = retry_after_s
        self.failures = failures


@dataclass(frozen=True)
class Permit:
    """Leave to send one request; what became of it must be told to the breaker."""

    period: int
    is_probe: bool


class CircuitBreaker:
    """One breaker; safe to use from many threads.

    Requests that began before its last change of state tell it nothing: what they met is over.

    Args:
        name: of what is behind it, for the log.
        policy: when it opens.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        name: str,
        policy: BreakerPolicy | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._name = name
        self._policy = policy or BreakerPolicy()
        self._clock = clock
        self._lock = threading.Lock()
        self._state = BreakerState.CLOSED
        self._period = 0
        self._failures = 0  # in a row
        self._probing = False
        self._open_until_s = 0.0
        self._next_open_s = self._policy.first_open_s
        self._times_opened = self._times_closed = 0

    @property
    def state(self) -> BreakerState:
        """The state now. An OPEN one whose wait is over stays OPEN until the next request comes."""
        return self._state

    @property
    def times_opened(self) -> int:
        """How often it opened."""
        return self._times_opened

    @property
    def times_closed(self) -> int:
        """How often it closed again."""
        return self._times_closed

    @property
    def retry_after_s(self) -> float:
        """Seconds until a request would be let through, 0 if one would be now."""
        with self._lock:
            return self._retry_after_s()

    def require_closed(self) -> None:
        """Raise CircuitOpenError if a request would be refused now; takes no permit."""
        with self._lock:
            self._require(self._retry_after_s() == 0)

    def enter(self) -> Permit:
        """Leave to send one request.

        Raises:
            CircuitOpenError: it may not be sent.
        """
        with self._lock:
            self._require(self._retry_after_s() == 0)
            if self._state is BreakerState.OPEN:
                self._step(_Event.WAITED)
            if self._state is BreakerState.HALF_OPEN:
                self._probing = True
            return Permit(self._period, self._probing)

    def answered(self, permit: Permit) -> None:
        """The server answered, be it with a refusal: it is there."""
        with self._lock:
            if permit.period != self._period:
                return
            self._failures = 0
            if permit.is_probe:
                self._step(_Event.PROBE_ANSWERED)

    def failed(self, permit: Permit) -> None:
        """No answer came: UNAVAILABLE or DEADLINE_EXCEEDED."""
        with self._lock:
            if permit.period != self._period:
                return
            self._failures += 1
            if permit.is_probe:
                self._step(_Event.PROBE_FAILED)
            elif self._failures >= self._policy.failures:
                self._step(_Event.FAILED_TOO_OFTEN)

    def abandoned(self, permit: Permit) -> None:
        """The request ended without saying anything about the server, e.g. cancelled by us."""
        with self._lock:
            if permit.period == self._period and permit.is_probe:
                self._probing = False

    def found_well(self) -> None:
        """The server said elsewhere that it serves: close."""
        with self._lock:
            self._failures = 0
            if self._state is not BreakerState.CLOSED:
                self._step(_Event.FOUND_WELL)

    def _retry_after_s(self) -> float:
        if self._state is BreakerState.OPEN:
            return max(0.0, self._open_until_s - self._clock())
        return self._policy.first_open_s if self._probing else 0.0

    def _require(self, allowed: bool) -> None:
        if not allowed:
            raise CircuitOpenError(self._retry_after_s(), self._failures)

    def _step(self, event: _Event) -> None:
        self._state = _STEPS[self._state, event]
        self._period += 1
        self._probing = False
        if self._state is BreakerState.OPEN:
            wait_s = self._next_open_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
            self._open_until_s = self._clock() + wait_s
            self._next_open_s = min(self._next_open_s * _FACTOR, self._policy.longest_open_s)
            self._times_opened += 1
            # A server may be away for days: said once, when it begins.
            level = logging.WARNING if event is _Event.FAILED_TOO_OFTEN else logging.DEBUG
            _LOG.log(
                level, "%s: %d failures in a row, asked again in %.1f s", self._name, self._failures, wait_s
            )
        elif self._state is BreakerState.CLOSED:
            self._failures = 0
            self._next_open_s = self._policy.first_open_s
            self._times_closed += 1
            _LOG.warning("%s: answers again", self._name)
