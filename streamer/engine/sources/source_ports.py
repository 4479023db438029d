"""The ring of a source and its ports in the graph; they stay through its restarts."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

from streamer.engine.graph.interface import AudioGraph, GraphSource
from streamer.engine.rings import ENGINE_RATE_HZ, RingFolder, SourceRing

_LOG = logging.getLogger(__name__)

# Shared memory is scarce (64 MiB in a container unless told otherwise).
_RING_S: Final = 8.0
_MAX_RING_BYTES: Final = 16 << 20
_LEAST_TARGETS: Final = 2.5
_SAMPLE_BYTES: Final = 4

RingHook = Callable[[SourceRing], None]


def ring_seconds(channels: int, target_s: float) -> float:
    """How long a ring is: seconds enough for bursts, in bounded memory, and never too short for the delay wanted."""
    affordable_s = _MAX_RING_BYTES / (channels * _SAMPLE_BYTES * ENGINE_RATE_HZ)
    return max(min(_RING_S, affordable_s), _LEAST_TARGETS * target_s, 1.5)


class SourcePorts:
    """Makes the ring and the ports when it is known how many channels there are. For the source's thread.

    Args:
        name: of the source.
        graph: where the ports are.
        folder: where the ring is.
        target_s: how much audio waits in the ring, s.
        on_opened: called with each new ring before anything is written to it.
        on_closed: called before a ring is closed, when nothing is written any more.
    """

    def __init__(
        self,
        name: str,
        graph: AudioGraph,
        folder: RingFolder,
        target_s: float,
        *,
        on_opened: RingHook,
        on_closed: RingHook,
    ) -> None:
        self._name, self._graph, self._folder, self._target_s = name, graph, folder, target_s
        self._on_opened, self._on_closed = on_opened, on_closed
        self._lock = threading.Lock()  # between those who look and the closing
        self._client: GraphSource | None = None
        self._ring: SourceRing | None = None

    @property
    def ring(self) -> SourceRing | None:
        """The ring, for the source's own thread."""
        return self._ring

    @property
    def ports(self) -> tuple[str, ...]:
        """Full names, channel 1 first; none before it has begun."""
        client = self._client
        return () if client is None else client.ports

    def status(self) -> dict[str, Any]:
        """Ports, the UTC that sounds now (ns since 1970), and the ring's counters. Any thread may ask."""
        with self._lock:
            ring = self._ring
            if ring is None:
                return {"ports": [], "utc_ns": None, "waiting_frames": 0, "counts": {}}
            return {
                "ports": list(self.ports),
                "utc_ns": ring.utc_ns_of(ring.played_frames),
                "waiting_frames": ring.waiting_frames,
                "counts": ring.counts(),
            }

    def open(self, channels: int) -> SourceRing:
        """The ring of ``channels`` channels, with its ports in the graph; the one that is there if it fits.

        Raises:
            AudioGraphError: no shared memory, or the graph refused.
        """
        if self._ring is not None and self._ring.channels == channels:
            return self._ring
        self.close()
        ring = SourceRing.create(
            self._folder, self._name, channels, seconds=ring_seconds(channels, self._target_s)
        )
        try:
            self._client = self._graph.open_source(self._name, ring)
        except BaseException:
            ring.close()
            raise
        with self._lock:
            self._ring = ring
        _told(self._on_opened, ring)
        return ring

    def close(self) -> None:
        """Take ports and ring away. May be called again.

        Raises:
            AudioGraphError: the graph does not let go of the ring, which then stays in memory: it may still be read.
        """
        if self._ring is None:
            return
        _told(self._on_closed, self._ring)
        with self._lock:
            ring, client = self._ring, self._client
            self._ring = self._client = None
        if client is not None:
            client.close()
        ring.close()


def _told(hook: RingHook, ring: SourceRing) -> None:
    """A listener's fault is no reason for a source to be silent."""
    try:
        hook(ring)
    except Exception:  # noqa: BLE001 - logged with its trace
        _LOG.exception("a listener of the rings failed")
