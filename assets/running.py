"""Running a job in this process: the same run that the UI would start, without the UI."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.classifiers.checks import PREFIX as GATE_CHECKS
from assets.definitions import defs
from assets.instance import PROCESS_TAG, open_instance
from tidzam_platform.errors import GateRefusedError
from tidzam_platform.operations.termination import sigterm_kept
from tidzam_platform.settings import Settings


def run_job(
    settings: Settings, name: str, *, config: Mapping[str, Any] | None = None, partition: str | None = None
) -> dg.ExecuteInProcessResult:
    """Run a job of ours; the run and its materializations are kept in this home's Dagster instance.

    Raises:
        GateRefusedError: the gate held a candidate back; its reasons are in the message.
        TidzamError: an asset failed with a typed error: it comes out as itself.
        KeyboardInterrupt: Ctrl-C (Dagster has an error of its own for it).
    """
    loggers = {"console": {"config": {"log_level": "CRITICAL"}}}
    run_id = str(uuid.uuid4())
    # Dagster leaves SIGTERM with the handler of SIGINT, which a background job of a shell ignores.
    with sigterm_kept(), open_instance(settings) as instance:
        try:
            return defs.resolve_job_def(name).execute_in_process(
                run_config={"ops": dict(config or {}), "loggers": loggers},
                instance=instance,
                partition_key=partition,
                tags={
                    PROCESS_TAG: str(os.getpid()),
                    "dagster/max_retries": "0",
                },  # whoever called calls again
                run_id=run_id,
            )
        except dg.DagsterExecutionInterruptedError as interrupted:
            raise KeyboardInterrupt from interrupted
        except dg.DagsterError as error:
            if refusal := _refusal(instance, run_id):
                raise GateRefusedError(refusal) from error
            raise


def _refusal(instance: dg.DagsterInstance, run_id: str) -> str:
    """Why the gate held back the candidate of a run; empty if it did not."""
    reasons = []
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
        if entry.dagster_event is not None:
            evaluation = entry.dagster_event.asset_check_evaluation_data
            if evaluation.check_name.startswith(GATE_CHECKS) and not evaluation.passed:
                reasons.append(evaluation.description or evaluation.check_name)
    return f"the gate refused the generation: {'; '.join(reasons)}" if reasons else ""
