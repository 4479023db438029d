"""The channels that can be heard: each port of a source, the slot that it is recorded into, and what is in it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from streamer.engine.graph.interface import AudioGraph, GraphInputs
from streamer.engine.rings import ChannelRings, Directory, SlotTable, SourceRing
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.errors import AudioGraphError
from tidzam_platform.names import channel as channel_name
from tidzam_platform.names import split_channel

_LOG = logging.getLogger(__name__)
_NO_SLOT: Final = -1


@dataclass(frozen=True, slots=True)
class Channel:
    """One of them; ``slot`` is -1 while it has none: then it plays, but nobody analyses it.

    Attributes:
        name: ``<source>:out_<n>``.
        port: full name of the port that plays it: its name, but for ports that the graph had already (a sound card's).
        source: its source.
        number: from 1.
        slot: of the channel rings.
        since_frame: the frame of the channel rings from which on the slot is its.
        specification: what the source is.
        unrecorded_because: why it has no slot; empty where it has one.
    """

    name: str
    port: str
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
            self._remove([known.name for known in self._of(source) if known.port not in ports])
            self._record_waiting(but_of=source)
            for number, port in enumerate(ports, start=1):
                name = port if port.startswith(f"{source}:") else channel_name(source, number)
                self._channels[name] = self._added(source, name, port, specification)
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

    def _added(self, source: str, name: str, port: str, specification: SourceSpecification) -> Channel:
        number = split_channel(name)[1]
        try:
            slot = self._slots.take(name)
            bound = self._inputs.bind(slot)
            self._graph.connect(port, bound.port)
        except AudioGraphError as error:
            reason, before = str(error), self._channels.get(name)
            if before is None or before.unrecorded_because != reason:  # it is tried again and again
                _LOG.warning("%s is not analysed: %s", name, reason)
            self._release(name)
            return Channel(name, port, source, number, _NO_SLOT, 0, specification, reason)
        return Channel(name, port, source, number, slot, bound.since_frame, specification)

    def _record_waiting(self, *, but_of: str = "") -> bool:
        """Give free slots to channels that wait for one, but those of a source; returns whether one got one."""
        found = False
        for waiting in [channel for channel in self._channels.values() if not channel.is_recorded]:
            if waiting.source != but_of and self._slots.free:
                channel = self._added(waiting.source, waiting.name, waiting.port, waiting.specification)
                if channel.is_recorded:
                    # It plays already: what is recorded before it is connected is silence, and not of it.
                    self._settle()
                    channel = replace(channel, since_frame=self._rings.claimed_frames)
                    found = True
                self._channels[channel.name] = channel
        return found

    def _settle(self) -> None:
        """Wait until the connections are in force, lest the first samples are played to nobody."""
        try:
            self._graph.settle()
        except (
            AudioGraphError
        ) as error:  # it is away: what sounds first after it is back may be lost, and is counted
            _LOG.warning("the audio graph does not move just now: %s", error)

    def _of(self, source: str) -> Sequence[Channel]:
        return [known for known in self._channels.values() if known.source == source]

    def _remove(self, names: Sequence[str]) -> None:
        """Readers are told before the slots are not written any more, lest they take what stands there for sound."""
        for name in names:
            del self._channels[name]
        if names:
            self._publish()
        for name in names:
            self._release(name)

    def _release(self, name: str) -> None:
        """Its slot, if it has one, is free from now on; what the graph does not let go, goes when it is bound again."""
        if (slot := self._slots.slot_of(name)) is None:
            return
        try:
            self._inputs.unbind(slot)
        except AudioGraphError as error:
            _LOG.warning("the input of %s is not taken away just now: %s", name, error)
        finally:
            self._slots.give_back(name)

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
