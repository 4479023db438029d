"""Repositories with a few versions, published once and copied: each publish waits for the disk many times."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from serving.repository import ModelRepository
from tests.serving.repository.tiny_versions import publish_all

HIGHEST = 8


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with versions 1 to 8, none promoted; to be copied, not changed."""
    home = tmp_path_factory.mktemp("published")
    publish_all(ModelRepository(home / "models"), *range(1, HIGHEST + 1))
    return home


@pytest.fixture
def with_versions(repository: ModelRepository, home, published: Path) -> Callable[..., ModelRepository]:
    """``with_versions(1, 2)`` is the test's repository with those versions in it."""

    def fill(*versions: int) -> ModelRepository:
        shutil.copytree(published / "secrets", home.home / "secrets")
        for version in versions:
            shutil.copytree(
                published / "models" / "tidzam" / str(version), repository.base_path / str(version)
            )
        return repository

    return fill
