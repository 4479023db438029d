"""The end of the analyzer: one deadline for all of its parts, and a word on those that did not keep to it."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Final

_MARGIN_S: Final = 2.0  # for what follows: files and connections are closed, the interpreter ends
_MOST_MARGIN: Final = 0.25  # of the time that there is
# Of the time, in equal parts: each part has at least its own, however long those before it took.
_RESERVED: Final = 0.5
_LOG = logging.getLogger(__name__)

Stop = Callable[[float], bool]


class OrderedStop:
    """Stops parts in the opposite order of their start, all of them within one time.

    A part may use what is left, less a small share for each that follows: one that hangs costs the others little.

    Args:
        stop_s: how long all of it may take; who waits longer ends the process by force (``supervision.stop_s``).
        monotonic: seconds.
    """

    def __init__(self, stop_s: float, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._time_s = stop_s - min(_MARGIN_S, _MOST_MARGIN * stop_s)
        self._monotonic = monotonic
        self._parts: list[tuple[str, Stop]] = []
        self._end_s = math.inf

    def add(self, name: str, stop: Stop) -> None:
        """A part was started: ``stop`` gets the seconds that it may take, and returns whether it ended."""
        self._parts.append((name, stop))

    def begin(self) -> None:
        """The time runs from now on. Called again, it changes nothing."""
        self._end_s = min(self._end_s, self._monotonic() + self._time_s)

    def stop(self) -> list[str]:
        """Stop all; returns the names of those that did not end in time, which are told in the log too."""
        self.begin()
        late = []
        share_s = _RESERVED * self._time_s / max(1, len(self._parts))
        while self._parts:
            name, stop = self._parts.pop()
            began_s = self._monotonic()
            may_take_s = max(share_s, self._end_s - began_s - share_s * len(self._parts))
            try:
                ended = stop(may_take_s)
            except Exception:  # noqa: BLE001 - one part must not keep the others from ending
                _LOG.exception("the analyzer ends: %s failed to end", name)
                late.append(name)
                continue
            if not ended:
                took_s = self._monotonic() - began_s
                _LOG.error("the analyzer ends: %s has not ended after %.1f s, and is left", name, took_s)
                late.append(name)
        return late
