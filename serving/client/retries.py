"""How often, and after which waits, a request is sent again that found no server (UNAVAILABLE, nothing else)."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

_FACTOR: Final = 2.0
_LEAST_SHARE: Final = 0.5  # of the wait; the rest is drawn, so that clients spread out


@dataclass(frozen=True)
class RetryPolicy:
    """A predict may be repeated safely: it changes nothing on the server.

    Attributes:
        max_attempts: how often a request is sent at most, the first time included; at least 1.
        first_delay_s: longest wait before the second attempt; it doubles from one to the next.
        longest_delay_s: no wait is longer.
        waits_for_room: what a full queue of the server refused (UNAVAILABLE too) is sent again until the deadline,
            however often.
    """

    max_attempts: int = 4
    first_delay_s: float = 0.1
    longest_delay_s: float = 2.0
    waits_for_room: bool = True

    def delay_s(self, attempt: int) -> float:
        """Seconds to wait after ``attempt`` (counted from 1), drawn anew each time."""
        doublings = min(attempt - 1, 30)  # far beyond any longest delay
        longest_s = min(self.longest_delay_s, self.first_delay_s * _FACTOR**doublings)
        return longest_s * random.uniform(_LEAST_SHARE, 1)  # noqa: S311 - no secret


ONCE: Final = RetryPolicy(max_attempts=1, waits_for_room=False)
