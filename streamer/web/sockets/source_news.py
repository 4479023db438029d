"""The event ``JackSource``: which sources play, told when that changes."""

from __future__ import annotations

import contextlib
import re
import threading
from collections.abc import Mapping
from typing import Any, Final

from streamer.web.core import WebCore
from streamer.web.sockets.clients import Clients
from streamer.web.sockets.telling import Teller, news_of
from tidzam_platform.clock import parse_utc
from tidzam_platform.errors import TidzamError

_PAUSE_S: Final = 0.3  # a source that begins tells several steps in that time
_STOP_S: Final = 5.0
_CHANGES: Final = ("source", "source_removed", "channels", "lost")
_KNOWN: Final = "engine"  # it knows us: for the first time, which changes nothing, or anew
_DATE: Final = "%Y-%m-%d-%H-%M-%S"
_IS_DATE: Final = re.compile(r"\d{4}(-\d\d){5}")


class SourceNews:
    """A thread that looks at the sources when the engine tells of a change.

    Args:
        core: asks the engine.
        clients: who is told: all of them.
        teller: tells them.
    """

    def __init__(self, core: WebCore, clients: Clients, teller: Teller) -> None:
        self._core, self._clients, self._teller = core, clients, teller
        self._changed, self._stopping = threading.Event(), threading.Event()
        self._told: list[dict[str, Any]] | None = None  # not known while there was nobody to tell
        self._is_known = False
        self._thread = threading.Thread(target=self._run, name="source-news", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stopping.set()
        self._changed.set()
        if self._thread.ident is not None:
            self._thread.join(_STOP_S)

    def take(self, event: Mapping[str, Any]) -> None:
        """Look at an event of the engine; never waits."""
        kind = event.get("event")
        if kind in _CHANGES or (kind == _KNOWN and self._is_known):
            self._changed.set()
        self._is_known = self._is_known or kind == _KNOWN

    def _run(self) -> None:
        while not self._stopping.is_set():
            self._changed.wait()
            self._stopping.wait(_PAUSE_S)
            self._changed.clear()
            with contextlib.suppress(TidzamError):  # without an engine there is nothing to tell
                self._look()

    def _look(self) -> None:
        clients = self._clients.all()
        if not clients:
            self._told = None
            return
        sources = [
            {"name": status["name"], "starting_time": starting_time(status)}
            for status in self._core.engine.request_quickly("sources.list")["sources"]
        ]
        if sources != self._told:
            self._teller.tell(clients, (news_of("JackSource", sources),))
        self._told = sources


def starting_time(status: Mapping[str, Any]) -> str | None:
    """When what a source plays begins, in the original's form; None while it does not play.

    Of an archive it is the date that was asked for, else when the source began to play, in UTC.
    """
    asked = (status.get("specification") or {}).get("date")
    if asked:
        return _in_original_form(str(asked))
    if status.get("state") == "playing" and status.get("state_since"):
        return _in_original_form(str(status["state_since"]))
    return None


def _in_original_form(time: str) -> str:
    """A time as the original wrote it; one that is not known to be UTC stays as it was said."""
    try:
        return time if _IS_DATE.fullmatch(time) else parse_utc(time).strftime(_DATE)
    except TidzamError:
        return time
