"""Who gets the results of windows, and notes when: a client of Socket.IO, or one of the analyzer's own socket."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from streamer.analyzer.control import AnalyzerClient
from streamer.analyzer.told import RESULTS
from streamer.capture.connection import WebConnection
from tidzam_platform.access import INITIAL_FILE
from tidzam_platform.errors import AnalyzerUnavailableError

_STOP_S: Final = 10.0


class Place(StrEnum):
    """Where results are waited for."""

    SOCKETIO = "socketio"
    """At a client of the web process: what people see."""
    ANALYZER = "analyzer"
    """At the analyzer's socket: without the web process."""


class Arrival(NamedTuple):
    """One window's result.

    Attributes:
        at_s: ``time.monotonic()`` when its event was there.
        channel: ``<source>:out_<n>``.
        time: of the window's start, as it was told.
    """

    at_s: float
    channel: str
    time: str


class Follower(ABC):
    """A context; what arrives while it lasts is in ``arrivals``, in order, also of windows that come twice."""

    def __init__(self) -> None:
        self.arrivals: list[Arrival] = []
        self._channels: set[str] = set()

    @abstractmethod
    def __enter__(self) -> Self:
        """Begin to follow."""

    @abstractmethod
    def __exit__(self, *_error: object) -> None:
        """End."""

    @property
    def channels(self) -> int:
        """Of how many channels something has arrived."""
        return len(self._channels)

    def _note(self, at_s: float, windows: Iterable[tuple[str, str]]) -> None:
        # Nothing else is kept: scores of two minutes would fill the memory.
        for channel, moment in windows:
            self.arrivals.append(Arrival(at_s, channel, moment))
            self._channels.add(channel)


class SocketFollower(Follower):
    """A client of python-socketio.

    Args:
        address: of the web process, ``host:port``.
        home: its data folder, where a token lies.
    """

    def __init__(self, address: str, home: Path) -> None:
        super().__init__()
        token = (home / "secrets" / INITIAL_FILE).read_text().strip()
        self._connection = WebConnection(f"http://{address}", token, self._on_event)

    def __enter__(self) -> Self:
        self._connection.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._connection.__exit__(*error)

    def _on_event(self, told: Any) -> None:
        at_s = time.monotonic()
        if isinstance(told, list):
            heard = [one for one in told if isinstance(one, Mapping) and "analysis" in one]
            self._note(at_s, ((str(one["chan"]), str(one["analysis"]["time"])) for one in heard))


class AnalyzerFollower(Follower):
    """A client of the analyzer; it ends when the analyzer does."""

    def __init__(self, home: Path) -> None:
        super().__init__()
        self._client = AnalyzerClient(home)
        self._events = self._client.events()
        self._thread = threading.Thread(target=self._run, name="bench-follower", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._thread.join(_STOP_S)
        self._client.close()

    def _run(self) -> None:
        with contextlib.suppress(AnalyzerUnavailableError):  # it has ended
            for event in self._events:
                at_s = time.monotonic()
                if event["event"] == RESULTS:
                    self._note(at_s, ((one["chan"], one["time"]) for one in event["windows"]))
