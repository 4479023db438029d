"""A graph of our own, driven by a clock: where JACK is not there, and in fast tests."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import NDArray

from streamer.engine.graph import clock_driver as driver
from streamer.engine.graph.blocks import (
    C_CLIENT,
    C_EXTENDED,
    C_FRAME_TIME,
    C_GET_BUFFER,
    C_MICROSECONDS,
    Block,
)
from streamer.engine.graph.clients import BundleClient, InputsClient, SourceClient
from streamer.engine.graph.interface import Connection, PortKind, no_such_port, valid_source_client
from streamer.engine.graph.listeners import Listeners
from streamer.engine.rings import ENGINE_RATE_HZ, ChannelRings, SourceRing
from streamer.engine.rings.layout import Words
from streamer.engine.rings.native import c_function
from tidzam_platform.errors import AudioGraphError

MAX_CYCLE_FRAMES: Final = 8192
_TURN_S: Final = 0.5  # the driver comes back to Python so often
_INSTALL_S: Final = 5.0


class ClockGraph:
    """See ``interface.AudioGraph``. The same compiled code copies the samples as in ``JackGraph``.

    Args:
        period_frames: frames of a cycle.
        paced: cycles come by the system's clock, in a thread; else only ``step`` computes them.
        first_frame: jack frame of the first cycle.
    """

    def __init__(self, *, period_frames: int = 1024, paced: bool = True, first_frame: int = 0) -> None:
        self.rate_hz = ENGINE_RATE_HZ
        self._code = driver.clock_code()
        self._control = Block(driver.D_WORDS)
        words = self._control.words
        words[driver.D_FRAME], words[driver.D_RATE] = first_frame, self.rate_hz
        words[driver.D_CLOCK], words[driver.D_SLEEP] = c_function("clock_gettime"), c_function("usleep")
        self._lock = threading.RLock()
        self._listeners = Listeners()
        self._clients: dict[str, ClockClient] = {}
        self._buffers: dict[str, NDArray[np.float32]] = {}  # of each port
        self._kinds: dict[str, PortKind] = {}
        self._connections: set[Connection] = set()
        # What the driver may be using: the plan, and buffers of ports that it named.
        self._used: list[Words | NDArray[np.float32]] = []
        self._thread: threading.Thread | None = None
        self._closed = False
        self.cycle_frames = period_frames
        self._install()
        if paced:
            self._thread = threading.Thread(target=self._drive, name="tidzam-graph-clock", daemon=True)
            self._thread.start()

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
        xruns = self._control.address + driver.D_XRUNS * 8
        return InputsClient(name, rings, self._new_client(name), xruns)

    def connect(self, output_port: str, input_port: str) -> None:
        """See ``interface.AudioGraph``."""
        with self._lock:
            for port, kind in ((output_port, PortKind.OUTPUT), (input_port, PortKind.INPUT)):
                if self._kinds.get(port) is not kind:
                    raise no_such_port(port)
            self._connections.add(Connection(output_port, input_port))
            self._install()

    def disconnect(self, output_port: str, input_port: str) -> None:
        """See ``interface.AudioGraph``."""
        with self._lock:
            self._connections.discard(Connection(output_port, input_port))
            self._install()

    def ports(self, kind: PortKind | None = None) -> list[str]:
        """See ``interface.AudioGraph``."""
        with self._lock:
            return [port for port, found in self._kinds.items() if kind in (None, found)]

    def connections(self) -> set[Connection]:
        """See ``interface.AudioGraph``."""
        with self._lock:
            return set(self._connections)

    def frame_time(self) -> int:
        """See ``interface.AudioGraph``."""
        return int(self._control.words[driver.D_FRAME])

    @property
    def cycle_frames(self) -> int:
        """See ``interface.AudioGraph``; may be set."""
        return int(self._control.words[driver.D_PERIOD])

    @cycle_frames.setter
    def cycle_frames(self, frames: int) -> None:
        if not 1 <= frames <= MAX_CYCLE_FRAMES:
            raise AudioGraphError(f"a cycle has 1 to {MAX_CYCLE_FRAMES} frames, not {frames}")
        self._control.words[driver.D_PERIOD] = frames

    @property
    def xruns(self) -> int:
        """See ``interface.AudioGraph``."""
        return int(self._control.words[driver.D_XRUNS])

    @property
    def is_running(self) -> bool:
        """See ``interface.AudioGraph``."""
        return not self._closed

    def on_change(self, listener: Callable[[], None]) -> None:
        """See ``interface.AudioGraph``."""
        self._listeners.on_change(listener)

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """See ``interface.AudioGraph``; this graph is never lost."""
        self._listeners.on_lost(listener)

    def settle(self) -> None:
        """See ``interface.AudioGraph``; changes are in force at once."""

    def status(self) -> dict[str, Any]:
        """See ``interface.AudioGraph``."""
        cycles = int(self._control.words[driver.D_CYCLES])
        return {
            "kind": "clock",
            "running": self.is_running,
            "xruns": self.xruns,
            "cycles": cycles,
            "cycle_frames": self.cycle_frames,
            "restarts": 0,
            "lost_because": None,
            "lost_at": None,
            "lost_for_s": None,
        }

    def step(self, cycles: int = 1) -> None:
        """Compute cycles at once; only where the graph is not paced."""
        with self._lock:
            if self._thread is not None or self._closed:
                raise AudioGraphError("a paced graph, or one that is closed, takes no steps")
            self._control.words[driver.D_STEPS] = cycles
            self._code.step(self._control.address)

    def close(self) -> None:
        """See ``interface.AudioGraph``."""
        with self._lock:
            if self._closed:
                return
            self._closed = True
            self._control.words[driver.D_STOP] = 1
        if self._thread is not None:
            self._thread.join()
        self._listeners.close()

    # What clients need.

    def is_called(self) -> bool:
        """Whether cycles come by themselves."""
        return self._thread is not None and self._thread.is_alive()

    def _new_client(self, name: str) -> ClockClient:
        with self._lock:
            if self._closed:
                raise AudioGraphError("the audio graph is closed")
            if name in self._clients:
                raise AudioGraphError(f"there is a client {name} in the audio graph already")
            client = self._clients[name] = ClockClient(name, self)
            return client

    def _add_port(self, port: str, kind: PortKind) -> int:
        with self._lock:
            if port in self._kinds:
                raise AudioGraphError(f"there is a port {port} already")
            self._buffers[port] = np.zeros(MAX_CYCLE_FRAMES, np.float32)
            self._kinds[port] = kind
            self._install()
            return int(self._buffers[port].ctypes.data)

    def _remove_ports(self, ports: list[str]) -> None:
        with self._lock:
            gone = set(ports)
            self._connections = {pair for pair in self._connections if not gone & set(pair)}
            for port in ports:
                self._used.append(self._buffers.pop(port))
                del self._kinds[port]
            self._install()

    def _start(self, client: ClockClient) -> None:
        with self._lock:
            words = client.block.words
            words[C_CLIENT] = self._control.address
            words[C_GET_BUFFER], words[C_FRAME_TIME] = self._code.get_buffer, self._code.frame_time
            words[C_MICROSECONDS] = self._code.microseconds
            words[C_EXTENDED] = self._control.words[driver.D_FRAME]
            self._install()

    def _remove(self, client: ClockClient) -> None:
        with self._lock:
            self._clients.pop(client.name, None)
            self._remove_ports([port for port in self._kinds if port.startswith(f"{client.name}:")])

    def _install(self) -> None:
        """Make the plan of what is there now, and wait until no cycle uses the old one."""
        started = [client for client in self._clients.values() if client.callback]
        players = [client.block.address for client in started if client.callback == "play"]
        recorders = [client.block.address for client in started if client.callback == "record"]
        inputs = [port for port, kind in self._kinds.items() if kind is PortKind.INPUT]
        heard: dict[str, list[int]] = {port: [] for port in inputs}
        for output, port in sorted(self._connections):
            heard[port].append(int(self._buffers[output].ctypes.data))
        body = [*players, *recorders]
        for port, outputs in heard.items():
            body += [int(self._buffers[port].ctypes.data), len(outputs), *outputs]
        head = [len(players), len(recorders), len(inputs), driver.PLAN_HEAD + len(body)]
        plan = np.array([*head, *body], np.int64)
        words = self._control.words
        self._used.append(plan)
        words[driver.D_PLAN] = plan.ctypes.data
        deadline = time.monotonic() + _INSTALL_S
        while self.is_called() and words[driver.D_CURRENT] != plan.ctypes.data:
            if time.monotonic() > deadline:
                raise AudioGraphError("the audio graph's clock does not tick")
            time.sleep(0.001)
        self._used = [plan]  # only now: until the new plan is in use the old memory is written to
        self._listeners.changed()

    def _drive(self) -> None:
        words = self._control.words
        while not self._closed:
            words[driver.D_UNTIL_NS] = time.monotonic_ns() + round(_TURN_S * 1e9)
            self._code.drive(self._control.address)


class ClockClient:
    """See ``clients.ClientBackend``."""

    def __init__(self, name: str, graph: ClockGraph) -> None:
        self.name = name
        self.block = Block(0)
        self.callback: Literal["play", "record"] | None = None
        self._graph = graph

    def register(self, port: str, kind: PortKind) -> int:
        """See ``clients.ClientBackend``."""
        return self._graph._add_port(f"{self.name}:{port}", kind)  # noqa: SLF001

    def unregister(self, port: str) -> None:
        """See ``clients.ClientBackend``."""
        self._graph._remove_ports([f"{self.name}:{port}"])  # noqa: SLF001

    def start(self, block: Block, callback: Literal["play", "record"], owner: object) -> None:
        """See ``clients.ClientBackend``."""
        with self._graph._lock:  # noqa: SLF001 - another thread's plan must not name a block that is half filled
            self.block, self.callback, self._owner = block, callback, owner
            self._graph._start(self)  # noqa: SLF001

    def is_called(self) -> bool:
        """See ``clients.ClientBackend``."""
        return self._graph.is_called()

    def stop(self) -> None:
        """See ``clients.ClientBackend``."""
        self._graph._remove(self)  # noqa: SLF001
