"""Fixtures of all rooms."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.parts import SKIP_REASON, require_part
from tests.support.postgresql import PostgresqlServer, running_postgresql
from tests.support.s3_servers import S3Server, running_s3_server
from tests.support.small_site import TrainedHome, train_home_once
from tests.support.temporary_folder import make_in_memory
from tidzam_platform.catalog import Catalog
from tidzam_platform.settings import CONFIG_FILE_VARIABLE, Settings, load_settings

_IN_MEMORY = pytest.StashKey[Path]()
_FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(tryfirst=True)  # before pytest chooses its folder
def pytest_configure(config: pytest.Config) -> None:
    """Temporary files lie in memory, unless the caller chose a place; pytest-xdist's processes inherit it."""
    os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")  # the tests share the processors already
    if "TMPDIR" not in os.environ and (folder := make_in_memory()) is not None:
        config.stash[_IN_MEMORY] = folder
        os.environ["TMPDIR"] = str(folder)
        tempfile.tempdir = None
        config.option.basetemp = config.option.basetemp or str(folder / "t")  # shorter than pytest's own


@pytest.hookimpl(trylast=True)  # after pytest-randomly
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a room together, in the order at random of their first ones: they share servers and homes."""
    rooms: dict[str, int] = {}
    first = [rooms.setdefault(_room(item), len(rooms)) for item in items]
    items[:] = [item for _, item in sorted(zip(first, items, strict=True), key=lambda pair: pair[0])]


def _room(item: pytest.Item) -> str:
    return "/".join(item.path.relative_to(item.config.rootpath).parts[:3])


@pytest.hookimpl(trylast=True)
def pytest_unconfigure(config: pytest.Config) -> None:
    """They go with the run; those of failed tests stay until the next one, to be looked at."""
    folder = config.stash.get(_IN_MEMORY, None)
    if folder is not None and not config.stash.get(_FAILED, False):
        shutil.rmtree(folder)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    session.config.stash[_FAILED] = exitstatus == pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Settings with a data folder of their own (``home.home``), which processes started by the test share."""
    for variable in [name for name in os.environ if name.startswith("TIDZAM_")]:
        if not variable.startswith("TIDZAM_TEST_"):
            monkeypatch.delenv(variable)
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("TIDZAM_HOME", str(folder))
    (folder / "tidzam.toml").touch()
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, str(folder / "tidzam.toml"))
    return load_settings()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A real PostgreSQL, started once for all tests that ask for it."""
    with running_postgresql() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def catalog_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty database, once of each kind: what is promised of the catalog holds on both."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path / 'catalog.db'}"
        return
    server: PostgresqlServer = request.getfixturevalue("postgresql_server")
    with server.fresh_database() as url:
        yield url


@pytest.fixture
def catalog(catalog_url: str) -> Iterator[Catalog]:
    """An empty catalog, once on each database."""
    opened = Catalog.open(catalog_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def moto(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A quick S3 server that takes any secret, started once for all tests that ask for it."""
    with running_s3_server("moto", tmp_path_factory.mktemp("moto")) as server:
        yield server


@pytest.fixture(scope="session")
def swift(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A real object store that speaks S3 and checks signatures, started once for all tests that ask for it."""
    with running_s3_server("swift", tmp_path_factory.mktemp("swift")) as server:
        yield server


@pytest.fixture(scope="session")
def trained_home(tmp_path_factory: pytest.TempPathFactory) -> TrainedHome:
    """A home with a small trained generation; not to be changed by tests, see ``trained_copy``.

    Trained once, by whichever process of pytest-xdist needs it first; each has a copy of its own.
    """
    require_part("ffmpeg")
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base
    return train_home_once(shared / "trained_once", tmp_path_factory.mktemp("trained") / "home")


@pytest.fixture
def trained_copy(trained_home: TrainedHome, tmp_path: Path) -> TrainedHome:
    """A copy of the trained home that the test may change."""
    folder = shutil.copytree(trained_home.folder, tmp_path / "trained")
    return replace(trained_home, folder=folder)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard() -> None:
    """Shells start background jobs with SIGINT ignored, and children would inherit that; tests send it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def signals_are_not_left_blocked() -> Iterator[None]:
    """A test that left signals blocked would make all later ones deaf, and the processes that they start."""
    yield
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Count the tests that were skipped for want of a system part, so that nobody takes them for passed."""
    reasons = Counter[str]()
    for report in terminalreporter.stats.get("skipped", []):
        if isinstance(report.longrepr, tuple):
            reason = report.longrepr[2].removeprefix("Skipped: ")
            if reason.startswith(SKIP_REASON):
                reasons[reason] += 1
    if reasons:
        terminalreporter.section("skipped for want of a system part")
        for reason, tests in sorted(reasons.items()):
            terminalreporter.write_line(f"{tests:4d}  {reason}")
