"""Training at fixed times."""

from __future__ import annotations

import dagster as dg

from assets.jobs import make_generation
from tidzam_platform.settings import load_settings

retraining = dg.ScheduleDefinition(
    name="retraining",
    job=make_generation,
    cron_schedule=load_settings().dagster.retrain_cron,
    execution_timezone="UTC",
    description="Makes a generation from the labels as they are then (dagster.retrain_cron). Where nothing changed it "
    "trains nothing.",
)
