"""Everything that Dagster loads, merged; the parts live in one folder a concern."""

from __future__ import annotations

import dagster as dg

from assets import jobs
from assets.classifiers import assets as classifiers
from assets.classifiers import checks as classifier_checks
from assets.classifiers.schedules import retraining
from assets.classifiers.sensors import enough_new_labels, tree_of_experts
from assets.clips import assets as clips
from assets.datasets import assets as datasets
from assets.detections import assets as detections
from assets.detections.jobs import reprocess_job
from assets.generations import assets as generations
from assets.generations import jobs as generation_jobs
from assets.learning import assets as learning
from assets.learning import jobs as learning_jobs
from assets.recordings import assets as recordings
from assets.recordings.sensors import new_recordings
from assets.service import assets as service
from assets.upkeep.jobs import backup_job, retention_job
from assets.upkeep.schedules import nightly_backup, nightly_retention
from assets.upkeep.sensors import failed_run
from assets.values import JsonIOManager

what_follows = dg.AutomationConditionSensorDefinition(
    "what_follows",
    target=dg.AssetSelection.all() | dg.AssetSelection.assets("served_model"),
    minimum_interval_seconds=60,
    description="Runs what follows from something new: days of new recordings are heard when they are over, "
    "generations scored and labels ranked after each generation, clips counted each night, the served model looked at.",
)

defs = dg.Definitions(
    assets=dg.load_assets_from_modules(
        [recordings, clips, datasets, classifiers, generations, service, detections, learning]
    ),
    asset_checks=dg.load_asset_checks_from_modules([classifier_checks]),
    jobs=[
        jobs.make_generation,
        jobs.retrain_expert,
        jobs.index_archive,
        jobs.hear_archive,
        jobs.score_generations,
        reprocess_job,
        generation_jobs.promote_generation,
        generation_jobs.rollback_generation,
        learning_jobs.rank_labels,
        retention_job,
        backup_job,
    ],
    schedules=[retraining, nightly_backup, nightly_retention],
    sensors=[new_recordings, tree_of_experts, enough_new_labels, failed_run, what_follows],
    resources={"io_manager": JsonIOManager()},
    # A run is a process of its own already; another one a step would cost seconds of imports each.
    executor=dg.in_process_executor,
)
