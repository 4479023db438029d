"""Fixtures of the serving tier: exported tiny models, repositories of them, servers over those."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from serving.client import ModelClient
from serving.repository import ModelRepository
from serving.server.embedded import EmbeddedServer
from tests.support.model_server import ModelServerProcess
from tests.support.tiny_model import export_tiny

Publish = Callable[..., None]
Spoil = Callable[[Path], None]


@pytest.fixture(scope="session")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], Path]:
    """A function from a generation to the folder of its export, made once; not to be written to."""
    root = tmp_path_factory.mktemp("exported")

    def folder_of(generation: int) -> Path:
        folder = root / str(generation)
        if not folder.exists():
            export_tiny(generation, folder)
        return folder

    return folder_of


@pytest.fixture
def repository(home) -> ModelRepository:
    """The empty model repository of the test's home."""
    return ModelRepository(home.models_folder)


@pytest.fixture
def publish(repository: ModelRepository, exported: Callable[[int], Path]) -> Publish:
    """``publish(3)`` publishes generation 3; ``before`` and ``after`` may spoil its folder around that."""

    def publish_generation(
        version: int,
        *,
        generation: int | None = None,
        before: Spoil = lambda _: None,
        after: Spoil = lambda _: None,
    ) -> None:
        with repository.staging() as staged:
            shutil.copytree(exported(generation or version), staged, dirs_exist_ok=True)
            before(staged)
            after(repository.publish(version, staged))

    return publish_generation


@pytest.fixture(scope="module")
def served_repository(
    tmp_path_factory: pytest.TempPathFactory, exported: Callable[[int], Path]
) -> ModelRepository:
    """A repository that holds generation 3, shared by a module's tests; not to be changed."""
    repository = ModelRepository(tmp_path_factory.mktemp("served") / "models")
    with repository.staging() as staged:
        shutil.copytree(exported(3), staged, dirs_exist_ok=True)
        repository.publish(3, staged)
    return repository


@pytest.fixture(scope="module")
def served_address(served_repository: ModelRepository) -> Iterator[str]:
    """Address of an embedded server, in this process, that serves generation 3."""
    server = EmbeddedServer(served_repository, poll_interval_s=0.1, max_message_mb=4)
    server.start()
    assert server.wait_for_generation(30) == 3
    yield server.address
    assert server.stop()


@pytest.fixture
def embedded(repository: ModelRepository) -> Iterator[EmbeddedServer]:
    """An embedded server over the test's own repository, started and still without a version."""
    server = EmbeddedServer(repository, poll_interval_s=0.05)
    server.start()
    yield server
    assert server.stop()


@pytest.fixture
def client(embedded: EmbeddedServer) -> Iterator[ModelClient]:
    """A client of ``embedded``."""
    with ModelClient(embedded.address) as client:
        yield client


@pytest.fixture(scope="session")
def model_server(
    tmp_path_factory: pytest.TempPathFactory, exported: Callable[[int], Path]
) -> Iterator[tuple[ModelServerProcess, str]]:
    """A model server process that serves generation 3, and its address; shared, so leave it as it was."""
    home = tmp_path_factory.mktemp("home")
    repository = ModelRepository(home / "models")
    with repository.staging() as staged:
        shutil.copytree(exported(3), staged, dirs_exist_ok=True)
        repository.publish(3, staged)
    with ModelServerProcess(home) as process:
        yield process, process.wait_ready()["address"]
