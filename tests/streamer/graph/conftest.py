"""Graphs of each kind, and rings for them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.engine.graph import AudioGraph, ClockGraph, GraphKeeper, Jackd, JackGraph
from streamer.engine.rings import ChannelRings, RingFolder, SourceRing
from tests.support.parts import require_part
from tests.support.waiting import wait_for
from tidzam_platform.errors import AudioGraphError
from tidzam_platform.settings import GraphSettings

SETTINGS = GraphSettings(period_frames=256, max_channels=16)

MakeSource = Callable[..., SourceRing]


def opened(server: str) -> JackGraph:
    """The graph of a server that has just been started."""
    made: list[JackGraph] = []

    def attempt() -> bool:
        try:
            made.append(JackGraph(server))
        except AudioGraphError:
            return False
        return True

    wait_for(attempt, f"jackd {server} takes clients")
    return made[0]


@pytest.fixture(scope="module")
def jackd() -> Iterator[Jackd]:
    """A real jackd with the dummy driver."""
    require_part("jackd")
    with Jackd(f"tidzam-test-{secrets.token_hex(4)}", SETTINGS) as server:
        yield server


@pytest.fixture(params=["clock", "paced clock", "jack", "kept jack"])
def graph(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[AudioGraph]:
    """A graph of each kind: what is promised of the graph holds of all."""
    made: AudioGraph
    if request.param == "clock":
        # JACK counts frames in 32 bits: this one is about to begin anew.
        made = ClockGraph(period_frames=256, paced=False, first_frame=2**32 - 3000)
    elif request.param == "paced clock":
        made = ClockGraph(period_frames=256)
    elif request.param == "jack":
        made = opened(request.getfixturevalue("jackd").server)
    else:
        require_part("jackd")
        made = GraphKeeper(SETTINGS, tmp_path)
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def keeper(tmp_path: Path) -> Iterator[GraphKeeper]:
    """JACK, kept alive."""
    require_part("jackd")
    with GraphKeeper(SETTINGS, tmp_path) as made:
        yield made


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[RingFolder]:
    with RingFolder(tmp_path) as made:
        yield made


@pytest.fixture
def rings(folder: RingFolder) -> ChannelRings:
    return ChannelRings.create(folder, 16, 2)


@pytest.fixture
def make_source(folder: RingFolder) -> MakeSource:
    """``make_source("marsh", 3)``: a ring of three channels that is full and not playing."""
    from tests.streamer.graph.harness import fill

    def make(
        name: str = "marsh", channels: int = 3, *, seconds: float = 4.0, filled: bool = True
    ) -> SourceRing:
        ring = SourceRing.create(folder, name, channels, seconds=seconds)
        if filled:
            fill(ring)
        return ring

    return make
