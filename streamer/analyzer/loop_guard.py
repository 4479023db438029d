"""What keeps a thread alive whose work meets a fault that nobody foresaw: it is said, counted, and the work goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Self

_FIRST_PAUSE_S: Final = 0.05
_LONGEST_PAUSE_S: Final = 1.0
_SAY_AGAIN_S: Final = 10.0  # a fault that comes with every window must not fill the log
_LOG = logging.getLogger(__name__)


class LoopGuard:
    """A context for one turn of a loop, entered again and again by one thread.

    An exception ends the turn, not the loop. After each fault there is a pause, longer the more of them follow one
    another, so that a fault that stays does not take a core.

    Args:
        what: is done in the loop, for the log: ``deciding``.
        wait: called with the seconds of a pause; ``Event.wait`` of what ends the loop lets it end at once.
    """

    def __init__(self, what: str, wait: Callable[[float], object] = time.sleep) -> None:
        self._what, self._wait = what, wait
        self._in_a_row = 0
        self._said_s = float("-inf")
        self.faults = 0
        """Turns that failed."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if error is None:
            self._in_a_row = 0
            return False
        if not isinstance(error, Exception):
            return False
        self.note(error)
        self._in_a_row += 1
        self._wait(min(_LONGEST_PAUSE_S, _FIRST_PAUSE_S * 2 ** min(self._in_a_row - 1, 10)))
        return True

    def note(self, error: Exception) -> None:
        """Say and count a fault that was dealt with inside a turn."""
        self.faults += 1
        now_s = time.monotonic()
        if now_s - self._said_s >= _SAY_AGAIN_S:
            self._said_s = now_s
            _LOG.error("%s goes on after a fault (number %d)", self._what, self.faults, exc_info=error)
