"""Which connections are made again after JACK was away: ours, and those of people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Final

from streamer.engine.graph.interface import Connection

PATIENCE_S: Final = 60.0  # other programs come back later than we do, if they do


class RememberedConnections:
    """Keeps the graph's connections over its deaths. Not for several threads at once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ours: set[Connection] = set()
        self._seen: set[Connection] = set()  # at the last look, people's included
        self._missing: set[Connection] = set()  # since the last death
        self._give_up_s = 0.0

    def want(self, connection: Connection, *, is_made: bool) -> None:
        """The engine has made it, or wants it made when the graph is back."""
        self._ours.add(connection)
        if not is_made:
            self._missing.add(connection)

    def unwant(self, connection: Connection) -> None:
        """The engine has undone it."""
        self._ours.discard(connection)
        self._seen.discard(connection)
        self._missing.discard(connection)

    def forget_ports(self, ports: Iterable[str]) -> None:
        """The engine has taken these ports away: nothing of them is made again."""
        gone = set(ports)
        for kept in (self._ours, self._seen, self._missing):
            kept -= {connection for connection in kept if gone & set(connection)}

    def look(self, connections: set[Connection], ports: set[str], wanted_ports: set[str]) -> None:
        """The graph works and has these connections and ports.

        What vanished is forgotten, for somebody has undone it; but not if it went with a port of ours, which a client
        that JACK threw out has lost and will have again.
        """
        kept = {
            connection
            for connection in self._seen - connections
            if any(port in wanted_ports and port not in ports for port in connection)
        }
        self._seen = connections | kept

    def lost(self) -> None:
        """The graph is dead: all that there was shall be made again."""
        self._missing |= self._seen | self._ours
        self._seen = set()
        self._give_up_s = self._clock() + PATIENCE_S

    def to_make(self, connections: set[Connection], ports: set[str]) -> list[Connection]:
        """What can be made now that is not there; people's for a while after the death, ours always."""
        if self._clock() > self._give_up_s:
            self._missing &= self._ours
        self._missing -= connections
        return sorted(one for one in self._missing if one.output in ports and one.input in ports)
