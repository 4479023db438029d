"""Retention and backup by night (UTC)."""

from __future__ import annotations

import dagster as dg

from assets.upkeep.jobs import backup_job, retention_job

nightly_backup = dg.ScheduleDefinition(
    name="nightly_backup",
    job=backup_job,
    cron_schedule="0 1 * * *",
    execution_timezone="UTC",
    description="Backs up to dagster.backup_place.",
)
nightly_retention = dg.ScheduleDefinition(
    name="nightly_retention",
    job=retention_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    description="Removes what is older than the settings retention.* keep it, after the backup.",
)
