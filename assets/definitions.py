"""Everything that Dagster loads, merged; the parts live in one folder a concern."""

from __future__ import annotations

import dagster as dg

from assets import jobs
from assets.classifiers import assets as classifiers
from assets.classifiers import checks as classifier_checks
from assets.datasets import assets as datasets
from assets.detections import assets as detections
from assets.generations import assets as generations
from assets.generations import jobs as generation_jobs
from assets.recordings import assets as recordings
from assets.values import JsonIOManager

defs = dg.Definitions(
    assets=dg.load_assets_from_modules([recordings, datasets, classifiers, generations, detections]),
    asset_checks=dg.load_asset_checks_from_modules([classifier_checks]),
    jobs=[
        jobs.make_generation,
        jobs.index_archive,
        jobs.hear_archive,
        generation_jobs.promote_generation,
        generation_jobs.rollback_generation,
    ],
    resources={"io_manager": JsonIOManager()},
)
