"""Runs whose process died count as failed when the daemon starts, and are tried again; others are left alone."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.events import EngineEventData
from dagster._core.storage.tags import GRPC_INFO_TAG

from assets.instance import open_instance, put_in_order
from assets.jobs import INDEX_ARCHIVE
from tidzam_platform.settings import Settings


def started_run(instance: dg.DagsterInstance, process: int | None, server: Path | None = None) -> str:
    """A run that some daemon had started by a server, and that a process has taken up."""
    from assets.definitions import defs

    tags = {} if server is None else {GRPC_INFO_TAG: json.dumps({"host": "localhost", "socket": str(server)})}
    status = dg.DagsterRunStatus.STARTED if process else dg.DagsterRunStatus.STARTING
    run = instance.create_run_for_job(defs.resolve_job_def(INDEX_ARCHIVE), status=status, tags=tags)
    if process is not None:
        said = EngineEventData.in_process(process)
        instance.report_engine_event(f"Started process for run (pid: {process}).", run, said)
    return run.run_id


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """Names of sockets hold no more than 107 characters."""
    with tempfile.TemporaryDirectory() as folder:
        yield Path(folder)


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def test_a_run_whose_process_is_gone_has_failed_and_one_that_lives_has_not(
    home: Settings, short_folder: Path
) -> None:
    listening, deaf = short_folder / "listening", short_folder / "deaf"
    with socket.socket(socket.AF_UNIX) as ended:
        ended.bind(str(deaf))
    with open_instance(home) as instance, socket.socket(socket.AF_UNIX) as server:
        server.bind(str(listening))
        server.listen()
        environment = {**os.environ, "DAGSTER_HOME": str(home.dagster_folder)}
        with subprocess.Popen(
            [sys.executable, "-c", "input()"], stdin=subprocess.PIPE, env=environment
        ) as living:
            runs = {
                "dead": started_run(instance, ended_process()),
                "alive": started_run(instance, living.pid),
                "its number was given to another": started_run(instance, os.getppid()),
                "nobody was asked yet": started_run(instance, None),
                "being started": started_run(instance, None, listening),
                "what starts it is gone": started_run(instance, None, short_folder / "gone"),
                "what starts it is dead": started_run(instance, None, deaf),
            }
            put_in_order(home)
            living.kill()
        found = {name: instance.get_run_by_id(run) for name, run in runs.items()}
    failed = {name for name, run in found.items() if run is not None and run.status.value == "FAILURE"}
    assert failed == {
        "dead",
        "its number was given to another",
        "what starts it is gone",
        "what starts it is dead",
    }
    dead = found["dead"]
    assert dead is not None
    assert dead.tags["dagster/will_retry"] == "true", "the daemon tries it again"
