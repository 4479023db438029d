"""The life of a source as a table: which step may follow which, and the last 100 of them."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import EngineError

KEPT: Final = 100
_MAX_REASON_LENGTH: Final = 500
_LAST_LENGTH: Final = 60  # of a longer one the end is told too: when it is tried again


class SourceState(StrEnum):
    """What a source is doing."""

    IDLE = "idle"
    """Described, and not yet begun."""
    WAITING = "waiting"
    """Waits until fewer other sources are starting."""
    STARTING = "starting"
    """Connects, or opens a file, and has given no sample yet."""
    PLAYING = "playing"
    """Gives samples."""
    STALLED = "stalled"
    """Played, and gives too few samples now: it is silent until they come again, or until it is started again."""
    BACKING_OFF = "backing_off"
    """Failed, and waits before it is tried again."""
    STOPPING = "stopping"
    """Is being ended."""
    STOPPED = "stopped"
    """Was ended, or has played to its end."""
    FAILED = "failed"
    """Not permanent, and given up; the last transition says why."""


LEGAL_STEPS: Final[Mapping[SourceState, frozenset[SourceState]]] = {
    SourceState.IDLE: frozenset({SourceState.WAITING, SourceState.STOPPING}),
    SourceState.WAITING: frozenset({SourceState.STARTING, SourceState.STOPPING}),
    SourceState.STARTING: frozenset(
        {SourceState.PLAYING, SourceState.BACKING_OFF, SourceState.FAILED, SourceState.STOPPING}
    ),
    # From playing straight to waiting: a file of a permanent source has ended and begins again.
    SourceState.PLAYING: frozenset(
        {
            SourceState.STALLED,
            SourceState.WAITING,
            SourceState.BACKING_OFF,
            SourceState.FAILED,
            SourceState.STOPPING,
        }
    ),
    SourceState.STALLED: frozenset(
        {
            SourceState.PLAYING,
            SourceState.WAITING,
            SourceState.BACKING_OFF,
            SourceState.FAILED,
            SourceState.STOPPING,
        }
    ),
    SourceState.BACKING_OFF: frozenset({SourceState.WAITING, SourceState.STOPPING}),
    SourceState.STOPPING: frozenset({SourceState.STOPPED}),
    SourceState.STOPPED: frozenset(),
    SourceState.FAILED: frozenset(),
}
ENDED: Final = frozenset({SourceState.STOPPED, SourceState.FAILED})


@dataclass(frozen=True)
class Transition:
    """One step, when it was made (monotonic clock in s, and UTC), and why."""

    before: SourceState
    after: SourceState
    reason: str
    monotonic_s: float
    utc: datetime

    def as_dict(self) -> dict[str, Any]:
        """What JSON can say of it."""
        return {
            "utc": format_utc(self.utc),
            "before": self.before.value,
            "after": self.after.value,
            "reason": self.reason,
        }


class StateMachine:
    """The state of one source. Any thread may look; steps are made one at a time.

    Args:
        monotonic: the clock of durations, s.
        utc: the clock that people read.
        on_step: told of each step after it was made, in the thread that made it.
    """

    def __init__(
        self,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        utc: Callable[[], datetime] = utc_now,
        on_step: Callable[[Transition], None] = lambda _transition: None,
    ) -> None:
        self._monotonic, self._utc, self._on_step = monotonic, utc, on_step
        self._lock = threading.Lock()
        self._state = SourceState.IDLE
        self._since_s = monotonic()
        self._transitions: deque[Transition] = deque(maxlen=KEPT)
        self.steps = 0
        """How many steps there were."""

    @property
    def state(self) -> SourceState:
        """What the source is doing."""
        return self._state

    @property
    def for_s(self) -> float:
        """How long it has been doing that, s."""
        return self._monotonic() - self._since_s

    @property
    def transitions(self) -> tuple[Transition, ...]:
        """The last 100 steps, oldest first."""
        with self._lock:
            return tuple(self._transitions)

    def step(self, after: SourceState, reason: str) -> None:
        """Go to ``after``.

        Raises:
            EngineError: the table has no such step.
        """
        with self._lock:
            if after not in LEGAL_STEPS[self._state]:
                raise EngineError(
                    f"a source cannot go from {self._state.value} to {after.value} ({reason}): "
                    "this is a fault of the engine, please report it"
                )
            now_s = self._monotonic()
            made = Transition(self._state, after, _bounded(reason), now_s, self._utc())
            self._state, self._since_s = after, now_s
            self._transitions.append(made)
            self.steps += 1
        self._on_step(made)


def _bounded(reason: str) -> str:
    if len(reason) <= _MAX_REASON_LENGTH:
        return reason
    return f"{reason[: _MAX_REASON_LENGTH - _LAST_LENGTH - 3]} … {reason[-_LAST_LENGTH:]}"
