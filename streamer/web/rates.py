"""How often something may happen: a bucket that fills with time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class TokenBucket:
    """Lets ``burst`` pass at once and ``rate_per_s`` in the long run; for any number of threads.

    Args:
        rate_per_s: how much is let through each second.
        burst: how much at once, where nothing came before.
        now_s: a clock that never goes back, seconds.
    """

    def __init__(self, rate_per_s: float, burst: float, now_s: Callable[[], float] = time.monotonic) -> None:
        self._rate_per_s, self._burst, self._now_s = rate_per_s, burst, now_s
        self._level, self._at_s = burst, now_s()
        self._lock = threading.Lock()

    def take(self, amount: float = 1.0) -> bool:
        """Whether ``amount`` may pass now; if so it is taken."""
        with self._lock:
            self._fill()
            if self._level < amount:
                return False
            self._level -= amount
            return True

    def delay_s(self, amount: float = 1.0) -> float:
        """Take ``amount``, come what may; returns how long to wait until it is paid for, seconds."""
        with self._lock:
            self._fill()
            self._level -= amount
            return max(0.0, -self._level / self._rate_per_s)

    def _fill(self) -> None:
        now_s = self._now_s()
        self._level = min(self._burst, self._level + (now_s - self._at_s) * self._rate_per_s)
        self._at_s = now_s
