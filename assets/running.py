"""Running a job in this process: the same run that the UI would start, without the UI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from assets.classifiers.checks import gate
from assets.definitions import defs
from assets.instance import PROCESS_TAG, open_instance
from tidzam_platform.errors import GateRefusedError
from tidzam_platform.settings import Settings


def run_job(
    settings: Settings, name: str, *, config: Mapping[str, Any] | None = None, partition: str | None = None
) -> dg.ExecuteInProcessResult:
    """Run a job of ours; the run and its materializations are kept in this home's Dagster instance.

    Raises:
        GateRefusedError: the gate held a candidate back; its reasons are in the message.
        TidzamError: an asset failed with a typed error: it comes out as itself.
    """
    loggers = {"console": {"config": {"log_level": "CRITICAL"}}}
    with open_instance(settings) as instance:
        try:
            result = defs.resolve_job_def(name).execute_in_process(
                run_config={"ops": dict(config or {}), "loggers": loggers},
                instance=instance,
                partition_key=partition,
                tags={PROCESS_TAG: str(os.getpid())},
                raise_on_error=True,
            )
        except dg.DagsterAssetCheckFailedError as error:
            raise GateRefusedError(str(error)) from error
    _raise_refusal(result)
    return result


def _raise_refusal(result: dg.ExecuteInProcessResult) -> None:
    for evaluation in result.get_asset_check_evaluations():
        if evaluation.check_name == gate.check_key.name and not evaluation.passed:
            raise GateRefusedError(f"the gate refused the generation: {evaluation.description}")
