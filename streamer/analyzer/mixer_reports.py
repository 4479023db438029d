"""What the mixer's rules want to know of classes, told to the engine a few times a second."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import Final

from streamer.analyzer.loop_guard import LoopGuard
from streamer.analyzer.windows import WindowResult
from streamer.engine.control import EngineClient
from tidzam_platform.errors import TidzamError
from tidzam_platform.labels.class_paths import is_within

_LOG = logging.getLogger(__name__)
_TELL_S: Final = 0.5
_ASK_AGAIN_S: Final = 10.0  # rules change only when the engine starts
_STOP_S: Final = 5.0
_TIMEOUT_S: Final = 3.0


class MixerReports:
    """A thread between results and the engine; nothing is sent unless a rule of the mixer names a class.

    Args:
        home: the data folder, whose engine is told.
    """

    def __init__(self, home: Path) -> None:
        self._client = EngineClient(home, timeout_s=_TIMEOUT_S)
        self._wanted: tuple[str, ...] = ()
        self._lock = threading.Lock()
        self._newest: dict[str, WindowResult] = {}
        self._stop = threading.Event()
        self._guard = LoopGuard("telling the mixer of classes", self._stop.wait)
        self._thread = threading.Thread(target=self._run, name="tidzam-mixer-reports", daemon=True)

    @property
    def faults(self) -> int:
        """Faults that nobody foresaw."""
        return self._guard.faults

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)
        self._client.close()

    def note(self, result: WindowResult) -> None:
        """A window was heard; one that waited in the spool says nothing of now. Never waits."""
        if self._wanted and not result.was_spooled:
            with self._lock:
                self._newest[result.key.channel] = result

    def _run(self) -> None:
        ask_at_s = time.monotonic()
        while not self._stop.wait(_TELL_S):
            with self._guard:
                try:
                    if time.monotonic() >= ask_at_s:
                        ask_at_s = time.monotonic() + _ASK_AGAIN_S
                        self._wanted = tuple(self._client.request("mixer.classes")["classes"])
                    self._tell()
                except TidzamError as error:  # it is away: what was heard meanwhile mutes nothing any more
                    _LOG.debug("the engine is not told of classes: %s", error)

    def _tell(self) -> None:
        with self._lock:
            newest, self._newest = self._newest, {}
        if newest:
            self._client.request(
                "channels.heard", scores={name: self._scores(result) for name, result in newest.items()}
            )

    def _scores(self, result: WindowResult) -> dict[str, float]:
        return {
            path: float(score)
            for path, score in zip(result.paths, result.scores, strict=True)
            if any(is_within(path, wanted) for wanted in self._wanted)
        }
