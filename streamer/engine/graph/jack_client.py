"""One client of a JACK server."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal, Protocol

from streamer.engine.graph.blocks import C_CLIENT, C_FRAME_TIME, C_GET_BUFFER, C_MICROSECONDS, Block
from streamer.engine.graph.compiled import compiled
from streamer.engine.graph.interface import PortKind
from streamer.engine.graph.jack_library import Requests, function_address, jack_module, last_message
from streamer.engine.graph.loss import LossEvent
from tidzam_platform.errors import AudioGraphError


class Owner(Protocol):
    """The graph that a client belongs to."""

    @property
    def loss(self) -> LossEvent:
        """Where a client tells that JACK is gone."""

    @property
    def is_held(self) -> bool:
        """Whether clients that start wait for ``JackGraph.activate``."""

    def joins(self, block: Block) -> None:
        """A client with this block is about to be called: set its time."""

    def joined(self, block: Block) -> None:
        """It is called from now on."""

    def left(self, client: JackClient) -> None:
        """It is closed."""


class JackClient:
    """A client of JACK; see ``clients.ClientBackend``.

    Raises:
        AudioGraphError: JACK is gone, or has a client of this name.
    """

    def __init__(self, name: str, server: str, graph: Owner) -> None:
        jack = jack_module()
        self.name = name
        self.block = Block(0)
        self._graph = graph
        self._handles: dict[str, int] = {}
        self._lock = threading.RLock()
        self._active = False
        self._stopping = False
        if graph.loss.happened:
            # JACK's library would free all other clients of this process under our hands.
            raise AudioGraphError(f"JACK is gone: no client {name} can be made")
        try:
            with _signals_as_they_were():
                self._client: Final[Any] = jack.Client(
                    name, use_exact_name=True, no_start_server=True, servername=server
                )
        except jack.JackOpenError as error:
            raise AudioGraphError(
                f"JACK lets no client {name} in: {error} {last_message()}; "
                "is there one of this name, or has the server ended?"
            ) from error
        self.requests = Requests(self._client)
        self.requests.set_shutdown_callback(compiled().shutdown_callback, graph.loss.address)

    def watch(self, xruns: Block, changed: Callable[[], None]) -> None:
        """Count xruns and tell of changes; before ``start``. Only one client: JACK waits for Python there."""
        self._xruns = xruns  # kept alive
        self.requests.set_xrun_callback(compiled().xrun_callback, xruns.address)
        self._client.set_port_registration_callback(lambda _port, _new: changed(), only_available=False)
        self._client.set_port_connect_callback(lambda _a, _b, _made: changed(), only_available=False)

    def register(self, port: str, kind: PortKind) -> int:
        """See ``clients.ClientBackend``."""
        with self._lock:
            handle = self.requests.register(port, kind)
            if handle == 0:
                raise AudioGraphError(
                    f"JACK makes no port {self.name}:{port}: {last_message()}; "
                    "it may have as many as its -p allows"
                )
            self._handles[port] = handle
            return handle

    def unregister(self, port: str) -> None:
        """See ``clients.ClientBackend``."""
        with self._lock:
            if not self._stopping:
                self.requests.unregister(self._handles.pop(port))

    def start(self, block: Block, callback: Literal["play", "record"], owner: object) -> None:
        """See ``clients.ClientBackend``."""
        self.block, self._owner = block, owner  # kept alive
        words = block.words
        words[C_CLIENT] = self.requests.client_address()
        words[C_GET_BUFFER] = function_address("jack_port_get_buffer")
        words[C_FRAME_TIME] = function_address("jack_last_frame_time")
        words[C_MICROSECONDS] = function_address("jack_get_time")
        code = compiled()
        self.requests.set_process_callback(
            code.play_callback if callback == "play" else code.record_callback, block.address
        )
        if not self._graph.is_held:
            self.activate()

    def activate(self) -> None:
        """Have it called at each cycle, after ``start``; nothing happens if it is already.

        Raises:
            AudioGraphError: JACK is gone, or refuses.
        """
        jack = jack_module()
        with self._lock:
            if self._active or self._stopping:
                return
            self._graph.joins(self.block)
            try:
                self._client.activate()
            except jack.JackError as error:
                raise AudioGraphError(
                    f"JACK does not start the client {self.name}: {error} {last_message()}"
                ) from error
            self._active = True
            self._graph.joined(self.block)

    def is_called(self) -> bool:
        """See ``clients.ClientBackend``."""
        return self._active and not self._graph.loss.happened

    def stop(self) -> None:
        """See ``clients.ClientBackend``."""
        with self._lock:
            self._stopping = True
            with _signals_as_they_were():
                if self._active:
                    self._active = False
                    self._client.deactivate()
                self._client.close()
        self._graph.left(self)


@contextlib.contextmanager
def _signals_as_they_were() -> Iterator[None]:
    """JACK's library leaves SIGPIPE blocked in the thread that calls it, and children would inherit that."""
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, ())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, blocked)
