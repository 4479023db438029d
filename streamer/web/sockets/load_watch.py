"""Who loads a source is told when it cannot begin: most failures come after the request was answered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from streamer.engine.sources.beginning import failure_to_begin
from streamer.web.core import WebCore
from streamer.web.sockets.clients import Client
from tidzam_platform.errors import TidzamError

_MOST_AT_ONCE: Final = 16  # the engine takes 64 connections, and other requests have theirs

Tell = Callable[[Client, TidzamError, Any], object]


class LoadWatch:
    """Waits for sources to begin, beside the requests of all clients, each in a thread of its own.

    Args:
        core: asks the engine.
        tell: called with the client, why its source does not play, and its request.
    """

    def __init__(self, core: WebCore, tell: Tell) -> None:
        self._core, self._tell = core, tell
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)

    def watch(self, client: Client, asked: Any, number: int) -> None:
        """Tell ``client`` if the source that it has just loaded by ``asked`` cannot begin; returns at once.

        Where too many are watched it is not, which is counted.

        Args:
            client: who loaded it.
            asked: its request.
            number: of the source's start.
        """
        if not self._room.acquire(blocking=False):
            self._core.counts.add("unwatched_loads_total")
            return
        try:
            threading.Thread(
                target=self._wait, args=(client, asked, number), name="load-watch", daemon=True
            ).start()
        except RuntimeError:  # the system has no thread to give
            self._room.release()
            self._core.counts.add("unwatched_loads_total")

    def _wait(self, client: Client, asked: Any, number: int) -> None:
        failure: TidzamError | None
        try:
            failure = failure_to_begin(self._core.engine.wait_begun(number))
        except TidzamError as error:  # then nobody knows
            failure = error
        finally:
            self._room.release()
        if failure is not None and not client.has_left.is_set():
            self._tell(client, failure, asked)
