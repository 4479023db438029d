"""Promotion and rollback are one Dagster job each, and do what the commands do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from assets.running import run_job
from serving.repository import ModelRepository
from tests.serving.repository.tiny_versions import publish_all
from tidzam_platform.errors import ModelRepositoryError
from tidzam_platform.settings import Settings


@pytest.fixture
def repository(home: Settings) -> ModelRepository:
    """Versions 1 to 3; 1 is stable."""
    repository = ModelRepository(home.models_folder)
    publish_all(repository, 1, 2, 3)
    repository.promote(1, by="test", reason="the first")
    return repository


def run(home: Settings, op: str, **config: Any) -> Mapping[str, Any]:
    """Run the job of that op; returns the metadata that the UI shows."""
    result = run_job(home, f"{op}_generation", config={op: {"config": config}})
    assert result.success
    (event,) = (one for one in result.events_for_node(op) if one.is_successful_output)
    return {name: value.value for name, value in event.step_output_data.metadata.items()}


def test_a_generation_is_promoted_and_rolled_back_with_who_and_why(
    home: Settings, repository: ModelRepository
) -> None:
    told = run(home, "promote", generation=2, reason="hears wrens", by="ada")
    assert repository.labels() == {"stable": 2}
    last = repository.history()[-1]
    assert (last.by, last.reason, last.version) == ("ada", "hears wrens", 2)
    assert (told["action"], told["version"], told["previous_version"]) == ("promote", 2, 1)
    run(home, "promote", generation=3, reason="to be tried", label="canary")
    assert repository.labels() == {"stable": 2, "canary": 3}
    assert repository.history()[-1].by == "dagster"
    for _ in range(2):  # repeated, as a run that failed half-way: one step back
        run(home, "rollback", generation=2, reason="wrens everywhere")
        assert repository.labels()["stable"] == 1
    assert len(repository.history()) == 4


def test_what_the_repository_refuses_fails_the_run_with_its_words(
    home: Settings, repository: ModelRepository
) -> None:
    repository.retire(2, by="test", reason="bad labels")
    before = repository.history()
    with pytest.raises(ModelRepositoryError, match="retired"):
        run(home, "promote", generation=2, reason="mine")
    with pytest.raises(ModelRepositoryError, match="why"):
        run(home, "promote", generation=3, reason=" ")
    assert repository.history() == before
