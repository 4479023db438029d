"""The shadow: what the canary says of windows that the stable generation has answered already.

Nobody waits for it. What it cannot keep up with is dropped and counted.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from serving.client.counts import Counts
from serving.client.refusals import is_unknown_label
from serving.client.routes import Key
from serving.prediction import Prediction
from tidzam_platform.errors import ModelServerError

_LOG = logging.getLogger(__name__)
_WORKERS: Final = 2  # a canary has fewer windows to hear than the stable generation
_MAX_PENDING: Final = 16  # batches: the canary is seconds behind by then
_CLOSE_S: Final = 5.0


@dataclass(frozen=True)
class PairLatency:
    """Seconds from asking to the whole answer, of each side."""

    stable_s: float
    canary_s: float


class PairObserver(Protocol):
    """Is told what both sides say of the same windows; called from threads of the client, one pair at a time each."""

    def __call__(self, stable: Prediction, canary: Prediction, latency: PairLatency, key: Key | None) -> None:
        """``key`` is what ``predict`` was given with the windows."""


class Shadow:
    """Asks the canary in the background.

    Args:
        ask: answers a batch by the canary; raises ModelServerError.
        on_pair: is told of both answers.
        counts: where pairs, drops and failures are counted.
        max_bytes: of audio that may wait for the canary.
    """

    def __init__(
        self,
        ask: Callable[[NDArray[np.float32]], Prediction],
        on_pair: PairObserver,
        counts: Counts,
        max_bytes: int,
    ) -> None:
        self._ask, self._on_pair, self._counts, self._max_bytes = ask, on_pair, counts, max_bytes
        self._workers = ThreadPoolExecutor(_WORKERS, thread_name_prefix="canary-shadow")
        self._lock = threading.Lock()
        self._pending: set[Future[None]] = set()
        self._bytes = 0
        self._closed = False

    @property
    def pending(self) -> int:
        """Batches that wait or are under way."""
        with self._lock:
            return len(self._pending)

    def submit(
        self, batch: NDArray[np.float32], stable: Prediction, stable_s: float, key: Key | None
    ) -> None:
        """Show the canary a batch later, or drop it; never waits. The batch is copied, callers may reuse it."""
        with self._lock:
            has_room = (
                len(self._pending) < _MAX_PENDING
                and self._bytes + batch.nbytes <= self._max_bytes
                and not self._closed
            )
            if not has_room:
                self._counts.add("shadow_dropped")
                return
            self._bytes += batch.nbytes
            future = self._workers.submit(self._compare, batch.copy(), stable, stable_s, key)
            self._pending.add(future)
        future.add_done_callback(lambda done: self._forget(done, batch.nbytes))

    def close(self) -> None:
        """Drop what waits; waits at most 5 s for an observer that is at work."""
        with self._lock:
            self._closed = True
            pending = set(self._pending)
        self._workers.shutdown(wait=False, cancel_futures=True)
        # Nobody marks cancelled futures as notified, so wait() would not take them for done.
        wait({future for future in pending if not future.cancelled()}, _CLOSE_S)

    def _forget(self, done: Future[None], size: int) -> None:
        with self._lock:
            self._pending.discard(done)
            self._bytes -= size
        if done.cancelled():
            self._counts.add("shadow_dropped")

    def _compare(
        self, batch: NDArray[np.float32], stable: Prediction, stable_s: float, key: Key | None
    ) -> None:
        began_s = time.monotonic()
        try:
            canary = self._ask(batch)
            latency = PairLatency(stable_s, time.monotonic() - began_s)
            if not self._closed:
                self._on_pair(stable, canary, latency, key)
        except ModelServerError as error:
            self._counts.add("shadow_absent" if is_unknown_label(error) else "shadow_failed")
            _LOG.debug("the canary did not answer: %s", error)
        except Exception:  # noqa: BLE001 - an observer that fails must not end the comparison
            self._counts.add("shadow_failed")
            _LOG.exception("the observer of stable and canary failed")
        else:
            self._counts.add("shadow_pairs")
