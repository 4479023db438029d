"""Brings all kept clients into a new server, as fast as JACK lets them in.

JACK serves one request after the other. It waits for a cycle before it lets a client in and for another one before it
activates it; it tells each client of each other one; and at each change of the graph it asks every active client for
its latencies, twice, one after the other. So all are opened before the first is activated, and cycles are short
meanwhile. With 128 clients that is half of the time and a third of the questions.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from streamer.engine.graph.jack_graph import JackGraph
from streamer.engine.graph.kept_clients import KeptClient
from streamer.engine.graph.server_life import ServerLife
from tidzam_platform.errors import AudioGraphError

_log = logging.getLogger(__name__)

_MANY_CLIENTS: Final = 4  # from here on cycles are short
_OPENING_FRAMES: Final = 64  # nobody is called yet
_ACTIVATING_FRAMES: Final = 256  # shorter, and the calls of all clients would fill the cycles


class CycleFrames(NamedTuple):
    """Frames of a cycle while clients are opened, while they are activated, and from then on."""

    opening: int
    activating: int
    playing: int


def cycle_frames_of(frames: int, clients: int, *, may_be_short: bool) -> CycleFrames:
    """For a graph of so many clients that plays with cycles of ``frames``."""
    if not may_be_short or clients < _MANY_CLIENTS:
        return CycleFrames(frames, frames, frames)
    return CycleFrames(min(frames, _OPENING_FRAMES), min(frames, _ACTIVATING_FRAMES), frames)


class ClientMaker:
    """Makes clients in one life of the server.

    Args:
        graph: of this life, held.
        life: the server.
        clients: all that shall be there; it may grow and shrink under ``lock``.
        lock: to be had for what is made. It is let go between clients: others have questions meanwhile.
        ending: set when nothing shall be made any more.
    """

    def __init__(
        self,
        graph: JackGraph,
        life: ServerLife,
        clients: Sequence[KeptClient],
        lock: threading.RLock,
        ending: threading.Event,
    ) -> None:
        self._graph, self._life = graph, life
        self._clients, self._lock, self._ending = clients, lock, ending

    def make_all(self, cycle: CycleFrames) -> None:
        """Open all and activate all; those that come meanwhile may be left for ``make_missing``.

        Raises:
            AudioGraphError: the server is dead, or does not change the length of its cycles.
        """
        self._for_each(self._make)
        self._graph.change_cycle(cycle.activating)
        self._for_each(self._activate)
        self._graph.change_cycle(cycle.playing)

    def make_missing(self) -> None:
        """Make those that are not there, with the lock; AudioGraphError if the server is dead."""
        for client in self._clients:
            if not client.is_made:
                self._make(client)
                self._activate(client)

    def _make(self, client: KeptClient) -> None:
        self._attempt(client, lambda: client.make(self._graph))

    def _activate(self, client: KeptClient) -> None:
        self._attempt(client, lambda: self._graph.activate(client.name))

    def _attempt(self, client: KeptClient, request: Callable[[], None]) -> None:
        try:
            request()
        except AudioGraphError as error:
            if self._life.is_dying():
                raise
            # One that JACK does not want must not keep the others from coming back.
            client.discard()
            _log.warning("%s cannot be made again, it is tried later: %s", client.name, error)

    def _for_each(self, do: Callable[[KeptClient], None]) -> None:
        done: list[KeptClient] = []
        while not self._ending.is_set():
            with self._lock:
                coming = next((client for client in self._clients if client not in done), None)
                if coming is None:
                    return
                done.append(coming)
                do(coming)
