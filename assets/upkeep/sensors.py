"""A run that failed is told."""

from __future__ import annotations

import dagster as dg

from assets.upkeep.telling import RunFailed, tell
from tidzam_platform.operations.ports import join_address
from tidzam_platform.settings import load_settings


@dg.run_failure_sensor(
    name="failed_run",
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=30,
    description="Writes each run that failed into the log, and tells it to the webhook of "
    "dagster.failure_webhook_file.",
)
def failed_run(context: dg.RunFailureSensorContext) -> None:
    """Tell one run."""
    settings = load_settings()
    address = join_address(settings.dagster.host, settings.dagster.port)
    run = context.dagster_run
    tell(
        settings,
        RunFailed(
            job=run.job_name,
            run=run.run_id,
            partition=run.tags.get("dagster/partition", ""),
            message=context.failure_event.message or "",
            url=f"http://{address}/runs/{run.run_id}",
            will_retry=run.tags.get("dagster/will_retry") == "true",
        ),
    )
