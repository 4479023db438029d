"""A loaded version and the requests that are using it."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from serving.saved_model import SavedModel
from serving.server.batching import BatchQueue, BatchScheduler
from serving.signature import AUDIO_INPUT, PREDICT_OUTPUTS, PREDICT_SIGNATURE


class LoadedVersion:
    """A SavedModel that is closed once it is retired and the last request has let go of it.

    ``acquire`` and ``release`` frame each request; ``retire`` ends the giving out.
    """

    def __init__(self, version: int, model: SavedModel) -> None:
        self.version = version
        self._model = model
        self._queue: BatchQueue | None = None
        self._lock = threading.Lock()
        self._users = 0
        self._retired = False

    @property
    def signatures(self) -> Mapping[str, Any]:
        """SignatureDef protos by name."""
        return self._model.signatures

    def run(
        self, signature: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str], timeout_s: float
    ) -> dict[str, NDArray[Any]]:
        """See SavedModel.run; the caller has acquired this version.

        Windows of several requests are judged together once ``batch`` was called.
        """
        if signature == PREDICT_SIGNATURE and self._queue is not None and len(inputs[AUDIO_INPUT]):
            answers = self._queue.predict(inputs[AUDIO_INPUT], timeout_s)
            return {name: answers[name] for name in outputs}
        return self._model.run(signature, inputs, outputs, timeout_s)

    def batch(self, scheduler: BatchScheduler) -> None:
        """From now on ``scheduler`` runs the windows of all requests."""
        self._queue = scheduler.queue(
            lambda audio, timeout_s: self._model.run(
                PREDICT_SIGNATURE, {AUDIO_INPUT: audio}, PREDICT_OUTPUTS, timeout_s
            )
        )

    def acquire(self) -> bool:
        """Take part in the use of this version; False when it is retired."""
        with self._lock:
            if self._retired:
                return False
            self._users += 1
            return True

    def release(self) -> None:
        """The end of a use that ``acquire`` began."""
        with self._lock:
            self._users -= 1

    def retire(self) -> None:
        """From now on nobody acquires it."""
        with self._lock:
            self._retired = True

    def close_if_idle(self) -> bool:
        """Give the memory back if it is retired and nobody uses it; whether that is done."""
        with self._lock:
            if not self._retired or self._users:
                return False
        self._model.close()
        return True
