"""A client that asks the model server again and again while the demo goes on: the service may never stop answering."""

from __future__ import annotations

import threading
import time
from types import TracebackType
from typing import Any, Final, Self

import numpy as np

from serving.client import ModelClient
from tidzam_platform.errors import ModelServerError

_PAUSE_S: Final = 0.25  # between two questions
_TOLD: Final = 5  # failures whose words are kept
_LEVEL: Final = 0.05
_LEAVE_S: Final = 60.0


class AskingClient:
    """Asks from a thread while the context lasts.

    Args:
        address: of the model server, which answers already.
        deadline_s: of one answer.
    """

    def __init__(self, address: str, deadline_s: float) -> None:
        self._address, self._deadline_s = address, deadline_s
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._ask, name="demo-client", daemon=True)
        self._lock = threading.Lock()
        self._requests, self._failed = 0, 0
        self._longest_s = 0.0
        self._generations: list[int] = []
        self._errors: list[str] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join(_LEAVE_S)

    def to_dict(self) -> dict[str, Any]:
        """``requests``, ``failed`` (with the first ``errors``), ``longest_s`` and ``generations`` that answered."""
        with self._lock:
            return {
                "requests": self._requests,
                "failed": self._failed,
                "longest_s": round(self._longest_s, 3),
                "generations": list(self._generations),
                "errors": list(self._errors),
            }

    def _ask(self) -> None:
        with ModelClient(self._address, deadline_s=self._deadline_s) as client:
            windows: Any = None
            while not self._ended.is_set():
                began = time.monotonic()
                try:
                    if windows is None:
                        frames = client.describe().window_frames
                        noise = np.random.default_rng(1).standard_normal((1, frames), np.float32)
                        windows = np.clip(noise * _LEVEL, -1, 1)
                    generation, failure = client.predict(windows).generation, ""
                except ModelServerError as error:
                    generation, failure = 0, str(error)
                self._count(generation, failure, time.monotonic() - began)
                self._ended.wait(_PAUSE_S)

    def _count(self, generation: int, failure: str, seconds: float) -> None:
        with self._lock:
            self._requests += 1
            self._longest_s = max(self._longest_s, seconds)
            if failure:
                self._failed += 1
                if len(self._errors) < _TOLD:
                    self._errors.append(failure)
            elif generation not in self._generations:
                self._generations.append(generation)
