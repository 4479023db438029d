"""A point in time that a call may not outlive, whatever it waits for on the way."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import Final

from tidzam_platform.errors import ModelServerError

_LEAST_S: Final = 1e-3


class Deadline:
    """Begins when it is made.

    Args:
        seconds: how long; more than 0.
        clock: monotonic seconds.

    Raises:
        ModelServerError: ``seconds`` is no positive number.
    """

    def __init__(self, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        if not (math.isfinite(seconds) and seconds > 0):
            raise ModelServerError(f"a deadline is a positive number of seconds, not {seconds}")
        self.seconds = seconds
        self._clock = clock
        self._end_s = clock() + seconds

    @property
    def left_s(self) -> float:
        """Seconds until the end, 0 when it is over."""
        return max(0.0, self._end_s - self._clock())

    def part(self, share: float) -> Deadline:
        """A deadline that ends when ``share`` of what is left is over."""
        return Deadline(max(_LEAST_S, self.left_s * share), self._clock)
