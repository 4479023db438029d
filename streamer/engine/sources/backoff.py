"""How long to wait before something that failed is tried again."""

from __future__ import annotations

import random
from typing import Final

BASE_S: Final = 0.5
HEALTHY_S: Final = 30.0  # what played for so long has nothing to do with the failures before


class Backoff:
    """Exponential back-off with full jitter: each wait is drawn evenly from 0 to a range that doubles.

    Many that failed together come back spread out (M. Brooker, "Exponential Backoff And Jitter", AWS Architecture
    Blog, 2015).

    Args:
        max_s: where the range stops growing, s.
        base_s: range of the first wait, s.
        healthy_s: after playing for so long the range begins anew, s.
        chance: where the draws come from.
    """

    def __init__(
        self,
        max_s: float,
        *,
        base_s: float = BASE_S,
        healthy_s: float = HEALTHY_S,
        chance: random.Random | None = None,
    ) -> None:
        self._max_s, self._base_s, self._healthy_s = max_s, min(base_s, max_s), healthy_s
        self._chance = chance or random.Random()  # noqa: S311 - it spreads load, it guards nothing
        self.failures = 0
        """Failures since it was last healthy."""

    @property
    def range_s(self) -> float:
        """The longest that the next wait can be, s."""
        doublings = min(self.failures, 60)  # a float would overflow some day
        return min(self._base_s * 2.0**doublings, self._max_s)

    def note_played(self, seconds: float) -> None:
        """It played for so long, s; what was before that may be forgotten."""
        if seconds >= self._healthy_s:
            self.failures = 0

    def wait_s(self) -> float:
        """Count a failure, and draw how long to wait now, s."""
        wait_s = self._chance.uniform(0.0, self.range_s)
        self.failures += 1
        return wait_s

    def reset(self) -> None:
        """Nothing has failed."""
        self.failures = 0
