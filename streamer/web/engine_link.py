"""The web process's connection to the engine, bounded, and the word that its clients' sources end with them."""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from streamer.engine.control import EngineClient
from streamer.web.retries import retry_waits_s
from tidzam_platform.errors import BusyError, EngineUnavailableError, TidzamError

_LOG = logging.getLogger(__name__)

_MOST_AT_ONCE: Final = 24  # requests; the engine takes 64 connections, and others have some of them
_ROOM_S: Final = 5.0
_LEASE_S: Final = 5.0  # how long who opens something waits for the engine to know us
_QUICK_AT_ONCE: Final = 4
_QUICK_S: Final = 3.0  # for answers that are worth nothing later
_BEGIN_S: Final = 30.0  # a server that does not answer, and a stream without a sample, have failed by then
_SPARE_S: Final = 10.0
_MOST_FAREWELLS: Final = 10_000


class EngineLink:
    """Requests to the engine, from any number of threads.

    What a client opens has an *owner*: a name below this process's own prefix. The engine ends what an owner opened
    when it is told so, and everything below the prefix when this process is gone, however it ended.

    Args:
        home: the data folder.
    """

    def __init__(self, home: Path) -> None:
        self._client, self._quick = EngineClient(home), EngineClient(home, timeout_s=_QUICK_S)
        self._patient = EngineClient(home, timeout_s=_BEGIN_S + _SPARE_S)
        self._prefix = f"web-{os.getpid()}-{secrets.token_hex(4)}/"
        self._room = threading.BoundedSemaphore(_MOST_AT_ONCE)
        self._quick_room = threading.BoundedSemaphore(_QUICK_AT_ONCE)
        self._leased, self._stopping = threading.Event(), threading.Event()
        self._wake = threading.Condition()
        self._leaving: OrderedDict[str, None] = OrderedDict()
        self._on_event: Callable[[dict[str, Any]], None] = lambda _event: None
        self._threads = [
            threading.Thread(target=run, name=name, daemon=True)
            for run, name in ((self._keep_lease, "engine-lease"), (self._say_farewells, "engine-farewells"))
        ]

    def start(self, on_event: Callable[[dict[str, Any]], None] = lambda _event: None) -> None:
        """Make ourselves known to the engine, now or as soon as there is one.

        Args:
            on_event: called with what it tells, in one thread, and with ``{"event": "engine"}`` whenever it knows us
                anew; it must not wait.
        """
        self._on_event = on_event
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End it all; the engine ends what this process's clients opened."""
        self._stopping.set()
        with self._wake:
            self._wake.notify_all()
        self._client.close()
        self._quick.close()
        self._patient.close()

    def owner(self, client: str) -> str:
        """The owner's name of a client of ours."""
        return f"{self._prefix}{client}"

    def request(self, do: str, **arguments: Any) -> dict[str, Any]:
        """One command of the engine and its answer.

        Raises:
            TidzamError: as the engine raised it.
            EngineUnavailableError: no engine answers, or not in time.
            BusyError: too many requests are under way.
        """
        if not self._room.acquire(timeout=_ROOM_S):
            raise BusyError(
                f"{_MOST_AT_ONCE} requests wait for the engine, which is the limit: try again soon"
            )
        try:
            return self._client.request(do, **arguments)
        finally:
            self._room.release()

    def request_quickly(self, do: str) -> dict[str, Any]:
        """As ``request`` within three seconds, whatever others wait for: probes and meters."""
        if not self._quick_room.acquire(timeout=_QUICK_S):
            raise BusyError("too many ask whether the engine is well: try again soon")
        try:
            return self._quick.request(do)
        finally:
            self._quick_room.release()

    def wait_begun(self, number: int) -> dict[str, Any]:
        """Wait until a source has begun or failed, for half a minute at most; on none of the places of other requests.

        Args:
            number: of its start, as ``sources.add`` told it.

        Returns:
            Its status.

        Raises:
            TidzamError: as ``request``.
        """
        return self._patient.request("sources.wait", number=number, wait_s=_BEGIN_S)

    def request_owned(self, do: str, owner: str, **arguments: Any) -> dict[str, Any]:
        """As ``request``, for what must not outlive its owner or this process: only while the engine knows us."""
        if not self._leased.wait(_LEASE_S):
            raise EngineUnavailableError(
                "the engine does not answer, so nothing can be opened; see `./tidzam status`"
            )
        return self.request(do, owner=owner, **arguments)

    def farewell(self, owner: str) -> None:
        """Let the engine end what ``owner`` opened; returns at once, and is tried until the engine has done it."""
        with self._wake:
            self._leaving[owner] = None
            while (
                len(self._leaving) > _MOST_FAREWELLS
            ):  # an engine that is gone so long has ended them itself
                self._leaving.popitem(last=False)
            self._wake.notify()

    def _keep_lease(self) -> None:
        waits = retry_waits_s()
        while not self._stopping.is_set():
            # It is away, or has too many connections.
            with contextlib.suppress(TidzamError), self._client.lease(self._prefix):
                self._leased.set()
                waits = retry_waits_s()
                try:
                    self._on_event({"event": "engine"})
                    for event in self._client.events():  # ends, with an error, when the engine does
                        if self._stopping.is_set():
                            return
                        self._on_event(event)
                finally:
                    self._leased.clear()
            self._stopping.wait(next(waits))

    def _say_farewells(self) -> None:
        waits = retry_waits_s()
        while not self._stopping.is_set():
            with self._wake:
                while not self._leaving and not self._stopping.is_set():
                    self._wake.wait()
                owner = next(iter(self._leaving), "")
                self._leaving.pop(
                    owner, None
                )  # before it is done: it may open something meanwhile, and leave again
            if self._stopping.is_set():
                return
            try:
                self.request("owner.gone", owner=owner)
            except (EngineUnavailableError, BusyError):
                self.farewell(owner)
                self._stopping.wait(next(waits))
                continue
            except TidzamError as error:  # it said no: saying it again helps nobody
                _LOG.warning("the engine could not end what a client left: %s", error)
            waits = retry_waits_s()
