"""The audio graph of one life of a JACK server. ``GraphKeeper`` holds it over the server's deaths."""

from __future__ import annotations

import errno
import threading
from collections.abc import Callable
from datetime import datetime
from typing import Any, Self

from streamer.engine.graph.blocks import C_EXTENDED, C_FRAMES, C_HELD, C_OFFSET, Block, client_block
from streamer.engine.graph.clients import (
    BundleClient,
    InputsClient,
    SourceClient,
    wait_for_calls,
    wait_for_cycles,
)
from streamer.engine.graph.interface import (
    Connection,
    PortKind,
    no_such_port,
    valid_source_client,
)
from streamer.engine.graph.jack_client import JackClient
from streamer.engine.graph.jack_library import last_message
from streamer.engine.graph.listeners import Listeners
from streamer.engine.graph.loss import LossEvent
from streamer.engine.reserved_names import CONTROL
from streamer.engine.rings import ENGINE_RATE_HZ, ChannelRings, SourceRing
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import AudioGraphError


class JackGraph:
    """See ``interface.AudioGraph``. Once lost it stays so: close it.

    Args:
        server: name of a running JACK server.
        first_frame: jack frame that it is now; the frames of a server begin near 0 at each of its starts.
        xruns: where xruns are counted, if somebody goes on counting.
        held: clients wait for ``activate``, and sources stay silent, and keep their frames, until ``release``.
    """

    def __init__(
        self, server: str, *, first_frame: int = 0, xruns: Block | None = None, held: bool = False
    ) -> None:
        self._server = server
        self._listeners = Listeners()
        self._lock = threading.RLock()
        self._clients: dict[str, JackClient] = {}
        self._xruns = xruns or Block(1)
        self.lost_because: str | None = None
        self._lost_at: datetime | None = None
        self._closed = False
        self._held = held
        self._blocks: list[Block] = []
        self.loss = LossEvent()
        """See ``jack_client.Owner``."""
        self._watcher = threading.Thread(target=self._watch, name="tidzam-graph-loss", daemon=True)
        try:
            self._control = JackClient(CONTROL, server, self)
        except BaseException:
            self.loss.close()
            raise
        try:
            self._requests = self._control.requests
            self.rate_hz = _required_rate(self._requests.rate_hz())
            # The control client plays nothing, but its block keeps the graph's time.
            self._time = client_block(0)
            self._time.words[C_EXTENDED] = begin = self._requests.frame_time()
            self._time.words[C_OFFSET] = first_frame - begin
            self._latest = first_frame
            self._control.watch(self._xruns, self._listeners.changed)
            self._control.start(self._time, "play", self)
            self._control.activate()
            self._watcher.start()
        except BaseException:
            self._control.stop()
            self.loss.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # The interface.

    def open_source(self, name: str, ring: SourceRing) -> SourceClient:
        """See ``interface.AudioGraph``."""
        return SourceClient(name, ring, self._new_client(valid_source_client(name)))

    def open_bundle(self, name: str, size: int) -> BundleClient:
        """See ``interface.AudioGraph``."""
        return BundleClient(name, size, self._new_client(name))

    def open_inputs(self, name: str, rings: ChannelRings) -> InputsClient:
        """See ``interface.AudioGraph``."""
        return InputsClient(name, rings, self._new_client(name), self._xruns.address)

    def connect(self, output_port: str, input_port: str) -> None:
        """See ``interface.AudioGraph``."""
        with self._lock:
            failed = self._requests.connect(output_port, input_port)
            if failed in (0, errno.EEXIST):
                return
            for port in (output_port, input_port):
                if not self._requests.has_port(port):
                    raise no_such_port(port)
            raise AudioGraphError(
                f"JACK does not connect {output_port} to {input_port} ({failed}): {last_message()}"
            )

    def disconnect(self, output_port: str, input_port: str) -> None:
        """See ``interface.AudioGraph``."""
        with self._lock:
            self._requests.disconnect(output_port, input_port)

    def settle(self) -> None:
        """See ``interface.AudioGraph``."""
        wait_for_cycles(self._time, lambda: self.is_running, "JACK")

    def ports(self, kind: PortKind | None = None) -> list[str]:
        """See ``interface.AudioGraph``."""
        with self._lock:
            return self._requests.ports(kind)

    def connections(self) -> set[Connection]:
        """See ``interface.AudioGraph``."""
        with self._lock:
            return self._requests.connections()

    def frame_time(self) -> int:
        """See ``interface.AudioGraph``."""
        with self._lock:
            extended = int(self._time.words[C_EXTENDED])
            step = (self._requests.frame_time() - extended) & 0xFFFFFFFF
            now = int(self._time.words[C_OFFSET]) + extended + (step ^ 0x80000000) - 0x80000000
            # JACK's estimate may go back a little: ours does not.
            self._latest = max(self._latest, now)
            return self._latest

    def cycle_frame(self) -> int:
        """The first frame of the cycle that was begun last, as JACK counts: it stands still when JACK does.

        It waits for nobody, also where another call hangs. Not to be called while the graph is closed.
        """
        return self._requests.cycle_frame()

    @property
    def cycle_frames(self) -> int:
        """See ``interface.AudioGraph``."""
        with self._lock:
            return self._requests.cycle_frames()

    @property
    def xruns(self) -> int:
        """See ``interface.AudioGraph``."""
        return int(self._xruns.words[0])

    @property
    def is_running(self) -> bool:
        """See ``interface.AudioGraph``."""
        return not self.loss.happened and not self._closed

    @property
    def is_held(self) -> bool:
        """See ``jack_client.Owner``."""
        return self._held

    def on_change(self, listener: Callable[[], None]) -> None:
        """See ``interface.AudioGraph``."""
        self._listeners.on_change(listener)

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """See ``interface.AudioGraph``."""
        self._listeners.on_lost(listener)

    def status(self) -> dict[str, Any]:
        """See ``interface.AudioGraph``."""
        return {
            "kind": "jack",
            "running": self.is_running,
            "xruns": self.xruns,
            "cycle_frames": int(self._time.words[C_FRAMES]),
            "restarts": 0,
            "lost_because": self.lost_because,
            "lost_at": None if self._lost_at is None else format_utc(self._lost_at),
            "lost_for_s": None,
        }

    def close(self) -> None:
        """See ``interface.AudioGraph``."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            clients = list(self._clients.values())
        # JACK's library lets go of a dead server only when the last client of this process is closed.
        for client in clients:
            client.stop()
        with self._lock:  # nobody is asking it anything
            self._control.stop()
        self.loss.wake()
        if self._watcher is not threading.current_thread():
            self._watcher.join()
            self.loss.close()
        self._listeners.close()

    def activate(self, name: str) -> None:
        """Have client ``name`` of a graph that is held called at each cycle; nothing happens if there is none.

        Clients are all opened first and activated then: at each change of the graph JACK asks each active client for
        its latencies, one after the other, twice.

        Raises:
            AudioGraphError: JACK is gone, or refuses.
        """
        with self._lock:
            client = self._clients.get(name)
        if client is not None:
            client.activate()

    def change_cycle(self, frames: int) -> None:
        """Change the block size of a graph that is held, if it is another one.

        Raises:
            AudioGraphError: JACK is gone, or refuses.
        """
        if frames == self.cycle_frames:
            return
        # Whoever was not called before would not see the change, and count wrong from then on.
        wait_for_calls([self._time, *self._blocks], lambda: self.is_running, "JACK's clients")
        with self._lock:
            if failed := self._requests.set_cycle_frames(frames):
                raise AudioGraphError(
                    f"JACK does not change its block size to {frames} frames ({failed}): {last_message()}"
                )

    def release(self) -> None:
        """Let the sources of a graph that is held play."""
        self.settle()
        with self._lock:
            self._held = False
            for block in self._blocks:
                self.joined(block)
                block.words[C_HELD] = 0

    # What clients need.

    def _new_client(self, name: str) -> JackClient:
        with self._lock:
            if name in self._clients:
                raise AudioGraphError(f"there is a client {name} in the audio graph already")
            client = self._clients[name] = JackClient(name, self._server, self)
            return client

    def joins(self, block: Block) -> None:
        """See ``jack_client.Owner``."""
        if block is self._time:
            return
        with self._lock:
            block.words[[C_OFFSET, C_EXTENDED]] = self._time.words[[C_OFFSET, C_EXTENDED]]
            block.words[C_HELD] = self._held
            self._blocks.append(block)

    def joined(self, block: Block) -> None:
        """See ``jack_client.Owner``. A block size that changed meanwhile may have left it with another time."""
        if block.words[C_OFFSET] != self._time.words[C_OFFSET]:
            block.words[C_OFFSET] = self._time.words[C_OFFSET]

    def left(self, client: JackClient) -> None:
        """See ``jack_client.Owner``."""
        with self._lock:
            self._clients.pop(client.name, None)
            self._blocks = [block for block in self._blocks if block is not client.block]

    def _watch(self) -> None:
        """A thread that says so when JACK is gone."""
        self.loss.wait()
        if self.loss.happened and not self._closed:
            self.lost_because, self._lost_at = self.loss.reason(), utc_now()
            self._listeners.lost(self.lost_because)


def _required_rate(rate_hz: int) -> int:
    if rate_hz != ENGINE_RATE_HZ:
        raise AudioGraphError(f"JACK runs at {rate_hz} Hz; start it at {ENGINE_RATE_HZ} Hz")
    return rate_hz
