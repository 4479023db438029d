"""Which microphones shall be heard: those of the engine's permanent sources, also while they are away."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final

from streamer.engine.control import EngineClient
from tidzam_platform.errors import TidzamError

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 5.0
_STOP_S: Final = 5.0
_TIMEOUT_S: Final = 3.0


class ExpectedMicrophones:
    """A thread that asks the engine now and then; while it is away nothing changes.

    Args:
        home: the data folder, whose engine is asked.
        expect: told of the channels that shall be heard.
        forget: told of each channel whose source was taken away: nobody misses it.
    """

    def __init__(
        self, home: Path, expect: Callable[[Iterable[str]], None], forget: Callable[[str], None]
    ) -> None:
        self._client = EngineClient(home, timeout_s=_TIMEOUT_S)
        self._expect, self._forget = expect, forget
        self._channels: dict[str, tuple[str, ...]] = {}  # by source: the last that it had
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="tidzam-microphones", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self._client.close()

    def look(self) -> None:
        """Ask once; the thread does so every five seconds.

        Raises:
            TidzamError: no engine answers.
        """
        sources: list[dict[str, Any]] = self._client.request("sources.list")["sources"]
        permanent = {source["name"] for source in sources if source["is_permanent"]}
        for source in sources:
            if source["name"] in permanent and source["channels"]:
                self._channels[source["name"]] = tuple(source["channels"])
        there = {source["name"] for source in sources}
        for name in [name for name in self._channels if name not in there]:
            for channel in self._channels.pop(name):
                self._forget(channel)
        self._expect([channel for channels in self._channels.values() for channel in channels])

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            try:
                self.look()
            except TidzamError as error:
                _LOG.debug("the engine is not asked for its sources: %s", error)
