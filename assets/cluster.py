"""Dagster beyond one machine: its own database on PostgreSQL, and runs as jobs of a Ray cluster (docs/cluster.md)."""

from __future__ import annotations

import importlib.util
import json
import os
from pathlib import Path
from typing import Any, Final

from tidzam_platform.errors import SettingsError
from tidzam_platform.settings import Settings

DATABASE_VARIABLE: Final = "TIDZAM_DAGSTER__DATABASE_URL"
_REMEDY: Final = "call ./tidzam check --extra cluster"


def beyond_one_machine(settings: Settings, dagster_home: Path) -> str:
    """What ``dagster.yaml`` says of it; empty where the settings ask for one machine.

    The URL of the database may hold a password: the file names the variable that holds it.

    Raises:
        SettingsError: a setting needs a package that is not installed.
    """
    parts: dict[str, Any] = {}
    if settings.dagster.database_url:
        _require("dagster_postgres", "dagster.database_url")
        os.environ[DATABASE_VARIABLE] = settings.dagster.database_url
        parts["storage"] = {"postgres": {"postgres_url": {"env": DATABASE_VARIABLE}}}
    if settings.dagster.ray_jobs:
        _require("dagster_ray", "dagster.ray_jobs")
        variables = {
            "TIDZAM_HOME": str(settings.home),
            "DAGSTER_HOME": str(dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }
        parts["run_launcher"] = {
            "module": "dagster_ray",
            "class": "RayRunLauncher",
            "config": {
                "ray": {
                    "address": settings.dagster.ray_jobs,
                    "num_cpus": settings.dagster.ray_cpus,
                    "env_vars": [f"{name}={value}" for name, value in variables.items()],
                }
            },
        }
    return "".join(f"{name}: {json.dumps(value)}\n" for name, value in parts.items())  # JSON is YAML


def training_tags(settings: Settings) -> dict[str, str]:
    """Tags of a job that trains: the GPUs that it asks of a Ray cluster."""
    if not settings.dagster.ray_gpus:
        return {}
    return {"dagster-ray/config": json.dumps({"num_gpus": settings.dagster.ray_gpus})}


def _require(module: str, setting: str) -> None:
    if importlib.util.find_spec(module) is None:
        raise SettingsError(f"{setting} is set, but {module} is not installed: {_REMEDY}")
