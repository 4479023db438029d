"""Our Dagster instance: its folder, its configuration, and runs that died with their process."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg
from dagster._core.storage.tags import GRPC_INFO_TAG

from assets.cluster import beyond_one_machine
from assets.policies import POOLS, REPROCESSING_POOL, TRAINING_POOL
from tidzam_platform.files import write_whole
from tidzam_platform.settings import Settings

PROCESS_TAG: Final = "tidzam/process"
_CONNECT_S: Final = 2.0
_UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]

# Logs of ours go to Dagster's event log, where the UI shows them; capturing file descriptors as well would need two
# more processes a step. A pool admits whole runs: a run that waits is queued and holds no process, and one that was
# killed holds no slot. Training and reprocessing have pools of their own, and places for others are left beside them:
# two hundred days that wait to be heard keep no training waiting. Runs whose process died are tried again; assets that
# failed have said themselves how often they are.
_CONFIGURATION = """\
# Written by Tidzam at each start.
telemetry:
  enabled: false
python_logs:
  managed_python_loggers: [tidzam]
  python_log_level: INFO
compute_logs:
  module: dagster._core.storage.noop_compute_log_manager
  class: NoOpComputeLogManager
concurrency:
  runs:
    max_concurrent_runs: {max_runs}
  pools:
    default_limit: 1
    granularity: run
run_monitoring:
  enabled: true
  start_timeout_seconds: 180
run_retries:
  enabled: true
  max_retries: 2
  retry_on_asset_or_op_failure: false
freshness:
  enabled: true
"""


def prepare_dagster_home(settings: Settings) -> Path:
    """Make DAGSTER_HOME with our configuration and name it in the environment."""
    folder = settings.dagster_folder
    configuration = folder / "dagster.yaml"
    text = _CONFIGURATION.format(max_runs=settings.dagster.max_runs) + beyond_one_machine(settings, folder)
    wanted = text.encode()
    if not configuration.exists() or configuration.read_bytes() != wanted:
        write_whole(configuration, wanted)
    os.environ["DAGSTER_HOME"] = str(folder)
    os.environ["DAGSTER_DISABLE_TELEMETRY"] = "1"
    return folder


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance of this home; runs of ours whose process is gone are said to have failed."""
    prepare_dagster_home(settings)
    with dg.DagsterInstance.get() as instance:
        for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
            process = run.tags.get(PROCESS_TAG, "")
            if process and not Path("/proc", process).exists():
                _report_dead(instance, run, process)
        yield instance


def put_in_order(settings: Settings) -> None:
    """What is done before a daemon starts: limits of pools as the settings say, and runs that nobody works at failed.

    A daemon, and what starts runs for it, may end at any moment and leave runs behind that count as started for ever:
    backfills would wait for them. They are told as failed, so that the daemon tries them again.
    """
    limits = dict.fromkeys(POOLS, 1) | {
        TRAINING_POOL: settings.dagster.training_runs,
        REPROCESSING_POOL: settings.dagster.reprocessing_runs,
    }
    with open_instance(settings) as instance:
        for pool, limit in limits.items():
            instance.event_log_storage.set_concurrency_slots(pool, limit)
        if settings.dagster.ray_jobs:
            return  # on other machines; Dagster asks the cluster about them
        for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
            if PROCESS_TAG in run.tags:
                continue
            process = _process_of(instance, run)
            if process and not _works_for(process, settings.dagster_folder):
                _report_dead(instance, run, process)
            elif not process and _starter_is_gone(run):
                instance.report_run_failed(run, "what was to start the run ended before")


def _report_dead(instance: dg.DagsterInstance, run: dg.DagsterRun, process: str) -> None:
    instance.report_run_failed(run, f"process {process} ended in the middle of the run")


def _starter_is_gone(run: dg.DagsterRun) -> bool:
    """Whether the server on this machine that was asked to start a run answers no more."""
    path = json.loads(run.tags.get(GRPC_INFO_TAG, "{}")).get("socket")
    if path is None:
        return False  # not asked yet, or elsewhere: the daemon gives it up after a while
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_CONNECT_S)
        try:
            connection.connect(path)
        except (FileNotFoundError, ConnectionRefusedError):
            return True
        except TimeoutError:
            return False
    return False


def _process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """The process that works at a run, as its log says; empty if none said so yet."""
    found = ""
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        event = entry.dagster_event
        if event is not None and (said := event.engine_event_data.metadata.get("pid")) is not None:
            found = str(said.value)
    return found


def _works_for(process: str, dagster_home: Path) -> bool:
    """Whether the process lives and belongs to this Dagster: numbers of processes are given again."""
    try:
        environment = Path("/proc", process, "environ").read_bytes().split(b"\0")
    except OSError:
        return False
    return f"DAGSTER_HOME={dagster_home}".encode() in environment
