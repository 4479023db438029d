"""A thread that puts moments on disk, so that a slow disk holds nobody up."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence

from streamer.analyzer.asking.spans import LostWindows
from streamer.analyzer.asking.spool import Spool
from streamer.analyzer.loop_guard import LoopGuard
from streamer.analyzer.windows import Moment


class SpoolWriting:
    """Writes what it is given to a spool, in order. Started and stopped once.

    Args:
        spool: where to.
        on_lost: told what is lost by it, by the thread.
        on_written: called when something new waits in the spool.
        max_bytes: most audio that waits for the disk.
    """

    def __init__(
        self,
        spool: Spool,
        on_lost: Callable[[Sequence[LostWindows]], None],
        on_written: Callable[[], None],
        max_bytes: int,
    ) -> None:
        self._spool, self._on_lost, self._on_written = spool, on_lost, on_written
        self._max_bytes = max_bytes
        self._condition = threading.Condition()
        self._waiting: deque[Moment] = deque()
        self._bytes = 0
        self._ends = False
        self._guard = LoopGuard("writing to the spool")
        self._thread = threading.Thread(target=self._run, name="tidzam-spool", daemon=True)

    @property
    def faults(self) -> int:
        """Faults that nobody foresaw."""
        return self._guard.faults

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, moment: Moment) -> bool:
        """Have a moment written; never waits. False if too much waits for the disk already, or it has ended."""
        with self._condition:
            if self._ends or self._bytes + moment.audio.nbytes > self._max_bytes:
                return False
            self._waiting.append(moment)
            self._bytes += moment.audio.nbytes
            self._condition.notify()
            return True

    def stop(self, timeout_s: float) -> bool:
        """Write what waits, and end; returns whether it ended in time. What is left by then is lost, and told."""
        with self._condition:
            self._ends = True
            self._condition.notify()
        if self._thread.ident is not None:
            self._thread.join(timeout_s)
        with self._condition:
            left = list(self._waiting)
            self._waiting.clear()
        if left:
            self._on_lost([LostWindows(moment.keys, "the disk of the spool is too slow") for moment in left])
        return not self._thread.is_alive()

    def _run(self) -> None:
        while True:
            with self._condition:
                self._condition.wait_for(lambda: bool(self._waiting) or self._ends)
                if not self._waiting:
                    return
                moment = self._waiting.popleft()
            with self._guard:
                self._write(moment)

    def _write(self, moment: Moment) -> None:
        try:
            lost = self._spool.append(moment)
        except Exception as error:  # noqa: BLE001 - one moment must not cost all that follow
            self._guard.note(error)
            lost = [LostWindows(moment.keys, "writing them to the spool failed; see the log")]
        finally:
            with self._condition:
                self._bytes -= moment.audio.nbytes  # not before: it is in memory until it is written
        self._on_written()
        if lost:
            self._on_lost(lost)
