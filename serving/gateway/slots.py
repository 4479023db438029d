"""How many uploads are heard at the same time."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

from serving.gateway.refusals import HttpRefusalError


class Slots:
    """A number of places; nobody waits for one, so that no queue of uploads can grow."""

    def __init__(self, count: int) -> None:
        """Args: how many may be taken at a time."""
        self._count = count
        self._free = threading.BoundedSemaphore(count)

    @contextlib.contextmanager
    def take(self) -> Iterator[None]:
        """Hold a place.

        Raises:
            HttpRefusalError: all are taken (503, with Retry-After).
        """
        if not self._free.acquire(blocking=False):
            raise HttpRefusalError(
                503, "busy", f"{self._count} uploads are being heard, which is the limit: try again soon"
            )
        try:
            yield
        finally:
            self._free.release()
