"""A thread that asks for what waited in the spool, when live windows leave time for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from serving.client.retries import RetryPolicy
from streamer.analyzer.asking.live_queue import LiveQueue
from streamer.analyzer.asking.question import Outcome
from streamer.analyzer.asking.spans import LostWindows
from streamer.analyzer.asking.spool import Spool
from streamer.analyzer.loop_guard import LoopGuard
from streamer.analyzer.windows import Heard, Moment

# Windows a request: few, since a live moment that comes meanwhile waits until the server is through with them.
BATCH_WINDOWS: Final = 32
_REST: Final = 1.0  # after each batch, in times of what it took: at most half of the server's time
_MOST_REFUSALS: Final = 8  # of one batch, by a server that is there and says no, if not for good
_BACK_OFF: Final = RetryPolicy(first_delay_s=0.1, longest_delay_s=2.0)
_LOOK_S: Final = 0.5


class Draining:
    """Takes windows from a spool, asks, and passes the answers on. Started and stopped once.

    Args:
        spool: what waits.
        live: goes first: nothing is asked for while a moment waits there.
        ask: for a moment.
        on_heard: told of answers, by the thread; may wait.
        on_lost: told what cannot be heard.
    """

    def __init__(
        self,
        spool: Spool,
        live: LiveQueue,
        ask: Callable[[Moment], Outcome],
        on_heard: Callable[[Heard], None],
        on_lost: Callable[[Sequence[LostWindows]], None],
    ) -> None:
        self._spool, self._live, self._ask = spool, live, ask
        self._on_heard, self._on_lost = on_heard, on_lost
        self._stop = threading.Event()
        self._wake = threading.Event()
        self._guard = LoopGuard("asking for what waited in the spool", self._stop.wait)
        self._thread = threading.Thread(target=self._run, name="tidzam-drain", daemon=True)
        self.drained = 0
        """Windows that were heard."""

    @property
    def faults(self) -> int:
        """Faults that nobody foresaw."""
        return self._guard.faults

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def wake(self) -> None:
        """There may be something to do: new windows, or a server that is back."""
        self._wake.set()

    def ask_to_stop(self) -> None:
        """It shall end soon; returns at once."""
        self._stop.set()
        self._wake.set()

    def stop(self, timeout_s: float) -> bool:
        """End; what is out stays in the spool for the next process. Returns whether it ended in time."""
        self.ask_to_stop()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            with self._guard:
                self._turn()

    def _turn(self) -> None:
        moment, damaged = self._spool.take(BATCH_WINDOWS)
        if damaged:
            self._on_lost(damaged)
        if moment is None:
            self._wait(_LOOK_S)
            return
        try:
            self._hear(moment)
        except Exception as error:  # noqa: BLE001 - they must not be waited for; nor cost those that follow
            self._guard.note(error)
            self._give_up([LostWindows(moment.keys, "hearing them failed; see the log")])

    def _hear(self, moment: Moment) -> None:
        attempt = refusals = 0
        while not self._stop.is_set():
            if not self._live.wait_until_empty(_LOOK_S):
                continue
            began_s = time.monotonic()
            outcome = self._ask(moment)
            if not outcome.away:
                self._pass_on(outcome)
                self._stop.wait(_REST * (time.monotonic() - began_s))
                return
            attempt += 1
            refusals += not outcome.is_silent
            if refusals >= _MOST_REFUSALS:
                self._give_up([LostWindows(moment.keys, outcome.away)])
                return
            self._wait(_BACK_OFF.delay_s(attempt))

    def _pass_on(self, outcome: Outcome) -> None:
        if outcome.refused:
            self._give_up(outcome.refused)
        if outcome.prediction is not None:
            self._on_heard(Heard(outcome.keys, outcome.prediction, was_spooled=True))
            self.drained += len(outcome.keys)

    def _give_up(self, refused: Sequence[LostWindows]) -> None:
        self._on_lost(refused)
        for lost in refused:
            self._spool.forget(lost.keys)

    def _wait(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()
