"""Jobs: named selections of assets that commands, schedules and people run."""

from __future__ import annotations

from typing import Final

import dagster as dg

from assets.cluster import training_tags
from tidzam_platform.settings import load_settings

MAKE_GENERATION: Final = "make_generation"
RETRAIN_EXPERT: Final = "retrain_expert"
INDEX_ARCHIVE: Final = "index_archive"
HEAR_ARCHIVE: Final = "hear_archive"
SCORE_GENERATIONS: Final = "score_generations"

_TRAINING_TAGS: Final = training_tags(load_settings())

make_generation = dg.define_asset_job(
    MAKE_GENERATION,
    dg.AssetSelection.assets("dataset", "classifier", "generation"),
    description="From the labels as they are now to a generation in service, if the gate lets it pass.",
    tags=_TRAINING_TAGS,
)
retrain_expert = dg.define_asset_job(
    RETRAIN_EXPERT,
    dg.AssetSelection.assets("dataset", "expert", "classifier", "generation"),
    description="As make_generation, but one expert alone is trained: a partition is an expert.",
    tags=_TRAINING_TAGS,
)
index_archive = dg.define_asset_job(
    INDEX_ARCHIVE,
    dg.AssetSelection.assets("archive"),
    description="Look for new recordings, and tell the days that changed.",
)
hear_archive = dg.define_asset_job(
    HEAR_ARCHIVE,
    dg.AssetSelection.assets("detections"),
    description="Hear days of sources with a generation: a partition is a source and a day; made for backfills.",
)
score_generations = dg.define_asset_job(
    SCORE_GENERATIONS,
    dg.AssetSelection.assets("evaluation"),
    description="Score all generations on the newest frozen test sets.",
)
