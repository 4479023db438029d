"""Changes of one source come one after the other; those of other sources go on meanwhile."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from tidzam_platform.errors import BusyError


class Turns:
    """A queue for each name. For any thread; a thread holds one turn at a time, lest two wait for each other."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._queues: dict[str, deque[object]] = {}

    @contextmanager
    def of(self, name: str, wait_s: float) -> Iterator[None]:
        """While the context lasts nobody else has the turn of ``name``; who asked first gets it first.

        Args:
            name: of a source.
            wait_s: for so long those before us are waited for; 0: not at all.

        Raises:
            BusyError: others have it for longer.
        """
        mine = object()
        with self._changed:
            queue = self._queues.setdefault(name, deque())
            queue.append(mine)
            try:
                is_ours = self._changed.wait_for(lambda: queue[0] is mine, wait_s)
            except BaseException:
                self._leave(name, mine)
                raise
            if not is_ours:
                self._leave(name, mine)
                raise BusyError(
                    f"source {name!r} is being ended or replaced, and not done within {wait_s:g} s: try again later"
                )
        try:
            yield
        finally:
            with self._changed:
                self._leave(name, mine)

    def _leave(self, name: str, mine: object) -> None:
        queue = self._queues[name]
        queue.remove(mine)
        if not queue:
            del self._queues[name]
        self._changed.notify_all()
