"""A web process beside an engine that makes no sound."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.streamer.web.web_process import SocketClient, WebProcess
from tests.support.fake_engine import FakeEngine


@pytest.fixture(scope="session")
def shared_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WebProcess, FakeEngine]]:
    """A process and its engine, for all tests that start from nothing and leave nothing: see ``web`` and ``engine``."""
    home = tmp_path_factory.mktemp("web")
    with FakeEngine(home) as engine, WebProcess(home) as process:
        yield process, engine


@pytest.fixture
def web(shared_web: tuple[WebProcess, FakeEngine]) -> WebProcess:
    """The process."""
    return shared_web[0]


@pytest.fixture
def engine(shared_web: tuple[WebProcess, FakeEngine]) -> Iterator[FakeEngine]:
    """Its engine, with nothing in it."""
    engine = shared_web[1]
    for kept in (engine.sources, engine.live, engine.mixer, engine.asked, engine.farewells):
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
