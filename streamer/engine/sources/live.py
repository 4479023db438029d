"""Live streams: browsers and phones whose samples the API pushes, each at a port of ``tidzam-livestreams``."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Any, Final

from streamer.engine.graph.interface import GraphBundle
from streamer.engine.reserved_names import LIVE_STREAMS
from streamer.engine.rings import ENGINE_RATE_HZ, SourceRing
from streamer.engine.shortage import shortage
from streamer.engine.sources.attempt import Attempt, exact_zeros
from streamer.engine.sources.channel_map import ChannelMap
from streamer.engine.sources.context import SourceContext
from streamer.engine.sources.drift import FillController
from streamer.engine.sources.live_clock import LiveClock
from streamer.engine.sources.live_writer import LiveCounts, LiveWriter
from streamer.engine.sources.pushed_audio import PushQueue, ToEngineRate
from tidzam_platform.errors import EngineError

_TAKE_S: Final = 0.1
_RING_S: Final = 6.0
# Somebody speaks and wants the answer soon; blocks of browsers are up to 0.35 s long.
DELAY_S: Final = 0.5
_JOIN_S: Final = 5.0


class PushedFeed:
    """A source of its own name whose samples are pushed. See ``attempt.Feed``."""

    def __init__(self, queue: PushQueue) -> None:
        self._queue = queue

    def push(self, pcm: bytes, rate_hz: int) -> None:
        """Play 16-bit little-endian frames; any thread may call it. SourceError as ``PushQueue.push``."""
        self._queue.push(pcm, rate_hz)

    def run(self, attempt: Attempt) -> str:
        """See ``attempt.Feed``. Silence is no fault: nobody may be speaking."""
        channels = ChannelMap(attempt.specification, self._queue.channels)
        writer = attempt.live_writer(attempt.open_ring(channels), can_wait=False)
        rate = ToEngineRate(self._queue.channels)
        watchdog = attempt.watchdog(stalls=False)
        counts = attempt.memory.counts
        attempt.gives_samples()
        while not attempt.cancellation.is_cancelled:
            rebuffers = counts.rebuffers
            pushed = self._queue.take(_TAKE_S)
            if pushed is not None:
                block = channels.apply(rate.resample(pushed))
                watchdog.note(len(block), are_zeros=exact_zeros(block))
                writer.write(block)
            sounds = writer.check()
            if counts.rebuffers > rebuffers:
                attempt.tell_stalled("nothing is pushed: silent until enough is there again")
            else:
                attempt.tell_sounding(sounds)
            attempt.memory.details = {"dropped_pushed_frames": self._queue.dropped_frames}
            attempt.judge(watchdog)
        attempt.cancellation.require_going()
        return "it was ended"


@dataclass(frozen=True)
class LiveStreamInfo:
    """What the caller of a live stream is told.

    Attributes:
        number: of its port, from 1.
        port: full name of its port, which is its channel's name as well.
        rate_hz: that the engine works at; any rate may be pushed.
        owner: who opened it.
        storage: whether it shall be kept as a recording; who is told of it when it is opened does that.
    """

    number: int
    port: str
    rate_hz: int
    owner: str
    storage: bool


class LiveStream:
    """One stream: its ring, its port, and the thread that fills the ring."""

    def __init__(
        self, number: int, owner: str, bundle: GraphBundle, context: SourceContext, *, storage: bool
    ) -> None:
        self._context, self._bundle = context, bundle
        self._queue = PushQueue()
        self._counts = LiveCounts()
        self._lock = threading.Lock()
        self.ring = SourceRing.create(context.folder, f"{LIVE_STREAMS}-{number}", 1, seconds=_RING_S)
        try:
            port = bundle.add(number, self.ring)
        except BaseException:
            self.ring.close()
            raise
        self.info = LiveStreamInfo(number, port, ENGINE_RATE_HZ, owner, storage)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name=f"live-stream-{number}", daemon=True)

    def start(self) -> None:
        """Play what is pushed from now on; EngineError if the system has no thread to give."""
        try:
            self._thread.start()
        except RuntimeError as error:
            raise shortage(error) or EngineError(str(error)) from error

    def push(self, pcm: bytes, rate_hz: int) -> None:
        """Play 16-bit little-endian mono samples; never waits. SourceError as ``PushQueue.push``."""
        self._queue.push(pcm, rate_hz)

    def status(self) -> dict[str, Any]:
        """For people and metrics. Any thread may ask."""
        with self._lock:
            ring = {} if self._closed else self.ring.counts()
            utc_ns = None if self._closed else self.ring.utc_ns_of(self.ring.played_frames)
        return {
            "number": self.info.number,
            "port": self.info.port,
            "owner": self.info.owner,
            "utc_ns": utc_ns,
            "counts": {
                **ring,
                **self._counts.as_dict(),
                "pushed_frames": self._queue.pushed_frames,
                "dropped_pushed_frames": self._queue.dropped_frames,
            },
        }

    def end(self) -> None:
        """Nothing more may be pushed; when this returns, all that was pushed is in the ring."""
        self._queue.end()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)

    def close(self) -> None:
        """Take the port away."""
        self.end()
        with self._lock:  # nobody looks at the ring from now on
            self._closed = True
        self._bundle.remove(self.info.number)
        self.ring.close()

    def _run(self) -> None:
        context = self._context
        clock = LiveClock(self.ring, utc_ns=context.utc_ns, monotonic=context.monotonic)
        delay_frames = round(DELAY_S * ENGINE_RATE_HZ)
        writer = LiveWriter(
            self.ring,
            clock,
            FillController(delay_frames),
            target_frames=delay_frames,
            counts=self._counts,
            can_wait=False,
            monotonic=context.monotonic,
        )
        rate = ToEngineRate(1)
        while True:
            pushed = self._queue.take(_TAKE_S)
            if pushed is not None:
                writer.write(rate.resample(pushed))
            elif self._queue.has_ended:
                break
            writer.check()
        writer.flush()
