"""A thread that talks to the engine now and then; while the engine is away nothing happens."""

from __future__ import annotations

import logging
import threading
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Final

from streamer.analyzer.loop_guard import LoopGuard
from streamer.engine.control import EngineClient
from tidzam_platform.errors import TidzamError

_LOG = logging.getLogger(__name__)
_STOP_S: Final = 5.0
_TIMEOUT_S: Final = 3.0


class EngineWatch(ABC):
    """Started and stopped once.

    Args:
        home: the data folder, whose engine it is.
        what: is done, for the log.
        every_s: seconds from one look to the next.
    """

    def __init__(self, home: Path, what: str, every_s: float) -> None:
        self._client = EngineClient(home, timeout_s=_TIMEOUT_S)
        self._what, self._every_s = what, every_s
        self._stop = threading.Event()
        self._guard = LoopGuard(what, self._stop.wait)
        self._thread = threading.Thread(target=self._run, name=f"tidzam-{what}", daemon=True)

    @property
    def faults(self) -> int:
        """Faults that nobody foresaw."""
        return self._guard.faults

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self, timeout_s: float = _STOP_S) -> bool:
        """End; returns whether it ended in time."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        self._client.close()
        return not self._thread.is_alive()

    @abstractmethod
    def look(self) -> None:
        """Talk to the engine once; TidzamError where none answers."""

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            with self._guard:
                try:
                    self.look()
                except TidzamError as error:
                    _LOG.debug("%s: the engine does not answer: %s", self._what, error)
