"""What engines of benches share: how much they carry, and what feeds their sources with tones."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from streamer.engine.benchmarks.tones import ToneWriter
from streamer.engine.rings import SourceRing
from tidzam_platform.errors import AudioGraphError

RING_S: Final = 4.0
_FILL_S: Final = 1.0  # a feeder asks Python for its turn so often
_FILLED_S: Final = 60.0


@dataclass(frozen=True, kw_only=True)
class ToneLoad:
    """What an engine is to carry.

    Attributes:
        home: an empty data folder.
        channels, channels_per_source: how many channels, in how many sources.
        graph: its settings.
    """

    home: str
    channels: int
    channels_per_source: int
    graph: dict[str, Any]

    def as_json(self) -> str:
        """The argument of the engine's program."""
        return json.dumps(asdict(self))

    def sources(self) -> list[tuple[int, int]]:
        """Number of the first channel, and how many, of each source."""
        step = self.channels_per_source
        return [(first, min(step, self.channels - first)) for first in range(0, self.channels, step)]


class Feeder(threading.Thread):
    """What feeds a source's ring from its child."""

    def __init__(self, ring: SourceRing, writer: ToneWriter) -> None:
        super().__init__(name=f"tidzam-feeder-{ring.name}", daemon=True)
        self.ring, self._writer = ring, writer
        self._ending = False
        self.start()

    def run(self) -> None:
        """Fill the ring until it is closed, or its child has ended."""
        ended = False
        while not self._ending and not ended:
            ended = self.ring.fill_from(self._writer.descriptor, _FILL_S).ended

    def close(self) -> None:
        """End it, and the child."""
        self._ending = True
        self.ring.interrupt()
        self.join()
        self._writer.close()


def wait_until_filled(sources: Sequence[SourceRing]) -> None:
    """Until all rings are half full; AudioGraphError if they are not within a minute."""
    deadline = time.monotonic() + _FILLED_S
    while any(ring.waiting_frames < ring.capacity_frames // 2 for ring in sources):
        if time.monotonic() > deadline:
            raise AudioGraphError(f"the sources gave too little within {_FILLED_S:.0f} s")
        time.sleep(0.05)
