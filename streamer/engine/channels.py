"""The channels that can be heard: each port of a source, the slot that it is recorded into, and what is in it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from streamer.engine.graph.interface import AudioGraph, GraphInputs
from streamer.engine.rings import ChannelRings, Directory, SlotTable, SourceRing
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.errors import AudioGraphError
from tidzam_platform.names import split_channel

_LOG = logging.getLogger(__name__)
_NO_SLOT: Final = -1


@dataclass(frozen=True, slots=True)
class Channel:
    """One of them; ``slot`` is -1 while it has none: then it plays, but nobody analyses it.

    Attributes:
        name: ``<source>:out_<n>``, the full name of its port.
        source: its source.
        number: from 1.
        slot: of the channel rings.
        since_frame: the frame of the channel rings from which on the slot is its.
        specification: what the source is.
        unrecorded_because: why it has no slot; empty where it has one.
    """

    name: str
    source: str
    number: int
    slot: int
    since_frame: int
    specification: SourceSpecification
    unrecorded_because: str = ""

    @property
    def is_recorded(self) -> bool:
        """Whether its samples are in the channel rings."""
        return self.slot != _NO_SLOT


class ChannelTable:
    """Connects what sources play to the inputs that are recorded, and tells other processes where. For any thread.

    A channel that cannot be recorded (all slots are taken, memory is short, the graph refuses) waits: it gets a slot
    when another channel goes, or with ``try_again``. Who came first is served first.

    Args:
        graph: where the ports are.
        inputs: the client whose ports are recorded into ``rings``.
        rings: a slot for each channel.
        directory: what other processes read.
        on_change: told that channels came or went.
    """

    def __init__(
        self,
        graph: AudioGraph,
        inputs: GraphInputs,
        rings: ChannelRings,
        directory: Directory,
        on_change: Callable[[], None] = lambda: None,
    ) -> None:
        self._graph, self._inputs, self._rings, self._directory = graph, inputs, rings, directory
        self._on_change = on_change
        self._lock = threading.RLock()
        self._slots = SlotTable(rings.slots)
        self._channels: dict[str, Channel] = {}
        self._source_rings: dict[str, SourceRing] = {}
        self._publish()

    def ring_opened(self, source: str, ring: SourceRing) -> None:
        """Tell other processes of the ring of a source."""
        with self._lock:
            self._source_rings[source] = ring
            self._publish()

    def ring_closed(self, source: str, ring: SourceRing) -> None:
        """The ring goes away."""
        with self._lock:
            if self._source_rings.get(source) is ring:
                del self._source_rings[source]
                self._publish()

    def ports_changed(self, source: str, ports: tuple[str, ...], specification: SourceSpecification) -> None:
        """These ports carry the channels of ``source`` now; none: it is gone."""
        with self._lock:
            for channel in [known for known in self._channels.values() if known.source == source]:
                if channel.name not in ports:
                    self._remove(channel)
            self._record_waiting(but_of=source)
            for port in ports:
                self._channels[port] = self._added(source, port, specification)
            self._publish()
        if ports:
            self._settle()
        self._on_change()

    def try_again(self) -> None:
        """Record what could not be recorded before. Costs nothing where all is, or where no slot is free."""
        with self._lock:
            found = self._record_waiting()
            if found:
                self._publish()
        if found:
            self._on_change()

    def list(self) -> list[Channel]:
        """All of them, by source and number."""
        with self._lock:
            return sorted(self._channels.values(), key=lambda channel: (channel.source, channel.number))

    def find(self, name: str) -> Channel | None:
        """The channel of that name, if there is one."""
        with self._lock:
            return self._channels.get(name)

    def slot_of(self, name: str) -> int | None:
        """Its slot, None where there is no such channel or it has none. Never waits."""
        channel = self._channels.get(name)
        return channel.slot if channel is not None and channel.is_recorded else None

    def _added(self, source: str, port: str, specification: SourceSpecification) -> Channel:
        number = split_channel(port)[1]
        try:
            slot = self._slots.take(port)
            bound = self._inputs.bind(slot)
            self._graph.connect(port, bound.port)
        except AudioGraphError as error:
            reason, before = str(error), self._channels.get(port)
            if before is None or before.unrecorded_because != reason:  # it is tried again and again
                _LOG.warning("%s is not analysed: %s", port, reason)
            self._release(port)
            return Channel(port, source, number, _NO_SLOT, 0, specification, reason)
        return Channel(port, source, number, slot, bound.since_frame, specification)

    def _record_waiting(self, *, but_of: str = "") -> bool:
        """Give free slots to channels that wait for one, but those of a source; returns whether one got one."""
        found = False
        for waiting in [channel for channel in self._channels.values() if not channel.is_recorded]:
            if waiting.source != but_of and self._slots.free:
                channel = self._added(waiting.source, waiting.name, waiting.specification)
                self._channels[channel.name] = channel
                found |= channel.is_recorded
        return found

    def _settle(self) -> None:
        """Wait until the connections are in force, lest the first samples are played to nobody."""
        try:
            self._graph.settle()
        except (
            AudioGraphError
        ) as error:  # it is away: what sounds first after it is back may be lost, and is counted
            _LOG.warning("the audio graph does not move just now: %s", error)

    def _remove(self, channel: Channel) -> None:
        del self._channels[channel.name]
        self._release(channel.name)

    def _release(self, port: str) -> None:
        """Its slot, if it has one, is free from now on; what the graph does not let go, goes when it is bound again."""
        if (slot := self._slots.slot_of(port)) is None:
            return
        try:
            self._inputs.unbind(slot)
        except AudioGraphError as error:
            _LOG.warning("the input of %s is not taken away just now: %s", port, error)
        finally:
            self._slots.give_back(port)

    def _publish(self) -> None:
        """What ``Directory`` documents."""
        self._directory.write(
            {
                "channel_rings": self._rings.path.name,
                "sources": {
                    name: {"file": ring.path.name, "channels": ring.channels}
                    for name, ring in self._source_rings.items()
                },
                "slots": [_slot_entry(channel) for channel in self._channels.values() if channel.is_recorded],
            }
        )


def _slot_entry(channel: Channel) -> dict[str, Any]:
    return {"slot": channel.slot, "channel": channel.name, "since_frame": channel.since_frame}
