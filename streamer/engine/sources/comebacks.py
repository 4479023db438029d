"""Sources that come back: what an ended one stood in for, and what could not be started and is tried again."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable
from typing import Final

from streamer.engine.sources.context import Tell
from streamer.engine.sources.entries import Entry, Waiting, itself_again
from streamer.engine.sources.source_table import SourceTable
from streamer.engine.sources.supervisor import SourceSupervisor
from streamer.engine.sources.turns import Turns
from tidzam_platform.errors import BusyError, EngineError, TidzamError

_LOG = logging.getLogger(__name__)
_JOIN_S: Final = 5.0
_BUSY_S: Final = 0.1  # between looks at an ended source whose turn somebody else has


class Comebacks:
    """A thread that looks after sources that have ended, each in its turn.

    Args:
        table: of the sources.
        turns: who may change which of them.
        begin: starts one whose turn it is, and lists it in the place of the one before, which has ended.
        tell: told of what is removed and what cannot be started.
        try_again_s: how often that is tried again.
    """

    def __init__(
        self,
        table: SourceTable,
        turns: Turns,
        begin: Callable[[Waiting], None],
        tell: Tell,
        try_again_s: float,
    ) -> None:
        self._table, self._turns, self._begin, self._tell = table, turns, begin, tell
        self._try_again_s = try_again_s
        self._ended: queue.SimpleQueue[SourceSupervisor | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="sources", daemon=True)

    def start(self) -> None:
        """Begin to look after them."""
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._ended.put(None)
        self._thread.join(_JOIN_S)

    def note_ended(self, supervisor: SourceSupervisor) -> None:
        """It has let go of its ports; never waits."""
        self._ended.put(supervisor)

    def bring(self, wanted: Waiting) -> None:
        """Start a source, in its turn; one that cannot be started now is tried again, and stays in the file."""
        try:
            self._begin(wanted)
        except (TidzamError, OSError) as error:
            self._put_off(wanted, error)

    def forget(self, entry: Entry) -> None:
        """One that has ended, in its turn: what it stood in for takes its place in the list, or nothing does."""
        if entry.beneath is not None:
            self.bring(entry.beneath)
        else:
            self._table.drop(entry)

    def _put_off(self, wanted: Waiting, failure: TidzamError | OSError) -> None:
        if self._table.put_off(wanted, failure):
            name = wanted.specification.name
            _LOG.error("source %s cannot be started, it is tried again: %s", name, failure)
            self._tell("source_warning", source=name, reason=str(failure))

    def _run(self) -> None:
        ended: list[SourceSupervisor] = []
        try_again_s = time.monotonic() + self._try_again_s
        while True:
            wait_s = try_again_s - time.monotonic()
            try:
                one = self._ended.get(timeout=max(min(wait_s, _BUSY_S) if ended else wait_s, 0.0))
            except queue.Empty:
                pass
            else:
                if one is None:
                    return
                ended.append(one)
            ended = [supervisor for supervisor in ended if not self._is_settled(supervisor)]
            if time.monotonic() >= try_again_s:
                for name in self._table.names_unstarted():
                    self._try_again(name)
                try_again_s = time.monotonic() + self._try_again_s

    def _is_settled(self, supervisor: SourceSupervisor) -> bool:
        """Do what is to be done after its end; False while somebody else is changing that source."""
        entry = self._table.find(supervisor.name)
        if entry is None or entry.supervisor is not supervisor:
            return True
        try:
            with self._turns.of(entry.name, 0.0):
                if self._table.find(entry.name) is entry and not self._table.is_closed:
                    self._settle(entry)
        except BusyError:
            return False
        except Exception:  # noqa: BLE001 - a fault of ours: logged, and other sources still come back
            _LOG.exception("source %s has ended", entry.name)
        return True

    def _settle(self, entry: Entry) -> None:
        again = itself_again(entry)
        if entry.is_leaving:  # who removed it did not wait for so long
            self.forget(entry)
            self._tell("source_removed", source=entry.name)
        elif again is not None and entry.supervisor.ended_by_itself:  # by a fault of ours: it is not given up
            self._put_off(again, EngineError(entry.supervisor.last_failure or "it ended"))
        elif again is not None:  # what was to replace it was not started
            self.bring(again)
        elif entry.beneath is not None:
            self.bring(entry.beneath)
        self._table.forget_oldest_ended()

    def _try_again(self, name: str) -> None:
        try:
            with self._turns.of(name, 0.0):
                unstarted = self._table.unstarted(name)
                if unstarted is not None and not self._table.is_closed:
                    self.bring(unstarted.wanted)
        except BusyError:  # somebody is adding or removing it just now
            return
        except Exception:  # noqa: BLE001 - as above
            _LOG.exception("source %s could not be tried again", name)
