"""The real table: what runs, after what, and what makes it start again."""

from __future__ import annotations

import os
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from tidzam_platform.cli.main import COMMANDS_GROUP
from tidzam_platform.operations.supervision.environment import process_environment, working_folder
from tidzam_platform.operations.supervision.processes import process_table
from tidzam_platform.operations.supervision.trees import MARK_VARIABLE
from tidzam_platform.settings import CONFIG_FILE_VARIABLE, Settings, load_settings


def test_web_and_analyzer_come_after_the_model_server_and_the_engine(home: Settings) -> None:
    table = process_table(home)
    assert sorted(table.names) == ["analyzer", "dagster", "engine", "model-server", "web"]
    assert set(table.with_needs(["web"])) == {"model-server", "engine", "web"}
    assert set(table.with_needs(["analyzer"])) == {"model-server", "engine", "analyzer"}
    assert set(table.with_dependants(["engine"])) == {"engine", "analyzer", "web"}
    assert table.with_dependants(["dagster"]) == ("dagster",)


def test_each_is_a_command_of_ours(home: Settings) -> None:
    commands = {point.name for point in entry_points(group=COMMANDS_GROUP)}
    table = process_table(home)
    for name in table.names:
        assert table[name].command[-1] in commands
        assert os.access(table[name].command[0], os.X_OK)


def test_what_runs_elsewhere_is_left_out(home: Settings) -> None:
    settings = load_settings(home=home.home, supervision={"processes": ["web", "engine", "web"]})
    assert process_table(settings).names == ("engine", "web")


@pytest.mark.parametrize(
    ("section", "values", "changed"),
    [
        ("web", {"port": 9000}, {"web"}),
        ("icecast", {"max_listeners": 7}, {"engine", "web"}),
        ("model_server", {"port": 9001}, {"model-server", "analyzer", "web"}),
        ("analyzer", {"spool_mb": 7}, {"analyzer"}),
        ("dagster", {"port": 9002}, {"dagster"}),
        ("training", {"max_epochs": 3}, set()),  # each run reads them anew
        ("supervision", {"ready_s": 5}, set()),
    ],
)
def test_a_process_depends_on_the_settings_that_it_reads(
    home: Settings, section: str, values: dict[str, int], changed: set[str]
) -> None:
    before, after = process_table(home), process_table(load_settings(home=home.home, **{section: values}))
    assert {name for name in before.names if before[name].settings != after[name].settings} == changed


def test_a_relative_path_means_the_same_file_to_the_process(
    home: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert working_folder(home) == home.home
    relative = load_settings(home=home.home, archive=Path("recordings"))
    assert working_folder(relative) == tmp_path
    assert process_table(relative)["engine"].settings["archive"] == str(tmp_path / "recordings")
    absolute = load_settings(home=home.home, archive=tmp_path / "recordings")
    assert process_table(absolute)["engine"].settings == process_table(relative)["engine"].settings


def test_processes_see_the_settings_of_who_started_them(
    home: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.home)
    monkeypatch.setenv(CONFIG_FILE_VARIABLE, "tidzam.toml")
    monkeypatch.setenv("TIDZAM_WEB__PORT", "9000")
    monkeypatch.setenv("TIDZAM_CRASH_AT", "files.written")
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    environment = process_environment(home)
    assert environment["TIDZAM_WEB__PORT"] == "9000"
    assert environment["TIDZAM_HOME"] == str(home.home)
    assert environment[CONFIG_FILE_VARIABLE] == str(home.home / "tidzam.toml")
    assert environment[MARK_VARIABLE].endswith("/home/run/supervisor.sock")
    assert "TIDZAM_CRASH_AT" not in environment
    assert "PATH" not in environment, "it varies by shell, and is Supervisor's own"
