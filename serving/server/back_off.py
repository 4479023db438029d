"""When to try again what failed: later each time, and not all at once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import Final

FIRST_DELAY_S: Final = 5.0
MAX_DELAY_S: Final = 600.0
_FACTOR: Final = 2.0
_JITTER: Final = 0.2  # of the delay, to both sides: servers that share a repository spread out


class BackOff:
    """Counts failures of one thing and says when it may be tried again."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._delay_s = FIRST_DELAY_S
        self._next_at_s = clock()

    def failed(self) -> float:
        """Note a failure; returns how many seconds to wait."""
        wait_s = self._delay_s * random.uniform(1 - _JITTER, 1 + _JITTER)  # noqa: S311 - no secret
        self._next_at_s = self._clock() + wait_s
        self._delay_s = min(self._delay_s * _FACTOR, MAX_DELAY_S)
        return wait_s

    def is_due(self) -> bool:
        """Whether the wait is over."""
        return self._clock() >= self._next_at_s
