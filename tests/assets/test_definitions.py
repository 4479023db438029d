"""What Dagster loads: the same keys by every way in, fast, and as this snapshot says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
KEYS = {"recordings", "dataset", "classifier", "generation", "detections"}
JOBS = {
    *("make_generation", "index_archive", "hear_archive"),
    *("promote_generation", "rollback_generation"),
}


def test_keys_checks_jobs_and_partitions_are_as_known() -> None:
    from assets.definitions import defs

    graph = defs.resolve_asset_graph()
    assert {key.to_user_string() for key in graph.get_all_asset_keys()} == KEYS
    (check,) = graph.asset_check_keys
    assert (check.name, check.asset_key.to_user_string()) == ("gate", "classifier")
    assert graph.get(check).blocking, "nothing passes a gate that does not block"
    partitioned = {
        key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).is_partitioned
    }
    assert partitioned == {"detections"}
    assert {job.name for job in defs.jobs or ()} == JOBS


def test_every_asset_says_what_it_is_whose_it_is_and_where_it_belongs() -> None:
    from assets.definitions import defs

    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.group_name != "default", key
        assert node.kinds, key


def test_workspace_and_dg_name_the_same_module(tmp_path: Path) -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    (entry,) = workspace["load_from"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert entry["python_module"]["module_name"] == project["code_location_target_module"]
    assert entry["python_module"]["location_name"] == project["code_location_name"]
    listed = subprocess.run(
        [Path(sys.executable).parent / "dg", "list", "defs", "--json"],
        cwd=ROOT,
        env={
            **os.environ,
            "DAGSTER_HOME": str(tmp_path),
            "DAGSTER_DISABLE_TELEMETRY": "1",
            "PYTHONWARNINGS": "ignore",
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert {asset["asset_key"] for asset in json.loads(listed.stdout)["assets"]} == KEYS


@pytest.mark.parametrize("heavy", ["tensorflow", "keras", "librosa", "matplotlib"])
def test_loading_the_definitions_imports_nothing_heavy(heavy: str) -> None:
    code = f"import sys, assets.definitions; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, timeout=60, check=False).returncode == 0
