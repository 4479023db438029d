"""What the smaller assets and jobs tell, run as Dagster runs them."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from assets.clips.assets import clips
from assets.instance import open_instance
from assets.jobs import SCORE_GENERATIONS
from assets.running import run_job
from assets.service.assets import served_model
from tests.support.small_site import TrainedHome
from tidzam_platform.backup import verify_backup
from tidzam_platform.clock import utc_now
from tidzam_platform.errors import BackupError
from tidzam_platform.operations.ports import free_port
from tidzam_platform.settings import Settings, load_settings


@pytest.fixture(autouse=True)
def sigterm_is_put_back() -> Iterator[None]:
    """Runs in this process leave it with the handler of SIGINT."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def trained(trained_copy: TrainedHome, home: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("TIDZAM_HOME", str(trained_copy.folder))
    monkeypatch.setenv("TIDZAM_MODEL_SERVER__PORT", str(free_port()))
    monkeypatch.setenv("TIDZAM_MODEL_SERVER__DEADLINE_S", "1")
    return load_settings()


def metadata_of(result: dg.ExecuteInProcessResult, node: str) -> dict[str, Any]:
    (told,) = result.asset_materializations_for_node(node)
    return {name: value.value for name, value in told.metadata.items()}


def test_the_served_model_is_looked_at_also_without_a_server(trained: Settings) -> None:
    with open_instance(trained) as instance:
        job = dg.define_asset_job("look", dg.AssetSelection.assets("served_model"))
        alone = dg.Definitions(assets=[served_model], jobs=[job])
        looked = alone.resolve_job_def("look").execute_in_process(instance=instance)
    (told,) = looked.asset_observations_for_node("served_model")
    assert told.data_version == "stable=1;answers=none"
    assert told.metadata["in_service"].value == 1
    assert "server_problem" in told.metadata


def test_generations_are_scored_on_the_frozen_sets(trained: Settings) -> None:
    told = metadata_of(run_job(trained, SCORE_GENERATIONS), "evaluation")
    assert 0 <= told["macro_f1"] <= 1
    assert told["picture"].startswith("![")
    assert told["test_sets"]["clips"]["items"] > 0


def test_clips_of_a_day_are_counted_with_what_is_said_of_them(trained: Settings) -> None:
    today = utc_now().date().isoformat()
    with open_instance(trained) as instance:
        with pytest.raises(dg.DagsterError):
            dg.materialize([clips], instance=instance, partition_key=today)  # it goes on
        told = metadata_of(dg.materialize([clips], instance=instance, partition_key="2020-01-01"), "clips")
    assert told["clips"] == 0


def test_the_backup_job_wants_a_place_and_uses_it(
    trained: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BackupError, match=r"dagster\.backup_place"):
        run_job(trained, "backup")
    monkeypatch.setenv("TIDZAM_DAGSTER__BACKUP_PLACE", str(tmp_path / "backups"))
    done = run_job(load_settings(), "backup")
    assert done.success
    assert verify_backup(tmp_path / "backups").counts["generations"] == 1


def test_the_retention_job_removes_nothing_where_everything_is_kept(trained: Settings) -> None:
    done = run_job(trained, "retention")
    (event,) = (one for one in done.events_for_node("remove_old") if one.is_successful_output)
    assert event.step_output_data.metadata["removed"].value == 0
