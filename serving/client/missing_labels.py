"""Labels that a server does not know, remembered for a while so that not every request asks in vain."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

# One request in so many seconds asks for the label again: labels may be given while clients run.
RECHECK_S: Final = 5.0


class MissingLabels:
    """Safe to use from many threads.

    A label is first asked for as if it were there. Once the server refuses it, requests leave it out, except one
    every ``RECHECK_S``, which finds out on its way whether it is there by now. What is remembered ends with the
    server that said it: the next one at its address may know the label as soon as it has loaded its versions.

    Args:
        losses: how often the server was away until now.
        clock: monotonic seconds.
    """

    def __init__(
        self, losses: Callable[[], int] = lambda: 0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._losses, self._clock = losses, clock
        self._lock = threading.Lock()
        self._heard_after = 0  # so many losses
        self._recheck_at_s: dict[str, float] = {}

    def should_ask(self, label: str) -> bool:
        """Whether the caller should ask for the label; True to one caller at a time once a recheck is due."""
        with self._lock:
            if (losses := self._losses()) != self._heard_after:
                self._heard_after = losses
                self._recheck_at_s.clear()
            at_s = self._recheck_at_s.get(label)
            if at_s is None:
                return True
            if self._clock() < at_s:
                return False
            self._recheck_at_s[label] = self._clock() + RECHECK_S
            return True

    def missing(self, label: str) -> None:
        """The server does not know it."""
        with self._lock:
            self._recheck_at_s[label] = self._clock() + RECHECK_S

    def known(self, label: str) -> None:
        """The server knows it."""
        with self._lock:
            self._recheck_at_s.pop(label, None)

    def forget(self) -> None:
        """The server has nothing in service: what it says of labels now says nothing of later."""
        with self._lock:
            self._recheck_at_s.clear()
