"""The web process's connection to the analyzer: its events as they come, and bounded requests."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from streamer.analyzer.control import AnalyzerClient
from streamer.web.retries import retry_waits_s
from tidzam_platform.errors import BusyError, TidzamError

_AT_ONCE: Final = 4  # the analyzer takes 64 connections, and others have some of them
_ANSWER_S: Final = 3.0


class AnalyzerLink:
    """Requests from any number of threads, and a thread that follows what is heard.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Path) -> None:
        self._client = AnalyzerClient(home, timeout_s=_ANSWER_S)
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._stopping = threading.Event()
        self._on_event: Callable[[dict[str, Any]], None] | None = None
        self._thread = threading.Thread(target=self._follow, name="analyzer-events", daemon=True)

    def start(self, on_event: Callable[[dict[str, Any]], None]) -> None:
        """Call ``on_event`` with all that the analyzer tells from now on, in one thread; it must not wait."""
        self._on_event = on_event
        self._thread.start()

    def close(self) -> None:
        """End it."""
        self._stopping.set()
        self._client.close()

    def request_quickly(self, do: str) -> dict[str, Any]:
        """One command of the analyzer and its answer, within three seconds.

        Raises:
            TidzamError: as the analyzer raised it.
            AnalyzerUnavailableError: no analyzer answers, or not in time.
            BusyError: too many ask it.
        """
        if not self._room.acquire(timeout=_ANSWER_S):
            raise BusyError(f"{_AT_ONCE} requests wait for the analyzer, which is the limit: try again soon")
        try:
            return self._client.request(do)
        finally:
            self._room.release()

    def _follow(self) -> None:
        assert self._on_event is not None  # noqa: S101 - ``start`` sets it first
        waits = retry_waits_s()
        while not self._stopping.is_set():
            with contextlib.suppress(TidzamError):  # it is away, or has too many connections
                for event in self._client.events():  # ends, with an error, when the analyzer does
                    if self._stopping.is_set():
                        return
                    waits = retry_waits_s()
                    self._on_event(event)
            self._stopping.wait(next(waits))
