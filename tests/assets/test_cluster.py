"""Dagster beyond one machine: what its configuration says, and that Dagster takes it."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from assets.cluster import DATABASE_VARIABLE, beyond_one_machine, training_tags
from tests.support.crash import cli_environment
from tests.support.postgresql import PostgresqlServer
from tests.support.ray_cluster import require_ray
from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings, load_settings

JOBS = "http://127.0.0.1:8265"
# Run by the Python that has Ray: what the instance is, and that what is written comes back.
LOOK = """
import json
from assets.instance import open_instance
from tidzam_platform.settings import load_settings
settings = load_settings()
with open_instance(settings) as instance:
    instance.add_dynamic_partitions("sources", ["pond"])
with open_instance(settings) as instance:
    launcher = instance.run_launcher
    print(json.dumps({
        "partitions": list(instance.get_dynamic_partitions("sources")),
        "launcher": type(launcher).__name__,
        "address": launcher.address,
        "storage": type(instance.event_log_storage).__name__,
    }))
"""


def settings_with(home: Settings, **changes: Any) -> Settings:
    return home.model_copy(update={"dagster": home.dagster.model_copy(update=changes)})


def test_one_machine_needs_nothing(home: Settings) -> None:
    assert beyond_one_machine(home, home.dagster_folder) == ""
    assert training_tags(home) == {}


def test_a_package_that_is_missing_is_named_with_what_installs_it(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    for changes in ({"ray_jobs": JOBS}, {"database_url": "postgresql:///dagster"}):
        with pytest.raises(SettingsError, match="check --extra cluster"):
            beyond_one_machine(settings_with(home, **changes), home.dagster_folder)


def test_the_configuration_names_the_variable_of_the_database_not_its_password(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: object())
    monkeypatch.setenv(DATABASE_VARIABLE, "")
    wanted = settings_with(
        home, ray_jobs=JOBS, database_url="postgresql://dagster:secret@db/dagster", ray_gpus=1
    )
    text = beyond_one_machine(wanted, home.dagster_folder)
    assert "secret" not in text
    said = yaml.safe_load(text)
    assert said["storage"] == {"postgres": {"postgres_url": {"env": DATABASE_VARIABLE}}}
    assert said["run_launcher"]["config"]["ray"]["address"] == JOBS
    assert f"TIDZAM_HOME={home.home}" in said["run_launcher"]["config"]["ray"]["env_vars"]
    assert json.loads(training_tags(wanted)["dagster-ray/config"]) == {"num_gpus": 1}


@pytest.mark.long
def test_dagster_takes_the_launcher_and_keeps_its_state_in_postgresql(
    postgresql_server: PostgresqlServer, tmp_path: Path
) -> None:
    python = require_ray()
    with postgresql_server.fresh_database() as url:
        variables = {"TIDZAM_DAGSTER__DATABASE_URL": url, "TIDZAM_DAGSTER__RAY_JOBS": JOBS}
        done = subprocess.run(
            [python, "-c", LOOK],
            env=cli_environment(tmp_path / "home", variables),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout.splitlines()[-1]) == {
            "partitions": ["pond"],
            "launcher": "RayRunLauncher",
            "address": JOBS,
            "storage": "PostgresEventLogStorage",
        }
        folder = load_settings(home=tmp_path / "home").dagster_folder
        assert url not in (folder / "dagster.yaml").read_text()
        assert not list(folder.rglob("*.db"))
