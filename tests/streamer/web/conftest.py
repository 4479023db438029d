"""A web process beside an engine that makes no sound, and an analyzer that hears none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_analyzer import CLASSES, FakeAnalyzer
from tests.support.fake_engine import FakeEngine
from tidzam_platform.catalog.tables import (
    Annotation,
    Clip,
    DatasetVersion,
    DetectionFile,
    Generation,
    LabelQueueItem,
    LiveDetection,
    RecorderRule,
    TaxonomyChange,
)
from tidzam_platform.home import Home
from tidzam_platform.settings import Settings

# What names others before what they name.
_OF_LIBRARY = (
    LabelQueueItem,
    Annotation,
    Clip,
    LiveDetection,
    DetectionFile,
    RecorderRule,
    TaxonomyChange,
    Generation,
    DatasetVersion,
)
Site = tuple[WebProcess, FakeEngine, FakeAnalyzer]


@pytest.fixture(scope="session")
def shared_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A process with its engine and analyzer, for all tests that start from nothing and leave nothing."""
    home = tmp_path_factory.mktemp("web")
    with FakeEngine(home) as engine, FakeAnalyzer(home) as analyzer, WebProcess(home) as process:
        yield process, engine, analyzer


@pytest.fixture
def web(shared_web: Site) -> WebProcess:
    """The process."""
    return shared_web[0]


@pytest.fixture
def analyzer(shared_web: Site) -> Iterator[FakeAnalyzer]:
    """Its analyzer, whose events are followed."""
    shared_web[2].wait_followed()
    yield shared_web[2]
    shared_web[2].classes = list(CLASSES)


@pytest.fixture
def library(shared_web: Site) -> Iterator[Home]:
    """Its catalog and store, with nothing in the catalog that is heard, kept, learnt or renamed."""
    home = Home.open(Settings(home=shared_web[0].home))
    with home.catalog.session() as session:
        for table in _OF_LIBRARY:
            session.query(table).delete()
    yield home
    home.catalog.close()


@pytest.fixture
def engine(shared_web: Site) -> Iterator[FakeEngine]:
    """Its engine, with nothing in it."""
    engine = shared_web[1]
    for kept in (engine.sources, engine.live, engine.mixer, engine.asked, engine.farewells, engine.fates):
        kept.clear()
    yield engine
    engine.before = lambda _command: None
    engine.dropped_frames, engine.refused_push = 0, ""
    engine.graph = {"kind": "clock", "xruns": 0, "cycle_frames": 1024}


@pytest.fixture
def client(web: WebProcess, engine: FakeEngine) -> Iterator[SocketClient]:
    """A client of Socket.IO with a token of role operate."""
    with SocketClient(web, web.token()) as client:
        yield client


@pytest.fixture
def own_home(tmp_path: Path) -> Path:
    """A home for a process of the test's own."""
    return tmp_path / "home"
