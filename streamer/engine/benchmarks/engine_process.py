"""The engine of ``./tidzam bench stream``, a process of its own: sources, graph, rings, and threads in their way.

Its argument is a JSON object, see ``Load``. Standard output gets one JSON object: what it and the reader counted.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil

from streamer.engine.benchmarks.tone_sources import RING_S, Feeder, ToneLoad, wait_until_filled
from streamer.engine.benchmarks.tones import ToneWriter
from streamer.engine.graph import ANALYZER, AudioGraph, GraphKeeper, open_graph
from streamer.engine.rings import ChannelRings, Directory, RingFolder, SourceRing
from tidzam_platform.errors import AudioGraphError
from tidzam_platform.settings import GraphSettings

_SETTLE_S: Final = 2.0
_ANSWER_S: Final = 120.0


@dataclass(frozen=True, kw_only=True)
class Load(ToneLoad):
    """Of this bench.

    Attributes:
        seconds: how long is counted.
        busy_threads: threads of Python that compute without end in the engine's process.
    """

    seconds: float
    busy_threads: int


@contextlib.contextmanager
def busy_threads(count: int) -> Iterator[list[threading.Thread]]:
    """Threads that compute and never wait, as those of an engine with much to do."""
    ending = threading.Event()

    def compute() -> None:
        while not ending.is_set():
            sum(number * number for number in range(1000))

    threads = [
        threading.Thread(target=compute, name=f"busy-{number}", daemon=True) for number in range(count)
    ]
    for thread in threads:
        thread.start()
    try:
        yield threads
    finally:
        ending.set()
        for thread in threads:
            thread.join()


def run(load: Load) -> dict[str, Any]:
    """Carry the load; returns what was counted."""
    home, settings = Path(load.home), GraphSettings(**load.graph)
    with ExitStack() as opened:
        folder = opened.enter_context(RingFolder(home))
        graph = opened.enter_context(contextlib.closing(open_graph(settings, home)))
        rings = opened.enter_context(ChannelRings.create(folder, load.channels, settings.ring_s))
        directory = opened.enter_context(Directory.create(folder))
        feeders = [_source(opened, folder, home, *source) for source in load.sources()]
        _connect(opened, graph, rings, directory, [feeder.ring for feeder in feeders])
        wait_until_filled([feeder.ring for feeder in feeders])
        reader = opened.enter_context(_reader(home))
        threads = opened.enter_context(busy_threads(load.busy_threads))
        for feeder in feeders:
            feeder.ring.playing = True
        time.sleep(_SETTLE_S)
        return _count(load, graph, rings, [feeder.ring for feeder in feeders], reader, threads)


def _source(opened: ExitStack, folder: RingFolder, home: Path, first: int, channels: int) -> Feeder:
    ring = opened.enter_context(SourceRing.create(folder, f"tones{first}", channels, seconds=RING_S))
    feeder = Feeder(ring, ToneWriter(home, first, channels))
    opened.callback(feeder.close)
    return feeder


def _connect(
    opened: ExitStack,
    graph: AudioGraph,
    rings: ChannelRings,
    directory: Directory,
    sources: list[SourceRing],
) -> None:
    inputs = opened.enter_context(contextlib.closing(graph.open_inputs(ANALYZER, rings)))
    slots: list[dict[str, Any]] = []
    for ring in sources:
        source = opened.enter_context(contextlib.closing(graph.open_source(ring.name, ring)))
        for port in source.ports:
            bound = inputs.bind(len(slots))
            graph.connect(port, bound.port)
            slots.append(
                {"slot": bound.slot, "channel": port, "since_frame": bound.since_frame, "source": ring.name}
            )
    graph.settle()
    directory.write(
        {
            "channel_rings": rings.path.name,
            "sources": {ring.name: {"file": ring.path.name, "channels": ring.channels} for ring in sources},
            "slots": slots,
        }
    )


@contextlib.contextmanager
def _reader(home: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "streamer.engine.benchmarks.reader_process", str(home)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as reader:
        try:
            assert reader.stdout is not None  # noqa: S101 - it was asked for
            if reader.stdout.readline() != "ready\n":
                raise AudioGraphError("the reader did not start")
            yield reader
        finally:
            reader.kill()


def _count(
    load: Load,
    graph: AudioGraph,
    rings: ChannelRings,
    sources: list[SourceRing],
    reader: subprocess.Popen[str],
    threads: list[threading.Thread],
) -> dict[str, Any]:
    assert reader.stdin is not None  # noqa: S101 - they were asked for
    assert reader.stdout is not None  # noqa: S101
    jackd = psutil.Process(graph.server_pid) if isinstance(graph, GraphKeeper) and graph.server_pid else None
    begin, began_at = rings.written_frames, time.monotonic()
    reader.stdin.write(f"from {begin}\n")
    xruns, missed = graph.xruns, rings.missed_frames
    before = _cpu(jackd, threads)
    time.sleep(load.seconds)
    after = _cpu(jackd, threads)
    end, ended_at = rings.written_frames, time.monotonic()
    reader.stdin.write(f"until {end}\n")
    killer = threading.Timer(_ANSWER_S, reader.kill)
    killer.start()
    line = reader.stdout.readline()
    killer.cancel()
    if not line:
        raise AudioGraphError("the reader gave no answer")
    return {
        **json.loads(line),
        "frames": end - begin,
        "seconds": ended_at - began_at,
        "counted_from_s": began_at,
        "counted_until_s": ended_at,
        "xruns": graph.xruns - xruns,
        "xrun_frames": rings.missed_frames - missed,
        "source_underflow_frames": sum(ring.underflow_frames for ring in sources),
        "cycle_frames": graph.cycle_frames,
        "graph": graph.status()["kind"],
        "jackd_pid": jackd.pid if jackd else None,
        "cpu": {name: after[name] - before[name] for name in after},
    }


def _cpu(jackd: psutil.Process | None, threads: list[threading.Thread]) -> dict[str, float]:
    """Processor time until now, s: of the engine without its busy threads, of these, and of jackd."""
    busy = {thread.native_id for thread in threads}
    mine = psutil.Process().threads()
    used = {thread.id: thread.user_time + thread.system_time for thread in mine}
    busy_s = sum(spent for number, spent in used.items() if number in busy)
    own = os.times()
    theirs = jackd.cpu_times() if jackd else None
    return {
        "engine_s": own.user + own.system - busy_s,
        "busy_threads_s": busy_s,
        "jackd_s": theirs.user + theirs.system if theirs else 0.0,
    }


if __name__ == "__main__":
    print(json.dumps(run(Load(**json.loads(sys.argv[1])))), flush=True)  # noqa: T201 - the answer
