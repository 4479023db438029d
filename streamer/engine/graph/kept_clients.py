"""Clients that outlive JACK: what was asked for stays, and is made again in each new life of the server."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, TypeVar

from streamer.engine.graph.clients import BundleClient, InputsClient, SourceClient
from streamer.engine.graph.interface import BoundSlot, input_port, output_port
from streamer.engine.graph.jack_graph import JackGraph
from streamer.engine.rings import ChannelRings, SourceRing
from tidzam_platform.errors import AudioGraphError

if TYPE_CHECKING:
    from streamer.engine.graph.keeper import GraphKeeper


Client = TypeVar("Client", SourceClient, BundleClient, InputsClient)


class Kept(ABC, Generic[Client]):
    """What all of them share: a client of the present life of JACK, if it has been made."""

    def __init__(self, keeper: GraphKeeper, name: str) -> None:
        self.name = name
        self._keeper = keeper
        self._client: Client | None = None

    @property
    def is_made(self) -> bool:
        """Whether it is in the graph."""
        return self._client is not None

    def unmake(self) -> None:
        """The graph is gone, and what was made in it."""
        self._client = None

    def discard(self) -> None:
        """JACK does not want it: what was made of it goes, and it is made again later."""
        if self._client is not None:
            self._client.close()
        self._client = None

    @abstractmethod
    def wanted_ports(self) -> set[str]:
        """Ports that are there whenever the server is."""

    def close(self) -> None:
        """See ``interface``."""
        with self._keeper.client_lock:
            if self._client is not None:
                self._client.close()
            self._keeper.forget(self)


class KeptSource(Kept[SourceClient]):
    """See ``interface.GraphSource``."""

    def __init__(self, keeper: GraphKeeper, name: str, ring: SourceRing) -> None:
        super().__init__(keeper, name)
        self.ports = tuple(output_port(name, number) for number in range(1, ring.channels + 1))
        self._ring = ring

    def make(self, graph: JackGraph) -> None:
        """Make it in a new graph."""
        self._client = graph.open_source(self.name, self._ring)

    def wanted_ports(self) -> set[str]:
        """Ports that are there whenever the server is."""
        return set(self.ports)


class KeptBundle(Kept[BundleClient]):
    """See ``interface.GraphBundle``."""

    def __init__(self, keeper: GraphKeeper, name: str, size: int) -> None:
        super().__init__(keeper, name)
        self._size = size
        self._rings: dict[int, SourceRing] = {}

    def make(self, graph: JackGraph) -> None:
        """Make it in a new graph."""
        client = graph.open_bundle(self.name, self._size)
        try:
            for number, ring in self._rings.items():
                client.add(number, ring)
        except BaseException:
            client.close()
            raise
        self._client = client

    def add(self, number: int, ring: SourceRing) -> str:
        """See ``interface.GraphBundle``."""
        with self._keeper.client_lock:
            if not 1 <= number <= self._size or number in self._rings or ring.channels != 1:
                raise AudioGraphError(
                    f"{self.name} has no free port {number} for a ring of {ring.channels} channels; "
                    f"it has 1 to {self._size}, of one channel each"
                )
            client = self._client
            if client is not None:
                self._keeper.attempt(lambda: client.add(number, ring))
            self._rings[number] = ring
            return output_port(self.name, number)

    def remove(self, number: int) -> None:
        """See ``interface.GraphBundle``."""
        with self._keeper.client_lock:
            self._rings.pop(number, None)
            client = self._client
            if client is not None:
                self._keeper.attempt(lambda: client.remove(number))

    @property
    def ports(self) -> tuple[str, ...]:
        """See ``interface.GraphBundle``."""
        with self._keeper.client_lock:
            return tuple(output_port(self.name, number) for number in sorted(self._rings))

    def wanted_ports(self) -> set[str]:
        """Ports that are there whenever the server is."""
        return set(self.ports)


class KeptInputs(Kept[InputsClient]):
    """See ``interface.GraphInputs``."""

    def __init__(self, keeper: GraphKeeper, name: str, rings: ChannelRings) -> None:
        super().__init__(keeper, name)
        self._rings = rings
        self._bound: dict[int, BoundSlot] = {}

    def make(self, graph: JackGraph) -> None:
        """Make it in a new graph."""
        client = graph.open_inputs(self.name, self._rings)
        try:
            for slot in self._bound:
                client.bind(slot)
        except BaseException:
            client.close()
            raise
        self._client = client

    def bind(self, slot: int) -> BoundSlot:
        """See ``interface.GraphInputs``."""
        with self._keeper.client_lock:
            if slot not in self._bound:
                self._rings.reserve_slot(slot)
                client = self._client
                if client is not None:
                    self._keeper.attempt(lambda: client.bind(slot))
                port = input_port(self.name, slot)
                self._bound[slot] = BoundSlot(slot, port, self._rings.claimed_frames)
            return self._bound[slot]

    def unbind(self, slot: int) -> None:
        """See ``interface.GraphInputs``."""
        with self._keeper.client_lock:
            self._bound.pop(slot, None)
            client = self._client
            if client is not None:
                self._keeper.attempt(lambda: client.unbind(slot))

    @property
    def ports(self) -> dict[int, str]:
        """See ``interface.GraphInputs``."""
        with self._keeper.client_lock:
            return {slot: bound.port for slot, bound in sorted(self._bound.items())}

    def wanted_ports(self) -> set[str]:
        """Ports that are there whenever the server is."""
        return set(self.ports.values())


KeptClient = KeptSource | KeptBundle | KeptInputs
