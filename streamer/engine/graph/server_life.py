"""One life of a JACK server: jackd, the graph in it, and a watch that ends it when it hangs."""

from __future__ import annotations

import threading
import time
from typing import Final

from streamer.engine.graph.blocks import Block
from streamer.engine.graph.jack_graph import JackGraph
from streamer.engine.graph.jackd import Jackd
from tidzam_platform.errors import AudioGraphError
from tidzam_platform.settings import GraphSettings

_LOOK_S: Final = 0.25
_STALLED_S: Final = 3.0  # cycles that stand still for so long will not come
_START_S: Final = 8.0  # from its start until it takes clients
_OPEN_PAUSE_S: Final = 0.05
_DEATH_IS_SEEN_S: Final = 0.2
_POLL_S: Final = 0.01


class ServerLife:
    """Starts jackd and opens its graph, held (see ``JackGraph``). Close it, also after an error of ``open``.

    While it lasts a thread looks whether cycles come. If they do not, jackd is killed: whoever waits inside JACK's
    library for its answer then gets an error, instead of waiting for ever.

    Raises:
        MissingSystemPartError: jackd is not installed.
    """

    def __init__(self, server: str, settings: GraphSettings, period_frames: int) -> None:
        self.server = server
        self.jackd = Jackd(server, settings, period_frames=period_frames)
        self.graph: JackGraph | None = None
        self._stalled = ""
        self._started = time.monotonic()
        self._ending = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="tidzam-jackd-watch", daemon=True)
        self._watcher.start()

    def open(self, first_frame: int, xruns: Block, ending: threading.Event) -> JackGraph:
        """The graph, as soon as the server takes clients; ``first_frame`` is the jack frame of now.

        Raises:
            ProcessError: jackd ended; the message has what it said.
            AudioGraphError: it takes no clients, or ``ending`` was set.
        """
        began = time.monotonic()
        while True:
            self.jackd.require_running()
            waited_frames = round((time.monotonic() - began) * 48_000)
            try:
                self.graph = JackGraph(
                    self.server, first_frame=first_frame + waited_frames, xruns=xruns, held=True
                )
            except AudioGraphError:
                if ending.wait(_OPEN_PAUSE_S):
                    raise
            else:
                return self.graph

    def why_lost(self) -> str:
        """Why it is over; empty while all is well."""
        if self._stalled:
            return self._stalled
        if not self.jackd.is_running():
            return (
                f"jackd ended with status {self.jackd.status}; it said last: {self.jackd.last_lines()[-1:]}"
            )
        if self.graph is not None and not self.graph.is_running:
            return self.graph.lost_because or "JACK is gone"
        return ""

    def is_dying(self) -> bool:
        """Whether a request failed because the server is dead; that may be seen a moment after the failure."""
        deadline = time.monotonic() + _DEATH_IS_SEEN_S
        while not self.why_lost():
            if time.monotonic() > deadline:
                return False
            time.sleep(_POLL_S)
        return True

    def close(self) -> None:
        """The server ends, then what is left of its clients: each of them would else wait for a cycle or two."""
        self._ending.set()
        self._watcher.join()
        self.jackd.stop()
        if self.graph is not None:
            self.graph.close()

    def _watch(self) -> None:
        seen, since = 0, self._started
        while not self._ending.wait(_LOOK_S):
            graph, now = self.graph, time.monotonic()
            frame = graph.cycle_frame() if graph is not None else 0
            if frame != seen:
                seen, since = frame, now
            allowed_s = _START_S if seen == 0 else _STALLED_S
            if now - since > allowed_s and self.jackd.is_running():
                self._stalled = f"jackd computed nothing for {allowed_s:.0f} s and was killed"
                self.jackd.kill()
                return
