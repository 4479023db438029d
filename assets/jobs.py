"""Jobs: named selections of assets that commands, schedules and people run."""

from __future__ import annotations

from typing import Final

import dagster as dg

MAKE_GENERATION: Final = "make_generation"
RETRAIN_EXPERT: Final = "retrain_expert"
INDEX_ARCHIVE: Final = "index_archive"
HEAR_ARCHIVE: Final = "hear_archive"
SCORE_GENERATIONS: Final = "score_generations"

make_generation = dg.define_asset_job(
    MAKE_GENERATION,
    dg.AssetSelection.assets("dataset", "classifier", "generation"),
    description="From the labels as they are now to a generation in service, if the gate lets it pass.",
)
retrain_expert = dg.define_asset_job(
    RETRAIN_EXPERT,
    dg.AssetSelection.assets("dataset", "expert", "classifier", "generation"),
    description="As make_generation, but one expert alone is trained: a partition is an expert.",
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
