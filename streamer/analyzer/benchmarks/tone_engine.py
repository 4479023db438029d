"""The engine of ``./tidzam bench live``, a process of its own: tones instead of microphones, all else as the engine's.

Its argument is a JSON object, see ``Load``. Sources, graph, rings, table of channels, meters and control socket are the
engine's own; only what feeds the rings is the bench's. Standard output gets one JSON object once all sources are full
of samples and silent. Then it does as it is asked at the engine's socket, until SIGTERM:

``bench.play``      the sources play
``bench.report``    what played when, see ``Report``
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from streamer.analyzer.benchmarks.jack_clock import JackClock
from streamer.engine.benchmarks.tone_sources import RING_S, Feeder, ToneLoad, wait_until_filled
from streamer.engine.benchmarks.tones import ToneWriter
from streamer.engine.channels import ChannelTable
from streamer.engine.control import ControlServer, EventHub
from streamer.engine.graph import ANALYZER, AudioGraph, GraphKeeper, open_graph
from streamer.engine.metering import Metering
from streamer.engine.mixer import Mixer
from streamer.engine.rings import ChannelRings, Directory, RingFolder, Segment, SourceRing
from streamer.engine.rings.layout import W_SEGMENTS_WRITTEN
from streamer.engine.sources.specification import SourceSpecification
from tidzam_platform.cli.output import print_json
from tidzam_platform.operations.termination import StopSignals
from tidzam_platform.settings import GraphSettings, MixerSettings

_LOOK_S: Final = 0.2
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, kw_only=True)
class Load(ToneLoad):
    """Of this bench. ``spread_s``: the last source begins so much later than the first, the others in between."""

    spread_s: float


class History:
    """A thread that looks at JACK's clock, and at what each source has noted, before the rings forget it."""

    def __init__(self, clock: JackClock, rings: Mapping[str, SourceRing]) -> None:
        self._clock, self._rings = clock, rings
        self._segments: dict[str, dict[Segment, None]] = {name: {} for name in rings}
        self._seen = dict.fromkeys(rings, 0)
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="bench-history", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._stop.set()
        self._thread.join()

    def report(self) -> dict[str, Any]:
        """Clock and sources of ``Report``."""
        with self._lock:
            # In this order: what is said to be played has its segment among those that are told.
            played = {name: ring.played_frames for name, ring in self._rings.items()}
            self._look()
            return {
                "clock": list(self._clock.readings),
                "sources": {
                    name: {
                        "channels": ring.channels,
                        "played_frames": played[name],
                        "segments": [list(map(int, segment)) for segment in self._segments[name]],
                    }
                    for name, ring in self._rings.items()
                },
                "underflow_frames": sum(ring.underflow_frames for ring in self._rings.values()),
            }

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            with self._lock:
                self._look()

    def _look(self) -> None:
        self._clock.read()
        for name, ring in self._rings.items():
            written = int(ring.words[W_SEGMENTS_WRITTEN])
            if written != self._seen[name]:  # reading all of them costs more than all else here
                self._segments[name].update(dict.fromkeys(ring.segments_kept()))
                self._seen[name] = written


def main() -> None:
    """See the module."""
    load = Load(**json.loads(sys.argv[1]))
    with StopSignals() as stop_signals, ExitStack() as opened:
        print_json(open_engine(load, opened))
        stop_signals.wait()


def open_engine(load: Load, opened: ExitStack) -> dict[str, Any]:
    """Make all that there is of the engine; returns what it says of itself: its graph, and jackd's process."""
    home, settings = Path(load.home), GraphSettings(**load.graph)
    folder = opened.enter_context(RingFolder(home))
    graph = opened.enter_context(contextlib.closing(open_graph(settings, home)))
    rings = opened.enter_context(ChannelRings.create(folder, settings.max_channels, settings.ring_s))
    directory = opened.enter_context(Directory.create(folder))
    inputs = opened.enter_context(contextlib.closing(graph.open_inputs(ANALYZER, rings)))
    table = ChannelTable(graph, inputs, rings, directory)
    mixer = opened.enter_context(contextlib.closing(Mixer(MixerSettings(), home)))
    metering = Metering(table, rings, mixer)
    metering.start()
    opened.callback(metering.stop)
    anchor_ns = int(time.time()) * _NS_PER_S
    sources = {
        f"tones{first}": _source(opened, folder, home, graph, table, first, channels, anchor_ns)
        for first, channels in load.sources()
    }
    wait_until_filled(list(sources.values()))
    history = History(JackClock(graph.frame_time, rings), sources)
    history.start()
    opened.callback(history.stop)
    handlers = _handlers(load, graph, rings, sources, history, anchor_ns)
    control = ControlServer(home, handlers, EventHub())
    control.start()
    opened.callback(control.stop)
    jackd = graph.server_pid if isinstance(graph, GraphKeeper) else None
    return {"graph": graph.status()["kind"], "jackd_pid": jackd}


def _source(
    opened: ExitStack,
    folder: RingFolder,
    home: Path,
    graph: AudioGraph,
    table: ChannelTable,
    first: int,
    channels: int,
    anchor_ns: int,
) -> SourceRing:
    name = f"tones{first}"
    ring = opened.enter_context(SourceRing.create(folder, name, channels, seconds=RING_S))
    ring.set_anchor(anchor_ns, 0)
    source = opened.enter_context(contextlib.closing(graph.open_source(name, ring)))
    table.ring_opened(name, ring)
    table.ports_changed(name, source.ports, SourceSpecification(name=name, live=True))
    opened.callback(Feeder(ring, ToneWriter(home, first, channels)).close)
    return ring


def _handlers(
    load: Load,
    graph: AudioGraph,
    rings: ChannelRings,
    sources: Mapping[str, SourceRing],
    history: History,
    anchor_ns: int,
) -> dict[str, Callable[..., dict[str, Any]]]:
    def play() -> dict[str, Any]:
        begin_s = time.monotonic()
        for number, ring in enumerate(sources.values()):
            time.sleep(max(begin_s + number * load.spread_s / len(sources) - time.monotonic(), 0.0))
            ring.playing = True
        return {}

    def report() -> dict[str, Any]:
        return {
            **history.report(),
            "anchor_utc_ns": anchor_ns,
            "xruns": graph.xruns,
            "missed_frames": rings.missed_frames,
            "cycle_frames": graph.cycle_frames,
        }

    # The analyzer asks for the third: no rule of the mixer names a class.
    return {"bench.play": play, "bench.report": report, "mixer.classes": lambda: {"classes": []}}


if __name__ == "__main__":
    main()
