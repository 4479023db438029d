"""Those who want to know of changes in the graph, called by a thread that no part of the graph waits for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

_log = logging.getLogger(__name__)

_TOGETHER_S: Final = 0.05  # changes come in bursts: one call for what comes within this time


class Listeners:
    """Calls listeners after changes (several may be one call) and losses."""

    def __init__(self) -> None:
        self._change: list[Callable[[], None]] = []
        self._lost: list[Callable[[str], None]] = []
        self._reasons: list[str] = []
        self._changed = False
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._ending = threading.Event()

    def on_change(self, listener: Callable[[], None]) -> None:
        """Add a listener."""
        with self._wake:
            self._change.append(listener)
            self._start()

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """Add a listener."""
        with self._wake:
            self._lost.append(listener)
            self._start()

    def changed(self) -> None:
        """Something has changed."""
        with self._wake:
            self._changed = True
            self._wake.notify_all()

    def lost(self, reason: str) -> None:
        """The graph works no more."""
        with self._wake:
            self._reasons.append(reason)
            self._wake.notify_all()

    def close(self) -> None:
        """No listener is called any more when this returns, unless one of them calls it."""
        self._ending.set()
        with self._wake:
            self._wake.notify_all()
            thread = self._thread
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _start(self) -> None:
        if self._thread is None and not self._ending.is_set():
            self._thread = threading.Thread(target=self._run, name="tidzam-graph-listeners", daemon=True)
            self._thread.start()

    def _run(self) -> None:
        while not self._ending.is_set():
            with self._wake:
                self._wake.wait_for(lambda: self._changed or self._reasons or self._ending.is_set())
            self._ending.wait(_TOGETHER_S)
            with self._wake:
                changed, self._changed = self._changed, False
                reasons, self._reasons = self._reasons, []
                change, lost = list(self._change), list(self._lost)
            if self._ending.is_set():
                return
            for reason in reasons:
                for tell in lost:
                    _guarded(tell, reason)
            if changed:
                for look in change:
                    _guarded(look)


def _guarded(listener: Callable[..., None], *arguments: str) -> None:
    """A listener that fails must not keep the others from being told."""
    try:
        listener(*arguments)
    except Exception:  # noqa: BLE001 - it is not our code, and it is said
        _log.exception("a listener of the audio graph failed")
