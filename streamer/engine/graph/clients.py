"""Sources, bundles and inputs as both graphs have them; how a client stands in its graph is the backend's to know."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from typing import Final, Literal, Protocol

from streamer.engine.graph.blocks import (
    C_CALLS,
    P_TABLE,
    R_HANDLES,
    Block,
    client_block,
    player_block,
    recorder_block,
)
from streamer.engine.graph.interface import BoundSlot, PortKind, input_port, output_port
from streamer.engine.rings import ChannelRings, SourceRing
from tidzam_platform.errors import AudioGraphError

_SETTLE_S: Final = 5.0
_POLL_S: Final = 0.002


class ClientBackend(Protocol):
    """A client in a graph."""

    def register(self, port: str, kind: PortKind) -> int:
        """Make a port (short name); returns what the callback resolves its buffer by."""

    def unregister(self, port: str) -> None:
        """Take a port away (short name)."""

    def start(self, block: Block, callback: Literal["play", "record"], owner: object) -> None:
        """Have the compiled callback called with ``block`` at each cycle.

        ``owner`` holds all that the callback works on. It is kept alive until ``stop``, also if everybody forgets it.
        While a graph is made again the calls begin later: see ``JackGraph.activate``.
        """

    def is_called(self) -> bool:
        """Whether cycles come by themselves."""

    def stop(self) -> None:
        """Take the client out. The callback does not run any more when this returns."""


class _Client:
    """A client with its block, which the callback may use until ``close`` is done."""

    def __init__(self, name: str, backend: ClientBackend, block: Block) -> None:
        self.name = name
        self._backend = backend
        self._block = block
        self._closed = False
        self._lock = threading.RLock()

    def close(self) -> None:
        with self._lock:
            if not self._closed:
                self._closed = True
                self._backend.stop()

    def _wait_until_unused(self) -> None:
        """Wait until the callback cannot be using any more what was just taken out of the block."""
        wait_for_cycles(self._block, self._backend.is_called, self.name)


def wait_for_cycles(block: Block, are_coming: Callable[[], bool], who: str) -> None:
    """Wait until a cycle of the client with this block has been begun and done.

    Raises:
        AudioGraphError: they should come and do not.
    """
    calls = int(block.words[C_CALLS])
    # The call that runs now may have begun before; the one after it has not.
    _wait_while(lambda: are_coming() and block.words[C_CALLS] < calls + 2, who)


def wait_for_calls(blocks: Iterable[Block], are_coming: Callable[[], bool], who: str) -> None:
    """Wait until each of the clients with these blocks has been called once.

    Raises:
        AudioGraphError: they should be and are not.
    """
    waiting = list(blocks)

    def is_waiting() -> bool:
        waiting[:] = [block for block in waiting if not block.words[C_CALLS]]
        return bool(waiting) and are_coming()

    _wait_while(is_waiting, who)


def _wait_while(condition: Callable[[], bool], who: str) -> None:
    deadline = time.monotonic() + _SETTLE_S
    while condition():
        if time.monotonic() > deadline:
            raise AudioGraphError(
                f"the audio graph has not called {who} for {_SETTLE_S:.0f} s: it hangs, or is overloaded"
            )
        time.sleep(_POLL_S)


class SourceClient(_Client):
    """See ``interface.GraphSource``."""

    def __init__(self, name: str, ring: SourceRing, backend: ClientBackend) -> None:
        super().__init__(name, backend, client_block(1))
        self.ports = tuple(output_port(name, number) for number in range(1, ring.channels + 1))
        self._ring = ring
        try:
            handles = [backend.register(port.partition(":")[2], PortKind.OUTPUT) for port in self.ports]
            self._player = player_block(ring.address(), handles)
            # Views of the mapping: it cannot go away under the callback.
            self._kept = ring.samples
            self._block.words[P_TABLE] = self._player.address
            backend.start(self._block, "play", self)
        except BaseException:
            backend.stop()
            raise

    def close(self) -> None:
        """See ``interface.GraphSource``."""
        super().close()


class BundleClient(_Client):
    """See ``interface.GraphBundle``."""

    def __init__(self, name: str, size: int, backend: ClientBackend) -> None:
        super().__init__(name, backend, client_block(size))
        self._size = size
        self._players: dict[int, tuple[Block, object]] = {}
        try:
            backend.start(self._block, "play", self)
        except BaseException:
            backend.stop()
            raise

    def add(self, number: int, ring: SourceRing) -> str:
        """See ``interface.GraphBundle``."""
        if ring.channels != 1:
            raise AudioGraphError(f"{self.name} plays rings of one channel, not of {ring.channels}")
        with self._lock:
            if number in self._players and not self._block.words[P_TABLE + number - 1]:
                self.remove(number)  # which failed before
            if not 1 <= number <= self._size or number in self._players:
                raise AudioGraphError(f"{self.name} has no free port {number}; it has 1 to {self._size}")
            player = player_block(ring.address(), [self._backend.register(f"out_{number}", PortKind.OUTPUT)])
            self._players[number] = (player, ring.samples)
            self._block.words[P_TABLE + number - 1] = player.address
            return output_port(self.name, number)

    def remove(self, number: int) -> None:
        """See ``interface.GraphBundle``."""
        with self._lock:
            if self._closed or number not in self._players:
                return
            self._block.words[P_TABLE + number - 1] = 0
            self._wait_until_unused()
            del self._players[number]
            self._backend.unregister(f"out_{number}")

    @property
    def ports(self) -> tuple[str, ...]:
        """See ``interface.GraphBundle``."""
        with self._lock:
            return tuple(output_port(self.name, number) for number in sorted(self._players))


class InputsClient(_Client):
    """See ``interface.GraphInputs``."""

    def __init__(self, name: str, rings: ChannelRings, backend: ClientBackend, xruns_address: int) -> None:
        super().__init__(name, backend, recorder_block(rings.address(), rings.slots, xruns_address))
        self._rings = rings
        self._kept = rings.samples
        self._bound: dict[int, BoundSlot] = {}
        try:
            backend.start(self._block, "record", self)
        except BaseException:
            backend.stop()
            raise

    def bind(self, slot: int) -> BoundSlot:
        """See ``interface.GraphInputs``."""
        with self._lock:
            if slot in self._bound and not self._block.words[R_HANDLES + slot]:
                self.unbind(slot)  # which failed before
            if slot not in self._bound:
                self._rings.reserve_slot(slot)
                port = input_port(self.name, slot)
                handle = self._backend.register(port.partition(":")[2], PortKind.INPUT)
                self._block.words[R_HANDLES + slot] = handle
                # A cycle that claims frames after this has seen the handle.
                self._bound[slot] = BoundSlot(slot, port, self._rings.claimed_frames)
            return self._bound[slot]

    def unbind(self, slot: int) -> None:
        """See ``interface.GraphInputs``."""
        with self._lock:
            if self._closed or slot not in self._bound:
                return
            self._block.words[R_HANDLES + slot] = 0
            self._wait_until_unused()
            port = self._bound.pop(slot).port
            self._backend.unregister(port.partition(":")[2])

    @property
    def ports(self) -> dict[int, str]:
        """See ``interface.GraphInputs``."""
        with self._lock:
            return {slot: bound.port for slot, bound in sorted(self._bound.items())}
