"""The thread of an output: tells what waits in its queue, and tries again where that fails."""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from streamer.analyzer.outputs.message_file import Waiting
from streamer.analyzer.outputs.output import Output
from streamer.analyzer.outputs.persistent_queue import PersistentQueue
from streamer.analyzer.outputs.specification import OutputSpecification
from streamer.engine.sources.backoff import Backoff
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import OutputError, OutputFaultError, OutputRefusedError

_LOG = logging.getLogger(__name__)
_LOOK_S: Final = 1.0  # `./tidzam outputs retry` changes the queue without a word to us
_FAREWELL_S: Final = 3.0
STOP_S: Final = 8.0
STATE_NOTE: Final = "state"
_STOPPED: Final = "stopped"
_OUR_FAULT: Final = "a fault of ours; the analyzer's log says more"


class Delivery:
    """Tells the messages of one queue, in order, each until it was taken or refused for good.

    While the output is not reached, one message is tried after each back-off, and nothing is lost that the queue has
    room for. What it answers and fails at is put aside after ``max_attempts``, what it refuses at once.

    Args:
        specification: of the output.
        output: the plug-in; the thread alone uses it.
        queue: the messages.
        backoff: how long to wait between tries.
    """

    def __init__(
        self,
        specification: OutputSpecification,
        output: Output,
        queue: PersistentQueue,
        *,
        backoff: Backoff | None = None,
    ) -> None:
        self._specification, self._output, self._queue = specification, output, queue
        self._backoff = backoff or Backoff(specification.backoff_max_s)
        self._wake, self._stop = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"output-{specification.name}", daemon=True)
        self._one_by_one = 0  # so many messages are told each for itself: one of them is refused
        self._down_since: datetime | None = None
        self._reason = ""
        self._tries = 0
        self._failures = 0

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wake(self) -> None:
        """There is something to tell."""
        self._wake.set()

    def ask_to_stop(self) -> None:
        """It shall end soon; returns at once."""
        self._stop.set()
        self._wake.set()

    def stop(self, timeout_s: float = STOP_S) -> bool:
        """End: what is being told may be finished for a moment, the rest stays in the queue.

        Returns whether it ended in time.
        """
        end_s = time.monotonic() + timeout_s
        self.ask_to_stop()
        if self._thread.ident is None:
            self._output.close()
            return True
        self._thread.join(min(_FAREWELL_S, timeout_s / 2))
        if self._thread.is_alive():
            self._output.reach.cancel.cancel()
            self._thread.join(max(0.0, end_s - time.monotonic()))
        return not self._thread.is_alive()

    @property
    def is_down(self) -> bool:
        """Whether the last try failed."""
        return self._down_since is not None

    def status(self) -> dict[str, Any]:
        """Whether it is reached, and if not, since when and why."""
        down_since = self._down_since
        return {
            "state": "up" if down_since is None else "down",
            "down_since": None if down_since is None else format_utc(down_since),
            "reason": self._reason,
        }

    def counts(self) -> dict[str, int]:
        """Since it was started: ``tries`` and ``failures`` of them."""
        return {"tries": self._tries, "failures": self._failures}

    def _run(self) -> None:
        try:
            while not self._stop.is_set():
                try:
                    self._step()
                except OutputError as error:
                    self._failed(error)
                except Exception:  # noqa: BLE001 - logged; tried again as an output that is down
                    _LOG.exception("output %s failed", self._specification.name)
                    self._failed(OutputError(_OUR_FAULT))
        finally:
            self._output.close()
            self._note(_STOPPED)

    def _step(self) -> None:
        """Tell what waits, or wait for something to tell; OutputError where that fails."""
        self._wake.clear()
        waiting = self._queue.first(1 if self.is_down or self._one_by_one else self._output.batch)
        if waiting:
            self._tell(waiting)
            return
        self._output.idle()
        self._succeeded()
        self._wake.wait(_LOOK_S)

    def _tell(self, waiting: Sequence[Waiting]) -> None:
        self._tries += 1
        try:
            told = self._output.deliver([one.message for one in waiting])
        except OutputRefusedError as error:
            if len(waiting) > 1:
                self._one_by_one = len(waiting)
            else:
                self._put_aside(waiting[0], str(error))
        except OutputFaultError as error:
            self._failed_at(waiting, error)
        except OutputError:
            raise
        except Exception:  # noqa: BLE001 - logged; one message must not keep all later ones from being told
            _LOG.exception("output %s failed at a message", self._specification.name)
            self._failed_at(waiting, OutputFaultError(_OUR_FAULT))
        else:
            self._succeeded()
            self._one_by_one = max(0, self._one_by_one - told)
            self._queue.delivered(waiting[:told])

    def _failed_at(self, waiting: Sequence[Waiting], error: OutputFaultError) -> None:
        """It was reached, and something is wrong with it or with the message."""
        if len(waiting) > 1:
            self._one_by_one = len(waiting)
        elif self._queue.attempted(waiting[0]) >= self._specification.max_attempts:
            self._put_aside(waiting[0], f"{error} ({self._specification.max_attempts} times)")
            return
        raise error

    def _put_aside(self, waiting: Waiting, reason: str) -> None:
        _LOG.warning(
            "output %s: message %s is put aside: %s", self._specification.name, waiting.message.id, reason
        )
        self._queue.refused(waiting, reason)
        self._one_by_one = max(0, self._one_by_one - 1)

    def _succeeded(self) -> None:
        self._backoff.reset()
        if self._down_since is not None:
            _LOG.info("output %s is reached again", self._specification.name)
            self._down_since, self._reason = None, ""
            self._note()

    def _failed(self, error: OutputError) -> None:
        """Wait before the next try."""
        self._failures += 1
        if self._stop.is_set():
            return
        reason = str(error)
        if self._down_since is None or reason != self._reason:
            _LOG.warning("output %s: %s", self._specification.name, reason)
            self._down_since, self._reason = self._down_since or utc_now(), reason
            self._note()
        asked_s = min(error.retry_after_s or 0.0, self._specification.backoff_max_s)
        self._stop.wait(max(self._backoff.wait_s(), asked_s))

    def _note(self, state: str | None = None) -> None:
        """For people who look from another process."""
        status = self.status() | ({} if state is None else {"state": state})
        self._queue.note(STATE_NOTE, json.dumps(status))
