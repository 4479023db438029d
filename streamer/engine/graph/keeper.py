"""Keeps a JACK server and all that the engine has in it alive: whatever kills it, it is back within seconds."""

from __future__ import annotations

import contextlib
import logging
import random
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Self

from streamer.engine.graph.blocks import Block
from streamer.engine.graph.compiled import compiled
from streamer.engine.graph.interface import Connection, PortKind, valid_source_client
from streamer.engine.graph.jack_graph import JackGraph
from streamer.engine.graph.jackd import server_name
from streamer.engine.graph.kept_clients import Kept, KeptBundle, KeptClient, KeptInputs, KeptSource
from streamer.engine.graph.listeners import Listeners
from streamer.engine.graph.making_again import ClientMaker, cycle_frames_of
from streamer.engine.graph.remembered import RememberedConnections
from streamer.engine.graph.server_life import ServerLife
from streamer.engine.rings import ENGINE_RATE_HZ, ChannelRings, SourceRing
from tidzam_platform.clock import format_utc, utc_now
from tidzam_platform.errors import AudioGraphError, MissingSystemPartError, ProcessError
from tidzam_platform.settings import GraphSettings

_log = logging.getLogger(__name__)

_LOOK_S: Final = 0.25  # how often the server is looked at
_TRY_AGAIN_S: Final = 5.0  # what JACK refused, while it works
_LOOK_PAUSE_S: Final = 0.1  # between looks after changes: a look waits for a cycle, and others wait for it
# Then all are made in cycles as long as they shall be: it may be the short ones that fail.
_SHORT_CYCLE_TRIES: Final = 2
_BACK_OFF_S: Final = (0.0, 0.2, 0.5, 1.0, 2.0, 5.0)  # before each further start; the last one for ever


class GraphKeeper:
    """See ``interface.AudioGraph``: ``JackGraph`` over a jackd of our own, made again after each death.

    What is asked for while the server is away is noted, and done when it is back. Frames of the graph's time go on:
    those between the death and the new life appear as missed in the rings.
    """

    def __init__(self, settings: GraphSettings, home: Path) -> None:
        """Start jackd and wait for it.

        Raises:
            MissingSystemPartError: jackd or JACK's library is not installed.
            ProcessError: jackd does not start; the message has what it said.
        """
        self.rate_hz = ENGINE_RATE_HZ
        self.client_lock = threading.RLock()
        self._settings = settings
        self._server = server_name(home)
        self._listeners = Listeners()
        self._clients: list[KeptClient] = []
        self._connections = RememberedConnections()
        self._xruns = Block(1)
        self._counted_xruns: tuple[int, int | None] = (0, None)  # so many, and since the word above said this
        self._life: ServerLife | None = None
        self._graph: JackGraph | None = None  # set when all clients are in it
        self._maker: ClientMaker | None = None  # for this life
        self._is_ready = False
        self._cycle_frames = settings.period_frames
        self._frame = (0, time.monotonic())  # a jack frame, and when it was
        self._try_again_s = 0.0
        self._restarts = 0
        self._lost_because = ""
        self._lost_at: datetime | None = None
        self._lost_s: float | None = None  # the same, monotonic
        self._lost_for_s: float | None = None
        self._failures: list[BaseException] = []  # of the first start
        self._ending = threading.Event()
        self._wake = threading.Event()
        self._first = threading.Event()
        compiled()
        self._thread = threading.Thread(target=self._run, name="tidzam-graph-keeper", daemon=True)
        self._thread.start()
        self._first.wait()
        if self._failures:
            self.close()
            raise self._failures[0]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    # The interface.

    def open_source(self, name: str, ring: SourceRing) -> KeptSource:
        """See ``interface.AudioGraph``."""
        source = KeptSource(self, valid_source_client(name), ring)
        self._add(source)
        return source

    def open_bundle(self, name: str, size: int) -> KeptBundle:
        """See ``interface.AudioGraph``."""
        bundle = KeptBundle(self, name, size)
        self._add(bundle)
        return bundle

    def open_inputs(self, name: str, rings: ChannelRings) -> KeptInputs:
        """See ``interface.AudioGraph``."""
        inputs = KeptInputs(self, name, rings)
        self._add(inputs)
        return inputs

    def connect(self, output_port: str, input_port: str) -> None:
        """See ``interface.AudioGraph``; while the server is away it is noted, whether there are such ports or not."""
        connection = Connection(output_port, input_port)
        with self.client_lock:
            if (graph := self._graph) is not None:
                self.attempt(lambda: graph.connect(*connection))
            self._connections.want(connection, is_made=graph is not None)

    def disconnect(self, output_port: str, input_port: str) -> None:
        """See ``interface.AudioGraph``."""
        connection = Connection(output_port, input_port)
        with self.client_lock:
            self._connections.unwant(connection)
            if (graph := self._graph) is not None:
                self.attempt(lambda: graph.disconnect(*connection))

    def settle(self) -> None:
        """See ``interface.AudioGraph``; while the server is away there is nothing to wait for."""
        if (graph := self._graph) is not None:
            self.attempt(graph.settle)

    def ports(self, kind: PortKind | None = None) -> list[str]:
        """See ``interface.AudioGraph``; none while the server is away."""
        with self.client_lock:
            return self._graph.ports(kind) if self._graph is not None else []

    def connections(self) -> set[Connection]:
        """See ``interface.AudioGraph``; none while the server is away."""
        with self.client_lock:
            return self._graph.connections() if self._graph is not None else set()

    def frame_time(self) -> int:
        """See ``interface.AudioGraph``."""
        if (graph := self._graph) is not None and graph.is_running:
            with contextlib.suppress(AudioGraphError):  # it has died just now
                return graph.frame_time()
        frame, since = self._frame
        return frame + round((time.monotonic() - since) * self.rate_hz)

    @property
    def cycle_frames(self) -> int:
        """See ``interface.AudioGraph``."""
        if (graph := self._graph) is not None and graph.is_running:
            with contextlib.suppress(AudioGraphError):
                return graph.cycle_frames
        return self._cycle_frames

    @property
    def xruns(self) -> int:
        """See ``interface.AudioGraph``."""
        counted, since = self._counted_xruns
        return counted if since is None else counted + int(self._xruns.words[0]) - since

    @property
    def is_running(self) -> bool:
        """See ``interface.AudioGraph``; not while clients and connections are still being made again."""
        graph = self._graph
        return self._is_ready and graph is not None and graph.is_running

    def on_change(self, listener: Callable[[], None]) -> None:
        """See ``interface.AudioGraph``; also after the server has come back."""
        self._listeners.on_change(listener)

    def on_lost(self, listener: Callable[[str], None]) -> None:
        """See ``interface.AudioGraph``."""
        self._listeners.on_lost(listener)

    @property
    def server_pid(self) -> int | None:
        """Number of jackd's process; None while there is none."""
        life = self._life
        return life.jackd.pid if life is not None and life.jackd.is_running() else None

    @property
    def server(self) -> str:
        """Name of the JACK server, for ``JACK_DEFAULT_SERVER`` of other programs."""
        return self._server

    def status(self) -> dict[str, Any]:
        """See ``interface.AudioGraph``."""
        life = self._life
        return {
            "kind": "jack",
            "running": self.is_running,
            "server": self._server,
            "server_pid": self.server_pid,
            "xruns": self.xruns,
            "cycle_frames": self._cycle_frames,
            "restarts": self._restarts,
            "lost_because": self._lost_because or None,
            "lost_at": None if self._lost_at is None else format_utc(self._lost_at),
            "lost_for_s": None if self._lost_for_s is None else round(self._lost_for_s, 2),
            "jackd_said": life.jackd.last_lines()[-3:] if life is not None else [],
        }

    def close(self) -> None:
        """See ``interface.AudioGraph``."""
        self._ending.set()
        self._wake.set()
        self._thread.join()
        self._listeners.close()

    # What kept clients need.

    def forget(self, client: Kept[Any]) -> None:
        """A client is closed."""
        with self.client_lock:
            if client in self._clients:
                self._clients.remove(client)
                self._connections.forget_ports(client.wanted_ports())

    def attempt(self, request: Callable[[], object]) -> None:
        """Ask the graph for something. If it died meanwhile that is no failure: it is done in the next life."""
        life = self._life
        try:
            request()
        except AudioGraphError:
            if life is not None and not life.is_dying():
                raise
            self._wake.set()

    def _add(self, client: KeptClient) -> None:
        with self.client_lock:
            if self._ending.is_set():
                raise AudioGraphError("the audio graph is closed")
            if any(client.name == other.name for other in self._clients):
                raise AudioGraphError(f"there is a client {client.name} in the audio graph already")
            if self._is_ready and (graph := self._graph) is not None:
                self.attempt(lambda: client.make(graph))
            self._clients.append(client)

    # The thread.

    def _run(self) -> None:
        try:
            self._keep()
        except BaseException as error:
            self._failures.append(error)  # our own mistake: whoever waits for the first start is told
            raise
        finally:
            self._end("")
            self._first.set()

    def _keep(self) -> None:
        """Start the server, watch it, and start it again."""
        failures = 0
        while not self._ending.wait(_pause_s(failures)):
            try:
                self._begin(in_short_cycles=failures < _SHORT_CYCLE_TRIES)
            except (AudioGraphError, ProcessError, MissingSystemPartError, OSError) as error:
                failures += 1
                self._end(str(error))
                hopeless = failures > 1 or isinstance(error, MissingSystemPartError)
                if not self._first.is_set() and hopeless:
                    self._failures.append(error)
                    break
                _log.warning("the audio graph does not start: %s", error)
                continue
            failures = 0
            self._first.set()
            self._listeners.changed()
            if reason := self._watch():
                _log.warning("the audio graph is lost and will be made again: %s", reason)
                self._restarts += 1
                self._lost_because, self._lost_at = reason, utc_now()
                self._lost_s, self._lost_for_s = time.monotonic(), None
                self._listeners.lost(reason)
                self._end(reason)

    def _begin(self, *, in_short_cycles: bool) -> None:
        """A server, the clients, and the connections."""
        frame = self.frame_time()
        # Not every sound card can do every length.
        may_be_short = in_short_cycles and self._settings.driver == "dummy"
        cycle = cycle_frames_of(self._cycle_frames, len(self._clients), may_be_short=may_be_short)
        life = self._life = ServerLife(self._server, self._settings, cycle.opening)
        graph = life.open(frame, self._xruns, self._ending)
        graph.on_change(self._changed)
        graph.on_lost(lambda _reason: self._wake.set())
        maker = self._maker = ClientMaker(graph, life, self._clients, self.client_lock, self._ending)
        maker.make_all(cycle)
        if self._ending.is_set():
            return
        with self.client_lock:
            maker.make_missing()  # what came meanwhile
            self._graph = graph
            self._reconnect(graph)
            graph.release()
            # Cycles that came too late while nothing played cost nothing.
            self._counted_xruns = (self.xruns, int(self._xruns.words[0]))
            self._is_ready = True
            self._lost_for_s = None if self._lost_s is None else time.monotonic() - self._lost_s

    def _watch(self) -> str:
        """Returns why the graph is lost; empty if it shall end."""
        life = self._life
        assert life is not None  # noqa: S101 - _begin has made it
        next_look_s = 0.0
        while not self._ending.is_set():
            if reason := life.why_lost():
                return reason
            wait_s = next_look_s - time.monotonic()
            if wait_s <= 0 and self._graph is not None and self.client_lock.acquire(timeout=_LOOK_S):
                try:
                    self._look(self._graph)
                finally:
                    self.client_lock.release()
                next_look_s, wait_s = time.monotonic() + _LOOK_PAUSE_S, _LOOK_S
            self._wake.wait(max(wait_s, 0.0))
            self._wake.clear()
        return ""

    def _look(self, graph: JackGraph) -> None:
        """Note what must be made again should the server die now, and make what could not be made before."""
        self._frame = (self.frame_time(), time.monotonic())
        self._cycle_frames = self.cycle_frames
        try:
            if time.monotonic() > self._try_again_s:
                self._try_again_s = time.monotonic() + _TRY_AGAIN_S
                if self._maker is not None:
                    self._maker.make_missing()
            self._reconnect(graph)
        except AudioGraphError as error:
            if graph.is_running:  # else the next look at the server says why
                _log.warning("the audio graph cannot be looked at: %s", error)

    def _reconnect(self, graph: JackGraph) -> None:
        ports, connections = set(graph.ports()), graph.connections()
        for connection in self._connections.to_make(connections, ports):
            try:
                graph.connect(*connection)
            except AudioGraphError as error:
                if not graph.is_running:
                    raise
                _log.warning("a connection cannot be made again: %s", error)
            connections.add(connection)
        if graph.is_running:
            wanted = {port for client in self._clients for port in client.wanted_ports()}
            self._connections.look(connections, ports, wanted)

    def _changed(self) -> None:
        self._wake.set()
        self._listeners.changed()

    def _end(self, reason: str) -> None:
        """The server and what is left of its clients go."""
        self._frame = (self.frame_time(), time.monotonic())
        with self.client_lock:
            life, self._life = self._life, None
            self._graph, self._maker, self._is_ready = None, None, False
            self._counted_xruns = (self.xruns, None)
            self._lost_because = reason or self._lost_because
            self._connections.lost()
            for client in self._clients:
                client.unmake()
        if life is not None:
            life.close()


def _pause_s(failures: int) -> float:
    """How long to wait after so many failures in a row, drawn."""
    return _BACK_OFF_S[min(failures, len(_BACK_OFF_S) - 1)] * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
