"""One attempt to play a source: what its feed is given, and what it tells of itself."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Protocol

from streamer.engine.fetching import Cancellation
from streamer.engine.rings import ENGINE_RATE_HZ, SourceRing
from streamer.engine.sources.channel_map import ChannelMap
from streamer.engine.sources.context import SourceContext
from streamer.engine.sources.drift import FillController, Frames
from streamer.engine.sources.live_clock import LiveClock
from streamer.engine.sources.live_writer import LiveCounts, LiveWriter
from streamer.engine.sources.paced_writer import PacedWriter
from streamer.engine.sources.source_ports import SourcePorts
from streamer.engine.sources.specification import SourceSpecification
from streamer.engine.sources.watchdog import Verdict, Watchdog
from tidzam_platform.errors import FetchError

_NS_PER_S: Final = 1_000_000_000


class Feed(Protocol):
    """Where a source's audio comes from."""

    def run(self, attempt: Attempt) -> str:
        """Play until the end, and say which end that was. For the source's thread.

        Raises:
            TidzamError: what went wrong; the source is started again, or given up if it is not permanent.
            FetchError: also when ``attempt.cancellation`` was cancelled.
        """


class Jumps:
    """Where a source shall go on from, said by another thread."""

    def __init__(self) -> None:
        self._to: datetime | None = None

    @property
    def wanted(self) -> bool:
        """Whether it shall go on from elsewhere."""
        return self._to is not None

    def ask(self, moment: datetime) -> None:
        """Go on from ``moment``."""
        self._to = moment

    def take(self) -> datetime | None:
        """Where to, once."""
        moment, self._to = self._to, None
        return moment


@dataclass
class SourceMemory:
    """What a source knows through all its attempts."""

    controller: FillController = field(default_factory=lambda: FillController(ENGINE_RATE_HZ))
    counts: LiveCounts = field(default_factory=LiveCounts)
    jumps: Jumps = field(default_factory=Jumps)
    is_silent: bool = False
    """Whether it gives nothing but exact zeros, for longer than sources.zeros_s."""
    metadata: dict[str, str] = field(default_factory=dict)
    """What its server says of it."""
    details: dict[str, Any] = field(default_factory=dict)
    """What its feed tells of itself, for its status."""
    foreign_ports: tuple[str, ...] = ()
    """Ports of another client of the graph that carry its channels."""
    chosen: tuple[int, ...] = ()
    """Which channels of the input its ports hear, from 0."""


class Attempt:
    """For the source's thread, as all that it hands out.

    Args:
        specification: of the source.
        context: what all sources share.
        ports: ring and ports of the source.
        memory: what outlives the attempt.
        cancellation: of this attempt; ends all waits.
        on_sounding: told when samples come, again after each ``on_stalled``.
        on_stalled: told why too few come.
        on_asking: told True before a server is asked, and False when it has answered.
    """

    def __init__(
        self,
        specification: SourceSpecification,
        context: SourceContext,
        ports: SourcePorts,
        memory: SourceMemory,
        cancellation: Cancellation,
        *,
        on_sounding: Callable[[], None],
        on_stalled: Callable[[str], None],
        on_asking: Callable[[bool], None] = lambda _waits: None,
    ) -> None:
        self.specification, self.context, self.memory = specification, context, memory
        self.cancellation = cancellation
        self.settings = context.settings.sources
        self._ports, self._on_sounding, self._on_stalled = ports, on_sounding, on_stalled
        self._on_asking = on_asking
        self._first_s: float | None = None
        self._stalled = False

    @property
    def played_s(self) -> float:
        """How long it has been since the first samples, s."""
        return 0.0 if self._first_s is None else self.context.monotonic() - self._first_s

    @property
    def ring(self) -> SourceRing | None:
        """The source's ring, if it has one already."""
        return self._ports.ring

    @contextlib.contextmanager
    def asking(self) -> Iterator[None]:
        """While a server is asked that may not answer. Other sources may start meanwhile."""
        self._on_asking(True)
        yield
        self._on_asking(False)
        self.cancellation.require_going()

    def child(self) -> Cancellation:
        """A cancellation of a part of the attempt, to be closed."""
        return self.cancellation.child()

    def wait(self, seconds: float) -> bool:
        """Wait; False if it was cancelled, or shall jump elsewhere."""
        end_s = time.monotonic() + seconds
        if not self.memory.jumps.wanted and not self.cancellation.is_cancelled:
            try:
                self.cancellation.sleep_until(end_s)
            except FetchError:
                return False
        return not self.memory.jumps.wanted and not self.cancellation.is_cancelled

    def open_ring(self, channels: ChannelMap) -> SourceRing:
        """The ring for those channels, and its ports."""
        if channels.missing:
            self.context.tell(
                "source_warning",
                source=self.specification.name,
                reason=f"{channels.missing} of its channels are not in the input: their ports are silent",
            )
        before = self._ports.ports
        ring = self._ports.open(channels.channels)
        self.memory.chosen = channels.chosen
        if self._ports.ports != before:
            self.context.tell_ports(self.specification, self._ports.ports)
        return ring

    def live_writer(self, ring: SourceRing, *, can_wait: bool) -> LiveWriter:
        """What feeds the ring from a source with a clock of its own."""
        clock = LiveClock(ring, utc_ns=self.context.utc_ns, monotonic=self.context.monotonic)
        return LiveWriter(
            ring,
            clock,
            self.memory.controller,
            target_frames=round(self.settings.buffer_s * ENGINE_RATE_HZ),
            counts=self.memory.counts,
            can_wait=can_wait,
            monotonic=self.context.monotonic,
        )

    def paced_writer(self, ring: SourceRing) -> PacedWriter:
        """What feeds the ring as fast as the graph plays."""
        return PacedWriter(ring, self.wait)

    def heard_at_ns(self, ring: SourceRing) -> int:
        """UTC at which the next frame that is written will be heard, ns since 1970."""
        return self.context.utc_ns() + ring.waiting_frames * _NS_PER_S // ENGINE_RATE_HZ

    def watchdog(self, *, stalls: bool = True) -> Watchdog:
        """What tells whether samples come; without ``stalls`` only whether they are zeros."""
        no_samples_s = self.settings.no_samples_s if stalls else math.inf
        return Watchdog(no_samples_s, self.settings.zeros_s, monotonic=self.context.monotonic)

    def gives_samples(self) -> None:
        """Samples have come."""
        if self._first_s is None:
            self._first_s = self.context.monotonic()
            self._on_sounding()

    def tell_sounding(self, sounds: bool) -> None:
        """Whether what came is played, or silence for want of it."""
        if sounds and self._stalled:
            self._stalled = False
            self._on_sounding()

    def tell_stalled(self, reason: str) -> None:
        """It ran dry."""
        if not self._stalled:
            self._stalled = True
            self._on_stalled(reason)

    def judge(self, watchdog: Watchdog) -> None:
        """Ask the watchdog.

        Raises:
            FetchError: something is wrong, and starting again may mend it.
        """
        verdict = watchdog.verdict()
        if verdict is Verdict.ZEROS:
            self._tell_silent(watchdog)
            return
        if verdict is not None:
            raise FetchError(watchdog.describe(verdict))
        if self.memory.is_silent and watchdog.zeros_s == 0:
            self.memory.is_silent = False
            self.context.tell(
                "source_silent", source=self.specification.name, silent=False, reason="it sounds again"
            )

    def _tell_silent(self, watchdog: Watchdog) -> None:
        reason = watchdog.describe(Verdict.ZEROS)
        if not self.memory.is_silent:
            self.memory.is_silent = True
            self.context.tell("source_silent", source=self.specification.name, silent=True, reason=reason)
        if self.settings.restart_on_zeros:
            raise FetchError(reason)


def exact_zeros(block: Frames) -> bool:
    """Whether there is nothing but zeros in it."""
    return not block.any()
