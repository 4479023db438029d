"""Our Dagster instance: its folder, its configuration, and runs that died with their process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import dagster as dg

from tidzam_platform.files import write_whole
from tidzam_platform.settings import Settings

PROCESS_TAG: Final = "tidzam/process"
TRAINING_POOL: Final = "gpu"  # of the assets that train: as many runs at once as its limit says
_UNFINISHED = [dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.CANCELING]

# Logs of ours go to Dagster's event log, where the UI shows them; capturing file descriptors as well would need two
# more processes a step. A pool admits whole runs: a run that waits is queued and holds no process, and one that was
# killed holds no slot.
_CONFIGURATION = b"""\
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
  pools:
    default_limit: 1
    granularity: run
"""


def prepare_dagster_home(settings: Settings) -> Path:
    """Make DAGSTER_HOME with our configuration and name it in the environment."""
    folder = settings.dagster_folder
    configuration = folder / "dagster.yaml"
    if not configuration.exists() or configuration.read_bytes() != _CONFIGURATION:
        write_whole(configuration, _CONFIGURATION)
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
                instance.report_run_failed(run, f"process {process} ended in the middle of the run")
        yield instance
