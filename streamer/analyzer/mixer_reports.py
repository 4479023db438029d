"""What the mixer's rules want to know of classes, told to the engine a few times a second."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import Final

from streamer.analyzer.engine_watch import EngineWatch
from streamer.analyzer.windows import WindowResult
from tidzam_platform.labels.class_paths import is_within

_TELL_S: Final = 0.5
_ASK_AGAIN_S: Final = 10.0  # rules change only when the engine starts


class MixerReports(EngineWatch):
    """A thread between results and the engine; nothing is sent unless a rule of the mixer names a class.

    Args:
        home: the data folder, whose engine is told.
    """

    def __init__(self, home: Path) -> None:
        super().__init__(home, "telling the mixer of classes", _TELL_S)
        self._wanted: tuple[str, ...] = ()
        self._ask_at_s = time.monotonic()
        self._lock = threading.Lock()
        self._newest: dict[str, WindowResult] = {}

    def note(self, result: WindowResult) -> None:
        """A window was heard; one that waited in the spool says nothing of now. Never waits."""
        if self._wanted and not result.was_spooled:
            with self._lock:
                self._newest[result.key.channel] = result

    def look(self) -> None:
        """Ask what is wanted, now and then, and tell it; what was heard while no engine answers is dropped."""
        if time.monotonic() >= self._ask_at_s:
            self._ask_at_s = time.monotonic() + _ASK_AGAIN_S
            self._wanted = tuple(self._client.request("mixer.classes")["classes"])
        self._tell()

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
