"""Rings, a graph that is stepped or runs by the clock, and settings under which nothing takes long."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from streamer.engine.fetching import Cancellation
from streamer.engine.graph import ClockGraph
from streamer.engine.rings import RingFolder
from streamer.engine.sources import SourceManager
from tests.audio.made import encode, tones
from tests.streamer.sources.clocks import Clock
from tests.streamer.sources.site_under_test import Site
from tests.support.endless_media import EndlessOgg
from tests.support.faulty_stream_server import FaultyStreamServer
from tests.support.parts import require_part
from tidzam_platform.settings import Settings, SourcesSettings


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def cancellation() -> Iterator[Cancellation]:
    with Cancellation() as made:
        yield made


@pytest.fixture
def ring_folder(tmp_path: Path) -> Iterator[RingFolder]:
    """A folder of rings; nothing is left in it at the end."""
    with RingFolder(tmp_path) as made:
        yield made
        left = [path for path in made.path.iterdir() if path.name.startswith("source")]
    assert not left, "every ring was closed"


@pytest.fixture
def stepped_graph() -> Iterator[ClockGraph]:
    """A graph whose cycles come when the test says so."""
    with ClockGraph(paced=False, period_frames=2048) as graph:
        yield graph


@pytest.fixture
def graph() -> Iterator[ClockGraph]:
    """A graph that plays by the clock."""
    with ClockGraph() as made:
        yield made


@pytest.fixture
def server() -> Iterator[FaultyStreamServer]:
    with FaultyStreamServer() as running:
        yield running


@pytest.fixture
def settings(home: Settings) -> Settings:
    """Loopback is allowed, and nothing takes long."""
    return home.model_copy(
        update={
            "sources": SourcesSettings(
                private_addresses=True,
                file_folders=(home.home / "files",),
                no_samples_s=2.0,
                zeros_s=2.0,
                connect_s=2.0,
                backoff_max_s=1.0,
                buffer_s=0.5,
            )
        }
    )


@pytest.fixture
def site(ring_folder: RingFolder, graph: ClockGraph, settings: Settings) -> Iterator[Site]:
    """A manager of no sources."""
    made = Site(lambda **more: SourceManager(graph, ring_folder, settings, **more))
    yield made
    made.close()


@pytest.fixture(scope="session")
def tone_bytes(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., bytes]:
    """Two seconds of a tone in each channel, in a container of ``tests.audio.made``."""
    require_part("ffmpeg")
    folder = tmp_path_factory.mktemp("tones")

    @functools.cache
    def made(kind: str, *hz: float, seconds: float = 2.0) -> bytes:
        return encode(tones(list(hz), seconds), folder / f"{hz}.{kind}", kind).read_bytes()

    return made


@pytest.fixture
def endless(tone_bytes: Callable[..., bytes]) -> Callable[..., EndlessOgg]:
    """A tone without end, as Icecast streams it."""
    return lambda *hz: EndlessOgg(tone_bytes("opus", *hz))
