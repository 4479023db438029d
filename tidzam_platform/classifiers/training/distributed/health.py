"""Whether the other workers of a training still live, and go on: a thread that asks, and ends waiting in vain."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

_INTERVAL_S: Final = 5.0
_ANSWER_MS: Final = 10_000
_TRIES: Final = 3
_STOP_S: Final = 2.0


class HealthWatch:
    """Asks the servers of the other workers every 5 s; ends all waiting for one that gives no answer in three tries.

    A killed process is noticed within 6 s, a machine that is gone within 35 s. One that answers and does not go on is
    waited for until the deadline.
    """

    def __init__(self, context: Any, others: Mapping[int, str], deadline_s: float) -> None:
        """Watch; nobody is asked before ``ask_from_now``.

        Args:
            context: TensorFlow's.
            others: addresses by number.
            deadline_s: for one time of waiting.
        """
        self._context = context
        self._others = others
        self._deadline_s = deadline_s
        self._waiting_since_s: float | None = None
        self._asks = threading.Event()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="health of workers", daemon=True)
        self._thread.start()

    def ask_from_now(self) -> None:
        """All servers run."""
        self._asks.set()

    def stop(self) -> None:
        """Ask no more: the training is over, and the others end."""
        self._stopped.set()
        self._thread.join(_STOP_S)

    @contextlib.contextmanager
    def waiting(self) -> Iterator[None]:
        """What the main thread does in this block waits for the others."""
        self._waiting_since_s = time.monotonic()
        try:
            yield
        finally:
            self._waiting_since_s = None

    def _watch(self) -> None:
        while not self._stopped.wait(min(_INTERVAL_S, self._deadline_s)):
            since_s = self._waiting_since_s
            if since_s is not None and time.monotonic() - since_s > self._deadline_s:
                self._end_all_waiting(f"no answer within {self._deadline_s:g} s")
                return
            for number, address in self._others.items() if self._asks.is_set() else ():
                if not self._answers(number) and not self._stopped.is_set():
                    self._end_all_waiting(f"worker {address} does not answer")
                    return

    def _answers(self, number: int) -> bool:
        from tensorflow import errors

        for _ in range(_TRIES):
            try:
                self._context.check_collective_ops_peer_health(
                    f"/job:worker/replica:0/task:{number}", timeout_in_ms=_ANSWER_MS
                )
            except (errors.UnavailableError, errors.DeadlineExceededError):
                continue
            except errors.FailedPreconditionError:  # another process has its address now
                return False
            return True
        return False

    def _end_all_waiting(self, words: str) -> None:
        from tensorflow import errors

        self._context.abort_collective_ops(errors.UNAVAILABLE, words)
