"""A manager on a graph, and ears on every ring that it makes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import numpy as np

from streamer.engine.control.events import EventHub
from streamer.engine.rings import ENGINE_RATE_HZ, SourceReader, SourceRing
from streamer.engine.sources import SourceHooks, SourceManager, SourceSpecification
from tests.support.waiting import wait_for


class Ears(SourceHooks):
    """Knows the rings and ports of all sources, and who was told of what."""

    def __init__(self) -> None:
        self.rings: dict[str, SourceRing] = {}
        self.ports: dict[str, tuple[str, ...]] = {}
        self.opened: list[tuple[str, int]] = []
        self.closed: list[str] = []

    def on_ring_opened(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:  # noqa: ARG002
        assert ring.written_frames == 0
        self.rings[source] = SourceRing.open(ring.path)
        self.opened.append((source, ring.channels))

    def on_ring_closed(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:  # noqa: ARG002
        self.rings.pop(source).close()
        self.closed.append(source)

    def on_ports_changed(
        self,
        source: str,
        ports: tuple[str, ...],
        specification: SourceSpecification,  # noqa: ARG002
    ) -> None:
        self.ports[source] = ports


class SlowEars(Ears):
    """Rings of sources that are held take as long to close as a test says: their recorders' disk is slow."""

    def __init__(self) -> None:
        super().__init__()
        self.closing: set[str] = set()
        """Sources that try to close a ring while they are held."""
        self._held: dict[str, threading.Event] = {}

    def hold(self, *sources: str) -> None:
        self._held |= {source: threading.Event() for source in sources}

    def release(self) -> None:
        for held in self._held.values():
            held.set()

    def on_ring_closed(self, source: str, ring: SourceRing, specification: SourceSpecification) -> None:
        if source in self._held:
            self.closing.add(source)
            self._held[source].wait(10)
        super().on_ring_closed(source, ring, specification)


class Site:
    """What a test asks and sees."""

    def __init__(self, make: Callable[..., SourceManager], ears: Ears | None = None) -> None:
        self.ears = ears or Ears()
        self.hub = EventHub()
        self._told = self.hub.subscribe()
        self.events: list[dict[str, Any]] = []
        self.manager = make(events=self.hub, hooks=self.ears)

    def add(self, name: str, **more: Any) -> dict[str, Any]:
        return self.manager.add({"name": name, **more})

    def state(self, name: str) -> str:
        return str(self.manager.status(name)["state"])

    def states(self, name: str) -> list[str]:
        """All that it went through, of the last hundred."""
        return [step["after"] for step in self.manager.status(name)["history"]]

    def wait_for_state(self, name: str, *states: str, deadline_s: float = 20.0) -> None:
        wait_for(lambda: self.state(name) in states, f"{name} is {' or '.join(states)}", deadline_s)

    def sounds(self, name: str) -> bool:
        """Whether its ring is played now."""
        ring = self.ears.rings.get(name)
        return ring is not None and bool(self.state(name) == "playing" and ring.playing)

    def wait_until_it_sounds(self, name: str, deadline_s: float = 20.0) -> None:
        wait_for(lambda: self.sounds(name), f"{name} sounds", deadline_s)

    def count(self, name: str, counter: str) -> int:
        return int(self.manager.status(name)["counts"][counter])

    def listen(self, name: str, seconds: float, deadline_s: float = 20.0) -> np.ndarray:
        """The next ``seconds`` of its ring, ``[frames, channels]``."""
        reader = SourceReader(self.ears.rings[name])
        frames = round(seconds * ENGINE_RATE_HZ)
        blocks: list[np.ndarray] = []

        def enough() -> bool:
            blocks.append(reader.read(frames).data)
            return sum(map(len, blocks)) >= frames

        wait_for(enough, f"{seconds} s of {name}", deadline_s)
        assert not reader.lost_frames
        return np.concatenate(blocks)[:frames]

    def heard_hz(self, name: str, seconds: float = 0.5) -> list[float]:
        """The loudest frequency of each channel."""
        samples = self.listen(name, seconds)
        spectrum = np.abs(np.fft.rfft(samples * np.hanning(len(samples))[:, None], axis=0))
        return [float(hz) for hz in spectrum.argmax(axis=0) * ENGINE_RATE_HZ / len(samples)]

    def told(self, event: str, **what: Any) -> list[dict[str, Any]]:
        """Events of that name with these values, so far."""
        while (one := self._told.get(0)) is not None:
            self.events.append(one)
        return [
            one
            for one in self.events
            if one["event"] == event and all(one.get(key) == value for key, value in what.items())
        ]

    def close(self) -> None:
        self.manager.close()
        assert not self.ears.rings, "every ring that was opened was closed"
        assert not any(self.ears.ports.values())
