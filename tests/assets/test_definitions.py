"""What Dagster loads: the same keys by every way in, fast, and as the snapshot beside this file says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

ROOT = Path(__file__).resolve().parents[2]
SNAPSHOT = Path(__file__).with_name("definitions.json")
RENEW = "TIDZAM_TEST_RENEW"  # =1: the snapshot is written anew; read the difference before you commit it
LOADED_WITHIN_S = 3.0  # beyond `import dagster`

# CPU time of one process, so that other work on the machine does not count.
_LOADING = """
import time
import dagster
began_s = time.process_time()
from assets.definitions import defs
defs.get_repository_def()
defs.resolve_asset_graph()
print(time.process_time() - began_s)
"""


def as_loaded() -> dict[str, Any]:
    """Keys, partitions, checks, jobs, schedules and sensors, as people know them."""
    from assets.definitions import defs

    graph, repository = defs.resolve_asset_graph(), defs.get_repository_def()
    assets = {}
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assets[key.to_user_string()] = {
            "group": node.group_name,
            "kinds": sorted(node.kinds),
            "owners": sorted(node.owners),
            "from": sorted(one.to_user_string() for one in node.parent_keys),
            "partitions": partitions_of(node.partitions_def),
            "partitions_a_run": node.backfill_policy.max_partitions_per_run if node.backfill_policy else None,
            "pools": sorted(node.pools),
            "freshness": bool(node.freshness_policy),
            "observed": node.is_observable,
            "automated": node.automation_condition is not None,
        }
    return {
        "assets": dict(sorted(assets.items())),
        "checks": {
            f"{key.asset_key.to_user_string()}:{key.name}": "blocking" if graph.get(key).blocking else "tells"
            for key in sorted(graph.asset_check_keys, key=lambda one: (one.asset_key, one.name))
        },
        "jobs": {
            job.name: partitions_of(job.partitions_def)
            for job in sorted(repository.get_all_jobs(), key=lambda one: one.name)
            if not job.name.startswith("__")
        },
        "schedules": {
            one.name: f"{one.cron_schedule} {one.execution_timezone} {one.job_name} {one.default_status.value}"
            for one in sorted(repository.schedule_defs, key=lambda one: one.name)
        },
        "sensors": {
            one.name: one.default_status.value
            for one in sorted(repository.sensor_defs, key=lambda one: one.name)
        },
    }


def as_text(found: dict[str, Any]) -> str:
    """JSON with a line an entry, so that a difference is read at a glance."""
    sections = [
        f"  {json.dumps(section)}: {{\n"
        + ",\n".join(f"    {json.dumps(name)}: {json.dumps(value)}" for name, value in entries.items())
        + "\n  }"
        for section, entries in found.items()
    ]
    return "{\n" + ",\n".join(sections) + "\n}\n"


def partitions_of(partitions: dg.PartitionsDefinition[Any] | None) -> Any:
    if isinstance(partitions, dg.MultiPartitionsDefinition):
        return {one.name: partitions_of(one.partitions_def) for one in partitions.partitions_defs}
    if isinstance(partitions, dg.DynamicPartitionsDefinition):
        return f"dynamic: {partitions.name}"
    return None if partitions is None else f"days from {partitions.get_first_partition_key()}"


def test_everything_is_as_the_snapshot_says() -> None:
    found = as_loaded()
    if os.environ.get(RENEW) == "1":
        SNAPSHOT.write_text(as_text(found))
    assert found == json.loads(SNAPSHOT.read_text()), f"if that is wanted: {RENEW}=1 with this test"


def test_the_gate_blocks() -> None:
    checks = as_loaded()["checks"]
    gate = {name: kind for name, kind in checks.items() if name.startswith("classifier:")}
    assert gate
    assert set(gate.values()) == {"blocking"}


def test_every_asset_says_what_it_is_whose_it_is_and_where_it_belongs() -> None:
    from assets.definitions import defs

    graph = defs.resolve_asset_graph()
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners, key
        assert node.group_name != "default", key
        assert node.kinds, key
        assert node.code_version, key


def test_every_schedule_and_sensor_says_what_it_does_and_starts_nothing_costly_unasked() -> None:
    from assets.definitions import defs

    repository = defs.get_repository_def()
    for one in (*repository.schedule_defs, *repository.sensor_defs):
        assert one.description, one.name
    running = {name for name, status in as_loaded()["sensors"].items() if status == "RUNNING"}
    assert running == {"new_recordings", "tree_of_experts", "failed_run"}
    assert all(text.endswith("STOPPED") for text in as_loaded()["schedules"].values())


def environment(home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TIDZAM_")}
    return {
        **kept,
        "TIDZAM_HOME": str(home),
        "DAGSTER_HOME": str(home),
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "PYTHONWARNINGS": "ignore",
    }


def test_workspace_and_dg_name_the_same_module(tmp_path: Path) -> None:
    workspace = yaml.safe_load((ROOT / "workspace.yaml").read_text())
    (entry,) = workspace["load_from"]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["dg"]["project"]
    assert entry["python_module"]["module_name"] == project["code_location_target_module"]
    assert entry["python_module"]["location_name"] == project["code_location_name"]
    listed = subprocess.run(
        [Path(sys.executable).parent / "dg", "list", "defs", "--json"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert listed.returncode == 0, listed.stderr
    assert {asset["asset_key"] for asset in json.loads(listed.stdout)["assets"]} == set(
        json.loads(SNAPSHOT.read_text())["assets"]
    )


def test_dagster_finds_the_definitions_valid(tmp_path: Path) -> None:
    validated = subprocess.run(
        [sys.executable, "-m", "dagster", "definitions", "validate", "-w", "workspace.yaml"],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert validated.returncode == 0, validated.stdout + validated.stderr


def test_they_load_in_under_three_seconds_beyond_dagster(tmp_path: Path) -> None:
    measured = subprocess.run(
        [sys.executable, "-c", _LOADING],
        cwd=ROOT,
        env=environment(tmp_path),
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert float(measured.stdout) < LOADED_WITHIN_S


def test_loading_the_definitions_imports_nothing_heavy() -> None:
    heavy = {"tensorflow", "keras", "librosa", "matplotlib", "scipy", "sklearn", "boto3", "ray", "jax"}
    code = f"import sys, assets.definitions; print(sorted({heavy!r} & set(sys.modules)))"
    loaded = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    assert loaded.stdout.strip() == "[]"
